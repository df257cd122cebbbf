"""A TensorFlow Lite file as plain records: tensors, operators, and which of them go in and out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwright.interop.tflite import schema
from pixelwright.interop.tflite.faults import DamageError
from pixelwright.interop.tflite.flatbuffer import Table

MAX_RANK = 8
MAX_TENSOR_BYTES = 1 << 30  # of one intermediate result; 513x513x21 floats are 22 MB
MAX_NAME = 4096  # fused layers have their names joined; the longest seen has some hundred letters

INTEGERS = ("uint8", "int8", "uint16", "int16")


@dataclass(frozen=True, slots=True, eq=False)
class Quantization:
    """`real = scale * (stored - zero_point)`, of the whole tensor or for each slice along an axis."""

    scale: NDArray[np.float32]
    zero_point: NDArray[np.int64]
    axis: int

    @property
    def per_tensor(self) -> bool:
        """Whether one scale holds for all."""
        return self.scale.size == 1

    def same(self, other: Quantization | None) -> bool:
        """Whether stored values mean the same."""
        return (
            other is not None
            and np.array_equal(self.scale, other.scale)
            and np.array_equal(self.zero_point, other.zero_point)
        )


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """A tensor as the file describes it; shapes of intermediate results may be stale there.

    Attributes:
        data: The values of a constant, as a view into the file.
        quantization: None for a tensor whose stored values are its values.
        open_axes: Axes whose size the file leaves open; `shape` has a stand-in for them, mostly 1.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    data: NDArray[Any] | None = None
    quantization: Quantization | None = None
    variable: bool = False
    open_axes: tuple[int, ...] = ()

    @property
    def quantized(self) -> bool:
        """Whether it holds small integers that stand for real numbers."""
        return self.quantization is not None and self.dtype in INTEGERS


@dataclass(frozen=True, slots=True, eq=False)
class Operator:
    """One step: its kind by the schema's name, custom ones as `CUSTOM name`; an input of -1 was left out."""

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any] = field(default_factory=dict)

    def has(self, place: int) -> bool:
        """Whether an input is given."""
        return len(self.inputs) > place and self.inputs[place] >= 0


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """The main graph of a file."""

    tensors: Sequence[Tensor]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    operators: Sequence[Operator]


def parse(data: bytes) -> tuple[Network, Mapping[str, bytes]]:
    """The main graph, and the file's metadata by name.

    Raises:
        DamageError: An offset, a count or an index leads nowhere, or a constant has not the size of its shape.
    """
    root = Table.root(data, schema.IDENTIFIER)
    buffers = [_buffer(table) for table in root.tables(4)]
    graphs = list(root.tables(2))
    if not graphs:
        raise DamageError("it holds no graph")
    main = graphs[0]
    tensors = [_tensor(table, buffers) for table in main.tables(0)]
    codes = [_code(table) for table in root.tables(1)]
    operators = [_operator(table, codes, len(tensors)) for table in main.tables(3)]
    sides = [_indices(main.numbers(side, "int32"), len(tensors)) for side in (1, 2)]
    if min(sides[0] + sides[1], default=0) < 0 or not sides[1]:
        raise DamageError("its graph has no output, or one that is no tensor")
    metadata = {}
    for table in root.tables(6):
        index = table.number(1, "uint32")
        if index >= len(buffers):
            raise DamageError(f"metadata in buffer {index} of {len(buffers)}")
        metadata[table.text(0)] = bytes(buffers[index])
    return Network(tensors, sides[0], sides[1], operators), metadata


def _buffer(table: Table) -> NDArray[np.uint8]:
    offset, size = table.number(1, "uint64"), table.number(2, "uint64")
    if offset > 1:  # weights of files over 2 GB stand after the flatbuffer; 0 and 1 mean that they do not
        whole = table.bytes.data
        if offset + size > len(whole):
            raise DamageError(f"a buffer of {size} bytes at {offset} reaches past the end of the file")
        return np.frombuffer(whole, np.uint8, size, offset)
    found = table.array(0, "uint8")
    return np.empty(0, np.uint8) if found is None else found


def _code(table: Table) -> str:
    # Numbers over 127 do not fit the first field, files of old writers do not have the second.
    number = max(table.number(0, "int8"), table.number(3, "int32"))
    if number == schema.CUSTOM:
        return f"CUSTOM {table.text(1)[:60]}"
    return schema.OPERATORS[number] if 0 <= number < len(schema.OPERATORS) else f"operator number {number}"


def _indices(numbers: tuple[int, ...], count: int) -> tuple[int, ...]:
    if any(not -1 <= number < count for number in numbers):
        raise DamageError(f"a step uses tensor {max(numbers)} or {min(numbers)}, the graph has {count}")
    return numbers


def _operator(table: Table, codes: list[str], tensors: int) -> Operator:
    index = table.number(0, "uint32")
    if index >= len(codes):
        raise DamageError(f"a step is of kind {index}, the file lists {len(codes)} kinds")
    inputs, outputs = (_indices(table.numbers(side, "int32"), tensors) for side in (1, 2))
    if min(outputs, default=0) < 0:
        raise DamageError("a step writes to no tensor")
    options = table.table(4)
    fields = schema.OPTIONS.get(codes[index], {})
    read = {name: _option(options, *where) for name, where in fields.items()}
    return Operator(codes[index], inputs, outputs, read)


def _option(options: Table | None, number: int, kind: str, default: Any) -> Any:
    if options is None:
        return default
    if kind.endswith("[]"):
        return options.numbers(number, kind.removesuffix("[]"))
    return options.number(number, kind, default)


def _tensor(table: Table, buffers: list[NDArray[np.uint8]]) -> Tensor:
    shape = table.numbers(0, "int32")
    if len(shape) > MAX_RANK or any(not 0 <= size < 1 << 31 for size in shape):
        raise DamageError(f"a tensor has the shape {shape[:MAX_RANK]}")
    number, index, name = table.number(1, "int8"), table.number(2, "uint32"), table.text(3)[:MAX_NAME]
    dtype = schema.DTYPES.get(number, schema.STRANGE_DTYPES.get(number, f"type {number}"))
    if index >= len(buffers):
        raise DamageError(f"tensor {name[:60]!r} is in buffer {index} of {len(buffers)}")
    if number in schema.DTYPES and math.prod(shape) * np.dtype(dtype).itemsize > MAX_TENSOR_BYTES:
        raise DamageError(f"tensor {name[:60]!r} of shape {shape} has more than {MAX_TENSOR_BYTES >> 20} MB")
    signature = table.numbers(7, "int32")
    return Tensor(
        name=name,
        shape=shape,
        dtype=f"sparse {dtype}" if table.table(6) else dtype,
        data=_values(name, shape, dtype, buffers[index]) if number in schema.DTYPES and not table.table(6) else None,
        quantization=_quantization(table.table(4), shape),
        variable=table.number(5, "bool", False),
        open_axes=tuple(axis for axis, size in enumerate(signature) if size == -1),
    )


def _values(name: str, shape: tuple[int, ...], dtype: str, raw: NDArray[np.uint8]) -> NDArray[Any] | None:
    if not raw.size:
        return None
    kind = np.dtype(dtype)
    expected = math.prod(shape) * kind.itemsize
    if raw.size != expected:
        raise DamageError(f"tensor {name[:60]!r} of shape {shape} needs {expected} bytes and has {raw.size}")
    return np.frombuffer(raw, kind.newbyteorder("<")).reshape(shape)


def _quantization(table: Table | None, shape: tuple[int, ...]) -> Quantization | None:
    scale = table.array(2, "float32") if table else None
    if table is None or scale is None or not scale.size:
        return None
    zero = table.array(3, "int64")
    axis = table.number(6, "int32")
    if scale.size > 1 and not (0 <= axis < len(shape) and shape[axis] == scale.size):
        raise DamageError(f"{scale.size} scales along axis {axis} of a tensor of shape {shape}")
    zero = np.zeros(scale.size, np.int64) if zero is None or not zero.size else zero
    if zero.size not in (1, scale.size):
        raise DamageError(f"{scale.size} scales and {zero.size} zero points")
    if not (np.isfinite(scale).all() and (scale >= 0).all()):
        raise DamageError("a scale is negative or no number")
    return Quantization(scale, np.broadcast_to(zero, scale.shape), axis)
