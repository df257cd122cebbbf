"""Average precision and recall of things found, as COCO computes them, for any draw of the pictures.

With every picture once the numbers are those of pycocotools, `iscrowd` and area ranges included. What a bootstrap
round costs depends on how many things there are, not on how many wrong ones were found: those between two right ones
are only counted.

Source: pycocotools 2.0, cocoeval.py (BSD-2-Clause), for the rules: https://github.com/cocodataset/cocoapi.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwright.metrics.detection import (
    AREAS,
    BITS,
    FIRST,
    IOUS,
    MOST,
    MOST_OF_CROWDS,
    THIRD_QUARTER,
    Matched,
)
from pixelwright.metrics.score import Picks, Statistic, mean_of_known

RECALLS = np.linspace(0.0, 1.0, 101)

Floats = npt.NDArray[np.floating[Any]]
Ids = npt.NDArray[np.integer[Any]]
Flags = npt.NDArray[np.bool_]
Bits = npt.NDArray[np.uint16]


def statistic(
    matched: Sequence[Matched], labels: Sequence[str], *, prefix: str = "", scored: Sequence[int] | None = None
) -> Statistic:
    """AP and AR in COCO's twelve numbers, AP and AP50 of each class, and of crowds, for any picks of the pictures.

    Args:
        matched: Of each picture.
        labels: Names of the classes.
        prefix: Of the metrics' names: `mask_`.
        scored: Positions of the classes that count; None for all.
    """
    steps = Steps.of(Table.of(matched, len(labels)))
    crowded = any(one.ranks.max(initial=0) >= MOST[-1] for one in matched)
    crowds = Steps.of(Table.of(matched, len(labels), MOST_OF_CROWDS)) if crowded else None
    classes = np.arange(len(labels)) if scored is None else np.asarray(scored, np.intp)

    def over(picks: Picks) -> Mapping[str, float]:
        weights = np.bincount(picks, minlength=len(matched)).astype(np.float64)
        values: dict[str, float] = {}
        by_class = np.full((len(IOUS), len(labels)), np.nan)
        for area, name in enumerate(AREAS):
            precision, recalls = steps.areas(weights, area)
            precision, recalls = precision[:, classes], recalls[:, :, classes]
            values[f"AP{name}"] = mean_of_known(precision)
            if not name:
                by_class[:, classes] = precision
                values |= {"AP50": mean_of_known(precision[FIRST]), "AP75": mean_of_known(precision[THIRD_QUARTER])}
                values |= {f"AR{most}": mean_of_known(recalls[place]) for place, most in enumerate(MOST)}
            else:
                values[f"AR{name}"] = mean_of_known(recalls[-1])
        all_found = by_class[:, classes] if crowds is None else crowds.areas(weights)[0][:, classes]
        values[f"AP_{MOST_OF_CROWDS}"] = mean_of_known(all_found)
        values[f"AP50_{MOST_OF_CROWDS}"] = mean_of_known(all_found[FIRST])
        for one in classes.tolist():
            values[f"AP/{labels[one]}"] = mean_of_known(by_class[:, one])
            values[f"AP50/{labels[one]}"] = float(by_class[FIRST, one])
        return {prefix + name: value for name, value in values.items()}

    return over


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """All that was found in all pictures, by class and within a class by score.

    Attributes:
        classes: How many.
        scores: (D,).
        class_ids: (D,) ascending.
        pictures: (D,) in which it was found.
        ranks: (D,) within class and picture.
        hits: (4, D) bits.
        counted: (4, D) bits.
        truth_pictures: (G,) in which each thing is.
        truth_ids: (G,) its class.
        truth_counted: (4, G).
    """

    classes: int
    scores: Floats
    class_ids: Ids
    pictures: Ids
    ranks: Ids
    hits: Bits
    counted: Bits
    truth_pictures: Ids
    truth_ids: Ids
    truth_counted: Flags

    @classmethod
    def of(cls, matched: Sequence[Matched], classes: int, most: int = MOST[-1]) -> Table:
        """From the pictures, the first `most` of each class in each."""

        def joined(name: str, axis: int, empty: Any) -> Any:
            return np.concatenate([empty, *(getattr(one, name) for one in matched)], axis=axis)

        none, nothing = np.zeros(0, np.int32), np.zeros((len(AREAS), 0), np.uint16)
        # What comes later in its class and picture has taken nothing from those before it.
        ranks = joined("ranks", 0, none)
        scores, ids = joined("scores", 0, np.zeros(0, np.float32)), joined("class_ids", 0, none)
        pictures = np.repeat(np.arange(len(matched)), [len(one.scores) for one in matched])
        order = np.lexsort((-scores, ids))  # stable: of equal scores the earlier picture
        order = order[ranks[order] < most]
        return cls(
            classes=classes,
            scores=scores[order],
            class_ids=ids[order],
            pictures=pictures[order],
            ranks=ranks[order],
            hits=joined("hits", 1, nothing)[:, order],
            counted=joined("counted", 1, nothing)[:, order],
            truth_pictures=np.repeat(np.arange(len(matched)), [len(one.truth_ids) for one in matched]),
            truth_ids=joined("truth_ids", 0, none),
            truth_counted=joined("truth_counted", 1, np.zeros((len(AREAS), 0), bool)),
        )

    def there(self, weights: Floats, area: int = 0) -> npt.NDArray[Any]:
        """(K,) how many things of each class are to be found."""
        counted = weights[self.truth_pictures] * self.truth_counted[area]
        return np.bincount(self.truth_ids, counted, self.classes)

    def curve(self, one: int) -> tuple[Floats, Floats]:
        """Recall and precision of a class at IoU 0.5, from the highest score on."""
        rows = np.flatnonzero(self.class_ids == one)
        right, said = (np.cumsum(_flags(bits[0, rows])[FIRST]) for bits in (self.hits, self.counted))
        there = max(1, int(self.truth_counted[0, self.truth_ids == one].sum()))
        known = said > 0
        return right[known] / there, right[known] / said[known]


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """A table without what is wrong at every IoU, of which only the number between two other rows matters.

    Attributes:
        table: The whole.
        starts: (K + 1,) where the rows of each class begin.
        class_ids: (S,) of the rows that are left.
        pictures: (S,)
        early: (3, S) whether a row is among the first 1, 10, 100 of its class in its picture.
        hits: (4, IoUs, S).
        counted: (4, IoUs, S).
        before: (W,) for each row that is wrong anyhow, which of the others comes next in its class.
        wrong_pictures: (W,)
        wrong_counted: (4, W)
    """

    table: Table
    starts: Ids
    class_ids: Ids
    pictures: Ids
    early: Flags
    hits: Flags
    counted: Flags
    before: Ids
    wrong_pictures: Ids
    wrong_counted: Flags

    @classmethod
    def of(cls, table: Table) -> Steps:
        """From a table."""
        whole = (table.counted == 0) | (table.counted == BITS.sum())
        plain = ((table.hits == 0) & whole).all(axis=0)
        rows, wrong = np.flatnonzero(~plain), np.flatnonzero(plain)
        following = np.searchsorted(rows, wrong)
        matters = following < len(rows)  # what comes after the last right one of a class changes nothing
        wrong, following = wrong[matters], following[matters]
        same = table.class_ids[rows[following]] == table.class_ids[wrong]
        wrong, following = wrong[same], following[same]
        ids = table.class_ids[rows]
        return cls(
            table=table,
            starts=np.searchsorted(ids, np.arange(table.classes + 1)),
            class_ids=ids,
            pictures=table.pictures[rows],
            early=np.stack([table.ranks[rows] < most for most in MOST]),
            hits=np.stack([_flags(one) for one in table.hits[:, rows]]),
            counted=np.stack([_flags(one) for one in table.counted[:, rows]]),
            before=following,
            wrong_pictures=table.pictures[wrong],
            wrong_counted=table.counted[:, wrong] != 0,
        )

    def areas(self, weights: Floats, area: int = 0) -> tuple[Floats, Floats]:
        """Average precision (IoUs, K) and recall (most, IoUs, K) of an area range; NaN without a thing to find."""
        drawn = weights[self.pictures]
        hits = drawn * self.hits[area]
        passed = np.bincount(self.before, weights[self.wrong_pictures] * self.wrong_counted[area], len(drawn))
        found = self.table.there(weights, area)
        there: npt.NDArray[Any] = np.where(found > 0, found, np.nan)
        recalls = np.stack([self._sums(hits * early) / there for early in self.early])
        right, said = self._running(hits), self._running(drawn * self.counted[area] + passed)
        with np.errstate(invalid="ignore", divide="ignore"):
            precision = np.where(said > 0, right / said, 0.0)
            recall = right / there[self.class_ids]
        # The best precision at this recall or a higher one: from the end of each class, which an offset keeps apart.
        apart = 2.0 * (self.table.classes - self.class_ids)
        best = np.maximum.accumulate((precision + apart)[:, ::-1], axis=1)[:, ::-1] - apart
        reached = np.searchsorted(RECALLS, recall, side="right")
        steps = np.diff(reached, axis=1, prepend=0)
        first = self.starts[:-1][self.starts[:-1] < self.starts[1:]]
        steps[:, first] = reached[:, first]
        return self._sums(best * steps) / len(RECALLS) + 0 * there, recalls

    def _running(self, values: Floats) -> Floats:
        """Sums up to each place, from the start of its class."""
        total = np.concatenate([np.zeros((len(values), 1)), np.cumsum(values, axis=1)], axis=1)
        return total[:, 1:] - total[:, self.starts[self.class_ids]]

    def _sums(self, values: Floats) -> Floats:
        """Sums over each class: (IoUs, K)."""
        total = np.concatenate([np.zeros((len(values), 1)), np.cumsum(values, axis=1)], axis=1)
        return total[:, self.starts[1:]] - total[:, self.starts[:-1]]


def _flags(bits: Bits) -> Flags:
    """(IoUs, D) of (D,) bits."""
    return (bits & BITS[:, None]) != 0
