"""What the recipes share: their command line and a training loop that runs for a stated number of minutes.

The learning rate follows the used-up fraction of the minutes, not a step count, so a recipe ends with small
steps on a slow machine as on a fast one (after fewer of them). Minutes add up over restarts: a killed run
continues from its last checkpoint. Because time decides, two runs are alike but never equal to the bit.
"""

import argparse
import json
import logging
import math
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

log = logging.getLogger("recipe")

REPOSITORY = Path(__file__).resolve().parent.parent
CHECKPOINT = "checkpoint.pt"

MakeBatch = Callable[[np.random.Generator, float], tuple[Tensor, ...]]
Loss = Callable[[nn.Module, tuple[Tensor, ...], float], Tensor]
Validate = Callable[[nn.Module], dict[str, float]]


@dataclass(frozen=True)
class LoopConfig:
    """How long and how fast to train; fractions are of the minutes."""

    minutes: float
    learning_rate: float = 1e-3
    final_learning_rate: float = 1e-6
    warmup_fraction: float = 0.01
    weight_decay: float = 1e-4
    ema_decay: float = 0.999
    clip_norm: float = 1.0
    checkpoint_minutes: float = 3.0
    log_seconds: float = 30.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.minutes > 0:
            raise ValueError(f"minutes: expected a positive number, got {self.minutes!r}")


@dataclass
class State:
    """Everything a killed run needs to continue."""

    net: nn.Module
    ema: nn.Module
    optimizer: torch.optim.Optimizer
    rng: np.random.Generator
    step: int = 0
    seconds: float = 0.0

    def save(self, path: Path) -> None:
        """Writes a whole file or none: a run killed here leaves the checkpoint before."""
        content = {
            "net": self.net.state_dict(),
            "ema": self.ema.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "torch_rng": torch.get_rng_state(),
            "numpy_rng": json.dumps(self.rng.bit_generator.state),
            "step": self.step,
            "seconds": self.seconds,
        }
        partial = path.with_suffix(".partial")
        with partial.open("wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)

    def restore(self, path: Path) -> None:
        """Takes over what `save` wrote."""
        # weights_only: tensors and plain values alone, no arbitrary pickle.
        content = torch.load(path, weights_only=True)
        self.net.load_state_dict(content["net"])
        self.ema.load_state_dict(content["ema"])
        self.optimizer.load_state_dict(content["optimizer"])
        torch.set_rng_state(content["torch_rng"])
        self.rng.bit_generator.state = json.loads(content["numpy_rng"])
        self.step = content["step"]
        self.seconds = content["seconds"]


def arguments(description: str, *, minutes: float) -> argparse.Namespace:
    """The command line of a recipe; sets the number of torch threads and starts logging to stdout."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawTextHelpFormatter)
    add = parser.add_argument
    add("--data", type=Path, default=REPOSITORY.parent / "shared" / "data", help="folder of data sets")
    add("--run", type=Path, required=True, help="folder for the checkpoint, model.onnx and scores.json")
    add("--minutes", type=float, default=minutes, help="training time, restarts included")
    add("--threads", type=int, default=1, help="processor threads")
    add("--export", action="store_true", help="do not train: write RUN/model.onnx from the checkpoint")
    add("--evaluate", action="store_true", help="do not train: write RUN/scores.json for RUN/model.onnx")
    parsed = parser.parse_args()
    logging.basicConfig(stream=sys.stdout, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    log.setLevel(logging.INFO)  # only ours: torch's exporter tells its whole life at this level
    torch.set_num_threads(parsed.threads)
    parsed.run.mkdir(parents=True, exist_ok=True)
    return parsed


def load_ema(net: nn.Module, run: Path) -> nn.Module:
    """`net` with the averaged weights of the run's checkpoint, in evaluation mode."""
    path = run / CHECKPOINT
    if not path.exists():
        raise FileNotFoundError(f"--run: {path} does not exist. Train first.")
    content = torch.load(path, weights_only=True)
    net.load_state_dict(content["ema"])
    log.info("checkpoint of step %d after %.1f minutes", content["step"], content["seconds"] / 60)
    return net.eval()


def rate_at(fraction: float, config: LoopConfig) -> float:
    """The learning rate after this fraction of the time: a short linear rise, then a cosine."""
    if fraction < config.warmup_fraction:
        return config.learning_rate * max(fraction / config.warmup_fraction, 0.01)
    progress = min((fraction - config.warmup_fraction) / (1 - config.warmup_fraction), 1.0)
    cosine = 0.5 * (1 + math.cos(math.pi * progress))
    return config.final_learning_rate + (config.learning_rate - config.final_learning_rate) * cosine


@torch.no_grad()
def update_average(ema: nn.Module, net: nn.Module, step: int, decay: float) -> None:
    """Moves the averaged weights toward the present ones, faster in the first steps, soon out of date."""
    decay = min(decay, (1 + step) / (10 + step))
    for kept, new in zip(ema.parameters(), net.parameters(), strict=True):
        kept.lerp_(new, 1 - decay)
    for kept, new in zip(ema.buffers(), net.buffers(), strict=True):
        kept.copy_(new)


def one_step(state: State, make_batch: MakeBatch, loss: Loss, fraction: float, config: LoopConfig) -> float:
    """One optimizer step; returns the loss."""
    for group in state.optimizer.param_groups:
        group["lr"] = rate_at(fraction, config)
    value = loss(state.net, make_batch(state.rng, fraction), fraction)
    state.optimizer.zero_grad(set_to_none=True)
    value.backward()
    norm = nn.utils.clip_grad_norm_(state.net.parameters(), config.clip_norm)
    if torch.isfinite(norm):  # one bad batch must not cost the run
        state.optimizer.step()
    state.step += 1
    update_average(state.ema, state.net, state.step, config.ema_decay)
    return value.item()


def in_channels_last(net: nn.Module) -> nn.Module:
    """The network with its weights in the order in which CPU convolutions train fastest."""
    return net.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def new_state(build: Callable[[], nn.Module], config: LoopConfig) -> State:
    """Fresh weights, their average, optimizer and generators, all seeded."""
    torch.manual_seed(config.seed)
    net = in_channels_last(build())
    ema = in_channels_last(build()).requires_grad_(False).eval()
    ema.load_state_dict(net.state_dict())
    optimizer = torch.optim.AdamW(
        net.parameters(),
        lr=config.learning_rate,
        betas=(0.9, 0.99),
        weight_decay=config.weight_decay,
        foreach=True,  # one call for all tensors: the default on GPUs only
    )
    return State(net, ema, optimizer, np.random.default_rng(config.seed))


def train(
    build: Callable[[], nn.Module],
    make_batch: MakeBatch,
    loss: Loss,
    validate: Validate,
    run: Path,
    config: LoopConfig,
) -> None:
    """Trains until the minutes are used up, from the run's checkpoint where there is one."""
    state = new_state(build, config)
    path = run / CHECKPOINT
    if path.exists():
        state.restore(path)
        log.info("continue from step %d after %.1f minutes", state.step, state.seconds / 60)
    parameters = sum(p.numel() for p in state.net.parameters())
    log.info("%d parameters, %.1f minutes, pid %d", parameters, config.minutes, os.getpid())
    started = time.monotonic() - state.seconds
    saved_at, logged_at, logged_step, losses = state.seconds, state.seconds, state.step, []
    while state.seconds < config.minutes * 60:
        losses.append(one_step(state, make_batch, loss, state.seconds / (config.minutes * 60), config))
        state.seconds = time.monotonic() - started
        if state.seconds - logged_at >= config.log_seconds:
            rate = (state.step - logged_step) / (state.seconds - logged_at)
            left = config.minutes - state.seconds / 60
            log.info("step %d loss %.5f %.2f it/s %.1f min left", state.step, np.mean(losses), rate, left)
            logged_at, logged_step, losses = state.seconds, state.step, []
        if state.seconds - saved_at >= config.checkpoint_minutes * 60:
            save_and_validate(state, validate, path)
            state.seconds = saved_at = logged_at = time.monotonic() - started
            logged_step = state.step
    save_and_validate(state, validate, path)
    log.info("done: step %d, %.1f minutes", state.step, state.seconds / 60)


def save_and_validate(state: State, validate: Validate, path: Path) -> None:
    """Writes the checkpoint, then logs the scores of the averaged weights."""
    state.save(path)
    with torch.no_grad():
        scores = validate(state.ema)
    listed = " ".join(f"{name} {value:.3f}" for name, value in scores.items())
    log.info("step %d validation %s", state.step, listed)
