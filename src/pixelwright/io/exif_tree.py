"""EXIF directories taken out of one file and put into another, where every offset is a different one.

A TIFF keeps its EXIF among its own directories, other formats keep a small TIFF inside; these functions move between
the two. Offsets inside a maker note cannot be known and are not followed, as in every other tool.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field

EXIF, GPS, INTEROP = 34665, 34853, 40965
DESCRIPTIVE = {270, 271, 272, 305, 306, 315, 33432}  # description, make, model, software, date, artist, copyright

_WIDTH = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_MAX_ENTRIES = 1000
_MAX_VALUE_BYTES = 2**20

Read = Callable[[int, int], bytes]  # (offset, count) to bytes


@dataclass(frozen=True, slots=True)
class Place:
    """How numbers are stored: byte order, and whether it is BigTIFF."""

    order: str = "<"
    big: bool = False

    @property
    def entry(self) -> str:
        """Struct format of tag, type and count."""
        return self.order + ("HHQ" if self.big else "HHI")

    @property
    def offset(self) -> str:
        """Struct format of an offset."""
        return self.order + ("Q" if self.big else "I")

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Bytes of the entry count, of an entry, and of an offset."""
        return (8, 20, 8) if self.big else (2, 12, 4)


@dataclass(slots=True)
class Directory:
    """Values as stored, by tag: (type, bytes); and the directories below."""

    values: dict[int, tuple[int, bytes]] = field(default_factory=dict)
    below: dict[int, Directory] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.values or any(self.below.values()))


def gather(read: Read, place: Place, at: int, depth: int = 0) -> Directory:
    """The directory at an offset with the EXIF, GPS and interoperability directories below it, as far as undamaged."""
    found = Directory()
    count_bytes, entry_bytes, offset_bytes = place.sizes
    head = read(at, count_bytes)
    if len(head) < count_bytes or depth > 2:
        return found
    count = min(struct.unpack(place.order + ("Q" if place.big else "H"), head)[0], _MAX_ENTRIES)
    table = read(at + count_bytes, count * entry_bytes)
    for start in range(0, len(table) - entry_bytes + 1, entry_bytes):
        tag, kind, number = struct.unpack_from(place.entry, table, start)
        inline = table[start + entry_bytes - offset_bytes : start + entry_bytes]
        if tag in (EXIF, GPS, INTEROP):
            (below,) = struct.unpack(place.offset, inline)
            found.below[tag] = gather(read, place, below, depth + 1)
            continue
        size = _WIDTH.get(kind, 0) * number
        if not 0 < size <= _MAX_VALUE_BYTES:
            continue
        (offset,) = struct.unpack(place.offset, inline)
        value = inline[:size] if size <= offset_bytes else read(offset, size)
        if len(value) == size:
            found.values[tag] = (kind, value)
    return found


def pack(directory: Directory, place: Place, at: int) -> bytes:
    """The directory and those below it as bytes to stand at an offset."""
    count_bytes, entry_bytes, offset_bytes = place.sizes
    below = {tag: child for tag, child in directory.below.items() if child}
    tags = sorted({*directory.values, *below})
    start = at + count_bytes + entry_bytes * len(tags) + offset_bytes
    table, body = struct.pack(place.order + ("Q" if place.big else "H"), len(tags)), b""
    for tag in tags:
        place_at = struct.pack(place.offset, start + len(body))
        if tag in below:
            table += struct.pack(place.entry, tag, 4 if not place.big else 18, 1) + place_at
            body += pack(below[tag], place, start + len(body))
        else:
            kind, value = directory.values[tag]
            table += struct.pack(place.entry, tag, kind, len(value) // _WIDTH[kind])
            if len(value) <= offset_bytes:
                table += value.ljust(offset_bytes, b"\0")
            else:
                table += place_at
                body += value + bytes(len(value) % 2)  # values begin on even offsets
    return table + struct.pack(place.offset, 0) + body


def of_block(block: bytes) -> tuple[Directory, Place] | None:
    """The directories of an EXIF block, None where it is none."""
    order = {b"II*\x00": "<", b"MM\x00*": ">"}.get(block[:4])
    if order is None or len(block) < 14:
        return None
    place = Place(order)
    (first,) = struct.unpack_from(place.offset, block, 4)
    return gather(lambda at, count: block[at : at + count], place, first), place


def block_of(read: Read, place: Place, at: int) -> bytes | None:
    """An EXIF block made of what a TIFF directory says of the making of its picture."""
    tree = gather(read, place, at)
    tree.values = {tag: value for tag, value in tree.values.items() if tag in DESCRIPTIVE}
    if not tree:
        return None
    magic = b"II*\x00" if place.order == "<" else b"MM\x00*"
    small = Place(place.order)
    return magic + struct.pack(small.offset, 8) + pack(tree, small, 8)


def of_resolution(dpi: tuple[float, float]) -> bytes:
    """A block that says nothing but pixels per inch, for formats that have no other place for it."""
    parts = [(round(value * 1000), 1000) for value in dpi]
    values = {code: (5, struct.pack("<II", *part)) for code, part in zip((282, 283), parts, strict=True)}
    return b"II*\0\x08\0\0\0" + pack(Directory({**values, 296: (3, b"\x02\0")}), Place(), 8)


_UNIT = {1: 1, 2: 1, 3: 2, 4: 4, 5: 4, 6: 1, 7: 1, 8: 2, 9: 4, 10: 4, 11: 4, 12: 8, 13: 4}


def swapped(directory: Directory, order: str) -> Directory:
    """The same values in little-endian order; a copy."""
    values = {}
    for tag, (kind, value) in directory.values.items():
        if order == ">" and _UNIT[kind] > 1:
            unit = _UNIT[kind]
            value = b"".join(value[i : i + unit][::-1] for i in range(0, len(value), unit))
        values[tag] = (kind, value)
    return Directory(values, {tag: swapped(child, order) for tag, child in directory.below.items()})
