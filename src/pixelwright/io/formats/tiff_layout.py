"""Where the samples of a TIFF page lie and what they mean: the tags, checked once.

Source: TIFF 6.0 (Adobe, 1992), TIFF Technical Notes 1 and 3, and the BigTIFF note of libtiff.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pixelwright.errors import UnreadableImage, UnsupportedImage

MIN_IS_WHITE, MIN_IS_BLACK, RGB, PALETTE, SEPARATED, YCBCR = 0, 1, 2, 3, 5, 6
UNCOMPRESSED, JPEG = 1, 7
PREDICTED = (5, 8, 32946, 34925, 50000, 50013)  # the codecs libtiff uses a predictor with; others ignore the tag
ASSOCIATED, UNASSOCIATED = 1, 2

SUB_STRIP_BYTES = 2**20  # uncompressed strips are read in pieces of about this
_USED = {256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 281, 284, 292, 293, 317, 320}
_USED |= {322, 323, 324, 325, 332, 338, 339, 341, 347}  # private tags may be as long as the file
_NAMES = {
    8: "CIE L*a*b*",
    9: "ICC L*a*b*",
    10: "ITU L*a*b*",
    32803: "raw sensor data (color filter array)",
    32844: "LogL",
    32845: "LogLuv",
    34892: "linear raw sensor data",
}


@dataclass(frozen=True, slots=True)
class Layout:
    """One page.

    Attributes:
        size_hw: As stored.
        samples: Values a pixel.
        bits: Bits a value.
        kind: `u`, `i` or `f`.
        order: `<` or `>`.
        photometric: What the values mean.
        compression: TIFF's number.
        predictor: 1 none, 2 horizontal difference, 3 floating point.
        fill_order: 2 where bits are stored lowest first.
        planar: Whether each sample has segments of its own.
        tile_hw: Size of a segment: a tile, or a strip as wide as the picture.
        tiled: Whether segments are tiles; the lowest strip is shorter, tiles are always whole.
        offsets: Where each segment begins; with `counts` its bytes.
        counts: Bytes of each segment.
        extras: What the samples beyond the color are: 1 and 2 are alpha.
        white: What the file says full white is, None where it says nothing.
        colormap: (3, 2**bits) of 16-bit colors.
        jpeg_tables: Tables that all JPEG segments share.
        fax_options: Tags 292 and 293, for CCITT.
    """

    size_hw: tuple[int, int]
    samples: int
    bits: int
    kind: str
    order: str
    photometric: int
    compression: int
    predictor: int
    fill_order: int
    planar: bool
    tile_hw: tuple[int, int]
    tiled: bool
    offsets: tuple[int, ...]
    counts: tuple[int, ...]
    extras: tuple[int, ...] = ()
    white: float | None = None
    colormap: Any = None
    jpeg_tables: bytes | None = None
    fax_options: tuple[int, int] = (0, 0)

    @property
    def segment_samples(self) -> int:
        """Samples of a pixel that stand in one segment."""
        return 1 if self.planar else self.samples

    @property
    def row_bytes(self) -> int:
        """Bytes of one row of a segment, unpacked."""
        return -(-self.tile_hw[1] * self.segment_samples * self.bits // 8)

    @property
    def segment_bytes(self) -> int:
        """Bytes of a whole segment, unpacked."""
        return self.tile_hw[0] * self.row_bytes

    @property
    def grid_hw(self) -> tuple[int, int]:
        """Number of segments down and across."""
        return -(-self.size_hw[0] // self.tile_hw[0]), -(-self.size_hw[1] // self.tile_hw[1])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the values as stored, for widths that NumPy has."""
        return np.dtype(f"{self.order}{self.kind}{self.bits // 8}")

    @property
    def color_samples(self) -> int:
        """Samples of color, before alpha and others."""
        known = {MIN_IS_WHITE: 1, MIN_IS_BLACK: 1, RGB: 3, PALETTE: 1, SEPARATED: 4, YCBCR: 3}[self.photometric]
        return min(known, self.samples)


def layout_of(page: Any, name: str, file_bytes: int) -> Layout:
    """The layout of a `tifffile.TiffPage` in a file of so many bytes.

    Raises:
        UnreadableImage: Tags that contradict each other.
        UnsupportedImage: A kind of picture that is not read here.
    """
    tags = {tag.code: tag.value for tag in page.tags if tag.code in _USED}
    size_hw = (_whole(tags.get(257)), _whole(tags.get(256)))
    if not (0 < size_hw[0] < 2**31 and 0 < size_hw[1] < 2**31):
        raise UnreadableImage(name, f"is damaged: its header says {size_hw[1]}x{size_hw[0]} pixels.")
    samples = _whole(tags.get(277), 1)
    tiled = 322 in tags
    tile_hw = (_whole(tags.get(323)), _whole(tags.get(322))) if tiled else _strip_hw(tags, size_hw)
    extras = tuple(_whole(value) for value in _many(tags.get(338, ())))
    compression = _whole(tags.get(259), 1)
    layout = Layout(
        size_hw=size_hw,
        samples=samples,
        bits=_same(tags.get(258, 1), name, "bits a sample"),
        kind=_kind(_same(tags.get(339, 1), name, "sample formats"), name),
        order=page.parent.byteorder,
        photometric=_photometric(tags, samples, name),
        compression=compression,
        predictor=_whole(tags.get(317), 1) if compression in PREDICTED else 1,
        fill_order=_whole(tags.get(266), 1),
        planar=_whole(tags.get(284), 1) == 2 and samples > 1,
        tile_hw=tile_hw,
        tiled=tiled,
        offsets=tuple(_whole(value) for value in _many(tags.get(324 if tiled else 273, ()))),
        counts=tuple(_whole(value) for value in _many(tags.get(325 if tiled else 279, ()))),
        extras=extras,
        white=_white(tags.get(281, tags.get(341))),
        colormap=tags.get(320),
        jpeg_tables=tags.get(347) if isinstance(tags.get(347), bytes) else None,
        fax_options=(_whole(tags.get(292)), _whole(tags.get(293))),
    )
    _check(layout, name)
    whole_bytes = layout.row_bytes * layout.size_hw[0]
    return _sub_strips(layout) if whole_bytes <= file_bytes else layout  # others lack bytes, or claim an absurd size


def _strip_hw(tags: dict[int, Any], size_hw: tuple[int, int]) -> tuple[int, int]:
    return min(_whole(tags.get(278), size_hw[0]) or size_hw[0], size_hw[0]), size_hw[1]


def _many(value: Any) -> tuple[Any, ...]:
    if isinstance(value, bytes):
        return tuple(value)
    return tuple(value) if isinstance(value, tuple | list | np.ndarray) else (value,)


def _whole(value: Any, default: int = 0) -> int:
    """A tag's first value as an integer; enumerations and one-element lists included."""
    if value is None:
        return default
    first = _many(value)
    return int(first[0]) if first else default


def _same(value: Any, name: str, what: str) -> int:
    values = {int(each) for each in _many(value)}
    if len(values) != 1:
        raise UnsupportedImage(name, f"has different {what} in one pixel {sorted(values)}, which is not read here.")
    return values.pop()


def _kind(number: int, name: str) -> str:
    kind = {1: "u", 2: "i", 3: "f", 4: "u"}.get(number)
    if kind is None:
        raise UnsupportedImage(name, f"holds complex numbers (sample format {number}), which is not a picture.")
    return kind


def _photometric(tags: dict[int, Any], samples: int, name: str) -> int:
    number = _whole(tags.get(262), RGB if samples in (3, 4) else MIN_IS_BLACK)
    if number not in (MIN_IS_WHITE, MIN_IS_BLACK, RGB, PALETTE, SEPARATED, YCBCR):
        kind = _NAMES.get(number, f"photometric {number}")
        raise UnsupportedImage(name, f"holds {kind}, which is not read here. Convert it to RGB or gray.")
    if number == SEPARATED and _whole(tags.get(332), 1) != 1:
        raise UnsupportedImage(name, "holds inks other than CMYK, which is not read here. Convert it to RGB.")
    return number


def _white(value: Any) -> float | None:
    """A stated maximum, where it is that of a whole number of bits: others are statistics of the picture."""
    try:
        values = {float(each) for each in _many(value)}
    except (TypeError, ValueError):
        return None
    if len(values) != 1:
        return None
    white = values.pop()
    return white if white >= 1 and math.isfinite(white) and math.log2(white + 1).is_integer() else None


def _check(layout: Layout, name: str) -> None:
    known_bits = {"u": (1, 2, 4, 8, 10, 12, 14, 16, 32), "i": (8, 16, 32), "f": (16, 32, 64)}[layout.kind]
    if layout.bits not in known_bits:
        kind = {"u": "unsigned", "i": "signed", "f": "floating-point"}[layout.kind]
        raise UnsupportedImage(name, f"has {layout.bits}-bit {kind} samples, which are not read here.")
    rows, columns = layout.tile_hw
    if not (0 < rows < 2**31 and 0 < columns < 2**31 and 0 < layout.samples <= 1024):
        raise UnreadableImage(name, f"is damaged: segments of {columns}x{rows} pixels, {layout.samples} samples.")
    wanted = math.prod(layout.grid_hw) * (layout.samples if layout.planar else 1)
    if len(layout.offsets) < wanted or len(layout.counts) < wanted:
        have = min(len(layout.offsets), len(layout.counts))
        raise UnreadableImage(name, f"is damaged: it lists {have} segments where {wanted} are needed.")
    if layout.photometric == RGB and layout.samples < 3:
        raise UnreadableImage(name, f"is damaged: RGB with {layout.samples} samples a pixel.")
    if layout.photometric == PALETTE and (layout.bits > 8 or layout.kind != "u" or layout.colormap is None):
        raise UnsupportedImage(name, f"has a palette of {layout.bits}-bit indices, which is not read here.")
    if layout.photometric == YCBCR and layout.compression != JPEG:
        raise UnsupportedImage(name, "stores YCbCr without JPEG compression, which is not read here.")
    if layout.photometric == SEPARATED and layout.dtype.itemsize != 1:
        raise UnsupportedImage(name, f"stores CMYK with {layout.bits} bits, which is not read here. Convert it to RGB.")


def _sub_strips(layout: Layout) -> Layout:
    """Uncompressed strips cut into short ones, so that a window of a one-strip file is read and no more."""
    rows = max(1, SUB_STRIP_BYTES // max(1, layout.row_bytes))
    if layout.tiled or layout.compression != UNCOMPRESSED or rows >= layout.tile_hw[0] or layout.planar:
        return layout
    offsets, counts = [], []
    height = layout.size_hw[0]
    if layout.tile_hw[0] < height and layout.tile_hw[0] % rows:
        rows = max(divisor for divisor in range(1, rows + 1) if layout.tile_hw[0] % divisor == 0)
    for index, (offset, count) in enumerate(zip(layout.offsets, layout.counts, strict=False)):
        strip_rows = min(layout.tile_hw[0], height - index * layout.tile_hw[0])
        for top in range(0, strip_rows, rows):
            size = min(rows, strip_rows - top) * layout.row_bytes
            offsets.append(offset + top * layout.row_bytes)
            counts.append(max(0, min(size, count - top * layout.row_bytes)))
    return replace(layout, tile_hw=(rows, layout.tile_hw[1]), offsets=tuple(offsets), counts=tuple(counts))
