"""Schedules: by what the learning rate is multiplied as training goes on.

Each is a pure function of the share of the training that is done, 0..1, be it counted in steps or in minutes: a run
that is continued, or ends by the clock, needs nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

from pixelwright.errors import UnknownName, UsageError

Schedule = Callable[[float], float]

# Share of the training over which `cosine` and `linear` rise: enough for the second moments of Adam to settle.
WARMUP = 0.05


def constant(done: float) -> float:
    """1 throughout."""
    return 1.0


def linear(done: float, *, warmup: float = WARMUP) -> float:
    """A linear rise from near 0 over `warmup`, then a straight line down to 0."""
    return _rise(done, warmup) if done < warmup else (1 - done) / (1 - warmup)


def cosine(done: float, *, warmup: float = WARMUP, final: float = 1e-3) -> float:
    """A linear rise over `warmup`, then half a cosine from 1 down to `final`.

    Source: Loshchilov, Hutter, "SGDR", https://arxiv.org/abs/1608.03983, equation 5, without restarts.
    """
    if done < warmup:
        return _rise(done, warmup)
    progress = (done - warmup) / (1 - warmup)
    return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))


def one_cycle(done: float, *, peak: float = 0.3, start: float = 0.04, final: float = 4e-6) -> float:
    """Half a cosine up from `start` to 1 at `peak`, then half a cosine down to `final`.

    Source: Smith, Topin, "Super-Convergence", https://arxiv.org/abs/1708.07120, with cosines in place of lines.
    """
    low, progress = (start, 1 - done / peak) if done < peak else (final, (done - peak) / (1 - peak))
    return low + (1 - low) * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))


def step(done: float, *, milestones: tuple[float, ...] = (0.5, 0.75), factor: float = 0.1) -> float:
    """Multiplied by `factor` at each of the milestones.

    Source: He et al., https://arxiv.org/abs/1512.03385, section 4.2, has these milestones for CIFAR.
    """
    return factor ** sum(done >= milestone for milestone in milestones)


SCHEDULES: Mapping[str, Schedule] = MappingProxyType(
    {"constant": constant, "cosine": cosine, "one-cycle": one_cycle, "linear": linear, "step": step}
)


def factor(name: str, done: float) -> float:
    """By what the learning rate is multiplied, never 0.

    Args:
        name: Of the schedule.
        done: Share of the training, 0..1; beyond its end the last value holds.

    Raises:
        UnknownName: No such schedule; the message proposes the nearest.
        UsageError: `done` is negative or no number.
    """
    if name not in SCHEDULES:
        raise UnknownName("schedule", name, SCHEDULES)
    if not done >= 0:
        raise UsageError(f"done: expected a share of the training from 0 up, got {done}.")
    return max(SCHEDULES[name](min(done, 1.0)), 1e-8)


def _rise(done: float, warmup: float) -> float:
    # The first step is taken with a hundredth, not with nothing: it would be lost.
    return max(done / warmup, 0.01)
