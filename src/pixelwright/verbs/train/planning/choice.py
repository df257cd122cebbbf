"""Choice: which network, and how large, for the time there is to train and the time there is to answer.

Every candidate is put to work for a moment on this machine: to learn on the device that trains, to answer on its CPU,
where bundles do. Of those that answer in time, the largest is taken that still sees the pictures often enough within
the minutes: a large network that is stopped early is worse than a small one that is finished.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

import torch
from torch import nn

from pixelwright.errors import UsageError
from pixelwright.models.architecture import Architecture, Problem
from pixelwright.verbs.train.machine import is_out_of_memory
from pixelwright.verbs.train.planning.networks import fitted, record_of

log = logging.getLogger(__name__)

# Rules of thumb, not measurements: networks of this size need to see some hundred thousand pictures, and each of them
# neither a handful of times nor thousands.
PICTURES_SEEN = 300_000
FEWEST_EPOCHS, MOST_EPOCHS = 10, 100
NETWORKS_SHARE = 0.85  # of the minutes; the rest goes to pictures, validation and the bundle
MEASURED_BATCH = 8  # pictures, on a CPU: there a larger batch takes in proportion
ROUNDS, LONG_S = 3, 0.5


@dataclass(frozen=True, slots=True)
class Candidate:
    """A network, and how fast it was found to be.

    Attributes:
        model: As in `--model`.
        parameters: How many numbers it learns.
        picture_s: Seconds that a training step takes for each picture.
        answer_ms: Milliseconds for a single picture, in PyTorch; the finished bundle is seldom slower.
    """

    model: str
    parameters: int
    picture_s: float
    answer_ms: float

    def epochs(self, minutes: float, pictures: int) -> float:
        """How often it sees each picture in so many minutes."""
        return minutes * 60 * NETWORKS_SHARE / (self.picture_s * pictures)

    def told(self, minutes: float | None, pictures: int) -> str:
        """A line on it."""
        seen = "" if minutes is None else f", {self.epochs(minutes, pictures):.1f} epochs in {minutes:g} minutes"
        return f"{self.model}: {self.parameters:,} parameters, {self.answer_ms:.1f} ms for an answer{seen}"


@dataclass(frozen=True, slots=True)
class Limits:
    """What there is time for.

    Attributes:
        minutes: To train; None for no limit.
        latency_ms: For an answer; None for no limit.
        pictures: To learn from.
    """

    minutes: float | None
    latency_ms: float | None
    pictures: int

    @property
    def wanted_epochs(self) -> float:
        """How often each picture should be seen."""
        return min(max(PICTURES_SEEN / self.pictures, FEWEST_EPOCHS), MOST_EPOCHS)

    def hopeless(self, found: Candidate) -> bool:
        """Whether a network is so slow that larger ones of its kind need not be tried."""
        late = self.latency_ms is not None and found.answer_ms > self.latency_ms
        return late or (self.minutes is not None and found.epochs(self.minutes, self.pictures) < self.wanted_epochs)


@dataclass(frozen=True, slots=True)
class Bench:
    """What candidates learn on.

    Attributes:
        device: `cpu` or `cuda`.
        precision: `f32`, `bf16` or `f16`.
        batch: Pictures that a device takes at once; a GPU takes many in the time of a few.
        devices: GPUs that share the pictures.
    """

    device: str = "cpu"
    precision: str = "f32"
    batch: int = MEASURED_BATCH
    devices: int = 1


def survey(names: Sequence[str], problem: Problem, limits: Limits, bench: Bench) -> list[Candidate]:
    """The networks of these architectures that can be had for a problem, measured; each is told as it comes."""
    found: list[Candidate] = []
    given_up = set[str]()
    for model, record, config in candidates(names, problem):
        if record.name in given_up:
            continue
        try:
            found.append(measure(model, record.build(config), problem, bench))
        except (RuntimeError, MemoryError) as err:
            if not is_out_of_memory(err):
                raise
            log.info("%s: does not fit into memory", model)
            given_up.add(record.name)
            continue
        log.info("%s", found[-1].told(limits.minutes, limits.pictures))
        if limits.hopeless(found[-1]):
            given_up.add(record.name)
    if bench.device == "cuda":
        torch.cuda.empty_cache()
    return found


def choose(found: Sequence[Candidate], limits: Limits) -> tuple[Candidate, str]:
    """The candidate to train, and why.

    Raises:
        UsageError: None answers in time, and the fastest is named; or none fits into memory.
    """
    if not found:
        raise UsageError("no network fits into memory. Take smaller pictures (--size) or batches (--batch).")
    quick = [one for one in found if limits.latency_ms is None or one.answer_ms <= limits.latency_ms]
    if not quick:
        best = min(found, key=lambda one: one.answer_ms)
        raise UsageError(
            f"--latency-ms {limits.latency_ms:g}: the fastest network, {best.model}, takes {best.answer_ms:.1f} ms "
            "here. Allow more, or take smaller pictures (--size)."
        )
    among = "" if limits.latency_ms is None else f" that answer within {limits.latency_ms:g} ms"
    if limits.minutes is None:
        return max(quick, key=lambda one: one.parameters), f"the largest of {len(quick)}{among}"
    seen = {one.model: one.epochs(limits.minutes, limits.pictures) for one in quick}
    enough = [one for one in quick if seen[one.model] >= limits.wanted_epochs]
    if not enough:
        chosen = max(quick, key=lambda one: seen[one.model])
        return chosen, f"the fastest of {len(quick)}{among}; it sees each picture about {seen[chosen.model]:.1f} times"
    chosen = max(enough, key=lambda one: one.picture_s)
    return chosen, (
        f"of {len(quick)}{among} the largest that sees each picture {limits.wanted_epochs:.0f} times in "
        f"{limits.minutes:g} minutes (about {seen[chosen.model]:.0f} times)"
    )


def candidates(names: Sequence[str], problem: Problem) -> list[tuple[str, Architecture, object]]:
    """Every variant of these architectures that can be had for a problem: name, record, configuration."""
    able = []
    for name in names:
        record = record_of(name)
        if record.sequences and not problem.sequence:
            continue  # it can read pictures row by row, and others read them better
        for variant, config in record.variants.items():
            try:
                able.append((f"{name}/{variant}", record, fitted(record, config, problem)))
            except UsageError:
                continue  # not for this problem
    return able


def measure(
    model: str,
    net: nn.Module,
    problem: Problem,
    bench: Bench = Bench(),
    *,
    clock: Callable[[], float] = time.perf_counter,
) -> Candidate:
    """How fast a network learns and answers here, with as many threads as torch is set to.

    Raises:
        RuntimeError: It does not fit into memory (`machine.is_out_of_memory`).
    """
    shape = (*problem.size_hw,) if problem.sequence else (problem.channels, *problem.size_hw)
    batch, net = torch.rand(bench.batch, *shape, device=bench.device), net.to(bench.device)
    if not problem.sequence:
        batch, net = batch.contiguous(memory_format=torch.channels_last), net.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def step() -> None:
        quick = torch.float16 if bench.precision == "f16" else torch.bfloat16
        with torch.autocast(bench.device, quick, enabled=bench.precision in ("bf16", "f16")):
            made = net(batch)
        made = (made,) if isinstance(made, torch.Tensor) else made
        torch.stack([one.float().mean() for one in made]).sum().backward()
        if bench.device == "cuda":
            torch.cuda.synchronize()  # what was asked for is done only now

    def answer() -> None:
        with torch.no_grad():
            net(single)

    step_s = _seconds(step, clock)
    net, single = net.cpu().eval(), batch[:1].cpu()
    answer_s = _seconds(answer, clock)
    picture_s = step_s / (bench.batch * bench.devices)
    return Candidate(model, sum(one.numel() for one in net.parameters()), picture_s, 1000 * answer_s)


def _seconds(work: Callable[[], None], clock: Callable[[], float]) -> float:
    """The median of a few rounds after one that warms up; of a single one where that took long."""
    started = clock()
    work()
    found: list[float] = []
    for _ in range(ROUNDS if clock() - started < LONG_S else 1):
        started = clock()
        work()
        found.append(clock() - started)
    return median(found)
