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

BAND_PX = 1 << 22  # of a mask interpolated at a time: 16 MB


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """A mask (h, w) whose top-left pixel is the image's pixel at `top`, `left`; nothing is inside beyond it."""

    top: int
    left: int
    inside: Mask


def patch(logits: Floats, tensor_hw: tuple[int, int], placement: Placement, box_xyxy: Sequence[float]) -> Patch:
    """The part within a box of a mask that a network made, bilinearly interpolated at the image's pixel centers.

    Args:
        logits: (h, w) over the whole tensor at any scale, positive inside.
        tensor_hw: Rows and columns of the tensor.
        placement: Of the tensor in the image.
        box_xyxy: In pixels of the image, inside of it.
    """
    left, top, right, bottom = floor(box_xyxy[0]), floor(box_xyxy[1]), ceil(box_xyxy[2]), ceil(box_xyxy[3])
    low_x, high_x, share_x = _neighbors(left, right, placement, tensor_hw, logits.shape, axis=1)
    low_y, high_y, share_y = _neighbors(top, bottom, placement, tensor_hw, logits.shape, axis=0)
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
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Floats]:
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
