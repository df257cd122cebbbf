"""How a step ends: its fused activation, and the rounding to the integers of its result."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from pixelwright.interop.tflite import schema
from pixelwright.interop.tflite.network import Operator, Tensor
from pixelwright.interop.tflite.values import Layout, Values

Bounds = tuple[float | None, float | None]

BOUNDS: Mapping[int, Bounds] = MappingProxyType(
    {
        schema.RELU: (0.0, None),
        schema.RELU_N1_TO_1: (-1.0, 1.0),
        schema.RELU6: (0.0, 6.0),
    }
)
OPEN: Bounds = (None, None)
NONNEGATIVE_STAYS = frozenset({"ADD", "MUL"})
MERGING = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED", "ADD", "SUB", "MUL"})


def clip(values: Values, name: str, bounds: Bounds) -> str:
    """A value held within bounds."""
    low, high = bounds
    if low is None and high is None:
        return name
    dtype = values.emit.dtype(name)
    if (low, high) == (0.0, None) and dtype.startswith("float"):
        return values.emit.node("Relu", [name])
    sides = [values.emit.constant(np.array(side), dtype) if side is not None else "" for side in bounds]
    return values.emit.node("Clip", [name, *sides])


def finish(values: Values, op: Operator, name: str, layout: Layout = "last") -> None:
    """Keep the real result of a step after its fused activation.

    Where integers are kept, their range mostly does the work of the activation; where it does not, the integers are
    clipped, not the real numbers before them: runtimes merge a convolution only with the rounding right after it.
    """
    output = op.outputs[0]
    tensor, activation = values.tensor(output), op.options.get("activation", schema.NONE)
    if activation == schema.TANH:
        name = values.emit.node("Tanh", [name])
    elif activation == schema.SIGN_BIT:
        name = values.emit.node("Sign", [name])
    bounds = BOUNDS.get(activation, OPEN)
    if not tensor.quantized:
        values.put_real(output, clip(values, name, bounds), layout)
    elif values.dequantize:
        if activation in BOUNDS or activation == schema.NONE:
            bounds = _narrower(bounds, implied_bounds(values, op))
        values.put_real(output, clip(values, name, bounds), layout)
    else:
        stored = values.quantize(name, tensor)
        values.put_stored(output, _clip_stored(values, stored, tensor, bounds), layout)


def finish_stored(values: Values, op: Operator, name: str, layout: Layout = "last") -> None:
    """Keep a result that has the stored form, after its fused activation."""
    output = op.outputs[0]
    tensor, bounds = values.tensor(output), BOUNDS.get(op.options.get("activation", schema.NONE), OPEN)
    if tensor.quantized and not values.dequantize:
        name = _clip_stored(values, name, tensor, bounds)
    else:
        name = clip(values, name, bounds)
    values.put_stored(output, name, layout)


def _clip_stored(values: Values, name: str, tensor: Tensor, bounds: Bounds) -> str:
    if tensor.quantization is None or not tensor.quantization.per_tensor or bounds == OPEN:
        return name
    scale, zero = float(tensor.quantization.scale[0]), int(tensor.quantization.zero_point[0])
    info = np.iinfo(tensor.dtype)
    steps = [None if bound is None or not scale else zero + round(bound / scale) for bound in bounds]
    low, high = (side if step is None else step for step, side in zip(steps, (info.min, info.max), strict=True))
    if low <= info.min and high >= info.max - 1:  # one step at the top is less than a runtime's own rounding
        return name
    sides = [values.emit.constant(np.clip(side, info.min, info.max), tensor.dtype) for side in (low, high)]
    return values.emit.node("Clip", [name, *sides])


def _narrower(one: Bounds, other: Bounds) -> Bounds:
    low, high = ([bound for bound in pair if bound is not None] for pair in zip(one, other, strict=True))
    return max(low, default=None), min(high, default=None)


def implied_bounds(values: Values, op: Operator) -> Bounds:
    """The bounds that a result's integers put on it, where these look like an activation that was merged into them."""
    tensor = values.tensor(op.outputs[0])
    if op.kind not in MERGING or tensor.quantization is None or not tensor.quantization.per_tensor:
        return OPEN
    if op.kind in NONNEGATIVE_STAYS and all(_nonnegative(values.tensor(index)) for index in op.inputs):
        return OPEN
    if not _nonnegative(tensor):
        return OPEN
    info = np.iinfo(tensor.dtype)
    return 0.0, float(tensor.quantization.scale[0]) * (info.max - info.min)


def _nonnegative(tensor: Tensor) -> bool:
    found = tensor.quantization
    return (
        found is not None
        and tensor.quantized
        and found.per_tensor
        and int(found.zero_point[0]) == np.iinfo(tensor.dtype).min
    )
