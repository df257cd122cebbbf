"""Steps between integers and real numbers, and other dtypes."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np

from pixelwright.interop.tflite.emitter import onnx_type
from pixelwright.interop.tflite.faults import DamageError, LackError
from pixelwright.interop.tflite.network import Operator
from pixelwright.interop.tflite.values import Values


def requantize(values: Values, op: Operator) -> None:
    """QUANTIZE: real numbers, or integers of another scale."""
    data = op.inputs[0]
    layout = values.layout(data)
    values.put_real(op.outputs[0], values.real(data, layout), layout)


def widen(values: Values, op: Operator) -> None:
    """DEQUANTIZE: integers, or float16 that a file stores its weights in."""
    data, output = op.inputs[0], op.outputs[0]
    layout, tensor = values.layout(data), values.tensor(data)
    if tensor.dtype != "float16":
        values.put_stored(output, values.real(data, layout), layout)
        return
    values.note("float16 weights were widened to float32")
    known = values.known(data)
    if known is None:
        name = values.emit.node("Cast", [values.stored(data, layout)], to=onnx_type("float32"))
        values.put_stored(output, name, layout)
    else:
        values.put_stored(output, values.emit.constant(known, "float32"))


def cast(values: Values, op: Operator) -> None:
    """CAST, which looks at the stored integers."""
    data, output = op.inputs[0], op.outputs[0]
    layout, dtype = values.layout(data), values.tensor(output).dtype
    name = values.integers(data, layout)
    if values.emit.dtype(name) != dtype:
        name = values.emit.node("Cast", [name], to=onnx_type(dtype))
    if values.dequantize and values.tensor(output).quantized:
        name = values.dequantized(name, values.tensor(output), layout)
    values.put_stored(output, name, layout)


def imitate(values: Values, op: Operator) -> None:
    """FAKE_QUANT: real numbers rounded as integers of a few bits would be."""
    options, layout = op.options, values.layout(op.inputs[0])
    bits, low, high = options["bits"], options["min"], options["max"]
    if bits != 8:
        raise LackError([f"FAKE_QUANT of {bits} bits"])
    bottom, top = int(options["narrow_range"]), 255
    if not low <= 0 <= high or high - low < 1e-30:
        raise DamageError(f"a FAKE_QUANT of the range {low} to {high}")
    scale = (high - low) / (top - bottom)
    zero = int(np.clip(round(bottom - low / scale), bottom, top))
    scale_name, zero_name = values.emit.constant(scale, "float32"), values.emit.constant(zero, "uint8")
    name = values.real(op.inputs[0], layout)
    name = values.emit.node("QuantizeLinear", [name, scale_name, zero_name])
    if bottom:
        name = values.emit.node("Max", [name, values.emit.constant(bottom, "uint8")])
    values.put_real(op.outputs[0], values.emit.node("DequantizeLinear", [name, scale_name, zero_name]), layout)


CONVERTERS = MappingProxyType({"QUANTIZE": requantize, "DEQUANTIZE": widen, "CAST": cast, "FAKE_QUANT": imitate})
