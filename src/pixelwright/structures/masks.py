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

# The text form: five bits of a count in each character, of which the last one's highest is the sign; the sixth says
# that more follow.
BITS = 5
PAYLOAD, SIGN, MORE = 0x1F, 0x10, 0x20
FIRST_CHARACTER = 48
MOST_CHARACTERS = 7  # 35 bits hold any count below 2^32 with its sign


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
    _check_sum(runs, size_hw)
    inside = np.zeros(len(runs), bool)
    inside[1::2] = True
    return np.repeat(inside, runs).reshape((width, height)).T


def _check_sum(runs: Runs, size_hw: tuple[int, int]) -> None:
    height, width = size_hw
    total = int(runs.sum(dtype=np.uint64))
    if total != height * width:
        raise ShapeError(f"runs: they add up to {total} pixels, a mask of {height} rows and {width} columns needs all.")


def runs_to_text(runs: Runs) -> str:
    """The counts as COCO writes them: differences to the count two before, five bits a character."""
    values = runs.astype(np.int64)
    values[3:] -= runs[1:-2].astype(np.int64)
    # A value ends with the first character after which nothing is left but the sign its own highest bit shows.
    pieces = values[:, None] >> np.arange(0, BITS * MOST_CHARACTERS, BITS)
    last = (pieces >> (BITS - 1) == 0) | (pieces >> (BITS - 1) == -1)
    places = np.arange(MOST_CHARACTERS)
    lengths = last.argmax(axis=1)[:, None]
    characters = (pieces & PAYLOAD) | np.where(places < lengths, MORE, 0)
    return (characters[places <= lengths] + FIRST_CHARACTER).astype(np.uint8).tobytes().decode("ascii")


def text_to_runs(text: str) -> Runs:
    """The runs of COCO's text form.

    Raises:
        ShapeError: The text is cut off or has other characters.
    """
    codes = np.frombuffer(text.encode("utf-8", "surrogatepass"), np.uint8).astype(np.int64) - FIRST_CHARACTER
    if not codes.size:
        return np.zeros(0, np.uint32)
    ends = np.flatnonzero((codes & MORE) == 0)
    lengths = np.diff(ends, prepend=-1)
    sound = codes.min() >= 0 and codes.max() <= (PAYLOAD | MORE) and ends.size and ends[-1] == codes.size - 1
    if not sound or lengths.max() > MOST_CHARACTERS:
        raise ShapeError("run lengths: the counts are cut off or no run lengths. Expected COCO's compressed form.")
    starts = ends - lengths + 1
    shifts = BITS * (np.arange(codes.size) - np.repeat(starts, lengths))
    values = np.add.reduceat((codes & PAYLOAD) << shifts, starts)
    negative = (codes[ends] & SIGN) != 0
    values -= np.where(negative, np.int64(1) << BITS * lengths, 0)
    for first in (1, 2):  # each is stored as its difference to the one two before, except the first three
        values[first::2] = np.cumsum(values[first::2])
    if values.min() < 0 or values.max() >= 1 << 32:
        raise ShapeError("run lengths: a count is negative or too large. Expected COCO's compressed form.")
    return values.astype(np.uint32)


@dataclass(frozen=True, slots=True, eq=False)
class Masks:
    """One mask for each row of a result, all over the same image.

    Attributes:
        size_hw: Of the image.
        runs: Of each mask.

    Raises:
        ShapeError: Runs do not add up to the size.
    """

    size_hw: tuple[int, int]
    runs: tuple[Runs, ...]

    def __post_init__(self) -> None:
        for runs in self.runs:
            _check_sum(runs, self.size_hw)

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
