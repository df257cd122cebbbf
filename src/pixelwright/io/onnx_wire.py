"""Which other files an ONNX file points to, found by walking its protobuf wire format, without the `onnx` package.

Only lengths are followed: tensors are skipped, not read, so a file of gigabytes costs a few pages. Every bound is
checked, as the file may come from a stranger.

Source: onnx/onnx.proto (field numbers), https://github.com/onnx/onnx/blob/main/onnx/onnx.proto, Apache-2.0;
https://protobuf.dev/programming-guides/encoding (wire format).
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from pixelwright.errors import DamagedModel

MAX_DEPTH = 200  # messages within messages; real models stay under 20
MAX_MESSAGES = 2_000_000  # a model of 100,000 nodes has about a million

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
LOCATION = "location"
EXTERNAL = 1

# message -> field number -> the message inside it; what is not named here cannot lead to a tensor
FIELDS: Mapping[str, Mapping[int, str]] = MappingProxyType(
    {
        "model": {7: "graph", 20: "training", 25: "function"},
        "training": {1: "graph", 2: "graph"},
        "graph": {1: "node", 5: "tensor", 15: "sparse"},
        "function": {7: "node", 11: "attribute"},
        "node": {5: "attribute"},
        "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
        "sparse": {1: "tensor", 2: "tensor"},
    }
)
TENSOR_EXTERNAL_DATA, TENSOR_DATA_LOCATION = 13, 14
ENTRY_KEY, ENTRY_VALUE = 1, 2
MODEL_GRAPH = 7

Buffer = mmap.mmap | bytes


def external_locations(path: Path) -> list[str]:
    """The locations of external data in an ONNX file, each once, sorted; an empty one where a tensor names none.

    Raises:
        DamagedModel: The file is not ONNX, or cut off.
    """
    with path.open("rb") as file:
        if not path.stat().st_size:
            raise DamagedModel(f"{path}: the file is empty; expected an ONNX model.")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as buffer:
            try:
                return sorted(_walk(buffer, len(buffer)))
            except _DamageError as err:
                raise DamagedModel(f"{path}: not an ONNX file, or damaged: {err}. Fetch it again.") from err


class _DamageError(Exception):
    """What is wrong with the bytes; mapped where the file is known."""


def _walk(buffer: Buffer, size: int) -> set[str]:
    found: set[str] = set()
    todo = [("model", 0, size, 0)]
    has_graph, messages = False, 0
    while todo:
        kind, start, end, depth = todo.pop()
        if depth > MAX_DEPTH:
            raise _DamageError(f"more than {MAX_DEPTH} levels")
        if kind == "tensor":
            found |= _tensor_locations(buffer, start, end)
            continue
        inner = FIELDS[kind]
        for number, wire, begin, stop in _fields(buffer, start, end):
            if number in inner:
                if wire != BYTES:
                    raise _DamageError(f"field {number} of a {kind} at byte {begin} is no message")
                has_graph |= kind == "model" and number == MODEL_GRAPH
                messages += 1
                if messages > MAX_MESSAGES:  # counted as they are put aside: that is what takes memory
                    raise _DamageError(f"more than {MAX_MESSAGES} parts")
                todo.append((inner[number], begin, stop, depth + 1))
    if not has_graph:
        raise _DamageError("it holds no graph")
    return found


def _tensor_locations(buffer: Buffer, start: int, end: int) -> set[str]:
    found, external = set(), False
    for number, wire, begin, stop in _fields(buffer, start, end):
        if number == TENSOR_DATA_LOCATION and wire == VARINT:
            external = _varint(buffer, begin, stop)[0] & 0xFFFF_FFFF == EXTERNAL
        elif number == TENSOR_EXTERNAL_DATA and wire == BYTES:
            parts = _fields(buffer, begin, stop)
            entry = {part: buffer[left:right] for part, wire, left, right in parts if wire == BYTES}
            if entry.get(ENTRY_KEY) == LOCATION.encode():
                found.add(_text(entry.get(ENTRY_VALUE, b"")))
    return found or ({""} if external else set())


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as err:
        raise _DamageError("a location of external data is not UTF-8") from err


def _fields(buffer: Buffer, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Number, wire type, and first and past-the-last byte of the content of each field."""
    place = start
    while place < end:
        tag, place = _varint(buffer, place, end)
        if tag >> 32:  # protobuf readers drop the high bits, so a field could hide behind them
            raise _DamageError(f"a field number at byte {place} is too big")
        number, wire = tag >> 3, tag & 7
        begin = place
        if wire == VARINT:
            _, place = _varint(buffer, place, end)
        elif wire == BYTES:
            length, begin = _varint(buffer, place, end)
            place = begin + length
        elif wire in (FIXED64, FIXED32):
            place += 8 if wire == FIXED64 else 4
        else:
            raise _DamageError(f"unknown wire type {wire} at byte {place}")
        if not number or place > end:
            raise _DamageError(f"a field at byte {begin} reaches outside its message, or is numbered 0")
        yield number, wire, begin, place


def _varint(buffer: Buffer, place: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while place < end and shift < 70:
        byte = buffer[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7
    raise _DamageError(f"a number at byte {place} is cut off or too long")
