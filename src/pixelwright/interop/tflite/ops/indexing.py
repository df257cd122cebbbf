"""Steps that pick parts of a tensor, or put something around it."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np

from pixelwright.interop.tflite.emitter import onnx_type
from pixelwright.interop.tflite.faults import DamageError, LackError
from pixelwright.interop.tflite.network import Operator
from pixelwright.interop.tflite.ops.places import axis_of, keep, place_of, take
from pixelwright.interop.tflite.values import Values

MAX_PAD = 1 << 16
FAR = np.iinfo(np.int64).max


def _slice(values: Values, op: Operator, picks: list[slice], gone: list[int]) -> None:
    """The picked parts of each axis; axes taken whole are not named, so that they may be of any size."""
    data, output = op.inputs[0], op.outputs[0]
    shape = values.shape(data)
    layout = "last" if gone else values.layout(data)
    name = take(values, data, output, layout)
    active = [axis for axis, pick in enumerate(picks) if pick.indices(shape[axis]) != (0, shape[axis], 1)]
    if active:
        starts = [picks[axis].start for axis in active]
        stops = [-FAR if picks[axis].stop is None else picks[axis].stop for axis in active]
        places = [place_of(axis, layout, len(shape)) for axis in active]
        steps = [picks[axis].step for axis in active]
        sides = [values.emit.constant(side, "int64") for side in (starts, stops, places, steps)]
        name = values.emit.node("Slice", [name, *sides])
    if gone:
        name = values.emit.node("Squeeze", [name, values.emit.constant(gone, "int64")])
    keep(values, data, output, name, layout)


def cut(values: Values, op: Operator) -> None:
    """SLICE; a size of -1 reaches to the end."""
    shape = values.shape(op.inputs[0])
    begin, size = (values.numbers(index, "the place of a SLICE") for index in op.inputs[1:3])
    if not len(begin) == len(size) == len(shape) or min(shape) < 0:
        raise DamageError(f"a SLICE of a tensor of shape {shape} from {begin}, {size} long")
    picks = []
    for start, length, whole in zip(begin, size, shape, strict=True):
        stop = whole if length == -1 else start + length
        if not 0 <= start <= stop <= whole:
            raise DamageError(f"a SLICE from {start} to {stop} of {whole}")
        picks.append(slice(start, stop, 1))
    _slice(values, op, picks, [])


def stride(values: Values, op: Operator) -> None:
    """STRIDED_SLICE, without new axes; an ellipsis stands for all axes that are not named."""
    options = op.options
    if options["new_axis_mask"] or options["offset"]:
        raise LackError(["STRIDED_SLICE with new axes or offsets"])
    shape = values.shape(op.inputs[0])
    begin, end, steps = (values.numbers(index, "the place of a STRIDED_SLICE") for index in op.inputs[1:4])
    if not len(begin) == len(end) == len(steps) <= len(shape) or 0 in steps or min(shape) < 0:
        raise DamageError(f"a STRIDED_SLICE of a tensor of shape {shape} from {begin} to {end} by {steps}")
    picks, gone = [], []
    for number, (start, stop, step) in enumerate(zip(begin, end, steps, strict=True)):
        bit, axis = 1 << number, len(picks)
        if options["ellipsis_mask"] & bit:
            picks += [slice(0, size, 1) for size in shape[axis : axis + len(shape) - len(begin) + 1]]
            continue
        if options["shrink_axis_mask"] & bit:
            place = start + shape[axis] if start < 0 else start
            if not 0 <= place < shape[axis]:
                raise DamageError(f"a STRIDED_SLICE takes number {start} of {shape[axis]}")
            picks.append(slice(place, place + 1, 1))
            gone.append(axis)
            continue
        first = None if options["begin_mask"] & bit else start
        last = None if options["end_mask"] & bit else stop
        start, stop, step = slice(first, last, step).indices(shape[axis])
        picks.append(slice(start, None if stop < 0 else stop, step))
    picks += [slice(0, size, 1) for size in shape[len(picks) :]]
    _slice(values, op, picks, gone)


def gather(values: Values, op: Operator) -> None:
    """GATHER along an axis, for each row of a batch where the file asks for it."""
    data, indices, output = op.inputs[0], op.inputs[1], op.outputs[0]
    axis, batch = axis_of(values, data, op.options["axis"], "last"), op.options["batch_dims"]
    name, places = take(values, data, output), values.stored(indices)
    if not batch:
        keep(values, data, output, values.emit.node("Gather", [name, places], axis=axis))
        return
    if axis != batch or not 0 < batch <= len(values.shape(indices)):
        raise LackError([f"GATHER along axis {axis} with {batch} batch axes"])
    deep = values.emit.node("Unsqueeze", [_long(values, places), values.emit.constant([-1], "int64")])
    keep(values, data, output, values.emit.node("GatherND", [name, deep], batch_dims=batch))


def gather_points(values: Values, op: Operator) -> None:
    """GATHER_ND."""
    data, output = op.inputs[0], op.outputs[0]
    places = _long(values, values.stored(op.inputs[1]))
    keep(values, data, output, values.emit.node("GatherND", [take(values, data, output), places]))


def scatter(values: Values, op: Operator) -> None:
    """SCATTER_ND: values added into zeros; its inputs are the places, the values and the size."""
    if len(op.inputs) < 3:
        raise DamageError("a SCATTER_ND without a size")
    places, updates, sizes = op.inputs[:3]
    added, target = values.real(updates), values.numbers(sizes, "sizes of a SCATTER_ND")
    zero = values.emit.constant(np.zeros(()), values.emit.dtype(added))
    empty = values.emit.node("Expand", [zero, values.emit.constant(target, "int64")])
    result = values.emit.node("ScatterND", [empty, _long(values, values.stored(places)), added], reduction="add")
    values.put_real(op.outputs[0], result)


def _long(values: Values, name: str) -> str:
    if values.emit.dtype(name) == "int64":
        return name
    return values.emit.node("Cast", [name], to=onnx_type("int64"))


def _pads(values: Values, op: Operator) -> list[tuple[int, int]]:
    flat = values.numbers(op.inputs[1], f"sizes of a {op.kind}")
    rank = len(values.shape(op.inputs[0]))
    if len(flat) != 2 * rank or any(not 0 <= size <= MAX_PAD for size in flat):
        raise DamageError(f"a {op.kind} of a tensor of {rank} dimensions by {flat[: 2 * rank]}")
    return list(zip(flat[::2], flat[1::2], strict=True))


def pad(values: Values, op: Operator) -> None:
    """PAD with zeros, and PADV2 with a given value."""
    data, output = op.inputs[0], op.outputs[0]
    layout, pads = values.layout(data), _pads(values, op)
    name, tensor = take(values, data, output, layout), values.tensor(output)
    dtype = values.emit.dtype(name)
    if op.has(2):
        fill = take(values, op.inputs[2], output)
        fill = values.emit.node("Reshape", [fill, values.emit.constant([], "int64")])
    else:
        stored = tensor.quantization is not None and tensor.quantized and not dtype.startswith("float")
        zero = tensor.quantization.zero_point[0] if stored and tensor.quantization is not None else 0
        fill = values.emit.constant(np.array(zero), dtype)
    active = [axis for axis, sizes in enumerate(pads) if any(sizes)]
    if active:
        sizes = values.emit.constant([pads[axis][side] for side in (0, 1) for axis in active], "int64")
        places = [place_of(axis, layout, len(pads)) for axis in active]
        name = values.emit.node("Pad", [name, sizes, fill, values.emit.constant(places, "int64")])
    keep(values, data, output, name, layout)


def mirror(values: Values, op: Operator) -> None:
    """MIRROR_PAD, by numbers: ONNX has no mirror that repeats the edge."""
    data, output = op.inputs[0], op.outputs[0]
    layout, shape = values.layout(data), values.shape(data)
    name, repeats_edge = take(values, data, output, layout), op.options["mode"]
    for axis, (before, after) in enumerate(_pads(values, op)):
        if not before and not after:
            continue
        if shape[axis] < 1 or max(before, after) > shape[axis] - (not repeats_edge):
            raise DamageError(f"a MIRROR_PAD of {shape[axis]} by {before} and {after}")
        mode = "symmetric" if repeats_edge else "reflect"
        numbers = values.emit.constant(np.pad(np.arange(shape[axis]), (before, after), mode=mode), "int64")
        name = values.emit.node("Gather", [name, numbers], axis=place_of(axis, layout, len(shape)))
    keep(values, data, output, name, layout)


def reverse(values: Values, op: Operator) -> None:
    """REVERSE_V2."""
    shape = values.shape(op.inputs[0])
    axes = [
        axis_of(values, op.inputs[0], axis, "last") for axis in values.numbers(op.inputs[1], "axes of a REVERSE_V2")
    ]
    picks = [slice(size - 1, None, -1) if axis in axes else slice(0, size, 1) for axis, size in enumerate(shape)]
    _slice(values, op, picks, [])


def one_hot(values: Values, op: Operator) -> None:
    """ONE_HOT."""
    if len(op.inputs) < 4:
        raise DamageError("a ONE_HOT without its values")
    indices, depth, on, off = (values.stored(index) for index in op.inputs[:4])
    row = values.emit.constant([1], "int64")
    pair = values.emit.node("Concat", [values.emit.node("Reshape", [side, row]) for side in (off, on)], axis=0)
    deep = values.emit.node("Reshape", [depth, row])
    values.put_stored(op.outputs[0], values.emit.node("OneHot", [indices, deep, pair], axis=op.options["axis"]))


def where(values: Values, op: Operator) -> None:
    """WHERE: the places that are true, one a row."""
    found = values.emit.node("NonZero", [values.stored(op.inputs[0])])
    values.put_stored(op.outputs[0], values.emit.node("Transpose", [found], perm=[1, 0]))


CONVERTERS = MappingProxyType(
    {
        "SLICE": cut,
        "STRIDED_SLICE": stride,
        "GATHER": gather,
        "GATHER_ND": gather_points,
        "SCATTER_ND": scatter,
        "PAD": pad,
        "PADV2": pad,
        "MIRROR_PAD": mirror,
        "REVERSE_V2": reverse,
        "ONE_HOT": one_hot,
        "WHERE": where,
    }
)
