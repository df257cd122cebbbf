"""Small bundles with known arithmetic, for tests of everything that runs one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from pixelwright.bundle import ModelBundle, write_bundle
from pixelwright.structures.spec import (
    SCHEMA_ID,
    BundleSpec,
    GraphSpec,
    InputSpec,
    License,
    OutputSpec,
    Provenance,
    Resize,
    TensorSpec,
    Terms,
    Tiling,
)

FREE = Terms(license="CC0-1.0", commercial="yes")


def spec(**changes: Any) -> BundleSpec:
    """A contract to start from; `artifacts` are filled in by `write_bundle`."""
    start = BundleSpec(
        schema=SCHEMA_ID,
        name="small",
        version="1.0.0",
        task="enhance",
        architecture="one convolution",
        summary="A network made for a test.",
        artifacts=[],
        graphs={},
        input=InputSpec(),
        output=OutputSpec(decoder="image", parameters={"output": "out"}),
        license=License(code=FREE, weights=FREE),
        provenance=Provenance(toolkit="test"),
    )
    return msgspec.structs.replace(start, **changes)


def blur(
    folder: Path, *, name: str = "blur", scale: int = 1, stride: int = 1, gain: float = 1.0, **changes: Any
) -> ModelBundle:
    """An enhancer: a 5x5 box blur with zero padding, enlarged by repeating pixels.

    With `stride` 2 the blurred image is halved and enlarged again, so that tiles must start at even pixels.
    """
    kernel = np.zeros((3, 3, 5, 5), np.float32)
    for channel in range(3):
        kernel[channel, channel] = gain / 25
    nodes = [helper.make_node("Conv", ["in", "kernel"], ["blurred"], pads=[2] * 4, strides=[stride] * 2)]
    factor = scale * stride
    nodes.append(
        helper.make_node(
            "Resize", ["blurred", "", "scales"], ["out"], mode="nearest", coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )
    )  # fmt: skip
    scales = np.array([1, 1, factor, factor], np.float32)
    path = _save(
        folder.parent / f"{name}.onnx",
        nodes,
        {"kernel": kernel, "scales": scales},
        ["batch", 3, "height", "width"],
        ["batch", 3, "height_out", "width_out"],
    )
    tensors = GraphSpec(
        inputs=[TensorSpec("in", "float32", ["batch", 3, "height", "width"], "NCHW")],
        outputs=[TensorSpec("out", "float32", ["batch", 3, "height_out", "width_out"], "NCHW")],
    )
    contract = spec(
        name=name,
        graphs={"model": tensors},
        input=InputSpec(
            color="as-is", depth="keep", alpha="keep", extra_channels="each", multiple_of=stride
        ),
        output=OutputSpec(decoder="image", parameters={"output": "out", "scale": scale}),
        tiling=Tiling(halo_px=4, multiple=stride),
    )  # fmt: skip
    return write_bundle(folder, msgspec.structs.replace(contract, **changes), {"model": path})


def brightness(folder: Path, *, name: str = "brightness", **changes: Any) -> ModelBundle:
    """A classifier: `dark` or `bright`, with logits (0, 8 * (mean - 0.5)) of an 8x8 gray picture."""
    nodes = [
        helper.make_node("ReduceMean", ["in", "axes"], ["mean"], keepdims=0),
        helper.make_node("Sub", ["mean", "half"], ["centered"]),
        helper.make_node("Mul", ["centered", "eight"], ["logit"]),
        helper.make_node("Sub", ["logit", "logit"], ["zero"]),
        helper.make_node("Concat", ["zero", "logit"], ["logits"], axis=1),
    ]
    constants = {
        "axes": np.array([2, 3], np.int64),
        "half": np.array(0.5, np.float32),
        "eight": np.array(8, np.float32),
    }
    path = _save(folder.parent / f"{name}.onnx", nodes, constants, ["batch", 1, 8, 8], ["batch", 2], output="logits")
    tensors = GraphSpec(
        inputs=[TensorSpec("in", "float32", ["batch", 1, 8, 8], "NCHW")],
        outputs=[TensorSpec("logits", "float32", ["batch", 2], "")],
    )
    contract = spec(
        name=name,
        task="classify",
        graphs={"model": tensors},
        input=InputSpec(channels="gray", resize=Resize(rule="stretch", size_hw=(8, 8))),
        output=OutputSpec(decoder="softmax", parameters={"output": "logits"}, labels=["dark", "bright"]),
    )
    return write_bundle(folder, msgspec.structs.replace(contract, **changes), {"model": path})


def levels(folder: Path, *, name: str = "levels", layout: str = "NCHW", stride: int = 1, **changes: Any) -> ModelBundle:
    """A segmenter: each pixel `dark`, `middle` or `bright`, whichever of 1/6, 3/6 and 5/6 its brightness is nearest to.

    The score of a level t is 2 t v - t**2 for a brightness v: linear, so that interpolated scores are the scores of
    the interpolated brightness. With a `stride` the map has one cell for a patch, of its mean.
    """
    level = np.array([1, 3, 5], np.float32) / 6
    constants = {"weight": (2 * level).reshape(3, 1, 1, 1), "bias": -(level**2)}
    nodes = [
        helper.make_node("AveragePool", ["in"], ["pooled"], kernel_shape=[stride] * 2, strides=[stride] * 2),
        helper.make_node("Conv", ["pooled", "weight", "bias"], ["out" if layout == "NCHW" else "scores"]),
    ]
    dims: list[Any] = ["batch", 3, "height_out", "width_out"]
    if layout == "NHWC":
        nodes.append(helper.make_node("Transpose", ["scores"], ["out"], perm=[0, 2, 3, 1]))
        dims = ["batch", "height_out", "width_out", 3]
    if layout == "ids":
        nodes.append(helper.make_node("ArgMax", ["scores"], ["out"], axis=1, keepdims=0))
        dims = ["batch", "height_out", "width_out"]
    kind, dtype = (TensorProto.INT64, "int64") if layout == "ids" else (TensorProto.FLOAT, "float32")
    path = folder.parent / f"{name}.onnx"
    _save(path, nodes, constants, ["batch", 1, "height", "width"], dims, output_type=kind)
    tensors = GraphSpec(
        inputs=[TensorSpec("in", "float32", ["batch", 1, "height", "width"], "NCHW")],
        outputs=[TensorSpec("out", dtype, dims, "")],
    )
    contract = spec(
        name=name,
        task="segment",
        graphs={"model": tensors},
        input=InputSpec(channels="gray", multiple_of=stride),
        output=OutputSpec(
            decoder="argmax-map",
            parameters={"output": "out", "layout": layout},
            labels=["dark", "middle", "bright"],
        ),
    )  # fmt: skip
    return write_bundle(folder, msgspec.structs.replace(contract, **changes), {"model": path})


def quarters(folder: Path, *, name: str = "quarters", **changes: Any) -> ModelBundle:
    """An embedder: the mean color of each quarter of an 8x8 picture, 12 numbers. A black picture has no direction."""
    nodes = [
        helper.make_node("AveragePool", ["in"], ["pooled"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Flatten", ["pooled"], ["out"]),
    ]
    path = _save(folder.parent / f"{name}.onnx", nodes, {}, ["batch", 3, 8, 8], ["batch", 12])
    tensors = GraphSpec(
        inputs=[TensorSpec("in", "float32", ["batch", 3, 8, 8], "NCHW")],
        outputs=[TensorSpec("out", "float32", ["batch", 12], "")],
    )
    contract = spec(
        name=name,
        task="embed",
        graphs={"model": tensors},
        input=InputSpec(resize=Resize(rule="stretch", size_hw=(8, 8))),
        output=OutputSpec(decoder="embedding", parameters={"output": "out"}),
    )
    return write_bundle(folder, msgspec.structs.replace(contract, **changes), {"model": path})


def _save(
    path: Path,
    nodes: list[onnx.NodeProto],
    constants: dict[str, np.ndarray],
    input_dims: list[Any],
    output_dims: list[Any],
    output: str = "out",
    output_type: int = TensorProto.FLOAT,
) -> Path:
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("in", TensorProto.FLOAT, input_dims)],
        [helper.make_tensor_value_info(output, output_type, output_dims)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)
    return path
