"""What a picture looks like, in a few hundred numbers: for when no network is at hand, and in a millisecond."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwright.errors import ShapeError

SIDE_PX, CELLS, ANGLES = 32, 4, 9
COLOR_CELLS = 8
EPSILON = 1e-6
STRONGEST = 0.2  # a single direction of a cell counts no more (the "Hys" of the paper)
LENGTH = CELLS * CELLS * ANGLES + COLOR_CELLS * COLOR_CELLS * 3


def describe(pixels: npt.NDArray[Any], white: float) -> npt.NDArray[np.float32]:
    """Directions of edges in 4x4 cells, and colors in 8x8: (336,) float32.

    Args:
        pixels: (H, W, 1) or (H, W, 3).
        white: The value of full white.

    Raises:
        ShapeError: There are other channels, or no pixels.

    Source: Dalal, Triggs, Histograms of Oriented Gradients for Human Detection, CVPR 2005, with unsigned directions,
    cells that do not overlap, and each picture normalized as one block.
    """
    import cv2  # loaded on first use, as everywhere

    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3) or 0 in pixels.shape:
        raise ShapeError(f"pixels: expected (H, W, 1) or (H, W, 3), got {pixels.shape}.")
    shares = np.nan_to_num(pixels.astype(np.float32) / white)
    small = cv2.resize(shares, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA).reshape(SIDE_PX, SIDE_PX, -1)
    colors = cv2.resize(small, (COLOR_CELLS, COLOR_CELLS), interpolation=cv2.INTER_AREA)
    colors = np.broadcast_to(colors.reshape(COLOR_CELLS, COLOR_CELLS, -1), (COLOR_CELLS, COLOR_CELLS, 3))
    return np.concatenate([_edges(small.mean(axis=2)), colors.reshape(-1)]).astype(np.float32)


def _edges(gray: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """How strong edges of each direction are in each cell."""
    down, across = np.gradient(gray)
    strength = np.hypot(down, across)
    places = (np.arctan2(down, across) % np.pi) / np.pi * ANGLES
    low = np.floor(places).astype(np.intp) % ANGLES
    share = places - np.floor(places)
    cell = np.arange(SIDE_PX) * CELLS // SIDE_PX
    where = (cell[:, None] * CELLS + cell[None, :]) * ANGLES
    size = CELLS * CELLS * ANGLES
    found = np.bincount((where + low).ravel(), (strength * (1 - share)).ravel(), size)
    found += np.bincount((where + (low + 1) % ANGLES).ravel(), (strength * share).ravel(), size)
    found = np.minimum(found / (np.linalg.norm(found) + EPSILON), STRONGEST)
    return found / (np.linalg.norm(found) + EPSILON)
