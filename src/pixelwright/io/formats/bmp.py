"""BMP, through Pillow: palettes and run lengths unpacked, alpha where the header has a mask for it."""

from __future__ import annotations

import io
import struct
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from pixelwright.errors import UnreadableImage, UnsupportedImage
from pixelwright.io import exif
from pixelwright.io.format import Format, Holds, WriteOptions
from pixelwright.io.formats.still import Still, check_page, decode_pillow, encode_pillow, raster_of
from pixelwright.io.stored import Stored
from pixelwright.structures.raster import Raster

_PLAIN, _RLE8, _RLE4, _BITFIELDS, _ALPHA_BITFIELDS = 0, 1, 2, 3, 6


def sniff(head: bytes) -> bool:
    """Whether it begins with BM and a header of a known length."""
    return head[:2] == b"BM" and len(head) >= 26 and head[14:18] in {struct.pack("<I", n) for n in _HEADERS}


_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)


def open_raster(stored: Stored, page: int) -> Raster:
    """A BMP as stored."""
    check_page(stored.name, page)
    still = read_header(stored)

    def samples() -> npt.NDArray[np.generic]:
        from PIL import BmpImagePlugin

        mode = "RGBA" if still.alpha else "L" if still.gray else "RGB"
        return decode_pillow(BmpImagePlugin.BmpImageFile(io.BytesIO(stored.whole())), mode)

    return raster_of(stored, still, samples)


def read_header(stored: Stored) -> Still:
    """Size, kind and resolution.

    Raises:
        UnreadableImage: Cut off or nonsense.
        UnsupportedImage: A JPEG or PNG wrapped for a printer.
    """
    head = stored.head.ljust(200, b"\0")
    (length,) = struct.unpack_from("<I", head, 14)
    if length == 12:
        width, height, _, bits = struct.unpack_from("<HHHH", head, 18)
        return _checked(stored, (height, width), bits, Still((height, width), "bmp", gray=_is_gray(head, 26, bits, 3)))
    width, height, _, bits, packing = struct.unpack_from("<iiHHI", head, 18)
    height = abs(height)  # negative: rows run from top to bottom
    if packing not in (_PLAIN, _RLE8, _RLE4, _BITFIELDS, _ALPHA_BITFIELDS):
        raise UnsupportedImage(stored.name, f"uses BMP compression {packing}, which is not read here.")
    x, y, colors = struct.unpack_from("<iiI", head, 38)
    mask = struct.unpack_from("<I", head, 66)[0] if length >= 56 or packing == _ALPHA_BITFIELDS else 0
    still = Still(
        size_hw=(height, width),
        format="bmp",
        gray=_is_gray(head, 14 + length, bits, 4, colors),
        alpha=bits == 32 and mask != 0 and packing in (_BITFIELDS, _ALPHA_BITFIELDS),
        dpi=exif.dpi_of_meters(x, y),
        stored_color="palette" if bits <= 8 else None,
    )
    return _checked(stored, (height, width), bits, still)


def _checked(stored: Stored, size_hw: tuple[int, int], bits: int, still: Still) -> Still:
    if min(size_hw) <= 0 or bits not in (1, 2, 4, 8, 16, 24, 32):
        what = f"is damaged: its header says {size_hw[1]}x{size_hw[0]} pixels of {bits} bits."
        raise UnreadableImage(stored.name, what)
    return still


def _is_gray(head: bytes, at: int, bits: int, step: int, colors: int = 0) -> bool:
    """Whether the palette holds nothing but grays, as Pillow sees it: black and white, or 256 rising steps."""
    if bits not in (1, 4, 8):
        return False
    count = colors or 2**bits
    ramp = (0, 255) if count == 2 else range(count)
    return all(head[at + i * step : at + i * step + 3] == bytes((value,)) * 3 for i, value in enumerate(ramp))


def write(raster: Raster, file: BinaryIO, _options: WriteOptions) -> None:
    """8 bits, gray or RGB; a BMP has no place for a profile, EXIF or XMP."""
    image = raster.read()
    file.write(encode_pillow(image, "BMP", **({"dpi": image.capture.dpi} if image.capture.dpi else {})))


FORMAT = Format(
    name="bmp",
    title="BMP",
    suffixes=(".bmp", ".dib"),
    sniff=sniff,
    open=open_raster,
    write=write,
    holds=Holds(profile=False, metadata=False),
)
