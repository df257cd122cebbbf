"""The boxes of HEIF and AVIF: size, depth, turning, color and metadata of the primary picture, before any decoding.

Source: ISO/IEC 14496-12:2022 (base media file format), ISO/IEC 23008-12:2022 (HEIF), ISO/IEC 23000-22 (MIAF),
AV1 Image File Format 1.1.0, ITU-T H.273 (color codes).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

MAX_META_BYTES = 2**24  # the box of boxes; a grid of thousands of tiles has below 1 MiB
MAX_ITEM_BYTES = 2**24
_MAX_BOXES = 100_000


@dataclass(slots=True)
class Item:
    """One item: its kind, where its bytes are, and its properties in order."""

    kind: bytes = b""
    extents: list[tuple[int, int]] = field(default_factory=list)
    inside_idat: bool = False
    properties: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Boxes:
    """The `meta` box, taken apart.

    Attributes:
        primary: Id of the primary item.
        items: By id.
        properties: Property boxes, (kind, body), in the order they are counted.
        references: (kind, from, to).
        idat: Body of the `idat` box.
        double_ipma: Byte ranges of property associations where there are several.
        iprp: Byte range of the box that holds them.
    """

    primary: int = 0
    items: dict[int, Item] = field(default_factory=dict)
    properties: list[tuple[bytes, bytes]] = field(default_factory=list)
    references: list[tuple[bytes, int, int]] = field(default_factory=list)
    idat: bytes = b""
    double_ipma: list[tuple[int, int]] = field(default_factory=list)
    iprp: tuple[int, int] = (0, 0)

    def of(self, item: int) -> dict[bytes, bytes]:
        """The properties of an item by kind."""
        found = self.items.get(item, Item())
        return {
            self.properties[number - 1][0]: self.properties[number - 1][1]
            for number in found.properties
            if 1 <= number <= len(self.properties)
        }


def walk(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(kind, first byte of the body, end) of each box in a range."""
    at = start
    for _ in range(_MAX_BOXES):
        if at + 8 > end:
            return
        size, kind = struct.unpack_from(">I4s", data, at)
        body = at + 8
        if size == 1:
            if at + 16 > end:
                return
            (size,) = struct.unpack_from(">Q", data, at + 8)
            body = at + 16
        stop = end if size == 0 else at + size
        if stop < body or stop > end:
            raise ValueError(f"the box {kind!r} reaches beyond what holds it")
        yield kind, body, stop
        at = stop


def parse(data: bytes) -> Boxes:
    """The boxes of a whole file.

    Raises:
        ValueError: There is no usable `meta` box.
    """
    boxes = Boxes()
    for kind, body, end in walk(data, 0, len(data)):
        if kind == b"meta":
            if end - body > MAX_META_BYTES:
                raise ValueError("the meta box is absurdly long")
            _meta(boxes, data, body + 4, end)
            return boxes
    return boxes


def _meta(boxes: Boxes, data: bytes, start: int, end: int) -> None:
    for kind, body, stop in walk(data, start, end):
        if kind == b"pitm":
            boxes.primary = _number(data, body + 4, 2 if data[body] == 0 else 4)
        elif kind == b"iinf":
            _item_kinds(boxes, data, body, stop)
        elif kind == b"iloc":
            _locations(boxes, data[body:stop])
        elif kind == b"iref":
            _references(boxes, data, body, stop)
        elif kind == b"idat":
            boxes.idat = data[body:stop]
        elif kind == b"iprp":
            _properties(boxes, data, body, stop)


def _number(data: bytes, at: int, width: int) -> int:
    part = data[at : at + width]
    if len(part) < width:
        raise ValueError("a box is cut off")
    return int.from_bytes(part, "big")


def _item_kinds(boxes: Boxes, data: bytes, body: int, end: int) -> None:
    start = body + (6 if data[body] == 0 else 8)
    for kind, inner, _ in walk(data, start, end):
        version = data[inner]
        if kind != b"infe" or version < 2:
            continue
        wide = 2 if version == 2 else 4
        item = _number(data, inner + 4, wide)
        boxes.items.setdefault(item, Item()).kind = data[inner + 6 + wide : inner + 10 + wide]


def _locations(boxes: Boxes, box: bytes) -> None:
    version = box[0]
    offset_size, length_size, base_size = box[4] >> 4, box[4] & 15, box[5] >> 4
    index_size = box[5] & 15 if version else 0
    wide = 2 if version < 2 else 4
    count, at = _number(box, 6, wide), 6 + wide
    for _ in range(min(count, _MAX_BOXES)):
        item = boxes.items.setdefault(_number(box, at, wide), Item())
        at += wide
        if version:
            item.inside_idat = (_number(box, at, 2) & 15) == 1
            at += 2
        base = _number(box, at + 2, base_size)
        extents = _number(box, at + 2 + base_size, 2)
        at += 4 + base_size
        for _ in range(extents):
            at += index_size
            offset = base + _number(box, at, offset_size)
            item.extents.append((offset, _number(box, at + offset_size, length_size)))
            at += offset_size + length_size


def _references(boxes: Boxes, data: bytes, body: int, end: int) -> None:
    wide = 2 if data[body] == 0 else 4
    for kind, inner, stop in walk(data, body + 4, end):
        first, count = _number(data, inner, wide), _number(data, inner + wide, 2)
        at = inner + wide + 2
        for index in range(min(count, (stop - at) // wide)):
            boxes.references.append((kind, first, _number(data, at + index * wide, wide)))


def _properties(boxes: Boxes, data: bytes, body: int, end: int) -> None:
    associations = []
    for kind, inner, stop in walk(data, body, end):
        if kind == b"ipco":
            boxes.properties = [(name, data[a:b]) for name, a, b in walk(data, inner, stop)]
        elif kind == b"ipma":
            associations.append((inner, stop))
            _associate(boxes, data[inner:stop])
    boxes.iprp = (body, end)
    boxes.double_ipma = associations if len(associations) > 1 else []


def _associate(boxes: Boxes, box: bytes) -> None:
    wide = 2 if box[0] == 0 else 4
    step = 2 if box[3] & 1 else 1
    count, at = _number(box, 4, 4), 8
    for _ in range(min(count, _MAX_BOXES)):
        item = boxes.items.setdefault(_number(box, at, wide), Item())
        number = _number(box, at + wide, 1)
        at += wide + 1
        for index in range(number):
            item.properties.append(_number(box, at + index * step, step) & (0x7FFF if step == 2 else 0x7F))
        at += number * step


def item_bytes(data: bytes, boxes: Boxes, item: int) -> bytes:
    """The bytes of an item, put together; at most `MAX_ITEM_BYTES`."""
    found = boxes.items.get(item, Item())
    source = boxes.idat if found.inside_idat else data
    parts = [source[at : at + min(size or len(source), MAX_ITEM_BYTES)] for at, size in found.extents[:1000]]
    return b"".join(parts)[:MAX_ITEM_BYTES]
