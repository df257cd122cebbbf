"""Score: a measured number with its interval, and by which definition."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Picks = npt.NDArray[np.intp]
# Positions of observations (an observation may be there several times, as the bootstrap draws them) to the value of
# each metric. NaN where a metric has no value for these (no positives, say).
Statistic = Callable[[Picks], Mapping[str, float]]


def mean_of_known(values: npt.NDArray[Any], weights: npt.NDArray[Any] | None = None) -> float:
    """The mean of what is a number; NaN where nothing is."""
    known = np.isfinite(values)
    if not known.any():
        return float("nan")
    return float(np.average(values[known], weights=None if weights is None else weights[known]))


@dataclass(frozen=True, slots=True)
class Score:
    """One number.

    Attributes:
        metric: Its name in the field: `accuracy`, `AP50`, `mIoU`; `f1/RBC` for one class alone.
        value: The number; NaN where it has none.
        ci95: The middle 95 % of what bootstrap samples of the pictures gave, or None where there are too few.
        n: How many pictures (or sequences) it rests on.
        definition: Id of the definition, which has a section in docs/metrics.md.
    """

    metric: str
    value: float
    ci95: tuple[float, float] | None
    n: int
    definition: str

    def to_dict(self) -> dict[str, Any]:
        """Plain data as in `evaluate --json`; a value that is not there is null."""
        known = np.isfinite(self.value)
        return {
            "metric": self.metric,
            "value": float(self.value) if known else None,
            "ci95": list(self.ci95) if self.ci95 else None,
            "n": self.n,
            "definition": self.definition,
        }
