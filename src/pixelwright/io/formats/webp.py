"""WebP, through Pillow; the header is read here, because Pillow's reader makes room for the pixels on opening.

Source: RFC 9649 (WebP image format).
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from pixelwright.errors import UnreadableImage
from pixelwright.io.format import Format, Holds, WriteOptions
from pixelwright.io.formats.still import Still, as_rgb, decode_pillow, encode_pillow, raster_of
from pixelwright.io.stored import Stored
from pixelwright.structures.raster import Raster

MAX_SIDE_PX = 16383
QUALITY = 80  # where `lossless=False` comes without a quality
EFFORT = 4  # of 6: the default of libwebp
_MAX_METADATA_BYTES = 2**24
_MAX_CHUNKS = 2**17
_ALPHA_FLAG = 0x10


def sniff(head: bytes) -> bool:
    """Whether it is a RIFF file of kind WEBP."""
    return head[:4] == b"RIFF" and head[8:12] == b"WEBP"


def read_header(stored: Stored, page: int = 0) -> Still:
    """Size, frames and metadata, without decoding.

    Raises:
        UnreadableImage: Truncated or without a picture.
    """
    size_hw, alpha, frames, kept, warnings = (0, 0), False, 0, {}, []
    for index, (name, at, length) in enumerate(_chunks(stored)):
        if index > _MAX_CHUNKS:
            raise UnreadableImage(stored.name, f"is damaged: more than {_MAX_CHUNKS} chunks.")
        if name == b"VP8X":
            body = stored.part(at, 10).ljust(10, b"\0")
            alpha = bool(body[0] & _ALPHA_FLAG)
            size_hw = 1 + int.from_bytes(body[7:10], "little"), 1 + int.from_bytes(body[4:7], "little")
        elif name == b"ANMF":
            frames += 1
        elif name in (b"VP8 ", b"VP8L") and size_hw == (0, 0):
            size_hw, alpha = _bitstream(name, stored.part(at, 10).ljust(10, b"\0"))
        elif name in (b"ICCP", b"EXIF", b"XMP ") and length <= _MAX_METADATA_BYTES:
            kept.setdefault(name, stored.part(at, length))
        elif name in (b"ICCP", b"EXIF", b"XMP "):
            warnings.append(f"The {name.decode().strip()} chunk of {length} bytes was left unread.")
    if 0 in size_hw:
        raise UnreadableImage(stored.name, "is damaged: it has no picture.")
    return Still(
        size_hw=size_hw,
        format="webp",
        alpha=alpha,
        profile=kept.get(b"ICCP"),
        exif=kept.get(b"EXIF"),
        xmp=kept.get(b"XMP "),
        page=page,
        pages=max(1, frames),
        warnings=tuple(warnings),
    )


def _chunks(stored: Stored) -> Iterator[tuple[bytes, int, int]]:
    at = 12
    while at + 8 <= stored.size:
        name, length = struct.unpack("<4sI", stored.part(at, 8))
        if at + 8 + length > stored.size:
            raise UnreadableImage(stored.name, "is truncated: a chunk reaches beyond the end.")
        yield name, at + 8, length
        at += 8 + length + length % 2


def _bitstream(name: bytes, body: bytes) -> tuple[tuple[int, int], bool]:
    """Size and alpha from the first bytes of the picture data, RFC 9649 sections 2.5 and 3.4; RFC 6386 section 9.1."""
    if name == b"VP8L":
        (bits,) = struct.unpack_from("<I", body, 1)
        return (1 + (bits >> 14 & 0x3FFF), 1 + (bits & 0x3FFF)), bool(bits >> 28 & 1)
    width, height = struct.unpack_from("<HH", body, 6)
    return (height & 0x3FFF, width & 0x3FFF), False


def open_raster(stored: Stored, page: int) -> Raster:
    """One frame as stored."""
    still = read_header(stored, page)

    def samples() -> npt.NDArray[np.generic]:
        from PIL import WebPImagePlugin

        picture = WebPImagePlugin.WebPImageFile(io.BytesIO(stored.whole()))
        picture.seek(page)
        return decode_pillow(picture)

    return raster_of(stored, still, samples)


def frames(stored: Stored) -> Iterator[Raster]:
    """All frames in one pass."""
    from PIL import WebPImagePlugin

    first = read_header(stored)
    if first.pages == 1:
        yield open_raster(stored, 0)
        return
    with WebPImagePlugin.WebPImageFile(io.BytesIO(stored.whole())) as picture:
        for page in range(first.pages):
            picture.seek(page)
            picture.load()
            samples = np.asarray(picture)
            yield raster_of(stored, read_header(stored, page), lambda samples=samples: samples)


def write(raster: Raster, file: BinaryIO, options: WriteOptions) -> None:
    """8-bit, with alpha and metadata; lossless exactly where no quality was given, unless told otherwise.

    WebP knows no gray: gray pictures come back as RGB with three equal channels.
    """
    image = as_rgb(raster.read())
    lossless = options.quality is None if options.lossless is None else options.lossless
    quality = options.quality or QUALITY
    file.write(encode_pillow(image, "WEBP", lossless=lossless, quality=quality, method=EFFORT, exact=True))


FORMAT = Format(
    name="webp",
    title="WebP",
    suffixes=(".webp",),
    sniff=sniff,
    open=open_raster,
    write=write,
    holds=Holds(alpha=True, max_side_px=MAX_SIDE_PX),
    frames=frames,
)
