"""TIFF: tags through tifffile, segments decoded one by one, so that a window costs no more than itself."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwright.errors import UnreadableImage
from pixelwright.io.format import Format, Holds
from pixelwright.io.formats import tiff_color, tiff_layout, tiff_segments, tiff_write
from pixelwright.io.formats.still import check_page
from pixelwright.io.formats.tiff_layout import Layout
from pixelwright.io.stored import Stored
from pixelwright.structures.image import Image, Source
from pixelwright.structures.raster import Raster, Window

CACHE_BYTES = 2**26  # decoded segments kept a raster: a row of 256-pixel RGB tiles of an 80,000-pixel scan
WINDOWED_SEGMENT_BYTES = 2**26  # segments larger than this make windows as dear as the whole
MAX_PAGES = 2**16


def sniff(head: bytes) -> bool:
    """Whether it begins as classic TIFF or BigTIFF, in either byte order."""
    # A DICOM file may begin as TIFF too, so that viewers of either can open it.
    return head[:4] in (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+") and head[128:132] != b"DICM"


def open_raster(stored: Stored, page: int) -> Raster:
    """One page as stored."""
    tifffile = _tifffile()
    with stored.file() as file, tifffile.TiffFile(file, name=stored.name) as tif:
        pages = _count(tif, stored.name)
        check_page(stored.name, page, pages)
        return _raster(tif.pages[page], stored, page, pages)


def frames(stored: Stored) -> Iterator[Raster]:
    """All pages, the chain of directories followed once."""
    tifffile = _tifffile()
    with stored.file() as file, tifffile.TiffFile(file, name=stored.name) as tif:
        pages = _count(tif, stored.name)
        for page in range(pages):
            yield _raster(tif.pages[page], stored, page, pages)


def _tifffile() -> Any:
    import tifffile

    log = logging.getLogger("tifffile")
    if not log.handlers:  # else Python prints its complaints on the terminal of whoever set up no logging
        log.addHandler(logging.NullHandler())
    return tifffile


def _count(tif: Any, name: str) -> int:
    count = len(tif.pages)
    if count > MAX_PAGES:
        raise UnreadableImage(name, f"has {count} pages; at most {MAX_PAGES} are read.")
    if not count:
        raise UnreadableImage(name, "is damaged: it has no page.")
    return count


def _raster(page: Any, stored: Stored, number: int, pages: int) -> Raster:
    layout = tiff_layout.layout_of(page, stored.name, stored.size)
    tiff_segments.check(layout, stored.name)
    meaning = tiff_color.meaning_of(page, layout, stored)
    reader = _Segments(stored, layout)
    source = Source(
        path=stored.name,
        format="tiff",
        stored_size_hw=layout.size_hw,
        orientation=meaning.orientation,
        bits=int(meaning.white).bit_length() if layout.white and layout.kind == "u" else layout.bits,
        page=number,
        pages=pages,
        stored_color=meaning.stored_color,
    )

    def decode(window: Window | None, _at_least_hw: tuple[int, int] | None) -> Image:
        samples = reader.read(window or Window(0, 0, *layout.size_hw))
        pixels, alpha = tiff_color.picture(samples, layout, meaning, stored.name)
        return Image(
            pixels,
            meaning.color,
            white=meaning.white,
            alpha=alpha,
            capture=meaning.capture,
            source=source,
            warnings=meaning.warnings,
        )

    return Raster(
        layout.size_hw,
        meaning.dtype,
        meaning.color,
        meaning.white,
        decode,
        has_alpha=meaning.alpha_at is not None,
        capture=meaning.capture,
        source=source,
        warnings=meaning.warnings,
        windowed=layout.segment_bytes <= WINDOWED_SEGMENT_BYTES,
    )


class _Segments:
    """Reads windows of stored samples, keeping the last segments decoded. Safe to call from several threads."""

    def __init__(self, stored: Stored, layout: Layout) -> None:
        self._stored = stored
        self._layout = layout
        self._cache: OrderedDict[int, npt.NDArray[Any]] = OrderedDict()
        self._cached_bytes = 0
        self._lock = threading.Lock()

    def read(self, window: Window) -> npt.NDArray[Any]:
        """Samples (H, W, S) of a window."""
        layout = self._layout
        rows, columns = layout.tile_hw
        out: npt.NDArray[Any] | None = None
        down = range(window.top // rows, (window.top + window.height - 1) // rows + 1)
        across = range(window.left // columns, (window.left + window.width - 1) // columns + 1)
        with self._stored.file() as file:
            for plane in range(layout.samples if layout.planar else 1):
                for y in down:
                    for x in across:
                        segment = self._segment(file, (plane * layout.grid_hw[0] + y) * layout.grid_hw[1] + x, y)
                        if out is None:
                            out = np.empty((window.height, window.width, layout.samples), segment.dtype)
                        target = out[..., plane : plane + 1] if layout.planar else out
                        _paste(target, window, segment, (y * rows, x * columns))
        if out is None:  # cannot be: windows are not empty
            raise UnreadableImage(self._stored.name, f"window {window} holds no pixels.")
        return out

    def _segment(self, file: Any, index: int, y: int) -> npt.NDArray[Any]:
        with self._lock:
            if index in self._cache:
                self._cache.move_to_end(index)
                return self._cache[index]
        layout = self._layout
        rows = layout.tile_hw[0] if layout.tiled else min(layout.tile_hw[0], layout.size_hw[0] - y * layout.tile_hw[0])
        offset, count = layout.offsets[index], layout.counts[index]
        if count == 0 and layout.tiled:  # a sparse file: GDAL leaves out tiles that are all zero
            return np.zeros((rows, layout.tile_hw[1], layout.segment_samples), _sample_dtype(layout))
        if count > self._stored.size:
            raise UnreadableImage(self._stored.name, f"is truncated: a segment of {count} bytes.")
        file.seek(offset)
        data = file.read(count)
        if len(data) < count and layout.compression in tiff_segments.FAX:  # whose decoder would make up the rest
            raise UnreadableImage(self._stored.name, f"is truncated: a segment has {len(data)} of {count} bytes.")
        segment = tiff_segments.decode(data, layout, rows, self._stored.name)
        self._keep(index, segment)
        return segment

    def _keep(self, index: int, segment: npt.NDArray[Any]) -> None:
        with self._lock:
            if segment.nbytes > CACHE_BYTES or index in self._cache:
                return
            self._cache[index] = segment
            self._cached_bytes += segment.nbytes
            while self._cached_bytes > CACHE_BYTES:
                _, dropped = self._cache.popitem(last=False)
                self._cached_bytes -= dropped.nbytes


def _sample_dtype(layout: Layout) -> np.dtype[Any]:
    if layout.kind == "u" and layout.bits not in (8, 16, 32):
        return np.dtype(np.uint8 if layout.bits < 8 else np.uint16)
    return layout.dtype.newbyteorder("=")


def _paste(out: npt.NDArray[Any], window: Window, segment: npt.NDArray[Any], at: tuple[int, int]) -> None:
    """Copies the part of a segment that lies in the window."""
    spans = []
    for start, length, origin, size in (
        (window.top, window.height, at[0], segment.shape[0]),
        (window.left, window.width, at[1], segment.shape[1]),
    ):
        low, high = max(start, origin), min(start + length, origin + size)
        spans.append((slice(low - start, high - start), slice(low - origin, high - origin)))
    (into_y, from_y), (into_x, from_x) = spans
    out[into_y, into_x] = segment[from_y, from_x]


FORMAT = Format(
    name="tiff",
    title="TIFF",
    suffixes=(".tif", ".tiff", ".btf", ".tf8"),
    sniff=sniff,
    open=open_raster,
    write=tiff_write.write,
    holds=Holds(dtypes=("uint8", "uint16", "float32"), alpha=True, any_channels=True),
    frames=frames,
)
