"""What a map over a tensor says at places between its cells, row band by row band, so that memory stays bounded.

A network's map of scores is coarser than the picture it is of. Which class a pixel has is decided from scores that are
interpolated at the pixel's center, not from the nearest cell: edges come out smooth, and thin things stay.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[Any]  # (h, w) uint8, or uint16 where there are more than 256 classes
Scores = npt.NDArray[np.float32]  # (C, h, w)

BAND_BYTES = 1 << 24  # of interpolated scores at a time; they stay in the processor's cache


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Places at every crossing of some rows and columns of a tensor.

    Attributes:
        rows: (R,) y of each row, in pixels of the tensor: the center of the first pixel is at 0.5.
        columns: (S,) x of each column.
        tensor_hw: The tensor's rows and columns.
        align_corners: The map's outer cells lie on the centers of the tensor's outer pixels, as some networks have
            it, not on the centers of the patches they stand for.
    """

    rows: npt.NDArray[np.float64]
    columns: npt.NDArray[np.float64]
    tensor_hw: tuple[int, int]
    align_corners: bool = False

    def cells(self, map_hw: tuple[int, int]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Rows and columns as indices of cells of a map over the same tensor: 0 is the center of the first cell."""
        return (
            self._cells(self.rows, self.tensor_hw[0], map_hw[0]),
            self._cells(self.columns, self.tensor_hw[1], map_hw[1]),
        )

    def _cells(self, places: npt.NDArray[np.float64], side: int, count: int) -> npt.NDArray[np.float64]:
        on_centers = (places - 0.5) * ((count - 1) / max(side - 1, 1))
        return np.clip(on_centers if self.align_corners else places * (count / side) - 0.5, 0, count - 1)


def ids_at(ids: Ids, grid: Grid) -> Ids:
    """The ids (R, S) of the cells that lie nearest to the places of a grid, from a map (h, w)."""
    rows, columns = (np.floor(at + 0.5).astype(np.intp) for at in grid.cells((ids.shape[0], ids.shape[1])))
    return ids[np.minimum(rows, ids.shape[0] - 1)][:, np.minimum(columns, ids.shape[1] - 1)]


def classes_at(scores: Scores, grid: Grid, *, cut: float) -> Ids:
    """The class (R, S) with the highest score at each place of a grid, scores interpolated bilinearly.

    Args:
        scores: (C, h, w), all finite. One class alone means yes or no.
        grid: Where the classes are wanted.
        cut: The least score that makes a class of its own into a yes; not read where there are more.
    """
    rows, columns = grid.cells((scores.shape[1], scores.shape[2]))
    out = np.empty((len(rows), len(columns)), smallest_dtype(max(scores.shape[0], 2)))
    above, down = _between(rows, scores.shape[1])
    left, right = _between(columns, scores.shape[2])
    # Of each row of the picture two rows of the map are held at its full width, and one that is made of them.
    band = max(1, BAND_BYTES // (3 * scores.shape[0] * len(columns) * scores.itemsize))
    for start in range(0, len(rows), band):
        chosen = slice(start, start + band)
        first, last = int(above[chosen][0]), int(above[chosen][-1]) + 1
        wide = _widened(scores[:, first : last + 1], left, right)
        for row, (top, weight) in enumerate(zip(above[chosen] - first, down[chosen], strict=True), start):
            bottom = min(top + 1, wide.shape[1] - 1)
            out[row] = _best(wide[:, top] * (1 - weight) + wide[:, bottom] * weight, cut)
    return out


def best_classes(scores: Scores, *, cut: float) -> Ids:
    """The class (h, w) with the highest score in each cell of a map (C, h, w); `cut` as of `classes_at`."""
    return _best(scores, cut).astype(smallest_dtype(max(scores.shape[0], 2)))


def smallest_dtype(count: int) -> type[np.uint8 | np.uint16]:
    """The smallest type that has so many different ids."""
    return np.uint8 if count <= 256 else np.uint16


def _widened(scores: Scores, left: npt.NDArray[np.intp], weight: npt.NDArray[np.float32]) -> Scores:
    """Rows of a map at the full width of the picture."""
    right = np.minimum(left + 1, scores.shape[2] - 1)
    wide = np.take(scores, left, axis=2)
    wide *= 1 - weight
    wide += np.take(scores, right, axis=2) * weight
    return wide


def _between(at: npt.NDArray[np.float64], count: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float32]]:
    """The cell before each place, and how far on the way to the next the place is."""
    before = np.minimum(np.floor(at).astype(np.intp), max(count - 2, 0))
    return before, (at - before).astype(np.float32)


def _best(scores: npt.NDArray[np.float32], cut: float) -> npt.NDArray[Any]:
    return scores[0] >= cut if len(scores) == 1 else scores.argmax(axis=0)
