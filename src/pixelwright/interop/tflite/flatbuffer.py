"""Flatbuffers read in place, every access checked, as the file may come from a stranger.

A table is followed only where a caller knows the schema, so depth is bounded by the code and a cycle ends by itself.
What offsets could still do is point often at one big thing; so whatever is copied out of the file is paid from an
allowance of a few times its size.

Source: https://flatbuffers.dev/internals (layout of tables, vtables, vectors and strings).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwright.interop.tflite.faults import DamageError

ALLOWANCE = 4  # times the file's size; a sound file is read once
ALLOWANCE_FLOOR_BYTES = 1 << 20
TABLE_BYTES = 64  # what an object made of a table costs at least

U16, U32, I32 = struct.Struct("<H"), struct.Struct("<I"), struct.Struct("<i")
SCALARS = {
    "bool": struct.Struct("<?"),
    "int8": struct.Struct("<b"),
    "uint8": struct.Struct("<B"),
    "int32": I32,
    "uint32": U32,
    "uint64": struct.Struct("<Q"),
    "float32": struct.Struct("<f"),
}


class Bytes:
    """The bytes of a file and what may still be copied out of them."""

    __slots__ = ("data", "left")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.left = ALLOWANCE * len(data) + ALLOWANCE_FLOOR_BYTES

    def spend(self, count: int) -> None:
        """Pay for a copy of so many bytes."""
        self.left -= count
        if self.left < 0:
            raise DamageError("its parts point at the same bytes over and over")

    def unpack(self, form: struct.Struct, place: int) -> Any:
        """The number at a place."""
        if place < 0 or place + form.size > len(self.data):
            raise DamageError(f"an offset leads to byte {place}, the file has {len(self.data)}")
        return form.unpack_from(self.data, place)[0]

    def follow(self, place: int) -> int:
        """Where the offset at a place leads; offsets lead forward."""
        return place + self.unpack(U32, place)

    def vector(self, place: int, item_bytes: int) -> tuple[int, int]:
        """Where the items of the vector at a place begin, and how many they are."""
        count = self.unpack(U32, place)
        if place + 4 + count * item_bytes > len(self.data):
            raise DamageError(f"a list of {count} at byte {place} reaches past the end of the file")
        return place + 4, count

    def array(self, place: int, dtype: str) -> NDArray[Any]:
        """The vector of numbers at a place, as a view."""
        kind = np.dtype(dtype).newbyteorder("<")
        first, count = self.vector(place, kind.itemsize)
        return np.frombuffer(self.data, kind, count, first)


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a flatbuffer; fields are asked for by their number in the schema."""

    bytes: Bytes
    place: int

    @classmethod
    def root(cls, data: bytes, identifier: bytes) -> Table:
        """The outermost table.

        Raises:
            DamageError: The identifier is another one, or the bytes end before the table.
        """
        if len(data) < 8 or data[4:8] != identifier:
            found = data[4:8].decode("ascii", "backslashreplace")
            raise DamageError(f"bytes 4 to 7 are {found!r}, expected {identifier.decode()!r}")
        source = Bytes(data)
        return cls(source, source.follow(0))

    def _find(self, field: int) -> int:
        """Where a field's value stands; 0 where it was left out."""
        vtable = self.place - self.bytes.unpack(I32, self.place)
        size = self.bytes.unpack(U16, vtable)
        slot = 4 + 2 * field
        if slot + 2 > size:
            return 0
        offset = self.bytes.unpack(U16, vtable + slot)
        return self.place + offset if offset else 0

    def number(self, field: int, kind: str, default: Any = 0) -> Any:
        """A number or truth value, or the schema's default."""
        place = self._find(field)
        return self.bytes.unpack(SCALARS[kind], place) if place else default

    def table(self, field: int) -> Table | None:
        """The table inside, if there is one."""
        place = self._find(field)
        return Table(self.bytes, self.bytes.follow(place)) if place else None

    def tables(self, field: int) -> Iterator[Table]:
        """The tables of a list."""
        place = self._find(field)
        if not place:
            return
        first, count = self.bytes.vector(self.bytes.follow(place), 4)
        self.bytes.spend(count * TABLE_BYTES)
        for at in range(first, first + 4 * count, 4):
            yield Table(self.bytes, self.bytes.follow(at))

    def array(self, field: int, dtype: str) -> NDArray[Any] | None:
        """The numbers of a list as a view into the file, or None where the list was left out."""
        place = self._find(field)
        return self.bytes.array(self.bytes.follow(place), dtype) if place else None

    def numbers(self, field: int, dtype: str) -> tuple[Any, ...]:
        """The numbers of a short list."""
        found = self.array(field, dtype)
        if found is None:
            return ()
        self.bytes.spend(8 * len(found))
        return tuple(found.tolist())

    def text(self, field: int) -> str:
        """A string; what is not UTF-8 in it is replaced."""
        place = self._find(field)
        if not place:
            return ""
        first, count = self.bytes.vector(self.bytes.follow(place), 1)
        self.bytes.spend(count)
        return self.bytes.data[first : first + count].decode("utf-8", "replace")
