"""The face of image reading and writing: any supported file to a raster or an image, and back.

Formats are found by content, through the registry. What comes out is upright, RGB order, at the file's own depth and
gamut; what goes in is refused where the format could not hold it. Every failure is an `ImageError` naming the file.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import BinaryIO

import numpy as np

from pixelwright import registry
from pixelwright.errors import (
    ImageTooLarge,
    PixelwrightError,
    UnreadableImage,
    UnsupportedImage,
    UsageError,
)
from pixelwright.io import atomic, orientation
from pixelwright.io.border import reading
from pixelwright.io.format import Format, WriteOptions
from pixelwright.io.stored import Readable, Stored
from pixelwright.io.video import is_video
from pixelwright.structures.image import Image, white_of
from pixelwright.structures.raster import Raster, Window

log = logging.getLogger(__name__)

MAX_PIXELS = 2**28  # 268 megapixels decoded whole: beyond every camera sold, 0.8 GB as 8-bit and 3.2 GB as float RGB
MAX_WINDOWED_PIXELS = 2**36  # for files read in windows: four times the largest slide scan
MAX_PAGES = 2**16  # pages or frames looked at in one file


def open_raster(source: Readable, *, page: int = 0, max_pixels: int = MAX_PIXELS) -> Raster:
    """What the header says, and a way to the pixels; nothing is decoded.

    Args:
        source: A path, bytes, or a binary file object (read to its end).
        page: Which page or frame, from 0.
        max_pixels: The most that is decoded in one piece. Files that are read in windows may be larger (up to
            `MAX_WINDOWED_PIXELS`); each window is held to this limit.

    Raises:
        ImageTooLarge: The header states more pixels than the limit.
        UnreadableImage: No image, truncated or damaged.
        UnsupportedImage: A sound file of a kind that is not read here.
        ImageError: The file cannot be opened.

    Example:
        >>> raster = open_raster("scan.tif")  # doctest: +SKIP
        >>> raster.size_hw, raster.dtype  # doctest: +SKIP
    """
    if page < 0:
        raise UsageError(f"page: expected 0 or more, got {page}.")
    stored = Stored.of(source)
    with reading(stored.name):
        return _guarded(_recognize(stored).open(stored, page), max_pixels)


def read_image(
    source: Readable, *, page: int = 0, at_least_hw: tuple[int, int] | None = None, max_pixels: int = MAX_PIXELS
) -> Image:
    """The whole image, upright.

    Args:
        source: A path, bytes, or a binary file object.
        page: Which page or frame, from 0.
        at_least_hw: A JPEG may come at a reduced scale, no smaller than this in either direction.
        max_pixels: Refuse more than this on the header.

    Raises:
        ImageError: As `open_raster`.
    """
    with open_raster(source, page=page, max_pixels=max_pixels) as raster:
        return raster.read(at_least_hw=at_least_hw)


def read_pages(source: Readable, *, max_pixels: int = MAX_PIXELS) -> Iterator[Image]:
    """All pages or frames, one after the other, in one pass over the file.

    Raises:
        ImageError: As `open_raster`, at the page concerned.
    """
    stored = Stored.of(source)
    with reading(stored.name):
        rasters = _frames(_recognize(stored), stored)
    while True:
        with reading(stored.name):
            raster = next(rasters, None)
            if raster is None:
                return
            image = _guarded(raster, max_pixels).read()
        yield image


def _frames(form: Format, stored: Stored) -> Iterator[Raster]:
    if form.frames is not None:
        yield from form.frames(stored)
        return
    first = form.open(stored, 0)
    yield first
    for page in range(1, min(first.source.pages, MAX_PAGES)):
        yield form.open(stored, page)


@cache
def _builtin_formats() -> tuple[Format, ...]:
    return tuple(registry.get("format", name) for name in registry.BUILTIN["format"])


@cache
def formats() -> tuple[Format, ...]:
    """Every format, built-ins first; plugins that fail to import are left out (`registry.plugins` lists them)."""
    found = list(_builtin_formats())
    for name in registry.names("format")[len(found) :]:
        with suppress(PixelwrightError):  # one stranger's fault must not stop everybody's pictures
            found.append(registry.get("format", name))
    return tuple(found)


def _recognize(stored: Stored) -> Format:
    for form in _builtin_formats():
        if form.sniff(stored.head):
            return form
    for form in formats():
        if form.sniff(stored.head):
            return form
    if is_video(stored.name):
        what = "is a video, not an image. Run a task over it, or take its frames from model.stream(...)."
        raise UnreadableImage(stored.name, what)
    start = stored.head[:12]
    known = ", ".join(form.title for form in formats())
    kind = "text" if start.isascii() and start.decode("ascii").isprintable() else "unknown bytes"
    raise UnreadableImage(stored.name, f"is not an image: it begins with {kind}, {start!r}. Known formats: {known}.")


def _guarded(stored_raster: Raster, max_pixels: int) -> Raster:
    """The raster turned upright, limits enforced, foreign exceptions mapped."""
    raster = orientation.upright(stored_raster)
    name, size_hw = raster.source.path, raster.size_hw
    limit_px = max(max_pixels, MAX_WINDOWED_PIXELS) if raster.windowed else max_pixels
    if math.prod(size_hw) > limit_px:
        raster.close()
        raise ImageTooLarge(name, size_hw, limit_px)

    def decode(window: Window | None, at_least_hw: tuple[int, int] | None) -> Image:
        wanted_hw = size_hw if window is None else (window.height, window.width)
        if math.prod(wanted_hw) > max_pixels:
            raise ImageTooLarge(name, wanted_hw, max_pixels)
        with reading(name):
            image = raster.decode(window, at_least_hw)
        if image.size_hw != wanted_hw and (at_least_hw is None or window is not None):
            what = f"is damaged: the header says {wanted_hw[1]}x{wanted_hw[0]} pixels, {image.size_hw[::-1]} came out."
            raise UnreadableImage(name, what)
        return image

    return replace(raster, decode=decode)


def write_image(
    image: Image | Raster,
    path: str | os.PathLike[str],
    *,
    quality: int | None = None,
    lossless: bool | None = None,
    format_name: str | None = None,
) -> None:
    """Writes an image, or a raster window by window, with its depth, profile, alpha and metadata.

    The file appears whole or not at all. What the format cannot hold is refused, never squeezed.

    Args:
        image: What to write. A raster larger than memory needs TIFF or PNG.
        path: Where to; the name's ending chooses the format.
        quality: 1..100 for JPEG, WebP, AVIF, JPEG 2000, JPEG XL, HEIC; each has a stated default.
        lossless: For formats that know both. Default: as the format's module states.
        format_name: A registry name, where the path's ending is not to decide.

    Raises:
        UsageError: No format for this ending, or a quality out of range.
        UnsupportedImage: The format cannot hold this depth, alpha, or these channels; the message names some that can.
        ImageError: The folder is missing or closed, the disk is full.
    """
    target = Path(path)
    form = registry.get("format", format_name) if format_name else _by_suffix(target)
    if quality is not None and not 1 <= quality <= 100:
        raise UsageError(f"quality: expected 1..100, got {quality}.")
    raster = Raster.of(image) if isinstance(image, Image) else image
    write = _writer(raster, form, target)
    if not raster.windowed:  # or a writer that asks for windows would have the whole decoded for each
        raster = Raster.of(raster.read())
    with atomic.replacing(target) as file, _writing(target):
        write(raster, file, WriteOptions(quality, lossless))
    left_out = [name for name in ("exif", "xmp") if getattr(raster.capture, name) and not form.holds.metadata]
    if left_out:
        log.warning("%s: %s has no place for %s.", target, form.title, " and ".join(map(str.upper, left_out)))


def _by_suffix(path: Path) -> Format:
    suffix = path.suffix.lower()
    for form in formats():
        if suffix in form.suffixes and form.write is not None:
            return form
    known = " ".join(form.suffixes[0] for form in formats() if form.write is not None)
    raise UsageError(f"{path}: no format is written under the ending {suffix!r}. Known: {known}")


def _writer(raster: Raster, form: Format, path: Path) -> Callable[[Raster, BinaryIO, WriteOptions], None]:
    """The format's encoder, once it is certain that the format can hold the raster."""
    fault = _fault(raster, form)
    if form.write is not None and fault is None:
        return form.write
    able = [other.title for other in formats() if other.write is not None and _fault(raster, other) is None]
    where = f"Write {', '.join(able)}." if able else "No format here holds it."
    raise UnsupportedImage(path, f"{form.title} cannot hold {fault}. {where}")


def _fault(raster: Raster, form: Format) -> str | None:
    """What of a raster a format cannot hold, None where it can hold everything."""
    holds, dtype = form.holds, np.dtype(raster.dtype)
    if form.write is None:
        return "anything: it is only read here"
    if dtype.name not in holds.dtypes:
        return f"{dtype.name} pixels"
    if dtype == np.uint16:
        fits = holds.whites is None or raster.white in holds.whites
    else:
        fits = holds.any_channels or raster.white == white_of(dtype)
    if not fits:
        return f"a white value of {raster.white:g}"
    if raster.has_alpha and not holds.alpha:
        return "alpha"
    if not (raster.color.is_rgb or raster.color.is_gray or holds.any_channels):
        return f"the channels {', '.join(raster.color.channels)}"
    if not holds.profile and (raster.color.transfer, raster.color.primaries) != ("srgb", "srgb"):
        return f"a color profile, and the picture is not sRGB ({raster.color.primaries}, {raster.color.transfer})"
    if raster.color.transfer in ("pq", "hlg") and raster.color.icc is None and not holds.hdr:
        return f"an HDR transfer ({raster.color.transfer})"
    if max(raster.size_hw) > holds.max_side_px:
        return f"a side of {max(raster.size_hw)} pixels"
    return None


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """An encoder's failure becomes an `UnsupportedImage`; the operating system's is left to `atomic`."""
    try:
        yield
    except (PixelwrightError, MemoryError):
        raise
    except OSError as err:
        if err.errno is not None:
            raise
        raise UnsupportedImage(path, f"the encoder failed: {err}.") from err
    except Exception as err:  # encoders raise what they like, as decoders do
        raise UnsupportedImage(path, f"the encoder failed: {err}.") from err


def fitting_suffix(raster: Raster, format_name: str) -> str:
    """The file name ending to write a raster under: its format's own where that can hold it, else PNG's or TIFF's."""
    for name in (format_name, "png", "tiff"):
        form = registry.get("format", name) if name in registry.names("format") else None
        if form is not None and _fault(raster, form) is None:
            return form.suffixes[0]
    return registry.get("format", "tiff").suffixes[0]
