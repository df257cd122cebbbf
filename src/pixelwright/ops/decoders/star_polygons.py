"""Star-convex polygons: things that can be seen whole from their middle, such as cells, apart even where they touch.

Source: Schmidt et al., Cell Detection with Star-convex Polygons, MICCAI 2018, https://arxiv.org/abs/1806.03535,
section 2. Where ours differs: what overlaps is settled by pixels, not polygons. The best thing takes its pixels, the
next what is left of its own, and one whose middle or most of whose pixels are taken is the same thing again, and goes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwright.errors import ShapeError
from pixelwright.ops.decoders.decoder import Candidates, Decoder, Outputs, axis_size
from pixelwright.ops.decoders.proposals import Floats, Stride, check_batch, exp, numbers, sigmoid
from pixelwright.ops.masks import Part
from pixelwright.structures.masks import Mask
from pixelwright.structures.spec import Probability, TensorSpec

LEAST_SCORE = 0.02  # what is less likely is not looked at, whatever threshold is asked for
MOST_PEAKS = 20_000  # of one picture, the best
FEWEST_RAYS = 3
PIECE = 4_096  # peaks whose polygons are made at once


def star_polygons(
    outputs: Outputs,
    *,
    objects: str,
    rays: str,
    input_hw: tuple[int, int],
    stride: Stride = 2,
    overlap: Probability = 0.5,
    threshold: float = 0.0,
) -> list[Candidates]:
    """Candidates of each image, with masks that have no pixel in common.

    Args:
        outputs: The graph's.
        objects: Which holds logits of places being the middle of a thing of each class (N, K, h, w).
        rays: Which holds logarithms of distances to its edge, in places, evenly around from x to y (N, R, h, w).
        input_hw: Size of the tensor that went in.
        stride: Pixels of the input a place; rays start at the center of its pixel `stride // 2`.
        overlap: A thing goes if more of its pixels than this share belong to better ones, or its middle does.
        threshold: Least score.

    Raises:
        ShapeError: The outputs have other shapes.
        RuntimeFailure: They hold NaN or infinity.
    """
    logits = numbers(outputs, objects, 4, "(N, K, h, w) logits")
    lengths = numbers(outputs, rays, 4, "(N, R, h, w) distances")
    check_batch({objects: logits, rays: lengths})
    expected = tuple(-(-side // stride) for side in input_hw)
    if not logits.shape[1] or lengths.shape[1] < FEWEST_RAYS or not logits.shape[2:] == lengths.shape[2:] == expected:
        raise ShapeError(
            f"outputs {objects!r} {logits.shape} and {rays!r} {lengths.shape}: expected (N, K, {expected[0]}, "
            f"{expected[1]}) and (N, 3 or more, {expected[0]}, {expected[1]}). Correct the decoder's parameters."
        )
    return [
        _candidates(one, far, input_hw, stride, overlap, max(threshold, LEAST_SCORE))
        for one, far in zip(logits, lengths, strict=True)
    ]


def _candidates(
    logits: Floats, lengths: Floats, input_hw: tuple[int, int], stride: int, overlap: float, threshold: float
) -> Candidates:
    best = logits.max(axis=0)
    rows, columns = _peaks(best, float(np.log(threshold / (1 - threshold))) if threshold < 1 else np.inf)
    scores = sigmoid(best[rows, columns])
    last = np.array(input_hw[::-1]) - 1  # the middle of the last place may lie beyond a picture of odd size
    origins = np.minimum(np.stack((columns, rows), axis=1) * stride + stride // 2, last)
    parts, kept = _apart(origins, lengths[:, rows, columns].T, stride, input_hw, overlap)
    boxes = [(one.left, one.top, one.left + one.logits.shape[1], one.top + one.logits.shape[0]) for one in parts]
    return Candidates(
        np.array(boxes, np.float32).reshape(-1, 4),
        scores[kept],
        logits[:, rows[kept], columns[kept]].argmax(axis=0).astype(np.int32),
        mask_parts=partial(_some, parts),
    )


def _some(parts: list[Part], rows: npt.NDArray[np.intp]) -> Iterator[Part]:
    return (parts[row] for row in rows)


def _peaks(values: Floats, least: float) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Rows and columns of a map's places that reach a value and are no less than their eight neighbors, best first."""
    rows, columns = np.nonzero(values >= least)
    around = np.pad(values, 1, constant_values=-np.inf)
    here, peak = values[rows, columns], np.ones(len(rows), bool)
    for down in range(3):
        for right in range(3):
            peak &= here >= around[rows + down, columns + right]
    rows, columns = rows[peak], columns[peak]
    order = np.argsort(-values[rows, columns], kind="stable")[:MOST_PEAKS]
    return rows[order], columns[order]


def _apart(
    origins: npt.NDArray[np.intp], lengths: Floats, stride: int, size_hw: tuple[int, int], overlap: float
) -> tuple[list[Part], npt.NDArray[np.intp]]:
    """The pixels that each thing has for itself, and which of the things have some, best first."""
    taken = np.zeros(size_hw, bool)
    parts: list[Part] = []
    kept: list[int] = []
    sectors = _Sectors(lengths.shape[1])
    for start in range(0, len(origins), PIECE):
        radii = exp(lengths[start : start + PIECE]) * np.float32(stride)
        normals, bounds, corners = _edges(np.minimum(radii, np.float32(max(size_hw))))
        for row in range(len(radii)):
            x, y = origins[start + row].tolist()
            if taken[y, x]:
                continue  # its middle is a better thing's; else every place of a large thing would be drawn
            found = _inside(sectors, (normals[row], bounds[row], corners[row]), (x, y), size_hw)
            if found is None:
                continue
            top, left, inside = found
            within = taken[top : top + inside.shape[0], left : left + inside.shape[1]]
            own = inside & ~within
            count = np.count_nonzero(own)
            if not count or count < (1 - overlap) * np.count_nonzero(inside):
                continue
            within |= own
            parts.append(_trimmed(top, left, own))
            kept.append(start + row)
    return parts, np.array(kept, np.intp)


class _Sectors:
    """Between which two of R rays each pixel around an origin lies: the larger a thing, the larger the table."""

    def __init__(self, rays: int) -> None:
        self.rays = rays
        self.radius = 0
        self.table = self._made(0)

    def at(self, left: int, top: int, right: int, bottom: int) -> npt.NDArray[np.intp]:
        """For pixels `left..right`, `top..bottom`, both included, counted from the origin."""
        radius = max(-left, -top, right, bottom)
        if radius > self.radius:
            self.radius = radius + radius // 4  # few steps to the largest thing, and no table of four times its size
            self.table = self._made(self.radius)
        zero = self.radius
        return self.table[zero + top : zero + bottom + 1, zero + left : zero + right + 1]

    def _made(self, radius: int) -> npt.NDArray[np.intp]:
        across = np.arange(-radius, radius + 1)
        turns = np.arctan2(across[:, None], across) / (2 * np.pi) % 1.0
        return (turns * self.rays).astype(np.intp) % self.rays


def _edges(radii: Floats) -> tuple[Floats, Floats, Floats]:
    """Of polygons (M, R): the edge from each corner to the next as normal (M, R, 2) and bound (M, R), and corners.

    A point p of the sector between them is inside if p · normal <= bound.
    """
    angles = np.arange(radii.shape[1]) * (2 * np.pi / radii.shape[1])
    ways = np.stack((np.cos(angles), np.sin(angles)), axis=1)
    corners = np.multiply(radii[:, :, None], ways, dtype=np.float32)
    steps = np.roll(corners, -1, axis=1) - corners
    normals = np.stack((steps[:, :, 1], -steps[:, :, 0]), axis=2)
    return normals, np.einsum("mrd,mrd->mr", normals, corners), corners


def _inside(
    sectors: _Sectors, polygon: tuple[Floats, Floats, Floats], origin: tuple[int, int], size_hw: tuple[int, int]
) -> tuple[int, int, Mask] | None:
    """Top, left and the pixels whose centers a polygon around a pixel holds, cut to the picture."""
    normals, bounds, corners = polygon
    (x, y), (height, width) = origin, size_hw
    low, high = np.ceil(corners.min(axis=0)).astype(int), np.floor(corners.max(axis=0)).astype(int)
    left, top = max(int(low[0]), -x), max(int(low[1]), -y)
    right, bottom = min(int(high[0]), width - 1 - x), min(int(high[1]), height - 1 - y)
    if right < left or bottom < top:
        return None
    sector = sectors.at(min(left, 0), min(top, 0), max(right, 0), max(bottom, 0))
    across, down = np.arange(min(left, 0), max(right, 0) + 1), np.arange(min(top, 0), max(bottom, 0) + 1)
    inside = normals[sector, 0] * across + normals[sector, 1] * down[:, None] <= bounds[sector]
    return y + min(top, 0), x + min(left, 0), inside


def _trimmed(top: int, left: int, inside: Mask) -> Part:
    """The least part that holds all of a mask."""
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    held = inside[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return Part(top + int(rows[0]), left + int(columns[0]), np.where(held, np.float32(1), np.float32(-1)))


def _class_count(tensors: Mapping[str, TensorSpec], parameters: Mapping[str, Any]) -> int | None:
    return axis_size(tensors, parameters.get("objects"), 1)


DECODER = Decoder(
    "star-polygons", "candidates", star_polygons, MappingProxyType({"objects": 4, "rays": 4}), _class_count
)
