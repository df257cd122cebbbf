"""Writing TIFF: tiled, deflated, pulled from the raster one row of tiles at a time, through tifffile."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from pixelwright.io import exif_tree, profiles
from pixelwright.io.exchange import to_numpy
from pixelwright.io.format import WriteOptions
from pixelwright.structures.image import white_of
from pixelwright.structures.raster import Raster, Window

TILE_PX = 256  # TIFF wants multiples of 16; 256 is what viewers of large scans expect
# Rows of tiles pulled at once: whoever computes the raster works on squares of about this height, and a band should
# not take more memory than this however wide the picture.
BAND_ROWS = 3
BAND_BYTES = 1 << 26
LEVEL = 4  # of zlib: within 3 % of the size of level 6 in half the time
BIG_BYTES = 2**32 - 2**26  # above this offsets do not fit 32 bits; deflate may grow noise by 0.1 %
_THREADS = 4
_ASCII = 2
_PLACEHOLDER = -1  # tifffile refuses to write the two tags; their neighbors below keep the order of tags


def write(raster: Raster, file: BinaryIO, _options: WriteOptions) -> None:
    """Every depth and any channels, with alpha, white value, profile, resolution, EXIF and XMP."""
    import tifffile

    height, width = raster.size_hw
    tile_hw = tuple(min(TILE_PX, -(-side // 16) * 16) for side in raster.size_hw)
    samples = len(raster.color.channels) + raster.has_alpha
    tree = exif_tree.of_block(raster.capture.exif) if raster.capture.exif else None
    padded_bytes = raster.nbytes * 1.002 + 2 * TILE_PX * (height + width + TILE_PX) * samples * 4
    with tifffile.TiffWriter(file, bigtiff=padded_bytes > BIG_BYTES, byteorder="<") as writer:
        big = writer.tiff.is_bigtiff
        writer.write(
            _tiles(raster, tile_hw),
            shape=(height, width, samples) if samples > 1 else (height, width),
            dtype=np.dtype(raster.dtype),
            tile=tile_hw,
            photometric="rgb" if raster.color.channels[:3] == ("red", "green", "blue") else "minisblack",
            planarconfig="contig" if samples > 1 else None,
            extrasamples=_extras(raster),
            compression="adobe_deflate",
            compressionargs={"level": LEVEL},
            predictor=2 if np.dtype(raster.dtype).kind == "u" else None,
            iccprofile=profiles.profile_of(raster.color),
            metadata=None,
            software=False,
            extratags=_tags(raster, tree and tree[0]),
            **_resolution(raster),
        )
    if tree is not None:
        _append_directories(file, *tree, big=big)


def _extras(raster: Raster) -> list[str] | None:
    color = 3 if raster.color.channels[:3] == ("red", "green", "blue") else 1
    extras = ["unspecified"] * (len(raster.color.channels) - color) + ["unassalpha"] * raster.has_alpha
    return extras or None


def _resolution(raster: Raster) -> dict[str, Any]:
    dpi = raster.capture.dpi
    return {"resolution": dpi, "resolutionunit": "INCH"} if dpi else {}


def _tags(raster: Raster, tree: exif_tree.Directory | None) -> list[tuple[Any, ...]]:
    tags: list[tuple[Any, ...]] = []
    samples = len(raster.color.channels) + raster.has_alpha
    if raster.white != white_of(raster.dtype):
        whole = np.dtype(raster.dtype).kind == "u"
        code, kind, value = (281, "H", int(raster.white)) if whole else (341, "d", raster.white)
        tags.append((code, kind, samples, (value,) * samples if samples > 1 else value, True))
    if raster.capture.xmp:
        tags.append((700, "B", len(raster.capture.xmp), raster.capture.xmp, True))
    if not (raster.color.is_rgb or raster.color.is_gray):
        names = _band_names(raster.color.channels)
        tags.append((42112, "s", 0, names, True))
    for code, (kind, value) in tree.values.items() if tree else ():
        if code in exif_tree.DESCRIPTIVE and kind == _ASCII:
            tags.append((code, "s", 0, value.rstrip(b"\0").decode("latin-1").encode("ascii", "replace"), True))
    for code in (exif_tree.EXIF, exif_tree.GPS):
        if tree and tree.below.get(code):
            tags.append((code + _PLACEHOLDER, "I", 1, 0, True))  # becomes the tag itself once the offset is known
    return tags


def _band_names(channels: tuple[str, ...]) -> str:
    """Names of bands as GDAL stores them."""
    items = []
    for index, name in enumerate(channels):
        safe = name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").encode("ascii", "replace").decode()
        items.append(f'<Item name="DESCRIPTION" sample="{index}" role="description">{safe}</Item>')
    return f"<GDALMetadata>{''.join(items)}</GDALMetadata>"


def _tiles(raster: Raster, tile_hw: tuple[int, ...]) -> Iterator[bytes]:
    """Encoded tiles, left to right and top to bottom."""
    height, width = raster.size_hw
    rows, columns = tile_hw
    row_bytes = raster.nbytes // height * rows
    step = rows * min(BAND_ROWS, max(1, BAND_BYTES // row_bytes))
    with ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1)) as pool:  # zlib lets go of the GIL
        for start in range(0, height, step):
            band = to_numpy(raster.read(Window(start, 0, min(step, height - start), width)))
            for top in range(0, band.shape[0], rows):
                row = band[top : top + rows]
                yield from pool.map(_encode, (_tile(row, left, rows, columns) for left in range(0, width, columns)))


def _tile(row: npt.NDArray[Any], left: int, rows: int, columns: int) -> npt.NDArray[Any]:
    part = row[:, left : left + columns]
    missing = ((0, rows - part.shape[0]), (0, columns - part.shape[1]), (0, 0))
    return np.pad(part, missing, mode="edge") if missing[0][1] or missing[1][1] else part


def _encode(tile: npt.NDArray[Any]) -> bytes:
    if tile.dtype.kind == "u":
        differences = tile.copy()
        differences[:, 1:] -= tile[:, :-1]  # wraps, as predictor 2 wants
        tile = differences
    return zlib.compress(tile.astype(tile.dtype.newbyteorder("<"), copy=False).tobytes(), LEVEL)


def _append_directories(file: BinaryIO, tree: exif_tree.Directory, place: exif_tree.Place, *, big: bool) -> None:
    """Puts the EXIF and GPS directories behind the picture and their offsets where `_tags` left zeros."""
    own = exif_tree.Place("<", big)
    count_bytes, entry_bytes, _ = own.sizes
    file.seek(8 if big else 4)
    (first,) = struct.unpack(own.offset, file.read(8 if big else 4))
    file.seek(first)
    (count,) = struct.unpack("<Q" if big else "<H", file.read(count_bytes))
    table = file.read(count * entry_bytes)
    for start in range(0, len(table), entry_bytes):
        tag, kind, number = struct.unpack_from(own.entry, table, start)
        child = tree.below.get(tag - _PLACEHOLDER)
        if tag - _PLACEHOLDER not in (exif_tree.EXIF, exif_tree.GPS) or not child:
            continue
        at = file.seek(0, os.SEEK_END)
        at += file.write(bytes(at % 2))
        file.write(exif_tree.pack(exif_tree.swapped(child, place.order), own, at))
        file.seek(first + count_bytes + start)
        file.write(struct.pack(own.entry, tag - _PLACEHOLDER, kind, number) + struct.pack("<I", at))
