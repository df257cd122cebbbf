"""What pictures look like, in a few hundred numbers each: for when no network is at hand, and in no time.

Source: Dalal, Triggs, Histograms of Oriented Gradients for Human Detection, CVPR 2005, with signed directions, cells
that do not overlap, each picture normalized as one block, and the root of the shares (Arandjelovic, Zisserman, Three
Things Everyone Should Know to Improve Object Retrieval, CVPR 2012, section 3).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pixelwright.errors import ShapeError

FEATURES = "small copies and edges"
THUMB_PX = 32  # side of the gray copy: 1 kB a picture
TINT_PX = 8  # of the one in color: 192 bytes
CELLS, DIRECTIONS = 8, 8  # of histograms of edges: across each side, and around
AT_ONCE = 1024  # pictures: 30 MB of intermediate results

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


def describe(thumbs: Bytes, tints: Bytes) -> Floats:
    """Histograms of the directions of edges, gray values at a quarter of the size, and colors: (N, D) float32.

    Args:
        thumbs: (N, 32, 32) gray copies of the pictures.
        tints: (N, 8, 8, 3) copies in color.

    Raises:
        ShapeError: They have other shapes.
    """
    count = len(thumbs)
    wanted = (count, THUMB_PX, THUMB_PX), (count, TINT_PX, TINT_PX, 3)
    if (thumbs.shape, tints.shape) != wanted:
        raise ShapeError(f"thumbs, tints: expected {wanted}, got {(thumbs.shape, tints.shape)}.")
    starts = range(0, max(count, 1), AT_ONCE)
    return np.concatenate([_describe(thumbs[at : at + AT_ONCE], tints[at : at + AT_ONCE]) for at in starts])


def _describe(thumbs: Bytes, tints: Bytes) -> Floats:
    count = len(thumbs)
    gray = thumbs.astype(np.float32) / 255
    down, across = np.gradient(gray, axis=(1, 2))
    strength = np.hypot(across, down)
    turn = np.arctan2(down, across) * (DIRECTIONS / (2 * np.pi)) % DIRECTIONS
    low = np.floor(turn).astype(np.int64)
    high_share = (turn - low) * strength
    edges = np.zeros((count, CELLS, CELLS, DIRECTIONS), np.float32)
    side = THUMB_PX // CELLS
    for direction in range(DIRECTIONS):
        mine = np.where(low % DIRECTIONS == direction, strength - high_share, 0)
        mine += np.where((low + 1) % DIRECTIONS == direction, high_share, 0)
        edges[..., direction] = mine.reshape(count, CELLS, side, CELLS, side).sum(axis=(2, 4))
    edges = np.sqrt(edges.reshape(count, CELLS * CELLS * DIRECTIONS) / (edges.sum(axis=(1, 2, 3))[:, None] + 1e-6))
    values = gray.reshape(count, TINT_PX, 4, TINT_PX, 4).mean(axis=(2, 4)).reshape(count, TINT_PX * TINT_PX)
    colors = tints.reshape(count, 4, 2, 4, 2, 3).mean(axis=(2, 4)).reshape(count, 4 * 4 * 3) / 255
    return np.concatenate([edges, values, colors.astype(np.float32)], axis=1)
