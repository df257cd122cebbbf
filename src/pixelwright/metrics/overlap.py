"""How well regions of pixels agree: IoU, Dice, boundaries, and qualities of instances.

Label maps are counted in confusions (K, K), rows the truth: a picture's contribution is small and adds up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, hypot
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwright.metrics.detection import BITS, FIRST, IOUS, THIRD_QUARTER, Matched
from pixelwright.metrics.score import Picks, Statistic, mean_of_known

BOUNDARY_SHARE = 0.0075  # of the diagonal, within which two contours agree

Floats = npt.NDArray[np.floating[Any]]
Ids = npt.NDArray[np.integer[Any]]
Flags = npt.NDArray[np.bool_]


def map_confusion(truth: Ids, answer: Ids, classes: int, *, void: int | None = None) -> npt.NDArray[np.int64]:
    """Pixels of each true class (row) with each answer (column): (K, K + 1).

    Args:
        truth: (H, W) class ids.
        answer: (H, W) class ids; whatever is no class counts in the last column.
        classes: K.
        void: A class of the truth whose pixels do not count, or None. Neither do those of no class.
    """
    counts = truth < classes
    if void is not None:
        counts &= truth != void
    true = truth[counts].astype(np.int64)
    said = np.minimum(answer[counts].astype(np.int64), classes)
    return np.bincount(true * (classes + 1) + said, minlength=classes * (classes + 1)).reshape(classes, classes + 1)


def region_scores(counts: npt.NDArray[Any]) -> tuple[Floats, Floats, float]:
    """IoU (K,) and Dice (K,) of each class, and the share of right pixels, of a confusion (K, K or more).

    A class that is neither there nor answered has no score.
    """
    right = np.diagonal(counts).astype(np.float64)
    true, said = counts.sum(axis=1), counts[:, : len(counts)].sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        iou = right / (true + said - right)
        dice = 2 * right / (true + said)
        share = right.sum() / counts.sum()
    return iou, dice, float(share)


def boundary_scores(truth: Ids, answer: Ids, classes: Sequence[int], *, void: int | None = None) -> Floats:
    """F-measure of the contours of each class (K,); NaN where a class is in neither map.

    A contour pixel is right if one of the other map's contour lies within 0.75 % of the diagonal, rounded up. Contours
    at the picture's edge count; those towards void do not.

    Source: Csurka, Larlus and Perronnin, What is a good evaluation measure for semantic segmentation?, BMVC 2013.
    """
    import cv2

    reach = ceil(BOUNDARY_SHARE * hypot(*truth.shape))
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    known = np.ones(truth.shape, bool) if void is None else truth != void
    far_from_void = cv2.erode(known.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    scores = np.full(len(classes), np.nan)
    for place, one in enumerate(classes):
        there, said = (_contour((ids == one) & known) & far_from_void for ids in (truth, answer))
        if not (there.any() or said.any()):
            continue
        near_truth, near_answer = (cv2.dilate(one.astype(np.uint8), disk) > 0 for one in (there, said))
        right, found = (said & near_truth).sum(), (there & near_answer).sum()
        precision, recall = right / max(1, said.sum()), found / max(1, there.sum())
        scores[place] = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return scores


def panoptic_quality(hits: Any, wrong: Any, missed: Any, overlap: Any) -> tuple[Any, Any, Any]:
    """PQ, SQ and RQ of counts at IoU 0.5: PQ = SQ x RQ; NaN where there is nothing and nothing was found.

    Args:
        hits: Matches.
        wrong: Things found that match nothing.
        missed: Things that nothing matches.
        overlap: Sum of the IoU of the matches.

    Source: Kirillov et al., Panoptic Segmentation, CVPR 2019, equations 1 and 2.
    """
    hits, wrong, missed, overlap = (np.asarray(one, np.float64) for one in (hits, wrong, missed, overlap))
    with np.errstate(invalid="ignore", divide="ignore"):
        recognition = hits / (hits + (wrong + missed) / 2)
        quality = np.where(hits > 0, overlap / hits, 0.0) + 0 * recognition
    return quality * recognition, quality, recognition


@dataclass(frozen=True, slots=True, eq=False)
class Things:
    """What was found in a picture at the bundle's thresholds, counted for each class.

    Attributes:
        hits: (IoUs, K) right ones.
        found: (K,) all that are right or wrong.
        there: (K,) to be found.
        overlap: (K,) sum of the IoU of those right at IoU 0.5.
    """

    hits: npt.NDArray[np.int32]
    found: npt.NDArray[np.int32]
    there: npt.NDArray[np.int32]
    overlap: npt.NDArray[np.float32]

    @classmethod
    def of(cls, matched: Matched, passes: Flags, classes: int) -> Things:
        """From the matches of a picture, of which only some pass the thresholds."""
        ids = matched.class_ids[passes]
        right = ((matched.hits[0, passes] & BITS[:, None]) != 0).astype(np.int32)
        hits = np.stack([np.bincount(ids, row, classes) for row in right])
        counted = (matched.counted[0, passes] & BITS[FIRST]) != 0
        return cls(
            hits=hits.astype(np.int32),
            found=np.bincount(ids, counted, classes).astype(np.int32),
            there=np.bincount(matched.truth_ids, matched.truth_counted[0], classes).astype(np.int32),
            overlap=np.bincount(ids, matched.overlaps[passes] * right[FIRST], classes).astype(np.float32),
        )


def things_statistic(
    things: Sequence[Things], labels: Sequence[str], *, prefix: str = "", scored: Sequence[int] | None = None
) -> Statistic:
    """Precision, recall and F1 at IoU 0.5 of all classes together; of masks also panoptic quality and both DSB APs.

    Args:
        things: Of each picture.
        labels: Names of the classes.
        prefix: `mask_` for masks.
        scored: Positions of the classes that count; None for all.
    """
    classes = np.arange(len(labels)) if scored is None else np.asarray(scored, np.intp)
    empty = np.zeros((0, len(IOUS), len(labels)))
    hits = np.stack([one.hits for one in things])[:, :, classes] if things else empty[:, :, classes]
    found, there, overlap = (
        np.stack([getattr(one, name) for one in things])[:, classes] if things else empty[:, 0, classes]
        for name in ("found", "there", "overlap")
    )
    by_picture = _dsb(hits.sum(axis=2), found.sum(axis=1)[:, None], there.sum(axis=1)[:, None]).mean(axis=1)

    def over(picks: Picks) -> Mapping[str, float]:
        weights = np.bincount(picks, minlength=len(things)).astype(np.float64)
        right = np.tensordot(weights, hits, 1)
        said, true, overlaps = (weights @ one for one in (found, there, overlap))
        total = right[FIRST].sum()
        values = {
            f"{prefix}precision50": _share(total, said.sum()),
            f"{prefix}recall50": _share(total, true.sum()),
            f"{prefix}f1_50": _share(2 * total, said.sum() + true.sum()),
        }
        if prefix:
            dsb = _dsb(right.sum(axis=1), said.sum(), true.sum())
            values |= {"DSB_AP": float(dsb.mean()), "DSB_AP50": float(dsb[FIRST])}
            values |= {"DSB_AP75": float(dsb[THIRD_QUARTER])}
            known = np.isfinite(by_picture) & (weights > 0)
            values["DSB_AP_by_picture"] = _share(weights[known] @ by_picture[known], weights[known].sum())
            qualities = panoptic_quality(right[FIRST], said - right[FIRST], true - right[FIRST], overlaps)
            values |= {name: mean_of_known(one) for name, one in zip(("PQ", "SQ", "RQ"), qualities, strict=True)}
        return values

    return over


def _dsb(hits: Any, found: Any, there: Any) -> Floats:
    """TP / (TP + FP + FN)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(hits / (found + there - hits), np.float64)


def _contour(mask: Flags) -> Flags:
    """The pixels of a mask with a neighbor, or the picture's edge, outside it."""
    import cv2

    framed = np.pad(mask.astype(np.uint8), 1)
    return mask & (cv2.erode(framed, np.ones((3, 3), np.uint8))[1:-1, 1:-1] == 0)


def _share(part: Any, whole: Any) -> float:
    return float(part / whole) if whole > 0 else float("nan")
