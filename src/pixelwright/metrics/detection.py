"""Which of the things found stand for which of the things there, as COCO matches them: boxes and masks.

Matching is done once for each picture. `ignore` (difficult, truncated) is treated like an area out of range: such a
thing may be found or not.

Source: pycocotools 2.0, cocoeval.py (BSD-2-Clause), for the rules: https://github.com/cocodataset/cocoapi.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwright.structures.masks import Masks

IOUS = np.linspace(0.5, 0.95, 10)
AREAS = ("", "_small", "_medium", "_large")
# In pixels: everything; up to 32², up to 96², above. Both ends belong to a range, as in COCO's own code.
AREA_RANGES = np.array([[0, 1e10], [0, 32**2], [32**2, 96**2], [96**2, 1e10]])
MOST = (1, 10, 100)  # of a class in a picture
MOST_OF_CROWDS = 1000  # where a hundred are fewer than there are
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
        mates: (D,) which thing that is to be found it is matched to at IoU 0.5; -1 where it is to none.
        rows: (D,) where each stood among the things found.
        truth_ids: (G,) classes of what is there.
        truth_counted: (4, G) whether it is to be found.
    """

    scores: Floats
    class_ids: Ids
    ranks: Ids
    hits: Bits
    counted: Bits
    overlaps: Floats
    mates: Ids
    rows: Ids
    truth_ids: Ids
    truth_counted: Flags

    def missed(self, passes: Flags | None = None) -> Flags:
        """(G,) whether it is to be found, and none of those found, or of some of them, is matched to it at IoU 0.5."""
        mates = self.mates if passes is None else self.mates[passes]
        missed = self.truth_counted[0].copy()
        missed[mates[mates >= 0]] = False
        return missed


def box_overlaps(boxes_xyxy: Floats, truth_xyxy: Floats, crowd: Flags) -> Floats:
    """IoU (D, G) of boxes; with a crowd, the share of the found box that lies in it."""
    found, there = np.asarray(boxes_xyxy, np.float64), np.asarray(truth_xyxy, np.float64)
    low = np.maximum(found[:, None, :2], there[None, :, :2])
    high = np.minimum(found[:, None, 2:], there[None, :, 2:])
    common = np.prod(np.maximum(high - low, 0), axis=2)
    return _over_union(common, box_areas(found), box_areas(there), crowd)


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
    return _over_union(common, masks.areas.astype(np.float64), truth.areas.astype(np.float64), crowd)


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
    mates = np.full(len(rows), -1, np.int32)
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
                best[row], mates[row] = reach[place, mate], there[mate]
    return Matched(
        scores=np.asarray(scores, np.float32)[rows],
        class_ids=np.asarray(class_ids, np.int32)[rows],
        ranks=ranks.astype(np.int32),
        hits=hits,
        counted=counted,
        overlaps=best,
        mates=mates,
        rows=rows,
        truth_ids=np.asarray(truth.class_ids, np.int32),
        truth_counted=~ignored,
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


def _over_union(common: Floats, found: Floats, there: Floats, crowd: Flags) -> Floats:
    whole = np.where(crowd, found[:, None], found[:, None] + there - common)
    return np.divide(common, whole, out=np.zeros_like(common), where=whole > 0)


def _patch(mask: Flags) -> tuple[tuple[int, int, int, int], Flags]:
    """A mask without the empty rows and columns around it, and where it lies: top, left, bottom, right."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return (0, 0, 0, 0), np.zeros((0, 0), bool)
    place = int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1
    # A copy: a view would keep the whole mask, and a thousand of those are gigabytes.
    return place, mask[place[0] : place[2], place[1] : place[3]].copy()


def _ranks(ids: Ids) -> Ids:
    """How many of the same class stand before each."""
    order = np.argsort(ids, kind="stable")
    ordered = ids[order]
    starts = np.searchsorted(ordered, ordered)
    ranks = np.empty(len(ids), np.intp)
    ranks[order] = np.arange(len(ids)) - starts
    return ranks
