"""One picture with its truth, varied as batches are, in its own size and depth."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pixelwright.data.augment.apply import augment
from pixelwright.data.augment.policy import MIXES, Policy
from pixelwright.data.augment.truth import extents
from pixelwright.errors import ShapeError
from pixelwright.models.batch import VOID, Batch
from pixelwright.ops import color
from pixelwright.structures.image import Image
from pixelwright.structures.label_map import LabelMap
from pixelwright.structures.masks import Masks, Runs, encode_runs
from pixelwright.structures.targets import Annotations, Target

_VOC_VOID = 255


def vary(image: Image, target: Target | None, policy: Policy, seed: int) -> tuple[Image, Target | None]:
    """A picture and what is true of it, varied; the same seed gives the same.

    Depth and white stay. Nothing is mixed, as there is no other picture. Things that are hardly in view any more are
    marked to be ignored. Maps become void outside: as the number that they have for it, else 255. Masks go on where the
    edge is drawn out, and end where it is mirrored. Stated areas stay the same part of their boxes; of what has a mask
    they are that of the mask.

    Args:
        image: Gray, RGB or any channels; alpha moves along.
        target: In pixels of the image.
        policy: What is allowed; see `without_forbidden`.
        seed: Decides everything.

    Raises:
        ShapeError: The image holds NaN, or its map has 256 classes or more and no void.
    """
    policy = replace(policy, **dict.fromkeys(MIXES, 0.0))
    if isinstance(target, Image):
        image, target = color.flatten_alpha(image), color.flatten_alpha(target)
    batch = Batch(_planes(color.to_float(image)))
    if image.alpha is not None:
        batch.clean = torch.from_numpy(image.alpha.astype(np.float32) / np.float32(image.white))[None, None]
    sets = _fill(batch, target)
    varied = augment(batch, policy, torch.Generator().manual_seed(seed))
    pixels = color.from_float(_pixels(varied.images), image.pixels.dtype, image.white)
    alpha = image.alpha
    if alpha is not None and varied.clean is not None:
        alpha = color.from_float(varied.clean[0, 0].numpy(), alpha.dtype, image.white)
    return image.replace(pixels=pixels, alpha=alpha, warnings=()), _truth(varied, target, sets, policy)


def _planes(pixels: npt.NDArray[np.float32]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))[None]


def _pixels(images: Tensor) -> npt.NDArray[np.float32]:
    return np.ascontiguousarray(images[0].numpy().transpose(1, 2, 0))


def _fill(batch: Batch, target: Target | None) -> npt.NDArray[np.bool_]:
    """Put the truth into a batch; returns which masks each number of the batch's map stands for (S, M)."""
    sets = np.zeros((0, 0), bool)
    if isinstance(target, Image):
        batch.clean = _planes(color.to_float(target))
    elif isinstance(target, LabelMap):
        ids = target.ids.astype(np.int64)
        ids[target.ids == (-1 if target.void_id is None else target.void_id)] = VOID
        batch.maps = torch.from_numpy(ids)[None]
    elif isinstance(target, Annotations):
        batch.boxes_xyxy = [torch.from_numpy(target.boxes_xyxy.copy())]
        batch.box_classes = [torch.arange(len(target))]  # which rows stay is then known
        ignored = np.zeros(len(target), bool) if target.ignore is None else target.ignore.copy()
        batch.box_ignored = [torch.from_numpy(ignored)]
        if target.keypoints is not None:
            batch.keypoints = [torch.from_numpy(target.keypoints.copy())]
        if target.masks is not None and len(target):
            sets = _fill_masks(batch, target.masks)
    return sets


def _fill_masks(batch: Batch, masks: Masks) -> npt.NDArray[np.bool_]:
    """Masks may cover each other: a map with a number for each set of masks that a pixel is in holds all of them."""
    count = len(masks)
    painted, ids = np.zeros(masks.size_hw, np.int32), np.zeros(masks.size_hw, np.int64)
    sets = list(np.eye(count + 1, count, -1, dtype=bool))
    for row, mask in enumerate(masks, 1):  # one at a time: all of them may not fit into memory
        painted[mask] = row
        under = ids[mask]
        above = np.zeros(len(sets), np.int64)
        for one in np.flatnonzero(np.bincount(under)).tolist():
            above[one] = len(sets) if one else row
            if one:
                sets.append(sets[one] | sets[row])
        ids[mask] = above[under]
    batch.instances, batch.maps = torch.from_numpy(painted)[None], torch.from_numpy(ids)[None]
    return np.stack(sets)


def _truth(varied: Batch, target: Target | None, sets: npt.NDArray[np.bool_], policy: Policy) -> Target | None:
    if isinstance(target, Image) and varied.clean is not None:
        pixels = color.from_float(_pixels(varied.clean), target.pixels.dtype, target.white)
        return target.replace(pixels=pixels, warnings=())
    if isinstance(target, LabelMap) and varied.maps is not None:
        void_id = target.void_id
        ids = varied.maps[0].numpy()
        if void_id is None and (ids == VOID).any():
            void_id = _VOC_VOID
            if len(target.labels) > void_id:
                raise ShapeError(f"the map has {len(target.labels)} classes, {void_id} among them, and none is void.")
        known = np.where(ids == VOID, -1 if void_id is None else void_id, ids)
        wide = target.ids.dtype == np.uint16
        return LabelMap(known.astype(np.uint16) if wide else known.astype(np.uint8), target.labels, void_id)
    if isinstance(target, Annotations):
        return _annotations(varied, target, sets, policy)
    return target


def _annotations(varied: Batch, target: Annotations, sets: npt.NDArray[np.bool_], policy: Policy) -> Annotations:
    rows = _column(varied.box_classes)
    boxes, ignored = _column(varied.boxes_xyxy), _column(varied.box_ignored)
    keypoints = None if varied.keypoints is None else _column(varied.keypoints)
    masks = target.masks
    there = np.ones(len(rows), np.bool_)
    if masks is not None and varied.maps is not None and varied.instances is not None and len(sets):
        # Where nothing is known there is no thing, as 0 is no mask's, or what the edge draws out of the uppermost one;
        # a mirrored one is another thing, and no more of this one.
        whose = torch.from_numpy(np.concatenate(([0], rows + 1)))
        drawn = whose[varied.instances[0].long()] if policy.outside == "edge" else torch.tensor(0)
        moved, edges = _moved_masks(torch.where(varied.maps[0] == VOID, drawn, varied.maps[0]), sets, rows)
        there = np.all(edges[:, 2:] > edges[:, :2], axis=1)
        boxes = edges
        masks = Masks(masks.size_hw, tuple(runs for runs, kept in zip(moved, there.tolist(), strict=True) if kept))
    areas = None
    if masks is None and target.areas is not None:  # as large a part of the box as it was
        areas = (target.areas[rows] * _box_areas(boxes) / _box_areas(target.boxes_xyxy[rows])).astype(np.float32)
    crowd = None if target.crowd is None else target.crowd[rows][there]
    return Annotations(
        boxes[there].astype(np.float32),
        target.class_ids[rows][there],
        masks,
        None if keypoints is None else keypoints[there],
        crowd,
        ignored[there] if target.ignore is not None or ignored.any() else None,
        areas,
    )


def _box_areas(boxes_xyxy: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    return np.prod(boxes_xyxy[:, 2:] - boxes_xyxy[:, :2], axis=1, dtype=np.float64)


def _moved_masks(
    ids: Tensor, sets: npt.NDArray[np.bool_], rows: npt.NDArray[np.int64]
) -> tuple[list[Runs], npt.NDArray[np.float32]]:
    """The runs of masks and their boxes (M, 4); a box is empty where nothing is left of a mask."""
    number = ids.numpy()
    _, edges = extents(ids, len(sets) - 1)
    moved, boxes = [], np.zeros((len(rows), 4), np.float32)
    for place, row in enumerate(rows.tolist()):
        mine = edges.numpy()[sets[1:, row]]
        mine = mine[mine[:, 2] > mine[:, 0]]
        mask = np.zeros(number.shape, bool)
        if len(mine):
            left, top, right, bottom = (*mine[:, :2].min(axis=0).astype(int), *mine[:, 2:].max(axis=0).astype(int))
            boxes[place] = left, top, right, bottom
            mask[top:bottom, left:right] = sets[:, row][number[top:bottom, left:right]]
        moved.append(encode_runs(mask))
    return moved, boxes


def _column(column: list[Tensor] | None) -> npt.NDArray[Any]:
    return np.zeros(0) if column is None else column[0].numpy()
