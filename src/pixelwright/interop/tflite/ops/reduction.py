"""Steps that take axes together: sums, extremes, their places, products of matrices."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import MappingProxyType

import numpy as np

from pixelwright.interop.tflite.emitter import onnx_type
from pixelwright.interop.tflite.faults import DamageError
from pixelwright.interop.tflite.network import Operator
from pixelwright.interop.tflite.ops.finish import finish
from pixelwright.interop.tflite.ops.places import axis_of, keeps_steps, place_of
from pixelwright.interop.tflite.ops.shape import order_kept
from pixelwright.interop.tflite.values import Layout, Values

SPATIAL = [1, 2]


def _axes(values: Values, op: Operator) -> list[int]:
    axes = values.numbers(op.inputs[1], f"axes of a {op.kind}") if op.has(1) else []
    return sorted({axis_of(values, op.inputs[0], axis, "last") for axis in axes})


def _reduce(values: Values, op: Operator, kind: str, *, extreme: bool = False) -> None:
    data, output = op.inputs[0], op.outputs[0]
    axes, kept = _axes(values, op), op.options["keep_dims"]
    layout: Layout = values.layout(data) if kept else order_kept(values, data, axes)
    places = [place_of(axis, layout, len(values.shape(data))) for axis in axes]
    stored = extreme and keeps_steps(values, data, output)
    name = values.stored(data, layout) if stored else values.real(data, layout)
    where = values.emit.constant(places, "int64")
    result = values.emit.node(kind, [name, where], keepdims=int(kept), noop_with_empty_axes=1)
    if stored:
        values.put_stored(output, result, layout)
    else:
        values.put_real(output, result, layout)


def mean(values: Values, op: Operator) -> None:
    """MEAN; over the pixels of an image as a pooling, which runtimes know for integers too."""
    data, output = op.inputs[0], op.outputs[0]
    if _axes(values, op) != SPATIAL or len(values.shape(data)) != 4 or values.layout(data) != "first":
        _reduce(values, op, "ReduceMean")
        return
    pooled = values.emit.node("GlobalAveragePool", [values.real(data, "first")])
    tensor = values.tensor(output)
    if tensor.quantized and not values.dequantize:
        pooled = values.quantize(pooled, tensor)
    if not op.options["keep_dims"]:
        pooled = values.emit.node("Squeeze", [pooled, values.emit.constant([2, 3], "int64")])
    values.put_stored(output, pooled, "first")


def _truth(values: Values, op: Operator, kind: str) -> None:
    """REDUCE_ANY and REDUCE_ALL, as extremes of zeros and ones."""
    axes = _axes(values, op)
    name = values.emit.node("Cast", [values.stored(op.inputs[0])], to=onnx_type("int32"))
    where = values.emit.constant(axes, "int64")
    name = values.emit.node(kind, [name, where], keepdims=int(op.options["keep_dims"]), noop_with_empty_axes=1)
    values.put_stored(op.outputs[0], values.emit.node("Cast", [name], to=onnx_type("bool")))


def place_of_extreme(values: Values, op: Operator) -> None:
    """ARG_MAX and ARG_MIN, of the stored integers, ordered as the real numbers are; the first of equals wins."""
    data, output = op.inputs[0], op.outputs[0]
    axis = (values.numbers(op.inputs[1], f"the axis of a {op.kind}") or [0])[0]
    axis = axis_of(values, data, axis, "last")
    layout = order_kept(values, data, [axis])
    name = values.stored(data, layout)
    place = place_of(axis, layout, len(values.shape(data)))
    kind = "ArgMax" if op.kind == "ARG_MAX" else "ArgMin"
    found = values.emit.node(kind, [name], axis=place, keepdims=0)
    if values.tensor(output).dtype != "int64":
        found = values.emit.node("Cast", [found], to=onnx_type("int32"))
    values.put_stored(output, found)


def best(values: Values, op: Operator) -> None:
    """TOPK_V2: values and their places along the last axis."""
    if len(op.inputs) < 2 or len(op.outputs) < 2:
        raise DamageError("a TOPK_V2 without a count or a second result")
    data, count = op.inputs[0], values.numbers(op.inputs[1], "the count of a TOPK_V2")
    found, places = values.emit.node_many("TopK", [values.real(data), values.emit.constant(count, "int64")], 2, axis=-1)
    values.put_real(op.outputs[0], found)
    values.put_stored(op.outputs[1], values.emit.node("Cast", [places], to=onnx_type("int32")))


def multiply(values: Values, op: Operator) -> None:
    """BATCH_MATMUL."""
    names = []
    for index, turned in zip(op.inputs[:2], (op.options["adj_x"], op.options["adj_y"]), strict=True):
        name, rank = values.real(index), len(values.shape(index))
        if turned and rank > 1:
            order = [*range(rank - 2), rank - 1, rank - 2]
            name = values.emit.node("Transpose", [name], perm=order)
        names.append(name)
    finish(values, op, values.emit.node("MatMul", names))


def accumulate(values: Values, op: Operator) -> None:
    """CUMSUM."""
    axis = (values.numbers(op.inputs[1], "the axis of a CUMSUM") or [0])[0]
    where = values.emit.constant(np.array(axis_of(values, op.inputs[0], axis, "last")), "int64")
    flags = {name: int(op.options[name]) for name in ("exclusive", "reverse")}
    values.put_real(op.outputs[0], values.emit.node("CumSum", [values.real(op.inputs[0]), where], **flags))


def _reducer(kind: str, *, extreme: bool = False) -> Callable[[Values, Operator], None]:
    return partial(_reduce, kind=kind, extreme=extreme)


CONVERTERS = MappingProxyType(
    {
        "MEAN": mean,
        "SUM": _reducer("ReduceSum"),
        "REDUCE_PROD": _reducer("ReduceProd"),
        "REDUCE_MAX": _reducer("ReduceMax", extreme=True),
        "REDUCE_MIN": _reducer("ReduceMin", extreme=True),
        "REDUCE_ANY": partial(_truth, kind="ReduceMax"),
        "REDUCE_ALL": partial(_truth, kind="ReduceMin"),
        "ARG_MAX": place_of_extreme,
        "ARG_MIN": place_of_extreme,
        "TOPK_V2": best,
        "BATCH_MATMUL": multiply,
        "CUMSUM": accumulate,
    }
)
