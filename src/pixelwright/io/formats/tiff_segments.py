"""One strip or tile of a TIFF: from its bytes to samples. Nothing here needs imagecodecs.

Deflate and LZMA come with Python, JPEG with simplejpeg. For the other byte codecs a segment is wrapped as a one-strip
gray TIFF and handed to the libtiff inside OpenCV or Pillow.
"""

from __future__ import annotations

import io
import lzma
import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwright.errors import UnreadableImage, UnsupportedImage
from pixelwright.io.border import decode_opencv
from pixelwright.io.formats.still import decode_pillow
from pixelwright.io.formats.tiff_layout import JPEG, RGB, UNCOMPRESSED, Layout

_DEFLATE = (8, 32946, 50013)
_LZW, _PACKBITS, _LZMA, _ZSTD = 5, 32773, 34925, 50000
FAX = (2, 3, 4)
_JPEG2000 = (33003, 33005, 34712)
_WEBP = (34926, 50001)
_LZMA_MEMORY_BYTES = 2**27  # twice what the highest preset needs
_REVERSED = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))
_OPENCV_SIDE_PX = 2**20  # more it does not take
_ADOBE_RGB = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"  # APP14 saying: no color transform


def check(layout: Layout, name: str) -> None:
    """Refuses, on the header, what could not be decoded later.

    Raises:
        UnsupportedImage: A codec or predictor that is not available.
    """
    known = (UNCOMPRESSED, JPEG, *_DEFLATE, _LZW, _PACKBITS, _LZMA, _ZSTD, *FAX, *_JPEG2000, *_WEBP)
    if layout.compression not in known:
        raise UnsupportedImage(name, f"uses TIFF compression {layout.compression}, which is not read here.")
    if layout.compression in FAX and (layout.bits != 1 or layout.samples != 1):
        raise UnreadableImage(name, "is damaged: fax compression of something that is not black and white.")
    if layout.compression in (JPEG, *_JPEG2000, *_WEBP) and (layout.bits not in (8, 16) or layout.kind != "u"):
        raise UnsupportedImage(name, f"has {layout.bits}-bit samples in a picture codec, which is not read here.")
    if layout.compression in (JPEG, *_WEBP) and layout.bits != 8:
        raise UnsupportedImage(name, f"has {layout.bits}-bit JPEG data, which is not read here.")
    if layout.predictor not in (1, 2, 3) or (layout.predictor == 3) != (layout.predictor == 3 and layout.kind == "f"):
        raise UnsupportedImage(name, f"uses predictor {layout.predictor} on this kind of data, which is not read here.")
    if layout.predictor == 2 and layout.bits not in (8, 16, 32, 64):
        raise UnsupportedImage(name, f"uses a predictor on {layout.bits}-bit samples, which is not read here.")


def decode(data: bytes, layout: Layout, rows: int, name: str) -> npt.NDArray[Any]:
    """Samples (rows, width of a segment, samples of a segment), in the machine's byte order.

    Args:
        data: The segment's bytes as stored.
        layout: The page.
        rows: How many rows the segment has.
        name: For messages.

    Raises:
        UnreadableImage: Damaged, or shorter than it should be.
    """
    if layout.compression in (JPEG, *_JPEG2000, *_WEBP):
        return _picture(data, layout, rows, name)
    if layout.fill_order == 2:
        data = data.translate(_REVERSED)
    wanted = rows * layout.row_bytes
    plain = _unpack(data, layout, rows, wanted)
    if len(plain) < wanted:
        raise UnreadableImage(name, f"is truncated: a segment has {len(plain)} of {wanted} bytes.")
    width, samples = layout.tile_hw[1], layout.segment_samples
    if layout.predictor == 3:
        return _undo_float_predictor(plain, layout, rows)
    if layout.bits % 8 or (layout.kind == "u" and layout.bits not in (8, 16, 32)):
        return _unpack_bits(plain, layout, rows)
    values = np.frombuffer(plain, layout.dtype, rows * width * samples).reshape(rows, width, samples)
    values = values.astype(layout.dtype.newbyteorder("="), copy=False)
    if layout.predictor == 2:
        whole = values.view(f"u{values.dtype.itemsize}")  # differences of floats are taken on their bits
        return np.cumsum(whole, axis=1, dtype=whole.dtype).view(values.dtype)
    return values


def _unpack(data: bytes, layout: Layout, rows: int, wanted: int) -> Any:
    """At least `wanted` bytes, in any kind of buffer, or what there is."""
    if layout.compression == UNCOMPRESSED:
        return data
    if layout.compression in _DEFLATE:
        return zlib.decompressobj().decompress(data, wanted)
    if layout.compression in (_LZW, _PACKBITS):
        return _through_opencv(data, layout, rows)
    if layout.compression == _LZMA:
        return lzma.LZMADecompressor(memlimit=_LZMA_MEMORY_BYTES).decompress(data, wanted)
    return _fax(data, layout, rows) if layout.compression in FAX else _through_pillow(data, layout, rows)


def _through_opencv(data: bytes, layout: Layout, rows: int) -> Any:
    """LZW or PackBits, as 16-bit gray: only that OpenCV checks for damage. An odd byte is left to Pillow."""
    width, height = layout.row_bytes // 2, rows
    if layout.row_bytes % 2:
        width, height = layout.row_bytes, rows // 2
    if not 0 < width <= _OPENCV_SIDE_PX or not 0 < height <= _OPENCV_SIDE_PX:
        return _through_pillow(data, layout, rows)
    plain = decode_opencv(_wrapped(data, layout, (height, width), 16))
    if plain.nbytes < rows * layout.row_bytes:
        return _through_pillow(data, layout, rows)
    return plain.reshape(-1).view(np.uint8)


def _fax(data: bytes, layout: Layout, rows: int) -> bytes:
    """CCITT, through OpenCV: like every libtiff it goes on past damage, but it does so in silence."""
    bits = decode_opencv(_wrapped(data, layout, (rows, layout.tile_hw[1]), 1))
    return np.packbits(bits > 0, axis=1).tobytes()


def _through_pillow(data: bytes, layout: Layout, rows: int) -> bytes:
    """Zstandard, and what OpenCV does not take. Its libtiff prints its complaints; nobody can stop it."""
    from PIL import TiffImagePlugin

    opened = TiffImagePlugin.TiffImageFile(io.BytesIO(_wrapped(data, layout, (rows, layout.row_bytes), 8)))
    return decode_pillow(opened).tobytes()


def _wrapped(data: bytes, layout: Layout, size_hw: tuple[int, int], bits: int) -> bytes:
    """A segment as a gray TIFF of one strip: to a byte codec all pictures are bytes."""
    entries = [
        (256, 4, size_hw[1]),
        (257, 4, size_hw[0]),
        (258, 3, bits),
        (259, 3, layout.compression),
        (262, 3, 1),
        (273, 4, 0),
        (277, 3, 1),
        (278, 4, size_hw[0]),
        (279, 4, len(data)),
        (292, 4, layout.fax_options[0]),
        (293, 4, layout.fax_options[1]),
    ]
    start = 8 + 2 + 12 * len(entries) + 4
    body = b"".join(struct.pack("<HHII", tag, kind, 1, start if tag == 273 else v) for tag, kind, v in entries)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + body + bytes(4) + data


def _undo_float_predictor(plain: bytes, layout: Layout, rows: int) -> npt.NDArray[Any]:
    """Source: TIFF Technical Note 3 (Adobe, 2005)."""
    width, samples, item = layout.tile_hw[1], layout.segment_samples, layout.bits // 8
    differences = np.frombuffer(plain, np.uint8, rows * layout.row_bytes).reshape(rows, -1, samples)
    planes = np.cumsum(differences, axis=1, dtype=np.uint8).reshape(rows, item, width * samples)
    values = np.ascontiguousarray(planes.transpose(0, 2, 1)).view(f">f{item}")
    return values.reshape(rows, width, samples).astype(f"f{item}")


def _unpack_bits(plain: bytes, layout: Layout, rows: int) -> npt.NDArray[Any]:
    """Values of 1, 2, 4, 10, 12 or 14 bits, highest bit first, each row beginning on a whole byte."""
    width, samples, bits = layout.tile_hw[1], layout.segment_samples, layout.bits
    packed = np.frombuffer(plain, np.uint8, rows * layout.row_bytes).reshape(rows, -1)
    single = np.unpackbits(packed, axis=1)[:, : width * samples * bits].reshape(rows, width, samples, bits)
    if bits == 1:
        return single[..., 0]
    values = np.zeros((rows, width, samples), np.uint8 if bits < 8 else np.uint16)
    for index in range(bits):
        values = (values << 1) | single[..., index]
    return values


def _picture(data: bytes, layout: Layout, rows: int, name: str) -> npt.NDArray[Any]:
    """A segment that is a picture of its own."""
    values = _jpeg(data, layout, name) if layout.compression == JPEG else _pillow(data, layout)
    width, samples = layout.tile_hw[1], layout.segment_samples
    if values.shape[0] < rows or values.shape[1] < width or values.shape[2] != samples:
        raise UnreadableImage(name, f"is damaged: a segment decodes to {values.shape}, not {(rows, width, samples)}.")
    return values[:rows, :width]


def _jpeg(data: bytes, layout: Layout, name: str) -> npt.NDArray[np.uint8]:
    from pixelwright.io.formats import jpeg, jpeg_markers

    prefix = layout.jpeg_tables[:-2] if layout.jpeg_tables and len(layout.jpeg_tables) > 4 else data[:2]
    if layout.photometric == RGB:
        prefix += _ADOBE_RGB
    whole = prefix + data[2:]
    header = jpeg_markers.parse(whole)
    height, width = header.size_hw
    if height * width > 4 * layout.tile_hw[0] * layout.tile_hw[1] + 4096:
        raise UnreadableImage(name, f"is damaged: a segment of {layout.tile_hw} holds a JPEG of {header.size_hw}.")
    if header.bits != 8 or header.components not in (1, 3, 4):
        raise UnsupportedImage(name, f"has {header.bits}-bit JPEG data, which is not read here.")
    return jpeg.decode_pixels(whole, header, name)[0]


def _pillow(data: bytes, layout: Layout) -> npt.NDArray[Any]:
    from PIL import Jpeg2KImagePlugin, WebPImagePlugin

    webp = layout.compression in _WEBP
    picture = (WebPImagePlugin.WebPImageFile if webp else Jpeg2KImagePlugin.Jpeg2KImageFile)(io.BytesIO(data))
    if picture.width * picture.height > 4 * layout.tile_hw[0] * layout.tile_hw[1] + 4096:
        raise ValueError("a segment holds a picture larger than itself")
    values = decode_pillow(picture)
    return values[..., None] if values.ndim == 2 else values
