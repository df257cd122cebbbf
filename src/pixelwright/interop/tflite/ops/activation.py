"""Activations that are steps of their own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import MappingProxyType
from typing import Any

from pixelwright.interop.tflite.faults import DamageError
from pixelwright.interop.tflite.network import Operator
from pixelwright.interop.tflite.ops.finish import Bounds, clip, finish
from pixelwright.interop.tflite.ops.places import aligned, channel_axis, meet
from pixelwright.interop.tflite.values import Values


def _apply(values: Values, op: Operator, kind: str, **attributes: Any) -> None:
    layout = values.layout(op.inputs[0])
    finish(values, op, values.emit.node(kind, [values.real(op.inputs[0], layout)], **attributes), layout)


def _node(kind: str, **attributes: Any) -> Callable[[Values, Operator], None]:
    return partial(_apply, kind=kind, **attributes)


def _bounded(values: Values, op: Operator, bounds: Bounds) -> None:
    layout = values.layout(op.inputs[0])
    finish(values, op, clip(values, values.real(op.inputs[0], layout), bounds), layout)


def leak(values: Values, op: Operator) -> None:
    """LEAKY_RELU."""
    _apply(values, op, "LeakyRelu", alpha=op.options["alpha"])


def gelu(values: Values, op: Operator) -> None:
    """GELU."""
    _apply(values, op, "Gelu", approximate="tanh" if op.options["approximate"] else "none")


def leak_per_channel(values: Values, op: Operator) -> None:
    """PRELU."""
    if len(op.inputs) < 2:
        raise DamageError("a PRELU without slopes")
    layout = meet(values, op.inputs[:2])
    data, slope = (aligned(values, index, layout) for index in op.inputs[:2])
    finish(values, op, values.emit.node("PRelu", [data, slope]), layout)


def normalize(values: Values, op: Operator) -> None:
    """SOFTMAX and LOG_SOFTMAX, along the last axis."""
    layout = values.layout(op.inputs[0])
    data = values.real(op.inputs[0], layout)
    beta = op.options.get("beta", 1.0)
    if beta != 1.0:
        data = values.emit.node("Mul", [data, values.emit.constant(beta, "float32")])
    kind = "Softmax" if op.kind == "SOFTMAX" else "LogSoftmax"
    axis = channel_axis(values, op.inputs[0], layout)
    finish(values, op, values.emit.node(kind, [data], axis=axis), layout)


CONVERTERS = MappingProxyType(
    {
        "RELU": partial(_bounded, bounds=(0.0, None)),
        "RELU6": partial(_bounded, bounds=(0.0, 6.0)),
        "RELU_N1_TO_1": partial(_bounded, bounds=(-1.0, 1.0)),
        "RELU_0_TO_1": partial(_bounded, bounds=(0.0, 1.0)),
        "LEAKY_RELU": leak,
        "PRELU": leak_per_channel,
        "ELU": _node("Elu", alpha=1.0),
        "GELU": gelu,
        "HARD_SWISH": _node("HardSwish"),
        "LOGISTIC": _node("Sigmoid"),
        "TANH": _node("Tanh"),
        "SOFTMAX": normalize,
        "LOG_SOFTMAX": normalize,
    }
)
