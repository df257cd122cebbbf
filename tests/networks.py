"""Small ONNX files as exporters of many years have written them, for tests of everything that imports one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CLASSES = 3
SIDE = 8


def weights() -> dict[str, np.ndarray]:
    """The same for every file."""
    rng = np.random.default_rng(7)
    return {
        "kernel": rng.normal(size=(4, 3, 3, 3)).astype(np.float32),
        "bias": rng.normal(size=4).astype(np.float32),
        "matrix": rng.normal(size=(4, CLASSES)).astype(np.float32),
        "offset": rng.normal(size=CLASSES).astype(np.float32),
    }


def classifier(
    path: Path,
    *,
    opset: int = 17,
    batch: int | str = 1,
    flat: Sequence[int] = (1, 4),
    constants_as_inputs: bool = False,
    metadata: Mapping[str, str] = {},
) -> Path:
    """Convolution, ReLU, mean over the picture, a reshape to constants, and a matrix: logits (N, 3)."""
    constants = {**weights(), "flat": np.array(flat, np.int64)}
    nodes = [
        helper.make_node("Conv", ["in", "kernel", "bias"], ["features"], pads=[1] * 4),
        helper.make_node("Relu", ["features"], ["positive"]),
        helper.make_node("GlobalAveragePool", ["positive"], ["means"]),
        helper.make_node("Reshape", ["means", "flat"], ["row"]),
        helper.make_node("Gemm", ["row", "matrix", "offset"], ["logits"]),
    ]
    return save(
        path, nodes, constants, {"in": [batch, 3, SIDE, SIDE]}, {"logits": [batch, CLASSES]}, opset=opset,
        constants_as_inputs=constants_as_inputs, metadata=metadata,
    )  # fmt: skip


def save(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    constants: Mapping[str, np.ndarray],
    inputs: Mapping[str, Sequence[int | str]],
    outputs: Mapping[str, Sequence[int | str] | None],
    *,
    opset: int = 17,
    constants_as_inputs: bool = False,
    metadata: Mapping[str, str] = {},
    domains: Sequence[str] = (),
    kinds: Mapping[str, int] = {},
) -> Path:
    """A file of float tensors, or of other `kinds` by name, with the IR version of its opset's time."""

    def info(name: str, dims: Any) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, kinds.get(name, TensorProto.FLOAT), dims)

    tensors = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    taken = [info(name, dims) for name, dims in inputs.items()]
    if constants_as_inputs:
        taken += [helper.make_tensor_value_info(one.name, one.data_type, one.dims) for one in tensors]
    graph = helper.make_graph(nodes, "test", taken, [info(name, dims) for name, dims in outputs.items()], tensors)
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
    version = 3 if opset < 9 and constants_as_inputs else 8
    model = helper.make_model(graph, opset_imports=opsets, ir_version=version)
    helper.set_model_props(model, dict(metadata))
    path.write_bytes(model.SerializeToString())
    return path


def pictures(count: int, side: int = SIDE, seed: int = 3) -> np.ndarray:
    """A batch (N, 3, H, W), 0..1."""
    return np.random.default_rng(seed).random((count, 3, side, side)).astype(np.float32)
