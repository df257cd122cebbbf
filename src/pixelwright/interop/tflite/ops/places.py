"""Where axes and tensors stand: axes in either layout, tensors of different rank against each other."""

from __future__ import annotations

from collections.abc import Sequence

from pixelwright.interop.tflite.faults import DamageError
from pixelwright.interop.tflite.values import PERMUTATION, Layout, Values


def axis_of(values: Values, index: int, axis: int, layout: Layout) -> int:
    """Where an axis of a tensor, counted in the file's order, stands in a layout.

    Raises:
        DamageError: The tensor has no such axis.
    """
    rank = len(values.shape(index))
    if not -rank <= axis < rank:
        raise DamageError(f"axis {axis} of a tensor of {rank} dimensions")
    return place_of(axis % rank, layout, rank)


def place_of(axis: int, layout: Layout, rank: int) -> int:
    """The same for an axis that is known to exist and counted from the front."""
    return PERMUTATION["first"].index(axis) if layout == "first" and rank == 4 else axis


def channel_axis(values: Values, index: int, layout: Layout) -> int:
    """Where the last axis of a tensor stands in a layout."""
    return axis_of(values, index, -1, layout)


def keeps_steps(values: Values, index: int, output: int) -> bool:
    """Whether two tensors mean the same by the same stored value, so that values can be moved unseen."""
    before, after = values.tensor(index), values.tensor(output)
    if not before.quantized or not after.quantized:
        return not before.quantized and not after.quantized
    return (
        before.dtype == after.dtype and before.quantization is not None and before.quantization.same(after.quantization)
    )


def take(values: Values, index: int, output: int, layout: Layout = "last") -> str:
    """A value to be moved into another tensor: stored where both store alike, else real."""
    return values.stored(index, layout) if keeps_steps(values, index, output) else values.real(index, layout)


def keep(values: Values, index: int, output: int, name: str, layout: Layout = "last") -> None:
    """Keep what was made of a value of `take`."""
    if keeps_steps(values, index, output):
        values.put_stored(output, name, layout)
    else:
        values.put_real(output, name, layout)


def meet(values: Values, indices: Sequence[int]) -> Layout:
    """The layout in which tensors meet at the least cost: that of the images among them.

    A smaller tensor that is computed stays as it is; with it they meet channels last, where ranks align by themselves.
    """
    computed = [index for index in indices if values.known(index) is None]
    shapes = [values.shape(index) for index in computed]
    if any(len(shape) != 4 and shape and any(size != 1 for size in shape) for shape in shapes):
        return "last"
    if any(len(values.shape(index)) > 4 for index in indices):
        return "last"
    first = any(values.layout(index) == "first" for index in computed)
    return "first" if first else "last"


def aligned(values: Values, index: int, layout: Layout, *, real: bool = True) -> str:
    """A tensor as an operand: one of lower rank gets the axes it lacks where channels do not stand last."""
    shape = values.shape(index)
    if layout == "last" or len(shape) == 4 or all(size == 1 for size in shape):
        return values.real(index, layout) if real else values.stored(index, layout)
    tensor = values.tensor(index)
    wide = values.emit.node(
        "Reshape", [values.stored(index), values.emit.constant([1] * (4 - len(shape)) + list(shape), "int64")]
    )
    turned = values.emit.node("Transpose", [wide], perm=list(PERMUTATION[layout]))
    if not real or not tensor.quantized or values.dequantize:
        return turned
    if tensor.quantization is not None and not tensor.quantization.per_tensor:
        raise DamageError(f"tensor {tensor.name[:60]!r} is an operand with a scale per channel")
    return values.dequantized(turned, tensor)
