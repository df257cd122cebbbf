"""A float network of a quantized one: values that were rounded on the way are no longer. Runs in the sandbox."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import helper, numpy_helper

from pixelwright.errors import UnsupportedModel
from pixelwright.interop import onnx_graph
from pixelwright.interop.onnx_run import Conversion, Trial
from pixelwright.runtimes.parity import difference
from pixelwright.runtimes.protocol import Array

ROUND, BACK = "QuantizeLinear", "DequantizeLinear"
CLIP_TAKES_TENSORS = 11  # opset; before it the bounds were attributes


def dequantize(state: Conversion, feeds: dict[str, Array]) -> None:
    """Take the rounding out of a network, and note how much that changes.

    Raises:
        UnsupportedModel: It computes in integers in other ways.
    """
    model = state.model
    others = sorted({node.op_type for node in onnx_graph.all_nodes(model.graph) if _computes_in_integers(node.op_type)})
    if others:
        raise UnsupportedModel(
            f"{state.path}: computes with {', '.join(others)}, which cannot be dequantized. Leave it quantized."
        )
    before = state.run(feeds)
    if not any(node.op_type == BACK for node in model.graph.node):
        state.notes.append("The network is not quantized; there was nothing to dequantize.")
        return
    _fold_constants(model, state.trial)
    _join_pairs(model)
    onnx_graph.prune(model.graph)
    apart = difference(before, state.run(feeds))
    state.notes.append(f"Dequantized: its answers differ by {apart:.2g} from those of the quantized network.")


def _computes_in_integers(kind: str) -> bool:
    return kind.startswith("QLinear") or kind.endswith("Integer") or kind == "DynamicQuantizeLinear"


def _fold_constants(model: onnx.ModelProto, trial: Trial) -> None:
    """Stored integers become the floats that they stand for, which ONNX Runtime computes."""
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    stored = [node for node in model.graph.node if node.op_type == BACK and constants.keys() >= {*node.input} - {""}]
    if not stored:
        return
    used = {name: constants[name] for node in stored for name in node.input if name}
    results = [helper.make_tensor_value_info(one.output[0], onnx.TensorProto.FLOAT, None) for one in stored]
    part = helper.make_graph(stored, "constants", [], results, list(used.values()))
    version = model.ir_version
    made = trial.run(helper.make_model(part, opset_imports=list(model.opset_import), ir_version=version), {})
    model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in made.items())
    for node in stored:
        model.graph.node.remove(node)


def _join_pairs(model: onnx.ModelProto) -> None:
    """What was rounded and brought back by the same steps is handed on as it was, within the bounds of the integers."""
    constants = onnx_graph.constants_of(model.graph)
    pictures = {info.name for info in model.graph.input}
    rounded = {node.output[0]: node for node in model.graph.node if node.op_type == ROUND}
    for node in model.graph.node:
        before = rounded.get(node.input[0]) if node.op_type == BACK else None
        if before is None or not {*before.input[1:], *node.input[1:]} <= constants.keys():
            continue
        scale, zero = _steps(before, constants)
        if not all(map(np.array_equal, (scale, zero), _steps(node, constants))):
            continue
        source, result = before.input[0], node.output[0]
        bounds = None if source in pictures else _bounds(scale, zero)
        if bounds is None:
            node.CopyFrom(helper.make_node("Identity", [source], [result]))
        elif onnx_graph.opset_of(model) < CLIP_TAKES_TENSORS:
            node.CopyFrom(helper.make_node("Clip", [source], [result], min=bounds[0], max=bounds[1]))
        else:
            names = [f"{result}.{side}" for side in ("min", "max")]
            sides = [
                numpy_helper.from_array(np.asarray(bound, scale.dtype), name)
                for bound, name in zip(bounds, names, strict=True)
            ]
            model.graph.initializer.extend(sides)
            node.CopyFrom(helper.make_node("Clip", [source, *names], [result]))


def _steps(node: onnx.NodeProto, constants: Mapping[str, onnx.TensorProto]) -> tuple[Array, Array]:
    """Scale and zero point of a rounding or its reverse."""
    scale = numpy_helper.to_array(constants[node.input[1]])
    if len(node.input) < 3 or not node.input[2]:
        return scale, np.zeros(scale.shape, np.uint8)
    return scale, numpy_helper.to_array(constants[node.input[2]])


def _bounds(scale: Array, zero: Array) -> tuple[float, float] | None:
    """The bounds that integers put on a value, where zero is one of them: so quantizers write a ReLU or ReLU6."""
    if zero.size != 1 or zero.dtype.kind not in "iu":
        return None
    ends = np.iinfo(zero.dtype)
    low, high = (float(scale.reshape(-1)[0]) * (end - int(zero.reshape(-1)[0])) for end in (ends.min, ends.max))
    return (low, high) if 0.0 in (low, high) else None
