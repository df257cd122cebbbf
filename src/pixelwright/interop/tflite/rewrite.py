"""Networks rewritten before they are converted: less steps, and integers as runtimes want them.

Padding with zeros before a convolution, and blocks that stand for dilation, become its attributes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from pixelwright.interop.tflite import schema
from pixelwright.interop.tflite.network import Network, Operator, Tensor
from pixelwright.interop.tflite.ops.convolution import MERGED_PADS, Pads

CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")
WEIGHTED = frozenset({*CONVOLUTIONS, "TRANSPOSE_CONV", "FULLY_CONNECTED"})
SHIFT = 128


def needed(network: Network) -> Network:
    """The same network without the steps that none of its outputs needs."""
    wanted = set(network.outputs)
    kept: list[Operator] = []
    for op in reversed(network.operators):
        if wanted & set(op.outputs):
            kept.append(op)
            wanted.update(op.inputs)
    return replace(network, operators=kept[::-1])


def merge(network: Network) -> Network:
    """The same network with what can be merged into convolutions."""
    for rule in (_merge_blocks, _merge_pads):
        makers = {output: op for op in network.operators for output in op.outputs}
        operators = [rule(network, makers, op) or op for op in network.operators]
        network = needed(replace(network, operators=operators))
    return network


def _merge_blocks(network: Network, makers: dict[int, Operator], op: Operator) -> Operator | None:
    """SPACE_TO_BATCH_ND, convolution, BATCH_TO_SPACE_ND: how a dilated convolution was written once."""
    convolution = makers.get(op.inputs[0]) if op.kind == "BATCH_TO_SPACE_ND" and len(op.inputs) > 2 else None
    if convolution is None or convolution.kind not in CONVOLUTIONS or not _plain(convolution):
        return None
    spread = makers.get(convolution.inputs[0])
    if spread is None or spread.kind != "SPACE_TO_BATCH_ND" or len(spread.inputs) < 3:
        return None
    blocks = [_constant(network, step.inputs[1], 2) for step in (spread, op)]
    pads, crops = (_constant(network, step.inputs[2], 4) for step in (spread, op))
    if blocks[0] is None or blocks[0] != blocks[1] or pads is None or crops is None:
        return None
    top, bottom, left, right = (pad - crop for pad, crop in zip(pads, crops, strict=True))
    if min(*blocks[0], top + 1, bottom + 1, left + 1, right + 1) < 1 or not _alike(network, spread, op):
        return None
    options = {
        **convolution.options,
        "dilation_h": blocks[0][0],
        "dilation_w": blocks[0][1],
        MERGED_PADS: (top, left, bottom, right),
    }
    return Operator(convolution.kind, (spread.inputs[0], *convolution.inputs[1:]), op.outputs, options)


def _plain(op: Operator) -> bool:
    windows = ("stride_h", "stride_w", "dilation_h", "dilation_w")
    return op.options["padding"] == schema.VALID and all(op.options[name] == 1 for name in windows)


def _alike(network: Network, *steps: Operator) -> bool:
    """Whether each step leaves the stored values of its first input what they are."""
    for step in steps:
        before, after = (network.tensors[index].quantization for index in (step.inputs[0], step.outputs[0]))
        if (before is None) != (after is None) or (before is not None and not before.same(after)):
            return False
    return True


def _merge_pads(network: Network, makers: dict[int, Operator], op: Operator) -> Operator | None:
    step = makers.get(op.inputs[0]) if op.kind in CONVOLUTIONS and op.inputs else None
    if step is None or step.kind != "PAD" or len(step.inputs) < 2 or not _alike(network, step):
        return None
    sizes = _constant(network, step.inputs[1], 8)
    if sizes is None or min(sizes) < 0 or any(sizes[:2] + sizes[6:]):
        return None
    top, bottom, left, right = sizes[2:6]
    old: Pads = op.options.get(MERGED_PADS, (0, 0, 0, 0))
    pads = tuple(size + more for size, more in zip(old, (top, left, bottom, right), strict=True))
    return Operator(op.kind, (step.inputs[0], *op.inputs[1:]), op.outputs, {**op.options, MERGED_PADS: pads})


def _constant(network: Network, index: int, size: int) -> list[int] | None:
    data = network.tensors[index].data if index >= 0 else None
    if data is None or data.size != size or not np.issubdtype(data.dtype, np.integer):
        return None
    return [int(number) for number in data.reshape(-1)]


def same_signs(network: Network) -> Network:
    """The same network with unsigned activations and signed weights, as integer kernels want them.

    ONNX Runtime 1.31 merges a convolution whose input and result are of one sign, and itself changes signed ones to
    unsigned, but only where a single step reads them: in a residual network half of the convolutions stay apart.
    Steps that look at the stored integers themselves leave no choice.
    """
    if any(op.kind == "CAST" and network.tensors[op.inputs[0]].quantized for op in network.operators if op.inputs):
        return network
    tensors = list(network.tensors)
    weights = {op.inputs[1] for op in network.operators if op.kind in WEIGHTED and len(op.inputs) > 1}
    for index, tensor in enumerate(tensors):
        if index in weights and tensor.data is not None:
            tensors[index] = _shifted(tensor, "uint8", "int8")
        elif tensor.dtype == "int8":
            tensors[index] = _shifted(tensor, "int8", "uint8")
    steps, inputs = [], list(network.inputs)
    for place, index in enumerate(inputs):
        if tensors[index] is not network.tensors[index]:
            tensors.append(network.tensors[index])
            inputs[place] = len(tensors) - 1
            steps.append(Operator("QUANTIZE", (inputs[place],), (index,)))
    return replace(network, tensors=tensors, inputs=tuple(inputs), operators=[*steps, *network.operators])


def _shifted(tensor: Tensor, before: str, after: str) -> Tensor:
    """The same tensor with its stored integers and zero point moved by half their range."""
    found = tensor.quantization
    if tensor.dtype != before or found is None:
        return tensor
    shift = SHIFT if after == "uint8" else -SHIFT
    data = None if tensor.data is None else (tensor.data.astype(np.int16) + shift).astype(after)
    zero = found.zero_point + shift
    return replace(tensor, dtype=after, data=data, quantization=replace(found, zero_point=zero))


def kinds(operators: Iterable[Operator], known: Iterable[str]) -> Sequence[str]:
    """The kinds of steps that are not among the known ones, each with its count."""
    names = set(known)
    counts: dict[str, int] = {}
    for op in operators:
        if op.kind not in names:
            counts[op.kind] = counts.get(op.kind, 0) + 1
    return [f"{kind} (used {count} time{'s' * (count > 1)})" for kind, count in sorted(counts.items())]
