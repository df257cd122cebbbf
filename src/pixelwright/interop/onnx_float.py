"""A float network of a quantized one: values that were rounded on the way are no longer. Runs in the sandbox."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

from pixelwright.errors import UnsupportedModel
from pixelwright.interop import onnx_graph
from pixelwright.interop.onnx_run import Conversion
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
    _fold_constants(model)
    _join_pairs(model)
    onnx_graph.prune(model.graph)
    apart = difference(before, state.trial.run(model, feeds))
    state.notes.append(f"Dequantized: its answers differ by {apart:.2g} from those of the quantized network.")


def _computes_in_integers(kind: str) -> bool:
    return kind.startswith("QLinear") or kind.endswith("Integer") or kind == "DynamicQuantizeLinear"


def _fold_constants(model: onnx.ModelProto) -> None:
    """Stored integers become the floats that they stand for."""
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    kept = []
    for node in model.graph.node:
        if node.op_type != BACK or any(name and name not in constants for name in node.input):
            kept.append(node)
            continue
        values = {name: numpy_helper.to_array(constants[name]) for name in node.input if name}
        inputs = [onnx.helper.make_tensor_value_info(n, constants[n].data_type, v.shape) for n, v in values.items()]
        result = onnx.helper.make_tensor_value_info(node.output[0], onnx.TensorProto.FLOAT, None)
        graph = onnx.helper.make_graph([node], "one", inputs, [result])
        single = onnx.helper.make_model(graph, opset_imports=list(model.opset_import))
        (made,) = (np.asarray(value) for value in ReferenceEvaluator(single).run(None, values))
        model.graph.initializer.append(numpy_helper.from_array(made, node.output[0]))
    del model.graph.node[:]
    model.graph.node.extend(kept)


def _join_pairs(model: onnx.ModelProto) -> None:
    """What was rounded and brought back is handed on as it was."""
    rounded = {node.output[0]: node.input[0] for node in model.graph.node if node.op_type == ROUND}
    for node in model.graph.node:
        if node.op_type == BACK and node.input[0] in rounded:
            source, result = rounded[node.input[0]], node.output[0]
            node.CopyFrom(onnx.helper.make_node("Identity", [source], [result]))
