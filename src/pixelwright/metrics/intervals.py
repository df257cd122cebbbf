"""How sure a number is: percentile bootstrap over pictures, paired comparison of two models on the same pictures.

Where pictures belong together (slices of a patient, frames of a track) whole groups are drawn, as neighbors say the
same thing twice.

Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapters 13 (percentile interval) and 15
(permutation test); Field and Welsh, Bootstrapping clustered data, JRSS B 69, 2007 (whole groups).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import comb, nan
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwright.errors import ShapeError
from pixelwright.metrics.definitions import definition_of
from pixelwright.metrics.score import Picks, Score, Statistic

MOST_ROUNDS, FEWEST_ROUNDS = 1000, 200
ROUND_PICTURES = 5_000_000  # pictures drawn in all rounds together: more rounds for few pictures, fewer for many
MIDDLE = (2.5, 97.5)  # percent
LEAST_KNOWN = 0.5  # of the rounds must give a value, or there is no interval
FEW = 30  # pictures: with fewer, intervals say little
LARGEST_EXACT = 1000  # discordant pairs up to which the binomial sum is exact; the normal law serves beyond

Floats = npt.NDArray[np.float64]


def rounds_for(n: int) -> int:
    """How many bootstrap rounds are drawn for a number of pictures: 1000, and fewer from 5,000 pictures on."""
    return int(np.clip(ROUND_PICTURES // max(1, n), FEWEST_ROUNDS, MOST_ROUNDS))


def measure(
    statistic: Statistic, n: int, *, groups: Sequence[str] = (), rounds: int | None = None, seed: int = 0
) -> list[Score]:
    """All metrics of a statistic over n pictures, each with the interval of the bootstrap.

    The same seed gives the same intervals. A round in which a metric has no value (no positive was drawn) does not
    count for it; where half of them have none, or there are fewer than two pictures or groups, it has no interval.

    Args:
        statistic: Picks to values.
        n: How many pictures there are.
        groups: For each picture the group it belongs to, an empty text being a group of its own; or nothing.
        rounds: How many; None for `rounds_for(n)`.
        seed: Of the draws.

    Raises:
        ShapeError: There are not as many groups as pictures.
    """
    values = statistic(np.arange(n))
    drawn = _rounds(statistic, draws(n, groups=groups, seed=seed), rounds or rounds_for(n), tuple(values))
    return [
        Score(metric, float(value), interval(drawn[metric]) if np.isfinite(value) else None, n, _definition(metric))
        for metric, value in values.items()
    ]


def too_few(n: int) -> str:
    """What is to be said of intervals over so few pictures; nothing where they are enough."""
    return f"There are {n} pictures only: the intervals say little." if n < FEW else ""


def draws(n: int, *, groups: Sequence[str] = (), seed: int = 0) -> Iterator[Picks]:
    """Bootstrap samples of n pictures without end; none where there are fewer than two to draw from."""
    members = _members(n, groups)
    if len(members) < 2:
        return
    generator = np.random.default_rng(seed)
    if len(members) == n:
        while True:
            yield generator.integers(0, n, n)
    while True:
        yield np.concatenate([members[one] for one in generator.integers(0, len(members), len(members))])


def interval(drawn: Floats) -> tuple[float, float] | None:
    """The middle 95 % of bootstrap values; None where too few of them are numbers."""
    known = drawn[np.isfinite(drawn)]
    if len(known) < 2 or len(known) < LEAST_KNOWN * len(drawn):
        return None
    low, high = np.percentile(known, MIDDLE)
    return float(low), float(high)


@dataclass(frozen=True, slots=True)
class Difference:
    """One metric of two models on the same pictures.

    Attributes:
        metric: Its name.
        first: Value of the first model.
        second: Value of the second.
        ci95: Of second minus first: the middle 95 % over paired bootstrap samples, or None where there are too few.
        p_value: How often a difference at least as large comes of chance, were both equally good; NaN where it cannot
            be said.
        test: `mcnemar`, or `permutation`.
        n: Pictures.
        higher_is_better: By the metric's definition.
    """

    metric: str
    first: float
    second: float
    ci95: tuple[float, float] | None
    p_value: float
    test: str
    n: int
    higher_is_better: bool

    @property
    def difference(self) -> float:
        """Second minus first."""
        return self.second - self.first

    @property
    def told_apart(self) -> bool:
        """Whether interval and test both say that the two differ."""
        return self.ci95 is not None and not self.ci95[0] <= 0 <= self.ci95[1] and self.p_value < 0.05


def compare(
    statistic: Statistic, n: int, *, groups: Sequence[str] = (), rounds: int | None = None, seed: int = 0
) -> list[Difference]:
    """Differences of two models, by a paired bootstrap and a permutation test that swaps their answers to a picture.

    Args:
        statistic: Over 2 n observations: those of the first model, then those of the second, of the same n pictures.
        n: Pictures.
        groups: As for `measure`: groups are drawn, and swapped, whole.
        rounds: Of each of the two; None for `rounds_for(n)`.
        seed: Of the draws.
    """
    count = rounds or rounds_for(n)
    everything = np.arange(n)
    first, second = statistic(everything), statistic(everything + n)
    names = tuple(name for name in first if name in second)

    def apart(picks: tuple[Picks, Picks]) -> Mapping[str, float]:
        one, other = statistic(picks[0]), statistic(picks[1])
        return {name: other.get(name, nan) - one.get(name, nan) for name in names}

    paired = _rounds(apart, ((picks, picks + n) for picks in draws(n, groups=groups, seed=seed)), count, names)
    swapped = _rounds(apart, _swaps(n, groups, seed), count, names)
    return [
        Difference(
            metric=name,
            first=float(first[name]),
            second=float(second[name]),
            ci95=interval(paired[name]),
            p_value=_share_beyond(swapped[name], float(second[name] - first[name])),
            test="permutation",
            n=n,
            higher_is_better=definition_of(name).higher_is_better,
        )
        for name in names
    ]


def mcnemar(only_first: int, only_second: int) -> float:
    """The exact two-sided p value of two models that differ in so many right answers to the same pictures.

    Args:
        only_first: Pictures that only the first model has right.
        only_second: Those that only the second has.

    Source: McNemar, Note on the sampling error of the difference between correlated proportions, Psychometrika 12,
    1947; exact by the binomial law (Edwards's correction of the normal law beyond a thousand pairs).

    Example:
        >>> round(mcnemar(1, 9), 4)
        0.0215
    """
    total, fewer = only_first + only_second, min(only_first, only_second)
    if total == 0:
        return 1.0
    if total <= LARGEST_EXACT:
        return min(1.0, 2 * sum(comb(total, k) for k in range(fewer + 1)) / 2**total)
    from math import erfc, sqrt

    distance = max(0.0, abs(only_first - only_second) - 1) / sqrt(total)
    return erfc(distance / sqrt(2))


def _rounds(
    statistic: Callable[[Any], Mapping[str, float]],
    picks: Iterator[Any],
    count: int,
    names: tuple[str, ...],
) -> dict[str, Floats]:
    """For each metric its values in so many rounds."""
    drawn = {name: np.full(count, nan) for name in names}
    for place, one in zip(range(count), picks, strict=False):
        for name, value in statistic(one).items():
            if name in drawn:
                drawn[name][place] = value
    return drawn


def _swaps(n: int, groups: Sequence[str], seed: int) -> Iterator[tuple[Picks, Picks]]:
    members = _members(n, groups)
    if len(members) < 2:
        return
    generator = np.random.default_rng((seed, 1))
    belongs = np.empty(n, np.intp)
    for number, places in enumerate(members):
        belongs[places] = number
    everything = np.arange(n)
    while True:
        other = generator.integers(0, 2, len(members))[belongs] * n
        yield everything + other, everything + n - other


def _share_beyond(swapped: Floats, found: float) -> float:
    """Of permutations that differ at least as much; the one observed counts among them, so that it is never 0."""
    known = swapped[np.isfinite(swapped)]
    if not np.isfinite(found) or not len(known):
        return nan
    beyond = np.abs(known) >= abs(found) - 1e-12
    return float((beyond.sum() + 1) / (len(known) + 1))


def _members(n: int, groups: Sequence[str]) -> list[Picks]:
    """The pictures of each group."""
    if not groups or not any(groups):
        return list(np.arange(n)[:, None])
    if len(groups) != n:
        raise ShapeError(f"groups: expected one for each of {n} pictures, got {len(groups)}.")
    together: dict[str, list[int]] = {}
    for place, group in enumerate(groups):
        together.setdefault(group or f"\0{place}", []).append(place)
    return [np.array(places, np.intp) for places in together.values()]


def _definition(metric: str) -> str:
    return definition_of(metric).id
