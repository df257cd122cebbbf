"""Pictures of data sets: files, and rows of arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from pixelwright.data.dataset import Truth
from pixelwright.data.place import Place
from pixelwright.errors import ShapeError, UnreadableImage
from pixelwright.structures.image import GRAY, SRGB, Color, Image, Source
from pixelwright.structures.raster import Raster
from pixelwright.structures.targets import Classes, Target

STEPS = Color(channels=("value",), transfer="unknown", primaries="unknown")  # of sequences


@dataclass(frozen=True, slots=True)
class FilePicture:
    """A picture in a file of its own, or in a tar or zip."""

    place: Place

    @property
    def path(self) -> Path | None:
        """The file that holds it and nothing else."""
        return self.place.path

    def open(self) -> Raster:
        """Its header, ready to be decoded."""
        return self.place.raster()

    def digest(self) -> str:
        """SHA-256 of the file's bytes, in hexadecimal."""
        return self.place.digest()


class Rows(Protocol):
    """An array in a file: loaded on first use, once a process. Small, immutable, and can be pickled."""

    def load(self) -> npt.NDArray[Any]:
        """The whole array, perhaps mapped; raises `ImageError`."""
        ...

    def stamp(self) -> tuple[int, int]:
        """What changes when the file does."""
        ...

    def __str__(self) -> str: ...


@dataclass(frozen=True, slots=True)
class ArrayPicture:
    """A row of an array (N, H, W) or (N, H, W, C); or of sequences (N, T, F), of which the valid steps are taken.

    Attributes:
        rows: The array.
        row: Which.
        steps: How many rows of the picture are valid; None for pictures, which are so all over.
    """

    rows: Rows
    row: int
    steps: int | None = None

    @property
    def path(self) -> Path | None:
        """None: the file holds all of them."""
        return None

    def open(self) -> Raster:
        """The picture, or the sequence as float32.

        Raises:
            UnreadableImage: The numbers are no picture.
            ImageError: The file cannot be read.
        """
        pixels, name = self.stored(), f"{self.rows}#{self.row}"
        try:
            picture = GRAY if pixels.shape[2] == 1 else SRGB
            color = picture if self.steps is None else STEPS
            return Raster.of(Image(pixels, color, source=Source(name, "array")))
        except ShapeError as err:
            raise UnreadableImage(name, str(err)) from err

    def digest(self) -> str:
        """SHA-256 of shape, dtype and values, in hexadecimal."""
        return _digest(self, self.rows.stamp())

    def stored(self) -> npt.NDArray[Any]:
        """Its numbers (H, W, C)."""
        taken = np.asarray(self.rows.load()[self.row])
        pixels = taken[:, :, None] if taken.ndim == 2 else taken
        if self.steps is not None or pixels.dtype == np.float64:
            pixels = pixels[: self.steps].astype(np.float32)
        return pixels


@lru_cache(maxsize=1 << 18)
def _digest(picture: ArrayPicture, _stamp: tuple[int, int]) -> str:
    pixels = np.ascontiguousarray(picture.stored())
    return hashlib.sha256(f"{pixels.shape} {pixels.dtype.str}\n".encode() + pixels.tobytes()).hexdigest()


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """The truth of a sample that was read when the data set was opened."""

    target: Target | None

    @property
    def path(self) -> None:
        """It has no file of its own."""

    def digest(self) -> str:
        """SHA-256 of its text, in hexadecimal."""
        return hashlib.sha256(repr(self.target).encode()).hexdigest()

    def __call__(self) -> Target | None:
        """What is true of the sample."""
        return self.target


def class_ids_of(truth: Truth) -> Sequence[int] | None:
    """The classes that a label file states, of things one for each; None where a mask would have to be read."""
    if isinstance(truth, Known):
        return truth.target.ids if isinstance(truth.target, Classes) else ()
    return getattr(truth, "class_ids", None)
