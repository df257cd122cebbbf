"""PNG: 8 bits and fewer through Pillow, 16 bits through OpenCV, which keeps them; every checksum tested first.

The decoders are handed nothing but pixels: metadata, transparency and palettes are dealt with here, so that no
decoder unfolds a compressed chunk or applies a gamma on its own.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwright.errors import UnreadableImage
from pixelwright.io.border import decode_opencv
from pixelwright.io.format import Format, Holds
from pixelwright.io.formats import png_chunks, png_write
from pixelwright.io.formats.png_chunks import PngHeader, chunk
from pixelwright.io.formats.still import check_page, decode_pillow
from pixelwright.io.stored import Stored
from pixelwright.structures.image import GRAY_CHANNELS, RGB_CHANNELS, Image, Mask, Pixels, Source
from pixelwright.structures.raster import Raster, Window, crop

_PASSES = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))


def sniff(head: bytes) -> bool:
    """Whether it begins with the PNG signature."""
    return head.startswith(png_chunks.SIGNATURE)


def open_raster(stored: Stored, page: int) -> Raster:
    """A PNG as stored; of an animated one the still picture."""
    check_page(stored.name, page)
    header = png_chunks.parse(stored)
    channels = GRAY_CHANNELS if header.kind in (0, 4) else RGB_CHANNELS
    color, faults = png_chunks.color_of(header, channels)
    capture, orientation = png_chunks.capture_of(header)
    warnings = (*header.warnings, *faults)
    source = Source(
        path=stored.name,
        format="png",
        stored_size_hw=header.size_hw,
        orientation=orientation,
        bits=8 if header.kind == 3 else min([header.depth, *header.kept.get(b"sBIT", b"")]),
        stored_color="palette" if header.kind == 3 else None,
    )

    def decode(window: Window | None, _at_least_hw: tuple[int, int] | None) -> Image:
        pixels, alpha = decode_pixels(stored, header)
        image = Image(pixels, color, alpha=alpha, capture=capture, source=source, warnings=warnings)
        return image if window is None else crop(image, window)

    return Raster(
        size_hw=header.size_hw,
        dtype=np.uint16 if header.depth == 16 else np.uint8,
        color=color,
        white=65535.0 if header.depth == 16 else 255.0,
        decode=decode,
        has_alpha=header.kind in (4, 6) or b"tRNS" in header.kept,
        capture=capture,
        source=source,
        warnings=warnings,
    )


def decode_pixels(stored: Stored, header: PngHeader) -> tuple[Pixels, Mask | None]:
    """Pixels (H, W, 1 or 3) and alpha.

    Raises:
        UnreadableImage: A checksum is wrong or pixels are missing.
    """
    pieces = png_chunks.pixel_data(stored, header)
    samples = _decode_16(stored.name, header, pieces) if header.depth == 16 else _decode_8(header, pieces)
    key = header.kept.get(b"tRNS")
    if header.kind == 3:
        return _expand(samples[..., 0], header.kept[b"PLTE"], key)
    if header.kind in (4, 6):
        return np.ascontiguousarray(samples[..., :-1]), np.ascontiguousarray(samples[..., -1])
    return samples, _keyed(samples, header, key) if key else None


def _decode_8(header: PngHeader, pieces: Iterable[bytes]) -> npt.NDArray[np.uint8]:
    from PIL import PngImagePlugin

    opened = PngImagePlugin.PngImageFile(io.BytesIO(_bare(header, pieces)))
    samples = decode_pillow(opened, "L" if opened.mode == "1" else None)
    return samples[..., None] if samples.ndim == 2 else samples


def _bare(header: PngHeader, pieces: Iterable[bytes]) -> bytes:
    """The same picture without any metadata."""
    height, width = header.size_hw
    first = struct.pack(">IIBBBBB", width, height, header.depth, header.kind, 0, 0, header.interlaced)
    palette = chunk(b"PLTE", header.kept[b"PLTE"]) if header.kind == 3 else b""
    data = (part for piece in pieces for part in png_chunks.parts(b"IDAT", piece))
    return b"".join((png_chunks.SIGNATURE, chunk(b"IHDR", first), palette, *data, chunk(b"IEND", b"")))


def _decode_16(name: str, header: PngHeader, pieces: Iterable[bytes]) -> npt.NDArray[np.uint16]:
    """Inflates here and hands OpenCV stored blocks: libpng would print its complaints on the user's terminal."""
    plain = _inflate(name, header, pieces)
    packed = zlib.compress(plain, 0)
    del plain
    packed = _bare(header, [packed])
    samples = decode_opencv(packed)
    if header.kind == 0:
        return samples[..., None]
    return samples[..., (0, 3)] if header.kind == 4 else samples  # OpenCV spreads gray over three channels


def _inflate(name: str, header: PngHeader, pieces: Iterable[bytes]) -> bytearray:
    """The filtered rows, exactly as many as the size asks for, with no filter that does not exist."""
    passes = _pass_sizes(header)
    wanted = sum(rows * (1 + row_bytes) for rows, row_bytes in passes)
    inflater = zlib.decompressobj()
    plain, at = bytearray(), 0
    for piece in pieces:
        if len(plain) < wanted:
            plain += inflater.decompress(piece, wanted - len(plain))
    if len(plain) < wanted:
        raise UnreadableImage(name, f"is truncated: {len(plain)} of {wanted} bytes of pixels.")
    for rows, row_bytes in passes:
        filters = np.frombuffer(plain, np.uint8, rows * (1 + row_bytes), at)[:: 1 + row_bytes]
        if filters.max(initial=0) > 4:
            raise UnreadableImage(name, "is damaged: its rows name a filter that does not exist.")
        at += rows * (1 + row_bytes)
    return plain


def _pass_sizes(header: PngHeader) -> list[tuple[int, int]]:
    """(rows, bytes a row) of each pass."""
    height, width = header.size_hw
    pixel_bytes = header.samples * header.depth // 8
    if not header.interlaced:
        return [(height, width * pixel_bytes)]
    sizes = [(-(-(height - y) // dy), -(-(width - x) // dx)) for y, x, dy, dx in _PASSES]
    return [(rows, columns * pixel_bytes) for rows, columns in sizes if rows > 0 and columns > 0]


def _expand(
    indices: npt.NDArray[Any], palette: bytes, transparency: bytes | None
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8] | None]:
    colors = np.zeros((256, 3), np.uint8)  # indices beyond the palette are black, as in libpng
    known = np.frombuffer(palette[: len(palette) // 3 * 3], np.uint8).reshape(-1, 3)[:256]
    colors[: len(known)] = known
    if transparency is None:
        return colors[indices], None
    opacity = np.full(256, 255, np.uint8)
    opacity[: len(transparency)] = np.frombuffer(transparency[:256], np.uint8)
    return colors[indices], opacity[indices]


def _keyed(samples: npt.NDArray[Any], header: PngHeader, key: bytes) -> Mask:
    """Alpha from the one color that is to be transparent."""
    stored = np.frombuffer(key, ">u2").astype(np.int64)
    if header.depth < 8:
        stored = stored * 255 // (2**header.depth - 1)
    white = np.iinfo(samples.dtype).max
    return np.where((samples == stored).all(axis=2), 0, white).astype(samples.dtype)


FORMAT = Format(
    name="png",
    title="PNG",
    suffixes=(".png", ".apng"),
    sniff=sniff,
    open=open_raster,
    write=png_write.write,
    holds=Holds(dtypes=("uint8", "uint16"), alpha=True, hdr=True),
)
