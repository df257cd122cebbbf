"""Steps that give a tensor another shape, or order its parts anew."""

from __future__ import annotations

import math
from types import MappingProxyType

import numpy as np

from pixelwright.interop.tflite.emitter import onnx_type
from pixelwright.interop.tflite.faults import DamageError, LackError
from pixelwright.interop.tflite.network import Operator
from pixelwright.interop.tflite.ops.finish import finish, finish_stored
from pixelwright.interop.tflite.ops.places import axis_of, keep, keeps_steps, meet, place_of, take
from pixelwright.interop.tflite.values import PERMUTATION, Layout, Values

MAX_PARTS = 4096  # of a split; a network has some dozens


def _free_layout(values: Values, index: int) -> Layout:
    """The layout in which a tensor reads in the file's order at no cost: any, if it has one pixel or one channel."""
    shape = values.shape(index)
    alike = len(shape) == 4 and (shape[3] == 1 or shape[1] == shape[2] == 1)
    return values.layout(index) if alike else "last"


def reshape(values: Values, op: Operator) -> None:
    """RESHAPE; the new shape is a second input, or stands in the file where there is none."""
    data, output = op.inputs[0], op.outputs[0]
    name = take(values, data, output, _free_layout(values, data))
    given = op.has(1)
    if given and values.known(op.inputs[1]) is None:
        sizes = values.emit.node("Cast", [values.stored(op.inputs[1])], to=onnx_type("int64"))
        keep(values, data, output, values.emit.node("Reshape", [name, sizes]))
        return
    target = values.numbers(op.inputs[1], "sizes of a RESHAPE") if given else list(op.options["new_shape"])
    total = math.prod(values.emit.shape(name))
    rest = math.prod(size for size in target if size != -1)
    if (
        target.count(-1) > 1
        or min(target, default=0) < -1
        or (rest != total if -1 not in target else rest and total % rest)
    ):
        raise DamageError(f"a RESHAPE of {total} elements to {target}")
    keep(values, data, output, values.reshape(name, target))


def squeeze(values: Values, op: Operator) -> None:
    """SQUEEZE: of all axes of size one where none is named."""
    data, output = op.inputs[0], op.outputs[0]
    shape = values.shape(data)
    axes = [axis_of(values, data, axis, "last") for axis in op.options["squeeze_dims"]]
    axes = axes or [axis for axis, size in enumerate(shape) if size == 1]
    layout = order_kept(values, data, axes)
    places = [place_of(axis, layout, len(shape)) for axis in axes]
    name = take(values, data, output, layout)
    keep(values, data, output, values.emit.node("Squeeze", [name, values.emit.constant(sorted(places), "int64")]))


def order_kept(values: Values, index: int, gone: list[int]) -> Layout:
    """The tensor's own layout if the axes that are left stand in the file's order there, else channels last."""
    if values.layout(index) == "first":
        left = [axis for axis in PERMUTATION["first"] if axis not in gone]
        if left == sorted(left):
            return "first"
    return "last"


def expand(values: Values, op: Operator) -> None:
    """EXPAND_DIMS."""
    data, output = op.inputs[0], op.outputs[0]
    axes = values.emit.constant(values.numbers(op.inputs[1], "axes of an EXPAND_DIMS"), "int64")
    keep(values, data, output, values.emit.node("Unsqueeze", [take(values, data, output), axes]))


def transpose(values: Values, op: Operator) -> None:
    """TRANSPOSE, together with a change of layout in one step."""
    data, output = op.inputs[0], op.outputs[0]
    order, layout = values.numbers(op.inputs[1], "axes of a TRANSPOSE"), values.layout(data)
    if sorted(order) != list(range(len(values.shape(data)))):
        raise DamageError(f"a TRANSPOSE of a tensor of {len(values.shape(data))} dimensions in the order {order}")
    places = [place_of(axis, layout, len(order)) for axis in order]
    name = take(values, data, output, layout)
    if places != sorted(places):
        name = values.emit.node("Transpose", [name], perm=places)
    keep(values, data, output, name)


def shape_of(values: Values, op: Operator) -> None:
    """SHAPE: known at conversion, but for what depends on the data."""
    shape = values.shape(op.inputs[0])
    dtype = values.tensor(op.outputs[0]).dtype
    if min(shape, default=0) >= 0:
        values.put_stored(op.outputs[0], values.emit.constant(list(shape), dtype))
        return
    name = values.emit.node("Shape", [values.stored(op.inputs[0])])
    values.put_stored(op.outputs[0], values.emit.node("Cast", [name], to=onnx_type(dtype)))


def rank_of(values: Values, op: Operator) -> None:
    """RANK."""
    values.put_stored(op.outputs[0], values.emit.constant(len(values.shape(op.inputs[0])), "int32"))


def join(values: Values, op: Operator) -> None:
    """CONCATENATION; of stored integers where all parts have those of the result."""
    output = op.outputs[0]
    layout = meet(values, op.inputs)
    axis = axis_of(values, op.inputs[0], op.options["axis"], layout)
    if all(keeps_steps(values, index, output) for index in op.inputs):
        names = [values.stored(index, layout) for index in op.inputs]
        finish_stored(values, op, values.emit.node("Concat", names, axis=axis), layout)
    else:
        names = [values.real(index, layout) for index in op.inputs]
        finish(values, op, values.emit.node("Concat", names, axis=axis), layout)


def pack(values: Values, op: Operator) -> None:
    """PACK: tensors stacked along a new axis."""
    output = op.outputs[0]
    rank = len(values.shape(op.inputs[0])) + 1
    axis = op.options["axis"]
    if not -rank <= axis < rank:
        raise DamageError(f"a PACK along axis {axis} of {rank}")
    where = values.emit.constant([axis % rank], "int64")
    stored = all(keeps_steps(values, index, output) for index in op.inputs)
    parts = [values.stored(index) if stored else values.real(index) for index in op.inputs]
    parts = [values.emit.node("Unsqueeze", [name, where]) for name in parts]
    name = values.emit.node("Concat", parts, axis=axis % rank) if len(parts) > 1 else parts[0]
    if stored:
        values.put_stored(output, name)
    else:
        values.put_real(output, name)


def _parts(values: Values, op: Operator, data: int, axis: int, sizes: list[int]) -> list[str]:
    if not 0 < len(sizes) <= MAX_PARTS or len(sizes) != len(op.outputs) or min(sizes) < 0:
        raise DamageError(f"a {op.kind} into {len(sizes)} parts with {len(op.outputs)} results")
    layout = values.layout(data)
    name = take(values, data, op.outputs[0], layout)
    if len(sizes) == 1:
        return [name]
    lengths = values.emit.constant(sizes, "int64")
    place = axis_of(values, data, axis, layout)
    return values.emit.node_many("Split", [name, lengths], len(sizes), axis=place)


def split(values: Values, op: Operator) -> None:
    """SPLIT into equal parts, and SPLIT_V into parts of given sizes."""
    if op.kind == "SPLIT":
        data, where = op.inputs[1], op.inputs[0]
    else:
        data, where = op.inputs[0], op.inputs[2]
    axis = (values.numbers(where, f"the axis of a {op.kind}") or [0])[0]
    length = values.shape(data)[axis_of(values, data, axis, "last")]
    if op.kind == "SPLIT":
        count = op.options["num_splits"]
        if count < 1 or length % count or count > MAX_PARTS:
            raise DamageError(f"a SPLIT of {length} into {count} parts")
        sizes = [length // count] * count
    else:
        sizes = values.numbers(op.inputs[1], "sizes of a SPLIT_V")
        sizes = [length - sum(size for size in sizes if size != -1) if size == -1 else size for size in sizes]
    layout = values.layout(data)
    for output, name in zip(op.outputs, _parts(values, op, data, axis, sizes), strict=True):
        keep(values, data, output, name, layout)


def unpack(values: Values, op: Operator) -> None:
    """UNPACK: a tensor taken apart along an axis, which is gone."""
    data = op.inputs[0]
    axis = axis_of(values, data, op.options["axis"], "last")
    values_shape = values.shape(data)
    if values_shape[axis] != len(op.outputs):
        raise DamageError(f"an UNPACK of {values_shape[axis]} into {len(op.outputs)}")
    layout = values.layout(data)
    parts = _parts(values, op, data, axis, [1] * len(op.outputs))
    place = place_of(axis, layout, len(values_shape))
    where = values.emit.constant([place], "int64")
    left = [one for one in PERMUTATION["first"] if one != axis] if layout == "first" else []
    for output, part in zip(op.outputs, parts, strict=True):
        name = values.emit.node("Squeeze", [part, where])
        if left != sorted(left):
            order = [left.index(one) for one in sorted(left)]
            name = values.emit.node("Transpose", [name], perm=order)
        keep(values, data, output, name)


def repeat(values: Values, op: Operator) -> None:
    """TILE."""
    data, output = op.inputs[0], op.outputs[0]
    layout = values.layout(data)
    times = values.numbers(op.inputs[1], "counts of a TILE")
    if len(times) != len(values.shape(data)) or min(times, default=0) < 0:
        raise DamageError(f"a TILE of a tensor of {len(values.shape(data))} dimensions by {times}")
    if layout == "first":
        times = [times[axis] for axis in PERMUTATION["first"]]
    name = values.emit.node("Tile", [take(values, data, output, layout), values.emit.constant(times, "int64")])
    keep(values, data, output, name, layout)


def broadcast(values: Values, op: Operator) -> None:
    """BROADCAST_TO, and FILL, whose sizes come before the value."""
    sizes, data = op.inputs[:2] if op.kind == "FILL" else op.inputs[1::-1]
    output = op.outputs[0]
    target = values.numbers(sizes, f"sizes of a {op.kind}")
    if min(target, default=0) < 0:
        raise DamageError(f"a {op.kind} to {target}")
    name = values.emit.node("Expand", [take(values, data, output), values.emit.constant(target, "int64")])
    keep(values, data, output, name)


def count_up(values: Values, op: Operator) -> None:
    """RANGE, of constants."""
    ends = [values.known(index) for index in op.inputs[:3]]
    if len(ends) != 3 or any(end is None or end.size != 1 for end in ends):
        raise LackError(["RANGE computed at run time"])
    start, limit, step = (end.reshape(-1)[0] for end in ends if end is not None)
    if not step or not abs(float(limit) - float(start)) / abs(float(step)) < 1 << 24:
        raise DamageError(f"a RANGE from {start} to {limit} by {step}")
    values.put_stored(op.outputs[0], values.emit.constant(np.arange(start, limit, step, dtype=start.dtype)))


CONVERTERS = MappingProxyType(
    {
        "RESHAPE": reshape,
        "SQUEEZE": squeeze,
        "EXPAND_DIMS": expand,
        "TRANSPOSE": transpose,
        "SHAPE": shape_of,
        "RANK": rank_of,
        "CONCATENATION": join,
        "PACK": pack,
        "UNPACK": unpack,
        "SPLIT": split,
        "SPLIT_V": split,
        "TILE": repeat,
        "BROADCAST_TO": broadcast,
        "FILL": broadcast,
        "RANGE": count_up,
    }
)
