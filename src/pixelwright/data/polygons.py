"""Masks as polygons along the edges of their pixels, for layouts that know no others."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwright.io.border import quiet_opencv

Polygon = npt.NDArray[np.float32]  # (N, 2): x, y

# How far a polygon may be from the edges of the pixels. The steps of a slope lie within 0.71 of a straight line. Of
# small parts, whose corners are few, all stay.
TOLERANCE_PX = 0.75
TOLERANCE_SHARE = 0.02  # of the side of a square as large
LARGEST_CHANGE = 0.02  # of the area, as thin lines could lose more


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
