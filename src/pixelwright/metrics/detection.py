"""Average precision and recall of things found, as COCO computes them: boxes and masks.

Matching is done once for each picture; a bootstrap round then only counts. With every picture once the numbers are
those of pycocotools, `iscrowd` and area ranges included. `ignore` (difficult, truncated) is treated like an area out of
range: such a thing may be found or not.

Source: pycocotools 2.0, cocoeval.py (BSD-2-Clause), for the rules: https://github.com/cocodataset/cocoapi.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwright.metrics.score import Picks, Statistic
from pixelwright.structures.masks import Masks

IOUS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0.0, 1.0, 101)
AREAS = ("", "_small", "_medium", "_large")
# In pixels: everything; up to 32², up to 96², above. Both ends belong to a range, as in COCO's own code.
AREA_RANGES = np.array([[0, 1e10], [0, 32**2], [32**2, 96**2], [96**2, 1e10]])
MOST = (1, 10, 100)  # of a class in a picture
FIRST, THIRD_QUARTER = 0, 5  # places of 0.5 and 0.75 among the IoUs
BITS = (1 << np.arange(len(IOUS))).astype(np.uint16)

Floats = npt.NDArray[np.floating[Any]]
Ids = npt.NDArray[np.integer[Any]]
Flags = npt.NDArray[np.bool_]
Bits = npt.NDArray[np.uint16]


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """The things that are there: (G,) each; `counted` is false for crowds and what is to be ignored."""

    class_ids: Ids
    areas: Floats
    crowd: Flags
    counted: Flags


@dataclass(frozen=True, slots=True, eq=False)
class Matched:
    """What of one picture average precision depends on.

    Attributes:
        scores: (D,) of what was found, best first.
        class_ids: (D,).
        ranks: (D,) place within its class, from 0.
        hits: (4, D) for each area range: a bit for each IoU at which it is right.
        counted: (4, D) the same: at which it is right or wrong, rather than neither.
        overlaps: (D,) IoU with what it is matched to at IoU 0.5; 0 where it is wrong.
        rows: (D,) where each stood among the things found.
        truth_ids: (G,) classes of what is there.
        truth_counted: (4, G) whether it is to be found.
        missed: (G,) whether it is to be found, and is matched to nothing at IoU 0.5.
    """

    scores: Floats
    class_ids: Ids
    ranks: Ids
    hits: Bits
    counted: Bits
    overlaps: Floats
    rows: Ids
    truth_ids: Ids
    truth_counted: Flags
    missed: Flags


def box_overlaps(boxes_xyxy: Floats, truth_xyxy: Floats, crowd: Flags) -> Floats:
    """IoU (D, G) of boxes; with a crowd, the share of the found box that lies in it."""
    found, there = np.asarray(boxes_xyxy, np.float64), np.asarray(truth_xyxy, np.float64)
    low = np.maximum(found[:, None, :2], there[None, :, :2])
    high = np.minimum(found[:, None, 2:], there[None, :, 2:])
    common = np.prod(np.maximum(high - low, 0), axis=2)
    return _ratio(common, box_areas(found), box_areas(there), crowd)


def box_areas(boxes_xyxy: Floats) -> Floats:
    """(N,) square pixels."""
    sides = np.asarray(boxes_xyxy, np.float64)
    return (sides[:, 2] - sides[:, 0]) * (sides[:, 3] - sides[:, 1])


def mask_overlaps(masks: Masks, truth: Masks, crowd: Flags) -> Floats:
    """IoU (D, G) of masks over the same picture; with a crowd, the share of the found mask that lies in it."""
    found, there = [_patch(mask) for mask in masks], [_patch(mask) for mask in truth]
    common = np.zeros((len(found), len(there)))
    places = np.array([place for place, _ in found]).reshape(-1, 4)
    others = np.array([place for place, _ in there]).reshape(-1, 4)
    low = np.maximum(places[:, None, :2], others[None, :, :2])
    high = np.minimum(places[:, None, 2:], others[None, :, 2:])
    for one, other in np.argwhere((high > low).all(axis=2)):
        (top, left), (bottom, right) = low[one, other], high[one, other]
        parts = [
            pixels[top - place[0] : bottom - place[0], left - place[1] : right - place[1]]
            for place, pixels in (found[one], there[other])
        ]
        common[one, other] = np.count_nonzero(parts[0] & parts[1])
    return _ratio(common, masks.areas.astype(np.float64), truth.areas.astype(np.float64), crowd)


def match(overlaps: Floats, scores: Floats, class_ids: Ids, areas: Floats, truth: Truth) -> Matched:
    """Who is matched to whom in one picture, for each class, IoU and area range.

    Args:
        overlaps: (D, G).
        scores: (D,).
        class_ids: (D,).
        areas: (D,) square pixels, of boxes or masks.
        truth: What is there.
    """
    low, high = AREA_RANGES[:, :1], AREA_RANGES[:, 1:]
    ignored = ~truth.counted | (truth.areas < low) | (truth.areas > high)
    outside = (areas < low) | (areas > high)
    order = np.argsort(-np.asarray(scores, np.float64), kind="stable")
    ranks = _ranks(np.asarray(class_ids)[order])
    rows = order
    hits = np.zeros((len(AREAS), len(rows)), np.uint16)
    counted = np.where(outside[:, rows], 0, BITS.sum()).astype(np.uint16)
    best = np.zeros(len(rows), np.float32)
    missed = truth.counted.copy()
    for one in np.unique(truth.class_ids):
        there, found = np.flatnonzero(truth.class_ids == one), np.flatnonzero(np.asarray(class_ids)[rows] == one)
        reach = overlaps[np.ix_(rows[found], there)]
        near = np.flatnonzero(reach.max(axis=1, initial=0) >= IOUS[0])  # the others are matched to nothing
        found, reach = found[near], reach[near]
        partner = _partners(reach, truth.crowd[there], ignored[:, there])
        for place, row in enumerate(found):
            taken = partner[place] >= 0  # (areas, IoUs)
            passed = np.take_along_axis(ignored[:, there], np.maximum(partner[place], 0), axis=1)
            hits[:, row] = (taken & ~passed) @ BITS
            counted[:, row] = np.where(taken, ~passed, ~outside[:, rows[row], None]) @ BITS
            if (mate := partner[place, 0, FIRST]) >= 0 and not passed[0, FIRST]:
                best[row], missed[there[mate]] = reach[place, mate], False
    return Matched(
        scores=np.asarray(scores, np.float32)[rows],
        class_ids=np.asarray(class_ids, np.int32)[rows],
        ranks=ranks.astype(np.int32),
        hits=hits,
        counted=counted,
        overlaps=best,
        rows=rows,
        truth_ids=np.asarray(truth.class_ids, np.int32),
        truth_counted=~ignored,
        missed=missed,
    )


def _partners(reach: Floats, crowd: Flags, ignored: Flags) -> Ids:
    """For each thing found, best first, what it is matched to: (D, areas, IoUs), -1 for nothing.

    It takes the free one that it overlaps most, one that counts before one that does not; a crowd is never used up.
    """
    shape = (len(AREAS), len(IOUS))
    partners = np.full((len(reach), *shape), -1, np.intp)
    free = np.ones((*shape, reach.shape[1]), bool)
    least = np.minimum(IOUS, 1 - 1e-10)[None, :, None]
    passed = ignored[:, None, :]
    last = reach.shape[1] - 1
    for place, overlap in enumerate(reach):
        open_to = (free | crowd) & (overlap >= least)
        real = open_to & ~passed
        choice = np.where(real.any(axis=2, keepdims=True), real, open_to)
        # Of equal ones the later.
        mate = last - np.where(choice, overlap, -1.0)[:, :, ::-1].argmax(axis=2)
        taken = choice.any(axis=2)
        partners[place] = np.where(taken, mate, -1)
        area, iou = np.nonzero(taken)
        free[area, iou, mate[area, iou]] = False
    return partners


def statistic(
    matched: Sequence[Matched], labels: Sequence[str], *, prefix: str = "", scored: Sequence[int] | None = None
) -> Statistic:
    """AP and AR in COCO's twelve numbers, and AP and AP50 of each class, for any picks of the pictures.

    Args:
        matched: Of each picture.
        labels: Names of the classes.
        prefix: Of the metrics' names: `mask_`.
        scored: Positions of the classes that count; None for all.
    """
    table = Table.of(matched, len(labels))
    classes = np.arange(len(labels)) if scored is None else np.asarray(scored, np.intp)

    def over(picks: Picks) -> Mapping[str, float]:
        weights = np.bincount(picks, minlength=len(matched)).astype(np.float64)
        values: dict[str, float] = {}
        by_class = np.full((len(IOUS), len(labels)), np.nan)
        for area, name in enumerate(AREAS):
            precision, recalls = table.areas(weights, area)
            precision, recalls = precision[:, classes], recalls[:, :, classes]
            values[f"AP{name}"] = _mean(precision)
            if not name:
                by_class[:, classes] = precision
                values |= {"AP50": _mean(precision[FIRST]), "AP75": _mean(precision[THIRD_QUARTER])}
                values |= {f"AR{most}": _mean(recalls[place]) for place, most in enumerate(MOST)}
            else:
                values[f"AR{name}"] = _mean(recalls[-1])
        for one in classes.tolist():
            values[f"AP/{labels[one]}"] = _mean(by_class[:, one])
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
    def of(cls, matched: Sequence[Matched], classes: int) -> Table:
        """From the pictures."""

        def joined(name: str, axis: int, empty: Any) -> Any:
            return np.concatenate([empty, *(getattr(one, name) for one in matched)], axis=axis)

        none, nothing = np.zeros(0, np.int32), np.zeros((len(AREAS), 0), np.uint16)
        # What comes after the hundredth of its class in a picture has taken nothing from those before it.
        ranks = joined("ranks", 0, none)
        scores, ids = joined("scores", 0, np.zeros(0, np.float32)), joined("class_ids", 0, none)
        pictures = np.repeat(np.arange(len(matched)), [len(one.scores) for one in matched])
        order = np.lexsort((-scores, ids))  # stable: of equal scores the earlier picture
        order = order[ranks[order] < MOST[-1]]
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

    def areas(self, weights: Floats, area: int) -> tuple[Floats, Floats]:
        """Average precision (IoUs, K) and recall (most, IoUs, K) of an area range; NaN without a thing to find."""
        drawn = weights[self.pictures]
        hits = drawn * _flags(self.hits[area])
        said = drawn * _flags(self.counted[area])
        found = self.there(weights, area)
        there: npt.NDArray[Any] = np.where(found > 0, found, np.nan)
        starts = np.searchsorted(self.class_ids, np.arange(self.classes + 1))
        recalls = np.stack([self._sums(hits * (self.ranks < most), starts) / there for most in MOST])
        right, all_said = self._running(hits, starts), self._running(said, starts)
        with np.errstate(invalid="ignore", divide="ignore"):
            precision = np.where(all_said > 0, right / all_said, 0.0)
            recall = right / there[self.class_ids]
        # The best precision at this recall or a higher one: from the end of each class, which an offset keeps apart.
        apart = 2.0 * (self.classes - self.class_ids)
        best = np.maximum.accumulate((precision + apart)[:, ::-1], axis=1)[:, ::-1] - apart
        reached = np.searchsorted(RECALLS, recall, side="right")
        steps = np.diff(reached, axis=1, prepend=0)
        first = starts[:-1][starts[:-1] < starts[1:]]
        steps[:, first] = reached[:, first]
        return self._sums(best * steps, starts) / len(RECALLS) + 0 * there, recalls

    def curve(self, one: int, weights: Floats) -> tuple[Floats, Floats]:
        """Recall and precision of a class at IoU 0.5, from the highest score on."""
        rows = np.flatnonzero(self.class_ids == one)
        drawn = weights[self.pictures[rows]]
        right = np.cumsum(drawn * _flags(self.hits[:1, rows][0])[FIRST])
        said = np.cumsum(drawn * _flags(self.counted[:1, rows][0])[FIRST])
        there = max(1.0, float(self.there(weights)[one]))
        known = said > 0
        return right[known] / there, right[known] / said[known]

    def _running(self, values: Floats, starts: Ids) -> Floats:
        """Sums up to each place, from the start of its class."""
        total = np.concatenate([np.zeros((len(values), 1)), np.cumsum(values, axis=1)], axis=1)
        return total[:, 1:] - total[:, starts[self.class_ids]]

    def _sums(self, values: Floats, starts: Ids) -> Floats:
        """Sums over each class: (IoUs, K)."""
        total = np.concatenate([np.zeros((len(values), 1)), np.cumsum(values, axis=1)], axis=1)
        return total[:, starts[1:]] - total[:, starts[:-1]]


def _flags(bits: Bits) -> Flags:
    """(IoUs, D) of (D,) bits."""
    return (bits & BITS[:, None]) != 0


def _ratio(common: Floats, found: Floats, there: Floats, crowd: Flags) -> Floats:
    whole = np.where(crowd, found[:, None], found[:, None] + there - common)
    return np.divide(common, whole, out=np.zeros_like(common), where=whole > 0)


def _patch(mask: Flags) -> tuple[tuple[int, int, int, int], Flags]:
    """A mask without the empty rows and columns around it, and where it lies: top, left, bottom, right."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return (0, 0, 0, 0), mask[:0, :0]
    place = int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1
    return place, mask[place[0] : place[2], place[1] : place[3]]


def _ranks(ids: Ids) -> Ids:
    """How many of the same class stand before each."""
    order = np.argsort(ids, kind="stable")
    ordered = ids[order]
    starts = np.searchsorted(ordered, ordered)
    ranks = np.empty(len(ids), np.intp)
    ranks[order] = np.arange(len(ids)) - starts
    return ranks


def _mean(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")
