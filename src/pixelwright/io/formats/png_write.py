"""Writing PNG: row by row from windows, so that a raster of any size needs little memory."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from pixelwright.io.border import quiet_opencv, swapped
from pixelwright.io.exchange import to_numpy
from pixelwright.io.format import WriteOptions
from pixelwright.io.formats import png_chunks
from pixelwright.io.formats.png_chunks import chunk
from pixelwright.structures.image import Image, white_of
from pixelwright.structures.raster import Raster, Window

LEVEL = 2  # of zlib: within 12 % of the size of level 6 on photographs in a third of the time
_STRIP_BYTES = 2**22  # pulled, filtered and compressed at a time
_QUICK_BYTES = 2**27  # pictures up to this go to OpenCV whole, which is twice as fast


def write(raster: Raster, file: BinaryIO, _options: WriteOptions) -> None:
    """8 or 16 bits with alpha, profile, resolution, EXIF and XMP.

    PNG knows no white but its depth's own: values with another one (4095 of 12 bits) are stretched to 65535 as the
    standard asks, and the sBIT chunk says how many bits mean something.
    """
    height, width = raster.size_hw
    depth = 8 * np.dtype(raster.dtype).itemsize
    channels = len(raster.color.channels) + raster.has_alpha
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    first = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0))
    file.write(png_chunks.SIGNATURE + first + _significant_bits(raster, channels))
    file.write(png_chunks.metadata(raster.color, raster.capture))
    if channels != 2 and raster.nbytes <= _QUICK_BYTES:  # OpenCV knows no gray with alpha
        for piece in _encode_whole(raster.read()):
            file.write(piece)
    else:
        for piece in _encode_rows(raster, channels):
            file.write(chunk(b"IDAT", piece))
    file.write(chunk(b"IEND", b""))


def _significant_bits(raster: Raster, channels: int) -> bytes:
    if raster.white == white_of(raster.dtype):
        return b""
    return chunk(b"sBIT", bytes([max(1, int(raster.white).bit_length())]) * channels)


def _encode_whole(image: Image) -> Iterator[memoryview]:
    """The IDAT chunks that OpenCV makes of a picture."""
    samples = swapped(_stretched(to_numpy(image), image.white))
    with quiet_opencv() as cv2:
        done, coded = cv2.imencode(".png", samples, [cv2.IMWRITE_PNG_COMPRESSION, LEVEL])
    if not done:
        raise ValueError("OpenCV wrote no PNG")
    data, at = memoryview(coded), len(png_chunks.SIGNATURE)
    while at < len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        if name == b"IDAT":
            yield data[at : at + 12 + length]
        at += 12 + length


def _encode_rows(raster: Raster, channels: int) -> Iterator[bytes]:
    height, width = raster.size_hw
    item = np.dtype(raster.dtype).itemsize
    row_bytes = width * channels * item
    rows = max(1, _STRIP_BYTES // row_bytes)
    deflater = zlib.compressobj(LEVEL, strategy=zlib.Z_FILTERED)
    above = np.zeros(row_bytes, np.uint8)
    for top in range(0, height, rows):
        image = raster.read(Window(top, 0, min(rows, height - top), width))
        samples = _stretched(to_numpy(image), raster.white)
        plain = samples.astype(samples.dtype.newbyteorder(">")).reshape(len(samples), -1).view(np.uint8)
        yield deflater.compress(filter_rows(plain, above, channels * item).tobytes())
        above = plain[-1]
    yield deflater.flush()


def _stretched(samples: npt.NDArray[np.generic], white: float) -> npt.NDArray[np.generic]:
    full = white_of(samples.dtype)
    if white == full:
        return samples
    return np.minimum(np.rint(samples.astype(np.float64) * (full / white)), full).astype(samples.dtype)


def filter_rows(rows: npt.NDArray[np.uint8], above: npt.NDArray[np.uint8], pixel_bytes: int) -> npt.NDArray[np.uint8]:
    """Rows (N, B) with the filter byte in front: for each the filter with the smallest sum of differences.

    Source: PNG Specification, third edition, 9.2 and 12.7 (the heuristic libpng uses).
    """
    up = np.concatenate([above[None], rows[:-1]])
    left, corner = np.zeros_like(rows), np.zeros_like(rows)
    left[:, pixel_bytes:] = rows[:, :-pixel_bytes]
    corner[:, pixel_bytes:] = up[:, :-pixel_bytes]
    tried = {1: rows - left, 2: rows - up, 4: rows - _paeth(left, up, corner)}  # wraps modulo 256, as it must
    cost = np.stack([np.abs(part.view(np.int8).astype(np.int16)).sum(axis=1) for part in tried.values()])
    best = np.array(list(tried))[cost.argmin(axis=0)]
    out = np.empty((len(rows), 1 + rows.shape[1]), np.uint8)
    out[:, 0] = best
    for number, part in tried.items():
        out[best == number, 1:] = part[best == number]
    return out


def _paeth(
    left: npt.NDArray[np.uint8], up: npt.NDArray[np.uint8], corner: npt.NDArray[np.uint8]
) -> npt.NDArray[np.uint8]:
    a, b, c = left.astype(np.int16), up.astype(np.int16), corner.astype(np.int16)
    near_left, near_up, near_corner = np.abs(b - c), np.abs(a - c), np.abs(a + b - 2 * c)
    nearest = np.where(near_up <= near_corner, up, corner)
    return np.where((near_left <= near_up) & (near_left <= near_corner), left, nearest)
