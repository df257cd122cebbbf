"""Binary masks as run lengths: what is stored of a mask is where it changes, column by column.

Source: the COCO API, `pycocotools/_mask.pyx` and `common/maskApi.c` (BSD-2-Clause) for the order of pixels and the
text form of the counts: https://github.com/cocodataset/cocoapi.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pixelwright.errors import ShapeError

Runs = npt.NDArray[np.uint32]  # lengths of runs in column-major order: outside, inside, outside, ...
Mask = npt.NDArray[np.bool_]  # (H, W)

BITS = 5  # of a count in each character of the text form; the sixth says that more follow
FIRST_CHARACTER = 48


def encode_runs(mask: Mask) -> Runs:
    """The runs of a mask (H, W), beginning with the number of pixels outside, which may be 0."""
    flat = np.asarray(mask, bool).ravel(order="F")
    if not flat.size:
        return np.zeros(0, np.uint32)
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    bounds = np.concatenate(([0], changes, [flat.size]))
    lengths = np.diff(bounds).astype(np.uint32)
    return np.concatenate(([np.uint32(0)], lengths)) if flat[0] else lengths


def decode_runs(runs: Runs, size_hw: tuple[int, int]) -> Mask:
    """The mask (H, W) of runs.

    Raises:
        ShapeError: The runs do not add up to the size.
    """
    height, width = size_hw
    if int(runs.sum(dtype=np.uint64)) != height * width:
        raise ShapeError(f"runs add up to {runs.sum()} pixels, a mask of {height} rows, {width} columns needs all.")
    inside = np.zeros(len(runs), bool)
    inside[1::2] = True
    return np.repeat(inside, runs).reshape((width, height)).T


def runs_to_text(runs: Runs) -> str:
    """The counts as COCO writes them: differences to the count two before, five bits a character."""
    characters = bytearray()
    counts = runs.astype(np.int64)
    for place, count in enumerate(counts.tolist()):
        value = count - int(counts[place - 2]) if place > 2 else count
        while True:
            bits, value = value & 0x1F, value >> BITS
            # Done once what is left is nothing but the sign that the last bit already shows.
            more = value != (-1 if bits & 0x10 else 0)
            characters.append((bits | 0x20 if more else bits) + FIRST_CHARACTER)
            if not more:
                break
    return characters.decode("ascii")


def text_to_runs(text: str) -> Runs:
    """The runs of COCO's text form.

    Raises:
        ShapeError: The text is cut off or has other characters.
    """
    counts: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - FIRST_CHARACTER
        if not 0 <= bits < 64 or shift > 30:
            raise ShapeError(f"run lengths: unexpected {character!r} in the counts. Expected COCO's compressed form.")
        value |= (bits & 0x1F) << shift
        shift += BITS
        if not bits & 0x20:
            if bits & 0x10:
                value -= 1 << shift
            if len(counts) > 2:
                value += counts[-2]
            counts.append(value)
            value = shift = 0
    if shift or any(not 0 <= count < 2**32 for count in counts):
        raise ShapeError("run lengths: the counts are cut off or out of range. Expected COCO's compressed form.")
    return np.array(counts, np.uint32)


@dataclass(frozen=True, slots=True, eq=False)
class Masks:
    """One mask for each row of a result, all over the same image.

    Attributes:
        size_hw: Of the image.
        runs: Of each mask.
    """

    size_hw: tuple[int, int]
    runs: tuple[Runs, ...]

    @classmethod
    def of(cls, masks: Sequence[Mask], size_hw: tuple[int, int]) -> Masks:
        """Masks (H, W) as runs.

        Raises:
            ShapeError: A mask has another size.
        """
        for mask in masks:
            if mask.shape != size_hw:
                raise ShapeError(f"masks: expected {size_hw}, got {mask.shape}. Give each over the whole image.")
        return cls(size_hw, tuple(encode_runs(mask) for mask in masks))

    def __len__(self) -> int:
        return len(self.runs)

    def __getitem__(self, row: int) -> Mask:
        return decode_runs(self.runs[row], self.size_hw)

    def __iter__(self) -> Iterator[Mask]:
        return (self[row] for row in range(len(self)))

    @property
    def areas(self) -> npt.NDArray[np.int64]:
        """Pixels inside of each."""
        return np.array([int(runs[1::2].sum(dtype=np.int64)) for runs in self.runs], np.int64)
