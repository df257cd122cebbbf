"""Pooling and what is computed from neighboring channels."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from pixelwright.interop.tflite.faults import DamageError
from pixelwright.interop.tflite.network import Operator
from pixelwright.interop.tflite.ops.convolution import window
from pixelwright.interop.tflite.ops.finish import finish, finish_stored
from pixelwright.interop.tflite.ops.places import channel_axis, keeps_steps
from pixelwright.interop.tflite.values import Values

SMALLEST_NORM = 1e-6  # TensorFlow Lite divides by no less


def _window(values: Values, op: Operator) -> dict[str, Any]:
    shape = values.shape(op.inputs[0])
    if len(shape) != 4:
        raise DamageError(f"a {op.kind} of a tensor of {len(shape)} dimensions")
    kernel = (op.options["filter_h"], op.options["filter_w"])
    attributes = window(op, (shape[1], shape[2]), kernel)
    del attributes["dilations"]
    return {**attributes, "kernel_shape": kernel}


def _average(values: Values, op: Operator, image: str) -> str:
    attributes = _window(values, op)
    if tuple(values.emit.shape(image)[2:]) == attributes["kernel_shape"] and not any(attributes["pads"]):
        return values.emit.node("GlobalAveragePool", [image])
    return values.emit.node("AveragePool", [image], **attributes)


def average(values: Values, op: Operator) -> None:
    """AVERAGE_POOL_2D; what lies outside the image does not count."""
    finish(values, op, _average(values, op, values.real(op.inputs[0], "first")), "first")


def maximum(values: Values, op: Operator) -> None:
    """MAX_POOL_2D, of the stored integers where the result has the same."""
    attributes = _window(values, op)
    data, output = op.inputs[0], op.outputs[0]
    if keeps_steps(values, data, output) and values.tensor(data).dtype in ("float32", "uint8", "int8"):
        finish_stored(values, op, values.emit.node("MaxPool", [values.stored(data, "first")], **attributes), "first")
    else:
        finish(values, op, values.emit.node("MaxPool", [values.real(data, "first")], **attributes), "first")


def root_mean_square(values: Values, op: Operator) -> None:
    """L2_POOL_2D."""
    image = values.real(op.inputs[0], "first")
    mean = _average(values, op, values.emit.node("Mul", [image, image]))
    finish(values, op, values.emit.node("Sqrt", [mean]), "first")


def unit_length(values: Values, op: Operator) -> None:
    """L2_NORMALIZATION, along the channels."""
    layout = values.layout(op.inputs[0])
    data = values.real(op.inputs[0], layout)
    axes = values.emit.constant([channel_axis(values, op.inputs[0], layout)], "int64")
    norm = values.emit.node("ReduceL2", [data, axes], keepdims=1)
    norm = values.emit.node("Max", [norm, values.emit.constant(SMALLEST_NORM, "float32")])
    finish(values, op, values.emit.node("Div", [data, norm]), layout)


def respond(values: Values, op: Operator) -> None:
    """LOCAL_RESPONSE_NORMALIZATION; ONNX divides alpha by the number of channels it looks at."""
    size = 2 * op.options["radius"] + 1
    if size < 1:
        raise DamageError(f"a {op.kind} has the radius {op.options['radius']}")
    image = values.real(op.inputs[0], "first")
    attributes = {"alpha": op.options["alpha"] * size, "beta": op.options["beta"], "bias": op.options["bias"]}
    finish(values, op, values.emit.node("LRN", [image], size=size, **attributes), "first")


CONVERTERS = MappingProxyType(
    {
        "AVERAGE_POOL_2D": average,
        "MAX_POOL_2D": maximum,
        "L2_POOL_2D": root_mean_square,
        "L2_NORMALIZATION": unit_length,
        "LOCAL_RESPONSE_NORMALIZATION": respond,
    }
)
