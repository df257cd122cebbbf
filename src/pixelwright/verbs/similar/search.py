"""The nearest rows of an index: all of them block by block, or those in the nearest cells where there are many.

Cells only propose: similarities are always computed from the vectors as they are stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pixelwright.errors import IndexUnusable
from pixelwright.verbs.similar import cells
from pixelwright.verbs.similar.index import LIVE, Index, Vectors

# Numbers in an index from which on cells are worth their making: fewer pass through two cores in about the 10 ms that
# a query may take.
CELLS_FROM_NUMBERS = 32_000_000
PROPOSED = 4  # times what is asked for: of these the nearest are found exactly
LEAST_PROPOSED = 40


@dataclass(frozen=True, slots=True)
class Match:
    """A row that is near.

    Attributes:
        row: Of the index.
        similarity: The cosine of the angle between both vectors, -1..1.
    """

    row: int
    similarity: float


def nearest(index: Index, vectors: Vectors, *, top: int = 10, exact: bool = False) -> list[list[Match]]:
    """For each vector the nearest live rows, nearest first.

    Args:
        index: Where to look.
        vectors: (n, D) float32 of unit length, of the index's own space.
        top: So many for each at the most.
        exact: Look at every row, however many there are.

    Raises:
        IndexUnusable: The vectors are longer or shorter than those of the index.
    """
    if not len(index):
        return [[] for _ in vectors]
    if vectors.ndim != 2 or vectors.shape[1] != index.manifest.dimension:
        raise IndexUnusable(
            f"{index.folder} holds vectors of {index.manifest.dimension} numbers, these are {vectors.shape[1:]}. "
            "Use the model that made the index."
        )
    if exact or not uses_cells(index):
        return _exact(index, vectors, top)
    found = [_in_cells(index, vector, top) for vector in vectors]
    wanted = min(top, index.live)
    # Where most rows have gone the nearest cells may hold too few.
    return [
        matches if len(matches) == wanted else _exact(index, vector[None], top)[0]
        for vector, matches in zip(vectors, found, strict=True)
    ]


def uses_cells(index: Index) -> bool:
    """Whether there is so much to look at that cells pay, and the library for them."""
    return len(index) * index.manifest.dimension >= CELLS_FROM_NUMBERS and cells.available() is None


def _exact(index: Index, vectors: Vectors, top: int) -> list[list[Match]]:
    best = np.full((len(vectors), 0), -np.inf, np.float32)
    rows = np.empty((len(vectors), 0), np.int64)
    for first, block in index.blocks():
        found = vectors @ block.T
        found[:, index.marks[first : first + len(block)] != LIVE] = -np.inf
        places = _largest(found, top)
        best = np.concatenate((best, np.take_along_axis(found, places, axis=1)), axis=1)
        rows = np.concatenate((rows, places + first), axis=1)
        kept = _largest(best, top)
        best, rows = np.take_along_axis(best, kept, axis=1), np.take_along_axis(rows, kept, axis=1)
    return [_ranked(rows[place], best[place]) for place in range(len(vectors))]


def _in_cells(index: Index, vector: npt.NDArray[np.float32], top: int) -> list[Match]:
    rows = cells.candidates(index, vector, max(LEAST_PROPOSED, PROPOSED * top))
    rows = rows[index.marks[rows] == LIVE]
    return _ranked(rows, index.vectors(rows) @ vector)[:top]


def _largest(values: npt.NDArray[np.float32], count: int) -> npt.NDArray[np.int64]:
    """Places of the largest values of each row, in any order."""
    if values.shape[1] <= count:
        return np.broadcast_to(np.arange(values.shape[1]), values.shape)
    return np.argpartition(-values, count - 1, axis=1)[:, :count]


def _ranked(rows: Sequence[int] | npt.NDArray[np.int64], values: npt.NDArray[np.float32]) -> list[Match]:
    """Nearest first; of equally near ones the earlier row."""
    matches = [Match(int(row), float(value)) for row, value in zip(rows, values, strict=True) if value > -np.inf]
    return sorted(matches, key=lambda match: (-match.similarity, match.row))
