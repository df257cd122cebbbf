"""ONNX nodes, made one by one: each result's dtype and shape is known at once, and what is constant is computed.

Shapes are inferred for the batch size of the file, so that converters can rely on them. The file's own statement of
intermediate shapes is not used: files whose batch is dynamic state stale ones.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx.shape_inference import infer_node_outputs

from pixelwright.interop.tflite.faults import DamageError, LackError
from pixelwright.interop.tflite.network import MAX_TENSOR_BYTES

OPSET, IR_VERSION = 20, 10
OPSET_16_BIT = 21  # the first with 16-bit quantization; where it is not needed, ONNX Runtime 1.31 stumbles over its own
# rewriting of 8-bit quantization, which gives 21's new attribute output_dtype a type that its zero point has not
MAX_FOLDED = 1 << 22  # elements; what is computed here is mostly shapes
MAX_GROWTH, GROWTH_FLOOR_BYTES = 16, 1 << 26  # constants of the result against the bytes of the file

# What may be computed at conversion: results are no bigger than the inputs, broadcast.
_FOLDABLE = """
Abs Add And Cast Ceil Concat Div Equal Floor Gather GatherND Greater GreaterOrEqual Identity Less LessOrEqual Max Min
Mod Mul Neg Not Or Pow ReduceMax ReduceMin ReduceProd ReduceSum Reshape Slice Split Sqrt Squeeze Sub Transpose
Unsqueeze Where
"""
FOLDABLE = frozenset(_FOLDABLE.split())

Dims = tuple[int, ...]
Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Fact:
    """What is known of a value; a dimension that depends on the data is -1."""

    dtype: str
    shape: Dims


class Emitter:
    """Nodes and constants of a graph in the making."""

    def __init__(self, file_bytes: int, taken: Iterable[str] = (), opset: int = OPSET) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.facts: dict[str, Fact] = {}
        self.constants: dict[str, Array] = {}
        self.multiplications = 0
        self.opset = opset
        self.opsets = (helper.make_opsetid("", opset),)
        self._shared: dict[tuple[str, Dims, bytes], str] = {}
        self._count = 0
        self._prefix = "v"
        while any(name.startswith(self._prefix) for name in taken):
            self._prefix += "_"
        self._left = MAX_GROWTH * file_bytes + GROWTH_FLOOR_BYTES

    def fresh(self) -> str:
        """A name not used before."""
        self._count += 1
        return f"{self._prefix}{self._count}"

    def input(self, name: str, fact: Fact) -> str:
        """Declare a value that comes from outside."""
        self.facts[name] = fact
        return name

    def constant(self, values: Array | Sequence[Any] | float, dtype: str | None = None, *, shared: bool = True) -> str:
        """A constant; small equal ones are kept once, unless one has to be a step's own."""
        array = np.asarray(values, dtype)
        array = np.ascontiguousarray(array, array.dtype.newbyteorder("=")).reshape(array.shape)
        key = (array.dtype.name, array.shape, array.tobytes() if array.size <= 1024 else b"")
        if shared and array.size <= 1024 and key in self._shared:
            return self._shared[key]
        self._left -= array.nbytes
        if self._left < 0:
            raise DamageError(f"its constants grow to over {MAX_GROWTH} times its size")
        name = self.fresh()
        if shared:
            self._shared[key] = name
        self.constants[name] = array
        self.facts[name] = Fact(array.dtype.name, array.shape)
        return name

    def value(self, name: str) -> Array | None:
        """The values of a constant."""
        return self.constants.get(name)

    def shape(self, name: str) -> Dims:
        """The shape of a value."""
        return self.facts[name].shape

    def dtype(self, name: str) -> str:
        """The NumPy name of the dtype of a value."""
        return self.facts[name].dtype

    def node(self, kind: str, inputs: Sequence[str], **attributes: Any) -> str:
        """The only result of a new node."""
        return self.node_many(kind, inputs, 1, **attributes)[0]

    def node_many(self, kind: str, inputs: Sequence[str], outputs: int, **attributes: Any) -> list[str]:
        """The results of a new node."""
        names = [self.fresh() for _ in range(outputs)]
        node = helper.make_node(kind, list(inputs), names, **attributes)
        folded = self._fold(node)
        if folded is not None:
            return [self.constant(array) for array in folded]
        self.facts.update(self._infer(node))
        self.nodes.append(node)
        if kind in ("Conv", "ConvTranspose"):
            window = self.shape(inputs[1])[1:]
            pixels = self.shape(names[0] if kind == "Conv" else inputs[0])
            self.multiplications += abs(math.prod(window) * math.prod(pixels))
        return names

    def _fold(self, node: onnx.NodeProto) -> list[Array] | None:
        values = {name: self.constants.get(name) for name in node.input if name}
        if node.op_type not in FOLDABLE or any(array is None for array in values.values()):
            return None
        arrays: Mapping[str, Array] = MappingProxyType(values)  # type: ignore[arg-type]
        if sum(array.size for array in arrays.values()) > MAX_FOLDED or _broadcast(arrays.values()) > MAX_FOLDED:
            return None
        facts = [
            helper.make_tensor_value_info(name, onnx_type(array.dtype.name), array.shape)
            for name, array in arrays.items()
        ]
        results = [onnx.ValueInfoProto(name=name) for name in node.output]
        model = helper.make_model(helper.make_graph([node], "fold", facts, results), opset_imports=list(self.opsets))
        with np.errstate(all="ignore"):
            return [np.asarray(array) for array in ReferenceEvaluator(model).run(None, dict(arrays))]

    def _infer(self, node: onnx.NodeProto) -> dict[str, Fact]:
        names = [name for name in node.input if name]
        types = {name: _type(self.facts[name]) for name in names}
        data = {
            name: numpy_helper.from_array(self.constants[name], name)
            for name in names
            if name in self.constants and self.constants[name].size <= 1024
        }
        # Of the opset in use the schema's latest version that is not newer.
        found = infer_node_outputs(
            onnx.defs.get_schema(node.op_type, self.opset),
            node,
            types,
            data,
            opset_imports=list(self.opsets),
            ir_version=IR_VERSION,
        )
        return {name: _fact(node, name, found.get(name)) for name in node.output}


def _broadcast(arrays: Iterable[Array]) -> int:
    """Elements of the arrays broadcast against each other, at most; more than enough for what does not broadcast."""
    shapes = [array.shape for array in arrays]
    rank = max((len(shape) for shape in shapes), default=0)
    padded = [(1,) * (rank - len(shape)) + shape for shape in shapes]
    return math.prod(max(column) for column in zip(*padded, strict=True))


def onnx_type(dtype: str) -> int:
    """ONNX's number of a NumPy dtype."""
    return helper.np_dtype_to_tensor_dtype(np.dtype(dtype))


def _type(fact: Fact) -> onnx.TypeProto:
    return helper.make_tensor_type_proto(onnx_type(fact.dtype), [size if size >= 0 else None for size in fact.shape])


def _fact(node: onnx.NodeProto, name: str, found: onnx.TypeProto | None) -> Fact:
    if found is None or not found.tensor_type.HasField("shape"):
        raise LackError([f"{node.op_type} whose number of dimensions depends on the data"])
    shape = tuple(dim.dim_value if dim.HasField("dim_value") else -1 for dim in found.tensor_type.shape.dim)
    dtype = helper.tensor_dtype_to_np_dtype(found.tensor_type.elem_type).name
    if math.prod(shape) * np.dtype(dtype).itemsize > MAX_TENSOR_BYTES:
        raise DamageError(f"the result of a {node.op_type} has the shape {shape}, over {MAX_TENSOR_BYTES >> 20} MB")
    return Fact(dtype, shape)
