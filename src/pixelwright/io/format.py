"""What a file format is to this package: how to recognize, open and write it, and what it can hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from pixelwright.io.stored import Stored
from pixelwright.structures.raster import Raster


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """How to encode.

    Attributes:
        quality: 1..100 for lossy formats; None for the format's own stated default.
        lossless: For formats that know both; None for lossless exactly where no quality was given.
    """

    quality: int | None = None
    lossless: bool | None = None


@dataclass(frozen=True, slots=True)
class Holds:
    """What can be written without loss of kind.

    Attributes:
        dtypes: Names of the dtypes.
        whites: The white values that uint16 may have; None for any.
        alpha: Whether an alpha mask can go along.
        any_channels: Whether channels other than gray and RGB can.
        profile: Whether an ICC profile goes along; without one only sRGB can be written.
        metadata: Whether EXIF and XMP go along; where not, they are left out with a warning.
        hdr: Whether a PQ or HLG transfer can be stated.
        max_side_px: Largest width or height.
    """

    dtypes: tuple[str, ...] = ("uint8",)
    whites: tuple[float, ...] | None = None
    alpha: bool = False
    any_channels: bool = False
    profile: bool = True
    metadata: bool = True
    hdr: bool = False
    max_side_px: int = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Format:
    """One file format; plugins fill the same record.

    Attributes:
        name: The registry name.
        title: How people write it.
        suffixes: File name endings with the dot, lower case; the first is the usual one.
        sniff: Whether the first bytes of a file are of this format.
        open: `(stored, page)` to a raster **as stored**: its `source.orientation` says how to turn it, and whoever
            called turns it, once. Reads the header only. May raise anything; the caller maps it.
        write: Encodes an upright raster into an open file; None where the format is read only.
        holds: What can be written; looked at before `write` is called.
        frames: Yields the rasters of all pages in one pass, each valid until the next is taken; None where opening
            page after page is as good.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    sniff: Callable[[bytes], bool]
    open: Callable[[Stored, int], Raster]
    write: Callable[[Raster, BinaryIO, WriteOptions], None] | None = None
    holds: Holds = Holds()
    frames: Callable[[Stored], Iterator[Raster]] | None = None
