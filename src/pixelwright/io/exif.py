"""EXIF blocks: what a reader needs of them, and the same block safe to write beside an upright picture.

A block is a small TIFF structure. Damaged ones are treated as far as they can be read: metadata never stops a picture
from being read.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from pixelwright.io import exif_tree
from pixelwright.io.exif_tree import Directory, Place
from pixelwright.structures.image import Capture

PREFIX = b"Exif\x00\x00"
MAX_DPI = 1_000_000
METERS_PER_INCH = 0.0254
MAX_EXIF_BYTES = 2**24  # cameras write 64 KiB; a PNG or HEIF could claim gigabytes

ORIENTATION, X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 274, 282, 283, 296
COLOR_SPACE, INTEROP_INDEX = 40961, 1

_INTEGERS = {3: "H", 4: "I"}  # types of which an orientation or a unit may be
_CENTIMETER = 3


@dataclass(frozen=True, slots=True)
class Exif:
    """What matters of a block.

    Attributes:
        orientation: 1..8, or 1 where the block says nothing or nonsense.
        dpi: Pixels per inch (x, y), None where not stated.
        is_adobe_rgb: DCF's way of saying Adobe RGB without a profile: uncalibrated color space, interoperability R03.
        block: The TIFF structure with orientation 1 and without its thumbnail; None where it is no TIFF structure.
    """

    orientation: int = 1
    dpi: tuple[float, float] | None = None
    is_adobe_rgb: bool = False
    block: bytes | None = None


def read(block: bytes | None) -> Exif:
    """An EXIF block, with or without its `Exif\\0\\0` prefix; never raises."""
    if not block or len(block) > MAX_EXIF_BYTES:
        return Exif()
    block = block.removeprefix(PREFIX)
    found = exif_tree.of_block(block)
    if found is None:
        return Exif()
    tree, place = found
    orientation = _integer(tree, ORIENTATION, place.order)
    try:
        return Exif(
            orientation=orientation if 1 <= orientation <= 8 else 1,
            dpi=_dpi(tree, place.order),
            is_adobe_rgb=_is_adobe_rgb(tree, place.order),
            block=_reset(block, place),
        )
    except struct.error:
        return Exif()


def dpi_of_meters(x: int, y: int) -> tuple[float, float] | None:
    """Pixels per inch from pixels per meter, None where one of them says nothing."""
    return (round(x * METERS_PER_INCH, 2), round(y * METERS_PER_INCH, 2)) if x > 0 and y > 0 else None


def to_embed(capture: Capture) -> bytes | None:
    """The block to write: the picture's own, or one that keeps its resolution, or none."""
    if capture.exif or not capture.dpi or not all(0 < value < MAX_DPI for value in capture.dpi):
        return capture.exif
    return exif_tree.of_resolution(capture.dpi)


def _integer(directory: Directory, tag: int, order: str) -> int:
    kind, value = directory.values.get(tag, (0, b""))
    return struct.unpack_from(order + _INTEGERS[kind], value)[0] if kind in _INTEGERS else 0


def _dpi(tree: Directory, order: str) -> tuple[float, float] | None:
    values = []
    for tag in (X_RESOLUTION, Y_RESOLUTION):
        kind, value = tree.values.get(tag, (0, b""))
        if kind != 5:
            return None
        above, below = struct.unpack_from(order + "II", value)
        values.append(above / below if below else 0.0)
    unit = 2.54 if _integer(tree, RESOLUTION_UNIT, order) == _CENTIMETER else 1.0
    return (values[0] * unit, values[1] * unit) if min(values) > 0 else None


def _is_adobe_rgb(tree: Directory, order: str) -> bool:
    inner = tree.below.get(exif_tree.EXIF, Directory())
    index = inner.below.get(exif_tree.INTEROP, Directory()).values.get(INTEROP_INDEX, (0, b""))[1]
    return _integer(inner, COLOR_SPACE, order) == 0xFFFF and index[:3] == b"R03"


def _reset(block: bytes, place: Place) -> bytes:
    """The block with orientation 1 and no second directory, whose thumbnail would show the picture as it was."""
    changed, order = bytearray(block), place.order
    (first,) = struct.unpack_from(order + "I", block, 4)
    (count,) = struct.unpack_from(order + "H", block, first)
    for at in range(first + 2, min(first + 2 + 12 * count, len(block) - 11), 12):
        tag, kind, number, value_at = struct.unpack_from(order + "HHII", block, at)
        if tag == ORIENTATION and kind in _INTEGERS:
            inline = number * struct.calcsize(_INTEGERS[kind]) <= 4
            struct.pack_into(order + _INTEGERS[kind], changed, at + 8 if inline else value_at, 1)
    link = first + 2 + 12 * count
    if link + 4 > len(block):
        return bytes(changed)
    (second,) = struct.unpack_from(order + "I", block, link)
    struct.pack_into(order + "I", changed, link, 0)
    return _without_thumbnail(bytes(changed), place, second)


def _without_thumbnail(block: bytes, place: Place, second: int) -> bytes:
    """Cuts the thumbnail's bytes where they end the block, blanks them elsewhere (offsets must not move)."""
    if not 8 <= second <= len(block) - 2:
        return block
    directory = exif_tree.gather(lambda at, count: block[at : at + count], place, second)
    at, size = (_integer(directory, tag, place.order) for tag in (513, 514))
    if not (at >= 8 and 0 < size <= len(block) - at):
        return block
    if at + size >= len(block) - 2 and at > second:
        return block[:at]
    return block[:at] + bytes(size) + block[at + size :]
