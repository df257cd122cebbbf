"""Boxes: areas, overlaps, and keeping the best of those that stand for one thing.

A box is a row `left, top, right, bottom`; its width is right - left, without a pixel more.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwright.ops.batch import Placement

Boxes = npt.NDArray[np.float32]  # (N, 4)
Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.intp]

MOST = 20_000  # boxes that suppression looks at, the best ones
BLOCK = 256  # boxes compared with all kept ones at once
PAIRS = 1 << 17  # overlaps computed at once: half a megabyte each step, which stays in the cache


def area(boxes_xyxy: Boxes) -> Floats:
    """Area of each box (N,)."""
    widths, heights = boxes_xyxy[:, 2] - boxes_xyxy[:, 0], boxes_xyxy[:, 3] - boxes_xyxy[:, 1]
    return np.multiply(widths, heights, dtype=np.float32)


def intersection(one_xyxy: Boxes, other_xyxy: Boxes) -> Floats:
    """Area that each of N boxes has in common with each of M (N, M), computed a few rows at a time."""
    shared = np.empty((len(one_xyxy), len(other_xyxy)), np.float32)
    step = max(1, PAIRS // max(1, len(other_xyxy)))
    left, top, right, bottom = np.ascontiguousarray(other_xyxy.T)
    for start in range(0, len(one_xyxy), step):
        some = one_xyxy[start : start + step].T[:, :, None]
        wide = np.minimum(some[2], right) - np.maximum(some[0], left)
        high = np.minimum(some[3], bottom) - np.maximum(some[1], top)
        np.maximum(wide, 0, out=wide)
        np.maximum(high, 0, out=high)
        np.multiply(wide, high, out=shared[start : start + step])
    return shared


def iou(one_xyxy: Boxes, other_xyxy: Boxes) -> Floats:
    """Intersection over union of each of N boxes with each of M (N, M); NaN between two boxes without area."""
    shared = intersection(one_xyxy, other_xyxy)
    union = area(one_xyxy)[:, None] + area(other_xyxy)[None]
    union -= shared
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.divide(shared, union, out=shared)


def suppress(
    boxes_xyxy: Boxes,
    scores: Floats,
    class_ids: npt.NDArray[Any],
    *,
    iou_threshold: float,
    per_class: bool = True,
    keep: int | None = None,
    most: int = MOST,
) -> Rows:
    """Rows of the boxes that are kept, best first: each one that overlaps no better kept one by more than a threshold.

    Args:
        boxes_xyxy: (N, 4).
        scores: (N,). Of equal ones the first goes before.
        class_ids: (N,).
        iou_threshold: Least intersection over union that does not go.
        per_class: Whether boxes of different classes leave each other alone.
        keep: So many are enough, the best of those that would be kept.
        most: Only so many of the best are looked at.

    Source: the greedy algorithm and its arithmetic (float32, strictly greater) as `torchvision.ops.nms` defines them:
        https://docs.pytorch.org/vision/stable/generated/torchvision.ops.nms.html

    Example:
        >>> boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [50, 0, 60, 10]], np.float32)
        >>> suppress(boxes, np.array([0.5, 0.9, 0.7], np.float32), np.zeros(3, int), iou_threshold=0.5).tolist()
        [1, 2]
    """
    order = np.argsort(-scores, kind="stable")[:most]
    keep = len(order) if keep is None else keep
    boxes = boxes_xyxy[order].astype(np.float32, copy=False)
    groups = class_ids[order] if per_class else np.zeros(len(order), np.int32)
    kept = np.zeros(len(order), bool)
    for group in np.unique(groups):
        rows = np.flatnonzero(groups == group)
        kept[rows[_keep(boxes[rows], iou_threshold, keep)]] = True
    return order[kept][:keep]


def _keep(boxes: Boxes, iou_threshold: float, keep: int) -> Rows:
    """Rows that stay, of boxes sorted best first, at least the first `keep` of them."""
    limit = np.float64(iou_threshold)  # compared as double: rounded to float32 it might be the overlap itself
    kept = np.zeros(0, np.intp)
    for start in range(0, len(boxes), BLOCK):
        if len(kept) >= keep:
            break
        rows = np.arange(start, min(start + BLOCK, len(boxes)))
        rows = rows[~(iou(boxes[rows], boxes[kept]) > limit).any(axis=1)]
        beaten = iou(boxes[rows], boxes[rows]) > limit
        alive = np.ones(len(rows), bool)
        for row in range(len(rows)):
            if alive[row]:
                alive[row + 1 :] &= ~beaten[row, row + 1 :]
        kept = np.concatenate((kept, rows[alive]))
    return kept


def clip(boxes_xyxy: Boxes, frame_xyxy: tuple[float, float, float, float]) -> Boxes:
    """The parts of boxes inside a frame; one outside has no width or no height."""
    left, top, right, bottom = frame_xyxy
    low, high = np.array([left, top] * 2, np.float32), np.array([right, bottom] * 2, np.float32)
    return np.clip(boxes_xyxy, low, high).astype(np.float32, copy=False)


def from_centers(boxes_cxcywh: Floats) -> Boxes:
    """Boxes given as center and size, as corners."""
    half = boxes_cxcywh[:, 2:] / 2
    return np.concatenate((boxes_cxcywh[:, :2] - half, boxes_cxcywh[:, :2] + half), axis=1).astype(
        np.float32, copy=False
    )


def to_original(boxes_xyxy: Boxes, placement: Placement) -> Boxes:
    """Boxes of a prepared tensor in pixels of the upright full-resolution image."""
    return placement.to_original(boxes_xyxy.reshape(-1, 2)).reshape(-1, 4)
