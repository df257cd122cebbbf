"""A float network of a quantized one: values that were rounded on the way are no longer. Runs in the sandbox."""

from __future__ import annotations

import onnx
from onnx import numpy_helper

from pixelwright.errors import UnsupportedModel
from pixelwright.interop import onnx_graph
from pixelwright.interop.onnx_run import Conversion, Trial
from pixelwright.runtimes.parity import difference
from pixelwright.runtimes.protocol import Array

ROUND, BACK = "QuantizeLinear", "DequantizeLinear"


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
    before = state.trial.run(model, feeds)
    if not any(node.op_type == BACK for node in model.graph.node):
        state.notes.append("The network is not quantized; there was nothing to dequantize.")
        return
    _fold_constants(model, state.trial)
    _join_pairs(model)
    onnx_graph.prune(model.graph)
    apart = difference(before, state.trial.run(model, feeds))
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
    results = [onnx.helper.make_tensor_value_info(one.output[0], onnx.TensorProto.FLOAT, None) for one in stored]
    part = onnx.helper.make_graph(stored, "constants", [], results, list(used.values()))
    version = model.ir_version
    made = trial.run(onnx.helper.make_model(part, opset_imports=list(model.opset_import), ir_version=version), {})
    model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in made.items())
    for node in stored:
        model.graph.node.remove(node)


def _join_pairs(model: onnx.ModelProto) -> None:
    """What was rounded and brought back is handed on as it was."""
    rounded = {node.output[0]: node.input[0] for node in model.graph.node if node.op_type == ROUND}
    for node in model.graph.node:
        if node.op_type == BACK and node.input[0] in rounded:
            source, result = rounded[node.input[0]], node.output[0]
            node.CopyFrom(onnx.helper.make_node("Identity", [source], [result]))
