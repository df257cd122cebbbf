"""Pictures cut into overlapping windows, and what is found in each put together across the seams.

Every window is answered by itself. A box that ends at an edge of its window which is no edge of the picture is *cut*:
more of the thing may lie beyond. What two windows found is one thing if

- both are whole, and the boxes overlap by at least half of their union: the better one is kept;
- one is cut and lies for the most part inside the other, a whole one, as far as both windows see: the whole is kept;
- both are cut and agree, as far as both windows see: they are pieces, and the thing has the box around them all.

Comparing only what both windows see is what tells a piece of a thing from a small thing in front of a large one. As
neighbors overlap, a thing no larger than the overlap is whole in some window.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwright.errors import UsageError
from pixelwright.ops.boxes import Boxes, Floats, Rows, area, clip, intersection, iou
from pixelwright.structures.raster import Window

AGREE = 0.5  # least intersection over union of two boxes of one thing
INSIDE = 0.6  # least part of a cut box that lies in the whole one
MOST_WINDOWS = 50_000
EDGE_SHARE, EDGE_PX = 0.01, 1.0  # boxes are not exact: so near to an edge, as a part of the window's side and beside it

Frame = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Things:
    """What is left of the rows of all windows.

    Attributes:
        rows: (G,) the row that stands for each thing: the best of it.
        boxes_xyxy: (G, 4).
        pieces: For each thing the rows its box is made of.
    """

    rows: Rows
    boxes_xyxy: Boxes
    pieces: tuple[tuple[int, ...], ...]


def windows(size_hw: tuple[int, int], *, side_px: int, overlap: float) -> list[Window]:
    """Windows of one size that cover a picture, row by row; neighbors share at least a part of their side.

    Raises:
        UsageError: There would be more than `MOST_WINDOWS`.

    Example:
        >>> [(one.top, one.left) for one in windows((100, 250), side_px=100, overlap=0.2)]
        [(0, 0), (0, 75), (0, 150)]
    """
    height, width = (min(side_px, side) for side in size_hw)
    tops = _starts(size_hw[0], height, overlap)
    lefts = _starts(size_hw[1], width, overlap)
    if len(tops) * len(lefts) > MOST_WINDOWS:
        raise UsageError(
            f"tiles of {side_px} pixels cut {size_hw[1]}x{size_hw[0]} into {len(tops) * len(lefts)} windows; at most "
            f"{MOST_WINDOWS} are run. Take larger tiles, or less overlap."
        )
    return [Window(top, left, height, width) for top in tops for left in lefts]


def _starts(length: int, side: int, overlap: float) -> list[int]:
    step = max(1, side - ceil(side * overlap))
    count = 1 + ceil((length - side) / step)
    return [round(place) for place in np.linspace(0, length - side, count)]


def merge(
    boxes_xyxy: Boxes, scores: Floats, class_ids: npt.NDArray[Any], origins: Rows, frames: Boxes, *, per_class: bool
) -> Things:
    """The things of a picture from what was found in its windows.

    Args:
        boxes_xyxy: (M, 4) in pixels of the picture, each inside its window.
        scores: (M,).
        class_ids: (M,).
        origins: (M,) in which window each was found.
        frames: (windows, 4) the windows; the picture is what they cover.
        per_class: Whether boxes of different classes are always different things.
    """
    cut = _cut(boxes_xyxy, frames[origins], frames)
    members = [np.flatnonzero(origins == window) for window in range(len(frames))]
    links: dict[int, list[int]] = {}
    for one, other in _neighbors(frames):
        rows, others = members[one], members[other]
        if not len(rows) or not len(others):
            continue
        same = _same(boxes_xyxy, cut, rows, others, _shared(frames[one], frames[other]))
        if per_class:
            same &= class_ids[rows][:, None] == class_ids[others][None]
        for left, right in zip(*(index.tolist() for index in np.nonzero(same)), strict=True):
            links.setdefault(int(rows[left]), []).append(int(others[right]))
            links.setdefault(int(others[right]), []).append(int(rows[left]))
    return _things(boxes_xyxy, scores, cut, links)


def _cut(boxes: Boxes, own: Boxes, frames: Boxes) -> npt.NDArray[np.bool_]:
    """Which boxes end at an edge of their window that is none of the picture."""
    picture = np.concatenate((frames[:, :2].min(axis=0), frames[:, 2:].max(axis=0)))
    sides = np.tile(own[:, 2:] - own[:, :2], 2)
    near = np.abs(boxes - own) <= EDGE_PX + EDGE_SHARE * sides
    return (near & (own != picture)).any(axis=1)


def _neighbors(frames: Boxes) -> list[tuple[int, int]]:
    """Pairs of windows that share an area."""
    pairs: list[tuple[int, int]] = []
    for one in range(len(frames) - 1):
        shared = intersection(frames[one : one + 1], frames[one + 1 :])[0] > 0
        pairs += [(one, one + 1 + int(other)) for other in np.flatnonzero(shared)]
    return pairs


def _shared(one: Floats, other: Floats) -> Frame:
    left, top = np.maximum(one[:2], other[:2])
    right, bottom = np.minimum(one[2:], other[2:])
    return float(left), float(top), float(right), float(bottom)


def _same(boxes: Boxes, cut: npt.NDArray[np.bool_], rows: Rows, others: Rows, shared: Frame) -> npt.NDArray[np.bool_]:
    """Which of the rows of a window (A,) are what another window found (B,), by the rules above: (A, B)."""
    seen, seen_there = clip(boxes[rows], shared), clip(boxes[others], shared)
    common = intersection(seen, seen_there)
    cut_here, cut_there = cut[rows][:, None], cut[others][None]
    with np.errstate(invalid="ignore", divide="ignore"):  # what lies outside of the shared part has no area there
        inside, inside_there = common / area(seen)[:, None], common / area(seen_there)[None]
    whole = ~cut_here & ~cut_there & (iou(boxes[rows], boxes[others]) >= AGREE)
    piece = (cut_here & ~cut_there & (inside >= INSIDE)) | (~cut_here & cut_there & (inside_there >= INSIDE))
    pieces = cut_here & cut_there & (iou(seen, seen_there) >= AGREE)
    return whole | piece | pieces


def _things(boxes: Boxes, scores: Floats, cut: npt.NDArray[np.bool_], links: dict[int, list[int]]) -> Things:
    """Whole boxes first, the best before; each takes what is linked with it. Pieces that are left are joined."""
    order = [int(row) for row in np.lexsort((-scores, cut))]
    taken: set[int] = set()
    rows: list[int] = []
    pieces: list[tuple[int, ...]] = []
    for row in order:
        if row in taken:
            continue
        group = _joined(row, links, cut, taken) if cut[row] else [row]
        taken.update(group if cut[row] else [row, *links.get(row, [])])
        rows.append(row)
        pieces.append(tuple(group))
    around = [(*boxes[list(group), :2].min(axis=0), *boxes[list(group), 2:].max(axis=0)) for group in pieces]
    return Things(np.array(rows, np.intp), np.array(around, np.float32).reshape(-1, 4), tuple(pieces))


def _joined(row: int, links: dict[int, list[int]], cut: npt.NDArray[np.bool_], taken: set[int]) -> list[int]:
    """All pieces that hang together with one."""
    group, reached = [row], {row}
    for one in group:
        further = [other for other in links.get(one, ()) if cut[other] and other not in reached | taken]
        reached.update(further)
        group += further
    return group
