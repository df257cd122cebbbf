"""Progress: how far a training is, for its checkpoints and for whoever watches."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class Progress:
    """How far a training is: with the weights all that a checkpoint holds, and all plain numbers.

    Attributes:
        step: Steps taken.
        seconds: Time used, over all starts of the run.
        began: Seconds at the end of the first step, before which nothing was learned.
        best: The goal's best value so far, NaN before the first.
        best_step: When that was.
        stale: Validations since then.
        skipped: Steps in a row that were not taken because their gradients were not finite.
        part: Pictures that the network takes at once on each device; smaller after memory ran out.
        losses: Sum of the finite losses since the last validation.
        counted: How many these are.
    """

    step: int = 0
    seconds: float = 0.0
    began: float = 0.0
    best: float = float("nan")
    best_step: int = 0
    stale: int = 0
    skipped: int = 0
    part: int = 0
    losses: float = 0.0
    counted: int = 0

    @property
    def loss(self) -> float:
        """Mean loss since the last validation."""
        return self.losses / self.counted if self.counted else float("nan")


@dataclass(frozen=True, slots=True)
class Shown:
    """Where a training is, for whoever watches.

    Attributes:
        done: Share of it, 0..1.
        step: Steps taken.
        seconds: Time used.
        left: Seconds that remain, as far as can be said.
        loss: Mean since the last validation.
        rate: Pictures a second.
        scores: Of the last validation.
    """

    done: float
    step: int
    seconds: float
    left: float
    loss: float
    rate: float
    scores: Mapping[str, float]


@dataclass(eq=False, slots=True)
class Watch:
    """The time that a run has used, over all its starts, and whoever is told how far it is."""

    clock: Callable[[], float] = time.monotonic
    show: Callable[[Shown], None] | None = None
    before: float = 0.0
    started: float = field(init=False)

    def __post_init__(self) -> None:
        self.started = self.clock()

    @property
    def seconds(self) -> float:
        """Since the run began, without the time in which nothing ran."""
        return self.before + self.clock() - self.started
