"""Masks of single things: cut to their boxes while they are computed, run lengths over the whole image in the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor

import numpy as np
import numpy.typing as npt

from pixelwright.ops.batch import Placement
from pixelwright.structures.masks import Mask, Runs

Floats = npt.NDArray[np.float32]
Neighbors = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Floats]

BAND_PX = 1 << 22  # of a mask interpolated at a time: 16 MB


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """A mask (h, w) whose top-left pixel is the image's pixel at `top`, `left`; nothing is inside beyond it."""

    top: int
    left: int
    inside: Mask


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Logits (h, w) of a mask, one for each pixel of a tensor from `top`, `left` on; nothing is inside beyond it."""

    top: int
    left: int
    logits: Floats


def patch(logits: Floats, tensor_hw: tuple[int, int], placement: Placement, box_xyxy: Sequence[float]) -> Patch:
    """The part within a box of a mask that a network made, bilinearly interpolated at the image's pixel centers.

    Args:
        logits: (h, w) over the whole tensor at any scale, positive inside.
        tensor_hw: Rows and columns of the tensor.
        placement: Of the tensor in the image.
        box_xyxy: In pixels of the image, inside of it.
    """
    left, top, right, bottom = _pixels(box_xyxy)
    across_x = _neighbors(left, right, placement, tensor_hw, logits.shape, axis=1)
    return _interpolated(
        logits, across_x, _neighbors(top, bottom, placement, tensor_hw, logits.shape, axis=0), box_xyxy
    )


def patch_of(part: Part, tensor_hw: tuple[int, int], placement: Placement, box_xyxy: Sequence[float]) -> Patch:
    """The same as `patch`, of a mask that is known in a part of the tensor."""
    left, top, right, bottom = _pixels(box_xyxy)
    # Beyond the part, as at its rim, nothing is inside: between two pixels it ends in the middle.
    framed = np.pad(part.logits, 1, constant_values=np.float32(-1))
    axes = []
    for start, stop, first, axis in ((left, right, part.left, 1), (top, bottom, part.top, 0)):
        low, high, share = _neighbors(start, stop, placement, tensor_hw, tensor_hw, axis=axis)
        low, high = (np.clip(one - first + 1, 0, framed.shape[axis] - 1) for one in (low, high))
        axes.append((low, high, share))
    return _interpolated(framed, axes[0], axes[1], box_xyxy)


def _pixels(box_xyxy: Sequence[float]) -> tuple[int, int, int, int]:
    return floor(box_xyxy[0]), floor(box_xyxy[1]), ceil(box_xyxy[2]), ceil(box_xyxy[3])


def _interpolated(logits: Floats, across_x: Neighbors, across_y: Neighbors, box_xyxy: Sequence[float]) -> Patch:
    left, top, right, bottom = _pixels(box_xyxy)
    (low_x, high_x, share_x), (low_y, high_y, share_y) = across_x, across_y
    across = logits[:, low_x] * (1 - share_x) + logits[:, high_x] * share_x
    inside = np.empty((bottom - top, right - left), bool)
    step = max(1, BAND_PX // max(1, right - left))
    for start in range(0, bottom - top, step):
        band = slice(start, start + step)
        share = share_y[band, None]
        np.greater(across[low_y[band]] * (1 - share) + across[high_y[band]] * share, 0, out=inside[band])
    # A pixel counts if its center lies in the box.
    inside[:, : max(0, ceil(box_xyxy[0] - left - 0.5))] = False
    inside[: max(0, ceil(box_xyxy[1] - top - 0.5))] = False
    inside[:, max(0, ceil(box_xyxy[2] - left - 0.5)) :] = False
    inside[max(0, ceil(box_xyxy[3] - top - 0.5)) :] = False
    return Patch(top, left, inside)


def _neighbors(
    start: int, stop: int, placement: Placement, tensor_hw: tuple[int, int], map_hw: tuple[int, ...], *, axis: int
) -> Neighbors:
    """For each pixel center along an axis the cells of the map on both sides, and how near it is to the second."""
    scale, offset = placement.scale_xy[1 - axis], placement.offset_xy[1 - axis]
    places = (np.arange(start, stop) + 0.5 - offset) / scale * (map_hw[axis] / tensor_hw[axis]) - 0.5
    places = np.clip(places, 0, map_hw[axis] - 1)
    low = np.floor(places).astype(np.intp)
    return low, np.minimum(low + 1, map_hw[axis] - 1), (places - low).astype(np.float32)


def join(patches: Sequence[Patch]) -> Patch:
    """What is inside any of the patches."""
    if len(patches) == 1:
        return patches[0]
    top, left = min(one.top for one in patches), min(one.left for one in patches)
    bottom = max(one.top + one.inside.shape[0] for one in patches)
    right = max(one.left + one.inside.shape[1] for one in patches)
    inside = np.zeros((bottom - top, right - left), bool)
    for one in patches:
        rows, columns = one.inside.shape
        inside[one.top - top : one.top - top + rows, one.left - left : one.left - left + columns] |= one.inside
    return Patch(top, left, inside)


def runs_of(one: Patch, size_hw: tuple[int, int]) -> Runs:
    """Run lengths of a patch over the whole image, without making a mask of that size.

    Example:
        >>> runs_of(Patch(1, 1, np.ones((2, 1), bool)), (3, 2)).tolist()
        [4, 2]
    """
    height, width = size_hw
    columns = np.zeros((one.inside.shape[1], one.inside.shape[0] + 2), np.int8)
    columns[:, 1:-1] = one.inside.T
    steps = np.diff(columns, axis=1)
    starts, stops = (_places(steps == step, one, height) for step in (1, -1))
    # What reaches the bottom of one column and goes on at the top of the next is one run.
    apart = starts[1:] != stops[:-1]
    starts, stops = starts[np.concatenate(([True], apart))[: len(starts)]], stops[np.append(apart, True)[: len(stops)]]
    bounds = np.stack((starts, stops), axis=1).ravel()
    lengths = np.diff(np.concatenate(([0], bounds, [height * width])))
    return (lengths if lengths[-1] else lengths[:-1]).astype(np.uint32)


def _places(steps: Mask, one: Patch, height: int) -> npt.NDArray[np.int64]:
    columns, rows = np.nonzero(steps)
    return (columns + one.left).astype(np.int64) * height + rows + one.top
