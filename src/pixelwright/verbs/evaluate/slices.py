"""Scores of pictures that are alike: dark or bright, small or large."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pixelwright.metrics import intervals
from pixelwright.metrics.score import Picks, Score
from pixelwright.verbs.evaluate.scored import Evaluated, Seen

PARTS = 3
FEWEST = 10  # pictures of a slice
ROUNDS = 200


@dataclass(frozen=True, slots=True)
class Slice:
    """Some of the pictures: what they have in common, how many there are, and the headline score of them alone."""

    name: str
    n: int
    score: Score


def slices(evaluated: Evaluated) -> dict[str, list[Slice]]:
    """The headline metric in thirds of the pictures by brightness and by size; nothing where all are alike."""
    by: dict[str, Callable[[Seen], float]] = {
        "brightness": lambda one: one.brightness,
        "size": lambda one: float(one.pixels),
    }
    words = {"brightness": lambda value: f"{value:.0%} of white", "size": lambda value: f"{value / 1e6:.3g} megapixels"}
    return {
        name: found
        for name, value in by.items()
        if (found := _thirds(evaluated, np.array([value(one) for one in evaluated.seen]), words[name]))
    }


def _thirds(evaluated: Evaluated, values: npt.NDArray[np.float64], words: Callable[[float], str]) -> list[Slice]:
    known = values[np.isfinite(values)]
    if len(known) < PARTS * FEWEST:
        return []
    edges = np.quantile(known, [1 / PARTS, 2 / PARTS])
    if not known.min() < edges[0] < edges[1] < known.max():
        return []
    names = (f"up to {words(edges[0])}", f"{words(edges[0])} to {words(edges[1])}", f"above {words(edges[1])}")
    places = np.digitize(values, edges, right=True)
    found = []
    for part, name in enumerate(names):
        rows = np.flatnonzero((places == part) & np.isfinite(values))
        if len(rows) >= FEWEST:
            found.append(Slice(name, len(rows), _score(evaluated, rows)))
    return found


def _score(evaluated: Evaluated, rows: Picks) -> Score:
    metric = evaluated.headline.metric

    def over(picks: Picks) -> dict[str, float]:
        return {metric: evaluated.statistic(rows[picks])[metric]}

    groups = [evaluated.seen[row].group for row in rows]
    return intervals.measure(over, len(rows), groups=groups, rounds=ROUNDS, seed=evaluated.seed)[0]
