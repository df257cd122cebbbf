"""EXIF blocks: what a reader needs of them, and the same block safe to write beside an upright picture.

A block is a small TIFF structure; everything here looks at its first directory only. Damaged blocks are treated as
far as they can be read: metadata never stops a picture from being read.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from pixelwright.io import exif_tree
from pixelwright.structures.image import Capture

PREFIX = b"Exif\x00\x00"
MAX_DPI = 1_000_000
MAX_EXIF_BYTES = 2**24  # cameras write 64 KiB; a PNG or HEIF could claim gigabytes

ORIENTATION, X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 274, 282, 283, 296
EXIF_DIRECTORY, INTEROP_DIRECTORY, COLOR_SPACE, INTEROP_INDEX = 34665, 40965, 40961, 1

_SHORT, _LONG = 3, 4
_WIDTH = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_MAX_ENTRIES = 1000  # real directories have below 100
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


@dataclass(frozen=True, slots=True)
class Entry:
    """One tag of a directory: `value_at` is where its value (or the only copy of it) begins."""

    tag: int
    kind: int
    count: int
    value_at: int


def read(block: bytes | None) -> Exif:
    """An EXIF block, with or without its `Exif\\0\\0` prefix; never raises."""
    if not block:
        return Exif()
    block = block.removeprefix(PREFIX)
    order = _order(block)
    if order is None or len(block) > MAX_EXIF_BYTES:
        return Exif()
    try:
        entries = {entry.tag: entry for entry in directory(block, order, _first(block, order))}
        orientation = _integer(block, order, entries.get(ORIENTATION))
        return Exif(
            orientation=orientation if 1 <= orientation <= 8 else 1,
            dpi=_dpi(block, order, entries),
            is_adobe_rgb=_is_adobe_rgb(block, order, entries),
            block=_reset(block, order, entries),
        )
    except (struct.error, IndexError):
        return Exif()


def to_embed(capture: Capture) -> bytes | None:
    """The block to write: the picture's own, or one that keeps its resolution, or none."""
    if capture.exif or not capture.dpi or not all(0 < value < MAX_DPI for value in capture.dpi):
        return capture.exif
    return exif_tree.of_resolution(capture.dpi)


def directory(block: bytes, order: str, at: int) -> Iterator[Entry]:
    """The entries of the directory at an offset whose values lie inside the block."""
    (count,) = struct.unpack_from(order + "H", block, at)
    for index in range(min(count, _MAX_ENTRIES)):
        place = at + 2 + 12 * index
        if place + 12 > len(block):
            return
        tag, kind, number = struct.unpack_from(order + "HHI", block, place)
        size = _WIDTH.get(kind, 0) * number
        value_at = place + 8 if size <= 4 else struct.unpack_from(order + "I", block, place + 8)[0]
        if size and value_at + size <= len(block):
            yield Entry(tag, kind, number, value_at)


def _order(block: bytes) -> str | None:
    return {b"II*\x00": "<", b"MM\x00*": ">"}.get(block[:4])


def _first(block: bytes, order: str) -> int:
    return struct.unpack_from(order + "I", block, 4)[0]


def _integer(block: bytes, order: str, entry: Entry | None) -> int:
    if entry is None or entry.kind not in (_SHORT, _LONG):
        return 0
    return struct.unpack_from(order + ("H" if entry.kind == _SHORT else "I"), block, entry.value_at)[0]


def _dpi(block: bytes, order: str, entries: dict[int, Entry]) -> tuple[float, float] | None:
    values = []
    for tag in (X_RESOLUTION, Y_RESOLUTION):
        entry = entries.get(tag)
        if entry is None or entry.kind != 5:
            return None
        above, below = struct.unpack_from(order + "II", block, entry.value_at)
        values.append(above / below if below else 0.0)
    unit = 2.54 if _integer(block, order, entries.get(RESOLUTION_UNIT)) == _CENTIMETER else 1.0
    return (values[0] * unit, values[1] * unit) if min(values) > 0 else None


def _is_adobe_rgb(block: bytes, order: str, entries: dict[int, Entry]) -> bool:
    inner = _below(block, order, entries.get(EXIF_DIRECTORY))
    if _integer(block, order, inner.get(COLOR_SPACE)) != 0xFFFF:
        return False
    index = _below(block, order, inner.get(INTEROP_DIRECTORY)).get(INTEROP_INDEX)
    return index is not None and block[index.value_at : index.value_at + 3] == b"R03"


def _below(block: bytes, order: str, pointer: Entry | None) -> dict[int, Entry]:
    at = _integer(block, order, pointer)
    if not 8 <= at <= len(block) - 2:
        return {}
    return {entry.tag: entry for entry in directory(block, order, at)}


def _reset(block: bytes, order: str, entries: dict[int, Entry]) -> bytes:
    """The block with orientation 1 and no second directory, whose thumbnail would show the picture as it was."""
    changed = bytearray(block)
    orientation = entries.get(ORIENTATION)
    if orientation is not None and orientation.kind in (_SHORT, _LONG):
        struct.pack_into(order + ("H" if orientation.kind == _SHORT else "I"), changed, orientation.value_at, 1)
    first = _first(block, order)
    (count,) = struct.unpack_from(order + "H", block, first)
    link = first + 2 + 12 * count
    if link + 4 > len(block):
        return bytes(changed)
    (second,) = struct.unpack_from(order + "I", block, link)
    struct.pack_into(order + "I", changed, link, 0)
    return _without_thumbnail(bytes(changed), order, second)


def _without_thumbnail(block: bytes, order: str, second: int) -> bytes:
    """Cuts the thumbnail's bytes where they end the block, blanks them elsewhere (offsets must not move)."""
    if not 8 <= second <= len(block) - 2:
        return block
    entries = {entry.tag: entry for entry in directory(block, order, second)}
    at, size = (_integer(block, order, entries.get(tag)) for tag in (513, 514))
    if not (at >= 8 and 0 < size <= len(block) - at):
        return block
    if at + size >= len(block) - 2 and at > second:
        return block[:at]
    return block[:at] + bytes(size) + block[at + size :]
