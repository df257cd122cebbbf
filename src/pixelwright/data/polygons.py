"""Masks as polygons along the edges of their pixels, for layouts that know no others, and polygons as masks.

Source of the way back: the COCO API's `rleFrPoly` (`common/maskApi.c`, BSD-2-Clause), whose rule which pixels are
inside is followed to the pixel, as scores depend on it: https://github.com/cocodataset/cocoapi.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwright.errors import ShapeError
from pixelwright.io.border import quiet_opencv
from pixelwright.structures.masks import Runs

Polygon = npt.NDArray[np.float32]  # (N, 2): x, y

# How far a polygon may be from the edges of the pixels. The steps of a slope lie within 0.71 of a straight line. Of
# small parts, whose corners are few, all stay.
TOLERANCE_PX = 0.75
TOLERANCE_SHARE = 0.02  # of the side of a square as large
LARGEST_CHANGE = 0.02  # of the area, as thin lines could lose more

STEPS = 5  # to a pixel, in which the edges of a polygon are walked along
LONGEST_PX = 2**24 // STEPS  # all edges of one: 0.3 GB of steps; a thousand edges across a picture of 3,000 pixels


def outlines(mask: npt.NDArray[np.bool_], *, with_islands: bool = False) -> list[Polygon]:
    """The outer edge of each part of a mask (H, W), largest first; holes are not in it.

    Coordinates are ours: a mask of the top-left pixel alone is the square from (0, 0) to (1, 1). Parts that lie in a
    hole of another are left out unless asked for, as the other's outer edge holds them already.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return []
    top, left = rows[0], columns[0]
    part = mask[top : rows[-1] + 1, left : columns[-1] + 1]
    # OpenCV runs through the centers of the outermost pixels. Of a mask twice as large these centers are the odd
    # numbers where the edge is right or below, and the even ones where it is left or above: halves of them, rounded
    # up, are the edges themselves, concave corners included.
    doubled = np.repeat(np.repeat(part.astype(np.uint8), 2, axis=0), 2, axis=1)
    with quiet_opencv() as cv2:
        mode = cv2.RETR_CCOMP if with_islands else cv2.RETR_EXTERNAL
        contours, hierarchy = cv2.findContours(doubled, mode, cv2.CHAIN_APPROX_SIMPLE)
        outer = hierarchy[0, :, 3] < 0  # a hole has a parent
        edges = [_simple(cv2, (contour + 1) // 2) for contour, kept in zip(contours, outer, strict=True) if kept]
        edges.sort(key=cv2.contourArea, reverse=True)
    return [edge.reshape(-1, 2) + np.array([left, top], np.float32) for edge in edges]


def _simple(cv2: Any, exact: npt.NDArray[np.int32]) -> Polygon:
    """A contour (N, 1, 2) without the corners that hardly matter."""
    straight = cv2.approxPolyDP(exact, 0, closed=True)  # no point twice, none between two others
    area = cv2.contourArea(straight)
    simple = cv2.approxPolyDP(straight, min(TOLERANCE_PX, TOLERANCE_SHARE * area**0.5), closed=True)
    keeps = len(simple) > 2 and abs(cv2.contourArea(simple) - area) <= LARGEST_CHANGE * area
    return (simple if keeps else straight).astype(np.float32)


def joined(parts: list[Polygon]) -> Polygon:
    """One polygon of several, where a layout has room for one: tied together by bridges of no width."""
    whole = parts[0]
    for part in parts[1:]:
        apart = ((whole[:, None] - part[None]) ** 2).sum(axis=2)
        here, there = np.unravel_index(apart.argmin(), apart.shape)
        detour = np.concatenate([part[there:], part[: there + 1], whole[here : here + 1]])
        whole = np.concatenate([whole[: here + 1], detour, whole[here + 1 :]])
    return whole


def fill(polygon: npt.NDArray[np.floating[Any]], size_hw: tuple[int, int]) -> Runs:
    """The mask of a polygon (N, 2), cut off at the border, as the COCO tools would fill it: its runs.

    Edges are walked in fifths of a pixel; where they pass the middle of a column, everything below changes sides.

    Raises:
        ShapeError: Its edges are longer than those of anything in a picture.
    """
    height, width = size_hw
    x, y = _walk_edges(polygon)
    # Where a step leads from one column of fifths to the next, its left or upper end counts.
    moved = np.flatnonzero(x[1:] != x[:-1])
    column = (np.minimum(x[moved], x[moved + 1] - (x[moved + 1] > x[moved])) + 0.5) / STEPS - 0.5
    row = (np.minimum(y[moved], y[moved + 1]) + 0.5) / STEPS - 0.5
    middle = (np.floor(column) == column) & (column >= 0) & (column <= width - 1)
    places = column[middle].astype(np.int64) * height + np.ceil(np.clip(row[middle], 0, height)).astype(np.int64)
    borders, times = np.unique(places, return_counts=True)
    changes = borders[(times % 2 == 1) & (borders < height * width)]  # twice is as if never
    return np.diff(np.concatenate(([0], changes, [height * width]))).astype(np.uint32)


def length_fault(polygon: npt.NDArray[np.floating[Any]]) -> str | None:
    """Why a polygon (N, 2) is too long to be filled; None where it is not."""
    length = float(np.abs(polygon - np.roll(polygon, -1, axis=0)).max(axis=1, initial=0).sum())
    if length <= LONGEST_PX:
        return None
    return f"a polygon has edges of {length:,.0f} pixels together; expected {LONGEST_PX:,} at most"


def _walk_edges(polygon: npt.NDArray[np.floating[Any]]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Points along a closed polygon, one for each fifth of a pixel of the longer direction of an edge."""
    if fault := length_fault(polygon):
        raise ShapeError(fault)
    corners = np.trunc(polygon * STEPS + 0.5).astype(np.int64)  # towards zero, as C rounds
    parts_x, parts_y = [], []
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        across, down = abs(x1 - x0), abs(y1 - y0)
        flat = across >= down
        count = int(across if flat else down)
        # The walk is calculated from the lower end, or halves would be rounded to another side on the way back.
        backward = x0 > x1 if flat else y0 > y1
        (start_x, start_y), (end_x, end_y) = ((x1, y1), (x0, y0)) if backward else ((x0, y0), (x1, y1))
        steps = np.arange(count + 1)
        if flat:
            slope = (end_y - start_y) / count if count else 0.0
            xs, ys = start_x + steps, np.trunc(start_y + slope * steps + 0.5).astype(np.int64)
        else:
            slope = (end_x - start_x) / count
            xs, ys = np.trunc(start_x + slope * steps + 0.5).astype(np.int64), start_y + steps
        parts_x.append(xs[::-1] if backward else xs)
        parts_y.append(ys[::-1] if backward else ys)
    return np.concatenate(parts_x), np.concatenate(parts_y)
