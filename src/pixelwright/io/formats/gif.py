"""GIF, through Pillow, read only: writing would squeeze colors into a palette. Source: GIF89a (CompuServe, 1990)."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from pixelwright.errors import UnreadableImage
from pixelwright.io.format import Format
from pixelwright.io.formats.still import Still, check_page, raster_of
from pixelwright.io.stored import Stored
from pixelwright.structures.raster import Raster

MAX_FRAMES = 2**16  # counted no further
_EXTENSION, _IMAGE = 0x21, 0x2C


def sniff(head: bytes) -> bool:
    """Whether it begins with a GIF signature."""
    return head[:6] in (b"GIF87a", b"GIF89a")


def _frames(data: bytes, name: str) -> list[tuple[tuple[int, int], bool]]:
    """(canvas size so far, whether a transparent color was named so far) for each frame that has data."""
    if len(data) < 13:
        raise UnreadableImage(name, "is truncated inside its header.")
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    at = 13 + _table_bytes(flags)
    transparent, found = False, []
    while at < len(data) and len(found) < MAX_FRAMES:
        kind = data[at]
        if kind == _EXTENSION:
            transparent |= data[at + 1 : at + 3] == b"\xf9\x04" and bool(data[at + 3 : at + 4].ljust(1, b"\0")[0] & 1)
            at = _after_blocks(data, at + 2)
        elif kind == _IMAGE and at + 10 < len(data):
            left, top, columns, rows, flags = struct.unpack_from("<HHHHB", data, at + 1)
            width, height = max(width, left + columns), max(height, top + rows)
            found.append(((height, width), transparent))
            at = _after_blocks(data, at + 11 + _table_bytes(flags))
        else:
            break
    if not found:
        raise UnreadableImage(name, "is truncated: it has no frame.")
    return found


def _table_bytes(flags: int) -> int:
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _after_blocks(data: bytes, at: int) -> int:
    while at < len(data) and data[at]:
        at += 1 + data[at]
    return at + 1


def _still(frames: list[tuple[tuple[int, int], bool]], page: int, name: str) -> Still:
    check_page(name, page, len(frames))
    size_hw, alpha = frames[page]
    if 0 in size_hw:
        raise UnreadableImage(name, f"is damaged: its header says {size_hw[1]}x{size_hw[0]} pixels.")
    return Still(size_hw, "gif", alpha=alpha, page=page, pages=len(frames), stored_color="palette")


def open_raster(stored: Stored, page: int) -> Raster:
    """One frame, composed with those before it; the first by default."""
    data = stored.whole()
    still = _still(_frames(data, stored.name), page, stored.name)

    def samples() -> npt.NDArray[np.generic]:
        from PIL import GifImagePlugin

        with GifImagePlugin.GifImageFile(io.BytesIO(data)) as picture:
            picture.seek(page)
            return np.asarray(picture.convert("RGBA" if still.alpha else "RGB"))

    return raster_of(stored, still, samples)


def frames(stored: Stored) -> Iterator[Raster]:
    """All frames in one pass: each is drawn over the one before."""
    from PIL import GifImagePlugin

    data = stored.whole()
    found = _frames(data, stored.name)
    first = _still(found, 0, stored.name)
    with GifImagePlugin.GifImageFile(io.BytesIO(data)) as picture:
        for page, (size_hw, alpha) in enumerate(found):

            def samples(page: int = page, mode: str = "RGBA" if alpha else "RGB") -> npt.NDArray[np.generic]:
                picture.seek(page)
                return np.asarray(picture.convert(mode))

            yield raster_of(stored, replace(first, size_hw=size_hw, alpha=alpha, page=page), samples)


FORMAT = Format(name="gif", title="GIF", suffixes=(".gif",), sniff=sniff, open=open_raster, frames=frames)
