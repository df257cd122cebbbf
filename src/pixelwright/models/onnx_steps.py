"""The operators of convolutional ONNX graphs as torch functions, so that such a graph can be trained further.

Source: https://onnx.ai/onnx/operators/, opset 13 to 21. Only what differs from torch is commented.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from pixelwright.errors import UnsupportedModel

Attributes = Mapping[str, Any]
Step = Callable[[Sequence[Any], Attributes], Tensor]


def _padded(values: Tensor, attributes: Attributes, kernel: Sequence[int], fill: float) -> Tensor:
    """Padding apart from the operator, since ONNX pads each side as it likes and torch both sides alike."""
    pads = list(attributes.get("pads", [0, 0, 0, 0]))
    strides = attributes.get("strides", [1, 1])
    mode = attributes.get("auto_pad", b"NOTSET").decode()
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        dilations = attributes.get("dilations", [1, 1])
        for axis in (0, 1):
            size, reach = values.shape[2 + axis], (kernel[axis] - 1) * dilations[axis] + 1
            total = max((-(-size // strides[axis]) - 1) * strides[axis] + reach - size, 0)
            less = total // 2
            pads[axis], pads[2 + axis] = (less, total - less) if mode == "SAME_UPPER" else (total - less, less)
    top, left, bottom, right = pads
    return functional.pad(values, (left, right, top, bottom), value=fill) if any(pads) else values


def _conv(inputs: Sequence[Any], attributes: Attributes) -> Tensor:
    values, weight = inputs[:2]
    bias = inputs[2] if len(inputs) > 2 else None
    return functional.conv2d(
        _padded(values, attributes, weight.shape[2:], 0.0),
        weight,
        bias,
        stride=tuple(attributes.get("strides", (1, 1))),
        dilation=tuple(attributes.get("dilations", (1, 1))),
        groups=attributes.get("group", 1),
    )


def _gemm(inputs: Sequence[Any], attributes: Attributes) -> Tensor:
    left = inputs[0].T if attributes.get("transA") else inputs[0]
    right = inputs[1].T if attributes.get("transB") else inputs[1]
    product = attributes.get("alpha", 1.0) * (left @ right)
    return product + attributes.get("beta", 1.0) * inputs[2] if len(inputs) > 2 else product


def _max_pool(inputs: Sequence[Any], attributes: Attributes) -> Tensor:
    kernel = attributes["kernel_shape"]
    return functional.max_pool2d(
        _padded(inputs[0], attributes, kernel, -torch.inf),
        tuple(kernel),
        tuple(attributes.get("strides", (1, 1))),
        dilation=tuple(attributes.get("dilations", (1, 1))),
        ceil_mode=bool(attributes.get("ceil_mode", 0)),
    )


def _average_pool(inputs: Sequence[Any], attributes: Attributes) -> Tensor:
    kernel, strides = tuple(attributes["kernel_shape"]), tuple(attributes.get("strides", (1, 1)))
    padded = _padded(inputs[0], attributes, kernel, 0.0)
    mean = functional.avg_pool2d(padded, kernel, strides, ceil_mode=bool(attributes.get("ceil_mode", 0)))
    if padded is inputs[0] or attributes.get("count_include_pad"):
        return mean
    counted = functional.avg_pool2d(
        _padded(torch.ones_like(inputs[0][:1, :1]), attributes, kernel, 0.0), kernel, strides
    )
    return mean / counted


def _norm(inputs: Sequence[Any], attributes: Attributes) -> Tensor:
    values, scale, bias, mean, variance = inputs
    # With the statistics that the network came with, also in training: batches of a few pictures would ruin them.
    return functional.batch_norm(values, mean, variance, scale, bias, eps=attributes.get("epsilon", 1e-5))


def _reshape(inputs: Sequence[Any], attributes: Attributes) -> Tensor:
    del attributes
    values, shape = inputs
    wanted = [values.shape[axis] if size == 0 else size for axis, size in enumerate(shape)]
    if wanted and wanted[0] == 1 and len(values) != 1:  # written for one picture, and there are more
        wanted[0] = len(values)
    return values.reshape(wanted)


def _squeeze(inputs: Sequence[Any], attributes: Attributes) -> Tensor:
    axes = _axes(inputs, attributes)
    if axes is None:
        axes = [axis for axis in range(1, inputs[0].ndim) if inputs[0].shape[axis] == 1]  # never the batch
    return torch.squeeze(inputs[0], tuple(axes))


def _unsqueeze(inputs: Sequence[Any], attributes: Attributes) -> Tensor:
    values = inputs[0]
    axes = _axes(inputs, attributes) or []
    for axis in sorted(axis % (values.ndim + len(axes)) for axis in axes):
        values = values.unsqueeze(axis)
    return values


def _mean(inputs: Sequence[Any], attributes: Attributes) -> Tensor:
    axes = _axes(inputs, attributes)
    keep = bool(attributes.get("keepdims", 1))
    return inputs[0].mean(dim=tuple(range(inputs[0].ndim)) if axes is None else tuple(axes), keepdim=keep)


def _gather(inputs: Sequence[Any], attributes: Attributes) -> Tensor:
    values, places = inputs
    axis = attributes.get("axis", 0)
    if isinstance(places, int):
        return values.select(axis, places)
    if any(isinstance(place, list) for place in places):
        raise UnsupportedModel("Gather by places of several dimensions cannot be trained. Choose another network.")
    return values.index_select(axis, torch.tensor(places, device=values.device))


def _axes(inputs: Sequence[Any], attributes: Attributes) -> list[int] | None:
    """Axes, which were an attribute in earlier opsets and are an input in later ones."""
    if len(inputs) > 1:
        return list(inputs[1])
    return list(attributes["axes"]) if "axes" in attributes else None


def _clip(inputs: Sequence[Any], attributes: Attributes) -> Tensor:
    low, high = ([*inputs[1:], None, None])[:2]
    low = attributes.get("min") if low is None else low
    high = attributes.get("max") if high is None else high
    return inputs[0] if low is None and high is None else torch.clamp(inputs[0], low, high)


def _pad(inputs: Sequence[Any], attributes: Attributes) -> Tensor:
    if attributes.get("mode", b"constant") != b"constant" or len(inputs) > 3:
        raise UnsupportedModel("Pad in another mode than constant over all axes cannot be trained. Choose another.")
    pads = inputs[1]
    rank = len(pads) // 2
    pairs = [side for axis in reversed(range(rank)) for side in (pads[axis], pads[rank + axis])]
    return functional.pad(inputs[0], pairs, value=float(inputs[2]) if len(inputs) > 2 else 0.0)


def _flatten(inputs: Sequence[Any], attributes: Attributes) -> Tensor:
    axis = attributes.get("axis", 1)
    return inputs[0].reshape(*inputs[0].shape[:axis], -1) if axis == 1 else inputs[0].flatten(0, axis - 1).flatten(1)


def _resize(inputs: Sequence[Any], attributes: Attributes) -> Tensor:
    mode = attributes.get("mode", b"nearest").decode()
    where = attributes.get("coordinate_transformation_mode", b"half_pixel").decode()
    if (mode, where) not in RESIZES or len(inputs) < 3 or inputs[2] is None:
        raise UnsupportedModel(f"Resize {mode} with {where} coordinates cannot be trained. Choose another network.")
    factors = tuple(float(factor) for factor in inputs[2][2:])
    if mode == "nearest":
        return functional.interpolate(inputs[0], scale_factor=factors, mode="nearest")
    return functional.interpolate(inputs[0], scale_factor=factors, mode="bilinear", align_corners=False)


RESIZES = frozenset({("nearest", "asymmetric"), ("linear", "half_pixel"), ("linear", "pytorch_half_pixel")})

# Operators whose inputs after the first say how, as the attributes of others do: plain numbers and lists.
TOLD = frozenset({"Gather", "Pad", "ReduceMean", "Reshape", "Resize", "Squeeze", "Unsqueeze"})

STEPS: Mapping[str, Step] = MappingProxyType(
    {
        "Add": lambda inputs, _: inputs[0] + inputs[1],
        "AveragePool": _average_pool,
        "BatchNormalization": _norm,
        "Clip": _clip,
        "Concat": lambda inputs, attributes: torch.cat(list(inputs), dim=attributes["axis"]),
        "Conv": _conv,
        "Div": lambda inputs, _: inputs[0] / inputs[1],
        "Dropout": lambda inputs, _: inputs[0],
        "Elu": lambda inputs, attributes: functional.elu(inputs[0], attributes.get("alpha", 1.0)),
        "Flatten": _flatten,
        "Gather": _gather,
        "Gemm": _gemm,
        "GlobalAveragePool": lambda inputs, _: inputs[0].mean(dim=(2, 3), keepdim=True),
        "HardSigmoid": lambda inputs, attributes: torch.clamp(
            inputs[0] * attributes.get("alpha", 0.2) + attributes.get("beta", 0.5), 0, 1
        ),
        "HardSwish": lambda inputs, _: functional.hardswish(inputs[0]),
        "Identity": lambda inputs, _: inputs[0],
        "LeakyRelu": lambda inputs, attributes: functional.leaky_relu(inputs[0], attributes.get("alpha", 0.01)),
        "MatMul": lambda inputs, _: inputs[0] @ inputs[1],
        "Max": lambda inputs, _: reduce(torch.maximum, inputs),
        "MaxPool": _max_pool,
        "Min": lambda inputs, _: reduce(torch.minimum, inputs),
        "Mul": lambda inputs, _: inputs[0] * inputs[1],
        "PRelu": lambda inputs, _: torch.where(inputs[0] > 0, inputs[0], inputs[0] * inputs[1]),
        "Pad": _pad,
        "ReduceMean": _mean,
        "Relu": lambda inputs, _: functional.relu(inputs[0]),
        "Reshape": _reshape,
        "Resize": _resize,
        "Sigmoid": lambda inputs, _: torch.sigmoid(inputs[0]),
        "Softmax": lambda inputs, attributes: torch.softmax(inputs[0], attributes.get("axis", -1)),
        "Squeeze": _squeeze,
        "Sub": lambda inputs, _: inputs[0] - inputs[1],
        "Tanh": lambda inputs, _: torch.tanh(inputs[0]),
        "Transpose": lambda inputs, attributes: inputs[0].permute(*attributes["perm"]),
        "Unsqueeze": _unsqueeze,
    }
)
