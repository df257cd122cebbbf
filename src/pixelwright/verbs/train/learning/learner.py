"""Learner: a network that takes one step after the other. What Lightning Fabric does is done by it."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.precision import MixedPrecision, Precision
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from pixelwright.contract import LossOptions
from pixelwright.errors import TrainingError
from pixelwright.models import optimizers
from pixelwright.models.batch import Batch
from pixelwright.verbs.train.learning.feed import normalized, parts
from pixelwright.verbs.train.learning.progress import Progress
from pixelwright.verbs.train.machine import is_out_of_memory
from pixelwright.verbs.train.planning.plan import Plan
from pixelwright.verbs.train.settings.config import OptimizerConfig

log = logging.getLogger(__name__)

NOT_FINITE = (
    "Lower it (--lr), train in float32 (--precision f32), or look for wrong values in the data (pixelwright doctor)."
)
SKIPPED_IN_A_ROW = 20  # float16 finds its scale within 16


class Learner:
    """Network, average of its weights, optimizer, and how far they are.

    Attributes:
        plan: What is trained.
        net: As Fabric runs it.
        average: Of its weights, or None.
        optimizer: As Fabric runs it.
        progress: How far it is.
    """

    def __init__(self, fabric: Fabric, plan: Plan, precision: Precision, loss: LossOptions) -> None:
        """Fresh weights from the plan's seed."""
        self._fabric, self.plan, self._precision, self._loss_options = fabric, plan, precision, loss
        config, record = plan.config, plan.record()
        torch.manual_seed(config.seed)
        net = record.build(plan.network)
        if not plan.problem.sequence:  # the order in which convolutions train fastest, on CPUs as on GPUs
            net = net.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        net = net.to(fabric.device)
        self._record, self._training = record, plan.training()
        self.average = _average(net, config.optimizer.ema_decay) if config.optimizer.ema_decay else None
        optimizer = optimizers.build(config.optimizer.name, net, _options(config.optimizer))
        self._rates = [group["lr"] for group in optimizer.param_groups]
        self.net, self.optimizer = fabric.setup(net, optimizer)
        size = config.batch.size or 1
        self.progress = Progress(part=-(-size // (fabric.world_size * config.batch.accumulate)))

    @property
    def validated(self) -> nn.Module:
        """The network that counts: of averaged weights, where they are averaged."""
        return self.net.module if self.average is None else self.average.module

    def step(self, batch: Batch, factor: float) -> float:
        """One step on a batch that is on the device, at the learning rate times a factor; gives the loss.

        Where memory runs out the batch is taken in smaller parts, from now on. Their gradients are added up by their
        share of the pictures: the same step in a longer time where the loss is a mean over pictures, and nearly so
        where it is one over things or pixels, or where a BatchNorm sees the parts one by one.

        Raises:
            TrainingError: Memory does not even suffice for one picture, or many losses in a row were not finite.
        """
        for group, rate in zip(self.optimizer.param_groups, self._rates, strict=True):
            group["lr"] = rate * factor
        self.net.train()
        # What a forward pass leaves in the network (BatchNorm's running statistics) must go if the step is not taken.
        before = [buffer.clone() for buffer in self.net.buffers()]
        while True:
            # A step's random numbers follow from its number: a run that is continued needs no state of generators.
            _seed(_mixed(self.plan.config.seed, self.progress.step, self._fabric.global_rank), self._fabric.device)
            self.optimizer.zero_grad()
            try:
                value = self._backward(parts(batch, self.progress.part), len(batch))
                break
            except (RuntimeError, MemoryError) as err:
                if not is_out_of_memory(err):
                    raise
                said = str(err)
            # Out here nothing holds the failed pass any more: its traceback would.
            self._halve(len(batch), said)
            self._put_back(before)
        if not self._update():
            self._put_back(before)
        self.progress.step += 1
        if math.isfinite(value):
            self.progress.losses += value
            self.progress.counted += 1
        return value

    def _backward(self, pieces: list[Batch], count: int) -> float:
        total = torch.zeros((), device=self._fabric.device)
        for place, piece in enumerate(pieces):
            with self._fabric.no_backward_sync(self.net, enabled=place < len(pieces) - 1):
                value = torch.stack(list(self.losses(piece).values())).sum() * (len(piece) / count)
                self._fabric.backward(value)
            total += value.detach()
        mean = self._fabric.all_reduce(total)
        return float(mean) if isinstance(mean, Tensor) else math.nan

    def losses(self, batch: Batch) -> Mapping[str, Tensor]:
        """The named parts of the loss."""
        images = normalized(batch.images, self.plan.spec.input)
        made = self.net(images) if batch.lengths is None else self.net(images, batch.lengths)
        named = dict(zip(self._record.outputs, (made,) if isinstance(made, Tensor) else made, strict=True))
        if self._record.loss is not None and not self._loss_options.name:
            return self._record.loss(named, batch, self.plan.problem)
        return self._training.loss(named, batch, self.plan.problem, self._loss_options)

    @torch.no_grad()
    def _put_back(self, before: list[Tensor]) -> None:
        for buffer, kept in zip(self.net.buffers(), before, strict=True):
            buffer.copy_(kept)

    def _update(self) -> bool:
        """Change the weights; whether that was done."""
        limit = self.plan.config.optimizer.clip_norm or float("inf")
        norm = self._fabric.clip_gradients(self.net, self.optimizer, max_norm=limit, error_if_nonfinite=False)
        finite = norm is not None and bool(torch.isfinite(norm))
        if finite or _scaler(self._precision):  # a scaler skips by itself, and has to see why
            self.optimizer.step()
        if finite:
            self.progress.skipped = 0
            if self.average is not None:
                self.average.update_parameters(self.net.module)
            return True
        self.progress.skipped += 1
        if self.progress.skipped >= SKIPPED_IN_A_ROW:
            raise TrainingError(
                f"step {self.progress.step}: the loss or its gradients were not finite {SKIPPED_IN_A_ROW} times in a "
                f"row (learning rate {self.optimizer.param_groups[0]['lr']:.3g}). {NOT_FINITE}"
            )
        return False

    def _halve(self, count: int, said: str) -> None:
        part = min(self.progress.part, count)
        if part <= 1 or self._fabric.world_size > 1:
            raise TrainingError(_no_memory(self.plan, part, said))
        self.progress.part = -(-part // 2)
        if self._fabric.device.type == "cuda":
            torch.cuda.empty_cache()
        log.warning(
            "out of memory with %d pictures at once: going on with %d, in %d parts; a step is still of %d pictures",
            part, self.progress.part, -(-count // self.progress.part), count,
        )  # fmt: skip

    def state(self) -> dict[str, Any]:
        """What a checkpoint holds, for Fabric to save and to restore."""
        state: dict[str, Any] = {"net": self.net, "optimizer": self.optimizer, "progress": asdict(self.progress)}
        state["scaler"] = self._precision.state_dict()
        if self.average is not None:
            state["average"] = self.average
        return state

    def restored(self, state: dict[str, Any]) -> None:
        """Take over what Fabric could not restore itself."""
        self._precision.load_state_dict(state["scaler"])
        self.progress = Progress(**state["progress"])


@contextmanager
def memory_told(plan: Plan) -> Iterator[None]:
    """Memory that runs out where no part of a batch can be made smaller (it is collated, varied, validated), in words.

    Raises:
        TrainingError: It did.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as err:
        if not is_out_of_memory(err):
            raise
        raise TrainingError(_no_memory(plan, plan.config.batch.size or 1, str(err))) from err


def _no_memory(plan: Plan, count: int, said: str) -> str:
    height, width = plan.problem.size_hw
    return (
        f"out of memory with {count} pictures of {height}x{width} (rows x columns) at once on a device: {said}. Take "
        "smaller ones (--size), a smaller model, or a smaller batch (--batch)."
    )


def _average(net: nn.Module, decay: float) -> AveragedModel:
    """The exponential average; in the first steps, soon out of date, it follows faster. Buffers are copied."""

    def update(kept: Any, new: Any, count: Any) -> None:
        get_ema_multi_avg_fn(min(decay, (1 + int(count)) / (10 + int(count))))(kept, new, count)

    average = AveragedModel(net, multi_avg_fn=update)
    return average.requires_grad_(False).eval()


def _options(config: OptimizerConfig) -> optimizers.OptimizerOptions:
    return optimizers.OptimizerOptions(
        learning_rate=config.learning_rate,
        weight_decay=config.weight_decay,
        momentum=config.momentum,
        nesterov=config.nesterov,
        betas=config.betas,
    )


def _scaler(precision: Precision) -> bool:
    return isinstance(precision, MixedPrecision) and precision.scaler is not None


def _seed(seed: int, device: torch.device) -> None:
    # `torch.manual_seed` notes where it was called from for each kind of device that is not there: that takes longer
    # than a step of a small network.
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)


def _mixed(seed: int, step: int, rank: int) -> int:
    """A seed for each step and device; a multiplicative hash, so that neighbors have nothing in common."""
    return (seed * 0x9E3779B97F4A7C15 + step * 0xBF58476D1CE4E5B9 + rank * 0x94D049BB133111EB + 1) % 2**63
