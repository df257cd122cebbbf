"""Near-duplicates in an index: copies by their digests first, then every vector against every other, in blocks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwright.verbs.similar.index import LIVE, Entry, Index, Vectors

THRESHOLD = 0.97  # where neither the user nor the model's contract names one
BLOCK_ROWS = 2048  # against as many: a block of similarities takes 17 MB


@dataclass(frozen=True, slots=True)
class Group:
    """Pictures that are copies of each other, or nearly.

    Attributes:
        entries: The pictures, that with the most pixels and bytes first: the one to keep.
        similarities: Of each to the first, 1 for exact copies.
        copies: For each whether its file equals that of the first, byte for byte.
    """

    entries: tuple[Entry, ...]
    similarities: tuple[float, ...]
    copies: tuple[bool, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as written to JSON lines."""
        rows = zip(self.entries, self.similarities, self.copies, strict=True)
        return {
            "duplicates": [
                {
                    "path": entry.path,
                    "similarity": round(similarity, 6),
                    "copy": copy,
                    "size_hw": list(entry.size_hw),
                    "bytes": entry.bytes,
                }
                for entry, similarity, copy in rows
            ]
        }


def threshold_of(index: Index) -> float:
    """The least similarity of near-duplicates that suits the model of an index, as far as its contract knows."""
    return THRESHOLD if index.manifest.threshold is None else index.manifest.threshold


def find_duplicates(index: Index, *, threshold: float | None = None) -> list[Group]:
    """Groups of pictures each of which is at least so similar to another of its group, the largest groups first.

    It takes time with the square of the number of pictures, and memory with the number: some 50 bytes each.

    Args:
        index: Where to look.
        threshold: Least cosine similarity of two near-duplicates; None for what suits the model.

    Raises:
        IndexUnusable: The index is damaged.
    """
    least = threshold_of(index) if threshold is None else threshold
    rows = np.flatnonzero(index.marks == LIVE)
    families = _Families(len(rows))
    firsts = _join_copies(index, rows, families)
    # Of exact copies one stands for all: a thousand of them need no million comparisons.
    _join_near(index, rows, firsts, families, np.float32(least))
    groups = [_group(index, rows[members]) for members in families.several()]
    return sorted(groups, key=lambda group: (-len(group.entries), group.entries[0].path))


class _Families:
    """Which places belong together: each knows its family, and a family its members."""

    def __init__(self, count: int) -> None:
        self.of = np.arange(count, dtype=np.int64)
        self._members: dict[int, list[int]] = {}

    def join(self, place: int, others: npt.NDArray[np.int64]) -> None:
        """Make one family of those of a place and some others; the smaller ones move."""
        families = np.unique(np.append(self.of[others], self.of[place])).tolist()
        if len(families) == 1:
            return
        sized = sorted(families, key=lambda family: len(self._all(family)))
        largest, members = sized[-1], self._all(sized[-1])
        for family in sized[:-1]:
            moved = self._all(family)
            self.of[moved] = largest
            members.extend(moved)
            self._members.pop(family, None)
        self._members[largest] = members

    def several(self) -> Iterable[list[int]]:
        """The members of each family that has more than one."""
        return self._members.values()

    def _all(self, family: int) -> list[int]:
        return self._members.get(family, [family])


def _join_copies(index: Index, rows: npt.NDArray[np.int64], families: _Families) -> npt.NDArray[np.int64]:
    """Join files that are equal, and return one place for each of the others and of these."""
    digests = np.zeros(len(rows), "S32")
    place = 0
    for row, entry in enumerate(index.entries()):
        if place < len(rows) and row == rows[place]:
            # What is no file has no digest, and is nobody's copy.
            digests[place] = entry.sha256[:32] or f"{place:x}-"
            place += 1
    order = np.argsort(digests, kind="stable")
    begins = np.flatnonzero(np.append(True, digests[order][1:] != digests[order][:-1]))
    for start, stop in zip(begins, np.append(begins[1:], len(order)), strict=True):
        if stop - start > 1:
            families.join(int(order[start]), order[start + 1 : stop])
    return np.sort(order[begins]) if len(order) else order


def _join_near(
    index: Index, rows: npt.NDArray[np.int64], firsts: npt.NDArray[np.int64], families: _Families, threshold: np.float32
) -> None:
    for start in range(0, len(firsts), BLOCK_ROWS):
        mine = firsts[start : start + BLOCK_ROWS]
        vectors = index.vectors(rows[mine])
        for other in range(start, len(firsts), BLOCK_ROWS):
            theirs = firsts[other : other + BLOCK_ROWS]
            near = vectors @ (vectors if other == start else index.vectors(rows[theirs])).T >= threshold
            if other == start:
                np.fill_diagonal(near, val=False)
            for place in np.flatnonzero(near.any(axis=1)):
                families.join(int(mine[place]), theirs[near[place]])


def _group(index: Index, rows: npt.NDArray[np.int64]) -> Group:
    pictures = [(index.entry(int(row)), int(row)) for row in rows]
    pictures.sort(key=lambda one: (-one[0].size_hw[0] * one[0].size_hw[1], -one[0].bytes, one[0].path))
    entries = tuple(entry for entry, _ in pictures)
    vectors: Vectors = index.vectors([row for _, row in pictures])
    copies = tuple(bool(entry.sha256) and entry.sha256 == entries[0].sha256 for entry in entries)
    near = np.where(copies, 1, np.clip(vectors @ vectors[0], -1, 1))
    return Group(entries, tuple(map(float, near)), copies)
