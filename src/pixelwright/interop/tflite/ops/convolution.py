"""Convolutions and fully connected layers."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwright.interop.tflite import schema
from pixelwright.interop.tflite.faults import DamageError, LackError
from pixelwright.interop.tflite.network import Operator
from pixelwright.interop.tflite.ops.finish import finish
from pixelwright.interop.tflite.values import Values, real_values

Pads = tuple[int, int, int, int]  # top, left, bottom, right
MERGED_PADS = "pads"  # option a rewrite adds: what a step before the convolution padded with zeros


def same_pads(size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """What padding SAME adds before and after an axis: as little as keeps every stride, the odd one after."""
    span = (kernel - 1) * dilation + 1
    total = max((-(-size // stride) - 1) * stride + span - size, 0)
    return total // 2, total - total // 2


def window(op: Operator, size_hw: tuple[int, int], kernel_hw: tuple[int, int]) -> dict[str, Any]:
    """Strides, dilations and pads of a sliding window as ONNX attributes."""
    strides = (op.options["stride_h"], op.options["stride_w"])
    dilations = (op.options.get("dilation_h", 1), op.options.get("dilation_w", 1))
    if min(*strides, *dilations, *kernel_hw) < 1:
        raise DamageError(f"a {op.kind} has strides {strides}, dilations {dilations} and a window of {kernel_hw}")
    top, left, bottom, right = op.options.get(MERGED_PADS, (0, 0, 0, 0))
    pads = [top, left, bottom, right]
    if op.options["padding"] == schema.SAME:
        sizes = (size_hw[0] + top + bottom, size_hw[1] + left + right)
        if min(sizes) < 1:
            raise LackError([f"{op.kind} with padding SAME on an image whose size is known only at run time"])
        for axis in range(2):
            before, after = same_pads(sizes[axis], kernel_hw[axis], strides[axis], dilations[axis])
            pads[axis] += before
            pads[axis + 2] += after
    return {"strides": strides, "dilations": dilations, "pads": pads}


def _weights(values: Values, op: Operator) -> NDArray[Any]:
    found = values.known(op.inputs[1]) if op.has(1) else None
    if found is None:
        raise LackError([f"{op.kind} whose weights are computed at run time"])
    if found.ndim != (2 if op.kind == "FULLY_CONNECTED" else 4) or not found.size:
        raise DamageError(f"the weights of a {op.kind} have the shape {found.shape}")
    return found


def _kernel(values: Values, op: Operator, permutation: tuple[int, ...]) -> str:
    """The weights as a constant with its axes in another order, dequantized in the graph if its input is integers."""
    index = op.inputs[1]
    tensor, stored = values.tensor(index), _weights(values, op)
    if not tensor.quantized or tensor.quantization is None:
        return values.emit.constant(stored.transpose(permutation), "float32")
    quantization = tensor.quantization
    if not (values.tensor(op.inputs[0]).quantized and not values.dequantize):
        if not values.tensor(op.inputs[0]).quantized:
            values.note(f"{tensor.dtype} weights of layers that compute in float32 were widened to float32")
        return values.emit.constant(real_values(stored, quantization, quantization.axis).transpose(permutation))
    name = values.emit.constant(stored.transpose(permutation))
    shape = () if quantization.per_tensor else quantization.scale.shape
    scale = values.emit.constant(quantization.scale.reshape(shape), "float32")
    # ONNX Runtime 1.31 cannot make weights unsigned (session.x64quantprecision) where two share their zero point.
    zero = values.emit.constant(quantization.zero_point.reshape(shape), tensor.dtype, shared=False)
    axis = {} if quantization.per_tensor else {"axis": permutation.index(quantization.axis)}
    return values.emit.node("DequantizeLinear", [name, scale, zero], **axis)


def _bias(values: Values, op: Operator) -> list[str]:
    """The bias as it is added; integers have the product of the scales of input and weights."""
    if not op.has(2):
        return []
    index = op.inputs[2]
    data, weights = (values.tensor(place).quantization for place in op.inputs[:2])
    stored = values.known(index)
    if stored is None or values.tensor(index).dtype not in ("int32", "int64") or data is None or weights is None:
        return [values.real(index)]
    stored, scale = stored.reshape(-1), (data.scale * weights.scale).astype(np.float32)
    if scale.size not in (1, stored.size):
        raise DamageError(f"a {op.kind} has {scale.size} scales and {stored.size} biases")
    if values.dequantize or values.tensor(index).dtype == "int64":  # ONNX has no 64-bit quantized numbers
        return [values.emit.constant(stored * scale.astype(np.float64), "float32")]
    name = values.emit.constant(stored, "int32")
    axis = {} if scale.size == 1 else {"axis": 0}
    return [values.emit.node("DequantizeLinear", [name, values.emit.constant(scale if axis else scale[0])], **axis)]


def _image(values: Values, op: Operator, place: int = 0) -> str:
    name = values.real(op.inputs[place], "first")
    if len(values.emit.shape(name)) != 4:
        raise DamageError(f"a {op.kind} of a tensor of {len(values.emit.shape(name))} dimensions")
    return name


def convolve(values: Values, op: Operator) -> None:
    """CONV_2D and DEPTHWISE_CONV_2D."""
    image, weights = _image(values, op), _weights(values, op)
    _, channels, height, width = values.emit.shape(image)
    if op.kind == "CONV_2D":
        permutation, groups = (0, 3, 1, 2), channels // max(weights.shape[3], 1)
    else:
        permutation, groups = (3, 0, 1, 2), channels
    attributes = window(op, (height, width), (weights.shape[1], weights.shape[2]))
    inputs = [image, _kernel(values, op, permutation), *_bias(values, op)]
    finish(values, op, values.emit.node("Conv", inputs, group=max(groups, 1), **attributes), "first")


def convolve_transposed(values: Values, op: Operator) -> None:
    """TRANSPOSE_CONV: its inputs are the size of the result, the weights, and the image."""
    size = values.numbers(op.inputs[0], "sizes of a TRANSPOSE_CONV")
    swapped = Operator(op.kind, (op.inputs[2], op.inputs[1], *op.inputs[3:]), op.outputs, op.options)
    image, weights = _image(values, swapped), _weights(values, swapped)
    if len(size) != 4 or min(size) < 1:
        raise DamageError(f"a TRANSPOSE_CONV to the size {size}")
    strides = (op.options["stride_h"], op.options["stride_w"])
    if min(strides) < 1:
        raise DamageError(f"a TRANSPOSE_CONV has strides {strides}")
    begin, end, more = [0, 0], [0, 0], [0, 0]
    for axis in range(2):
        full = (values.emit.shape(image)[2 + axis] - 1) * strides[axis] + weights.shape[1 + axis]
        spare = full - size[1 + axis]
        begin[axis] = max(spare, 0) // 2 if op.options["padding"] == schema.SAME else 0
        end[axis] = max(spare, 0) - begin[axis]
        more[axis] = max(-spare, 0)
    inputs = [image, _kernel(values, swapped, (3, 0, 1, 2)), *_bias(values, swapped)]
    result = values.emit.node("ConvTranspose", inputs, strides=strides, pads=begin + end, output_padding=more)
    finish(values, op, result, "first")


def connect(values: Values, op: Operator) -> None:
    """FULLY_CONNECTED."""
    if op.options["weights_format"]:
        raise LackError(["FULLY_CONNECTED with shuffled weights"])
    outputs, inner = _weights(values, op).shape
    data = values.real(op.inputs[0])
    shape = values.emit.shape(data)
    rows = data if len(shape) == 2 and shape[1] == inner else values.reshape(data, [-1, inner])
    result = values.emit.node("Gemm", [rows, _kernel(values, op, (1, 0)), *_bias(values, op)])
    if op.options["keep_num_dims"] and len(shape) != 2:
        tensor = values.tensor(op.outputs[0])
        if tensor.quantized and not values.dequantize:  # rounded before the reshape, so that runtimes merge the layer
            stored = values.quantize(result, tensor)
            values.put_stored(op.outputs[0], values.reshape(stored, [*shape[:-1], outputs]))
            return
        result = values.reshape(result, [*shape[:-1], outputs])
    finish(values, op, result)


CONVERTERS = MappingProxyType(
    {
        "CONV_2D": convolve,
        "DEPTHWISE_CONV_2D": convolve,
        "TRANSPOSE_CONV": convolve_transposed,
        "FULLY_CONNECTED": connect,
    }
)
