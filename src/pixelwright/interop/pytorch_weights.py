"""Weights in 16 or 8 bits: rounded in the network itself, so that what is measured and what is stored are the same.

`round_weights` changes the numbers that the network computes with, and whoever calls it measures what that does. `pack`
then stores in fewer bits what loses nothing by it, to the last bit; the runtime makes float32 of it when it opens the
file, so that nothing is slower.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

Rounding = Literal["f16", "int8"]

LEAST_VALUES = 64  # smaller tensors would save less than the nodes that restore them take
MOST_HALF = float(np.finfo(np.float16).max)
STEPS = 127  # of 8 bits, on each side of zero

Floats = npt.NDArray[np.float32]


@torch.no_grad()
def round_weights(net: nn.Module, rounding: Rounding) -> None:
    """Rounds, in place, all parameters with two or more axes; biases, normalization and other scales stay as they are.

    Args:
        net: In float32. What it names `undecayed` are scales, whatever axes they have.
        rounding: `f16` to 11 significant bits; tensors with values beyond 65504 are left alone. `int8` to 127 steps
            on each side of zero, a scale for each output channel: convolutions and dense layers have these as their
            first axis, transposed convolutions as their second.
    """
    scales = frozenset(getattr(net, "undecayed", ()))
    turned = {id(part.weight) for part in net.modules() if getattr(part, "transposed", False)}
    for name, parameter in net.named_parameters():
        small = parameter.ndim < 2 or parameter.numel() < LEAST_VALUES
        if small or name in scales or parameter.dtype != torch.float32:
            continue
        axis = 1 if id(parameter) in turned else 0
        parameter.copy_(_half(parameter) if rounding == "f16" else _steps(parameter, axis))


def _half(values: Tensor) -> Tensor:
    return values.half().float() if values.abs().max() <= MOST_HALF else values


def _steps(values: Tensor, axis: int) -> Tensor:
    array = values.detach().cpu().contiguous().numpy()
    numbers, scale = _quantized(array, axis)
    return torch.from_numpy(numbers.astype(np.float32) * scale)


def _quantized(array: Floats, axis: int) -> tuple[npt.NDArray[np.int8], Floats]:
    """Whole numbers -127..127 and the scale by which they are multiplied, one for each entry of an axis."""
    others = tuple(one for one in range(array.ndim) if one != axis)
    most = np.abs(array).max(axis=others, keepdims=True)
    scale = _shortened(np.where(most > 0, most / np.float32(STEPS), np.float32(1)).astype(np.float32))
    return np.rint(array / scale).astype(np.int8), scale


def _shortened(scale: Floats) -> Floats:
    """To 16 significant bits: its product with 127 is then exact, so that the scale can be found again from it."""
    return ((scale.view(np.uint32) + np.uint32(0x80)) & np.uint32(0xFFFFFF00)).view(np.float32)


def pack(model: onnx.ModelProto) -> int:
    """Stores, in place, float32 weights in 8 or 16 bits where that gives back the same numbers; how many it stored so.

    What restores them are a `Cast` and, for 8 bits, a `Mul`, which runtimes carry out once, on opening.
    """
    nodes: list[onnx.NodeProto] = []
    stored: list[TensorProto] = []
    packed = 0
    for tensor in model.graph.initializer:
        array = numpy_helper.to_array(tensor)
        worth = array.dtype == np.float32 and array.size >= LEAST_VALUES
        small = (_in_8_bits(tensor.name, array) or _in_16_bits(tensor.name, array)) if worth else None
        if small is None:
            stored.append(tensor)
            continue
        packed += 1
        nodes.extend(small[0])
        stored.extend(small[1])
    del model.graph.initializer[:]
    model.graph.initializer.extend(stored)
    rest = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*nodes, *rest])
    return packed


Stored = tuple[list[onnx.NodeProto], list[TensorProto]]


def _in_16_bits(name: str, array: Floats) -> Stored | None:
    with np.errstate(over="ignore"):
        half = array.astype(np.float16)
    if not np.array_equal(half.astype(np.float32), array):
        return None
    cast = helper.make_node("Cast", [f"{name}:f16"], [name], to=TensorProto.FLOAT)
    return [cast], [numpy_helper.from_array(half, f"{name}:f16")]


def _in_8_bits(name: str, array: Floats) -> Stored | None:
    """Exporters transpose dense layers and put axes before those of an LSTM: the scale may be along any axis."""
    if array.ndim < 2 or not np.isfinite(array).all():
        return None
    for axis in range(array.ndim):
        numbers, scale = _quantized(array, axis)
        if np.array_equal(numbers.astype(np.float32) * scale, array):
            break
    else:
        return None
    cast = helper.make_node("Cast", [f"{name}:i8"], [f"{name}:whole"], to=TensorProto.FLOAT)
    mul = helper.make_node("Mul", [f"{name}:whole", f"{name}:scale"], [name])
    return [cast, mul], [
        numpy_helper.from_array(numbers, f"{name}:i8"),
        numpy_helper.from_array(scale, f"{name}:scale"),
    ]
