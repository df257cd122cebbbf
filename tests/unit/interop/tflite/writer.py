"""Small TensorFlow Lite files, written field by field: each table's fields stand eight bytes apart."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pixelwright.interop.tflite import schema

# Source: BuiltinOptions of schema.fbs, https://github.com/tensorflow/tensorflow, Apache-2.0.
UNION = {
    "CONV_2D": 1, "DEPTHWISE_CONV_2D": 2, "AVERAGE_POOL_2D": 5, "MAX_POOL_2D": 5, "L2_POOL_2D": 5, "FULLY_CONNECTED": 8,
    "SOFTMAX": 9, "CONCATENATION": 10, "ADD": 11, "L2_NORMALIZATION": 12, "LOCAL_RESPONSE_NORMALIZATION": 13,
    "RESIZE_BILINEAR": 15, "RESHAPE": 17, "SPACE_TO_DEPTH": 19, "MUL": 21, "GATHER": 23, "MEAN": 27, "SUM": 27,
    "REDUCE_MAX": 27, "REDUCE_MIN": 27, "REDUCE_PROD": 27, "REDUCE_ANY": 27, "REDUCE_ALL": 27, "SUB": 28, "DIV": 29,
    "SQUEEZE": 30, "STRIDED_SLICE": 32, "SPLIT": 35, "ARG_MAX": 40, "TRANSPOSE_CONV": 49, "SHAPE": 55, "ARG_MIN": 57,
    "FAKE_QUANT": 58, "PACK": 59, "ONE_HOT": 61, "UNPACK": 64, "RESIZE_NEAREST_NEIGHBOR": 74, "LEAKY_RELU": 75,
    "MIRROR_PAD": 77, "SPLIT_V": 79, "DEPTH_TO_SPACE": 94, "BATCH_MATMUL": 101, "CUMSUM": 102, "GELU": 116,
}  # fmt: skip
TYPES = {name: number for number, name in schema.DTYPES.items()}
FORMS = {
    "bool": "<?",
    "int8": "<b",
    "uint8": "<B",
    "int32": "<i",
    "uint32": "<I",
    "uint64": "<Q",
    "float32": "<f",
}


@dataclass
class Record:
    """A table: field number -> (kind, number), text, bytes, array, table or list of tables."""

    fields: Mapping[int, Any]


@dataclass
class Tensor:
    """A tensor; with data a constant."""

    name: str
    shape: Sequence[int]
    dtype: str = "float32"
    data: Any = None
    scale: Sequence[float] = ()
    zero: Sequence[int] = ()
    axis: int = 0
    signature: Sequence[int] = ()


@dataclass
class Step:
    """An operator, its tensors by name, None for one that is left out."""

    kind: str
    inputs: Sequence[str | None]
    outputs: Sequence[str]
    options: Mapping[str, Any] = field(default_factory=dict)
    version: int = 1


def flatbuffer(root: Record, identifier: bytes) -> bytes:
    """The bytes of a table and all it holds; what is referred to stands behind what refers to it."""
    out = bytearray(8)
    out[4:8] = identifier
    todo: list[tuple[int, Any]] = [(0, root)]
    while todo:
        place, thing = todo.pop(0)
        out += bytes(-len(out) % 16)
        start = len(out)
        if isinstance(thing, Record):
            start = _table(out, thing, todo)
        elif isinstance(thing, list):
            out += struct.pack("<I", len(thing)) + bytes(4 * len(thing))
            todo += [(start + 4 + 4 * number, one) for number, one in enumerate(thing)]
        else:
            raw = thing.encode() + b"\0" if isinstance(thing, str) else thing
            count = len(raw) - 1 if isinstance(thing, str) else len(thing)
            raw = raw.tobytes() if isinstance(raw, np.ndarray) else raw
            out += bytes(12) + struct.pack("<I", count) + raw  # so that the items are aligned
            start += 12
        struct.pack_into("<I", out, place, start - place)
    return bytes(out)


def _table(out: bytearray, table: Record, todo: list[tuple[int, Any]]) -> int:
    count = max(table.fields, default=-1) + 1
    size = 8 * (count + 1)
    vtable = [4 + 2 * count, size, *(8 * (number + 1) if number in table.fields else 0 for number in range(count))]
    at = len(out)
    out += struct.pack(f"<{len(vtable)}H", *vtable)
    out += bytes(-len(out) % 8)
    start = len(out)
    out += struct.pack("<i", start - at) + bytes(size - 4)
    for number, value in table.fields.items():
        where = start + 8 * (number + 1)
        if isinstance(value, tuple):
            struct.pack_into(FORMS[value[0]], out, where, value[1])
        else:
            todo.append((where, value))
    return start


def model(
    tensors: Sequence[Tensor],
    steps: Sequence[Step],
    inputs: Sequence[str],
    outputs: Sequence[str],
    metadata: Mapping[str, bytes] | None = None,
) -> bytes:
    """The bytes of a model of one graph."""
    numbers = {tensor.name: number for number, tensor in enumerate(tensors)}
    buffers = [Record({})]
    records = []
    for tensor in tensors:
        index = 0
        if tensor.data is not None:
            index = len(buffers)
            raw = np.ascontiguousarray(np.asarray(tensor.data, tensor.dtype)).tobytes()
            buffers.append(Record({0: np.frombuffer(raw, np.uint8)}))
        records.append(_tensor(tensor, index))
    kinds = sorted({(step.kind, step.version) for step in steps})
    graph = Record(
        {
            0: records,
            1: np.array([numbers[name] for name in inputs], np.int32),
            2: np.array([numbers[name] for name in outputs], np.int32),
            3: [_step(step, kinds, numbers) for step in steps],
        }
    )
    said = []
    for name, data in (metadata or {}).items():
        said.append(Record({0: name, 1: ("uint32", len(buffers))}))
        buffers.append(Record({0: np.frombuffer(data, np.uint8)}))
    root = {
        0: ("uint32", 3),
        1: [_code(*kind) for kind in kinds],
        2: [graph],
        4: buffers,
        **({6: said} if said else {}),
    }
    return flatbuffer(Record(root), schema.IDENTIFIER)


def _code(kind: str, version: int) -> Record:
    if kind.startswith("CUSTOM"):
        return Record({0: ("int8", schema.CUSTOM), 1: kind.removeprefix("CUSTOM "), 3: ("int32", schema.CUSTOM)})
    number = schema.OPERATORS.index(kind)
    return Record({0: ("int8", min(number, 127)), 2: ("int32", version), 3: ("int32", number)})


def _tensor(tensor: Tensor, index: int) -> Record:
    fields: dict[int, Any] = {
        0: np.array(tensor.shape, np.int32),
        1: ("int8", TYPES[tensor.dtype]),
        2: ("uint32", index),
        3: tensor.name,
    }
    if tensor.scale:
        zero = tensor.zero or [0] * len(tensor.scale)
        fields[4] = Record(
            {2: np.array(tensor.scale, np.float32), 3: np.array(zero, np.int64), 6: ("int32", tensor.axis)}
        )
    if tensor.signature:
        fields[7] = np.array(tensor.signature, np.int32)
    return Record(fields)


def _step(step: Step, kinds: list[tuple[str, int]], numbers: Mapping[str, int]) -> Record:
    fields: dict[int, Any] = {
        0: ("uint32", kinds.index((step.kind, step.version))),
        1: np.array([-1 if name is None else numbers[name] for name in step.inputs], np.int32),
        2: np.array([numbers[name] for name in step.outputs], np.int32),
    }
    if step.kind in UNION:
        described = schema.OPTIONS[step.kind]
        options: dict[int, Any] = {}
        for name, value in step.options.items():
            number, kind, _ = described[name]
            options[number] = np.array(value, np.int32) if kind.endswith("[]") else (kind, value)
        fields |= {3: ("uint8", UNION[step.kind]), 4: Record(options)}
    return Record(fields)
