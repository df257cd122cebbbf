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
    Decision,
    GraphSpec,
    InputSpec,
    License,
    OutputSpec,
    Provenance,
    Resize,
    Suppression,
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


def sizes(folder: Path, *, name: str = "sizes", **changes: Any) -> ModelBundle:
    """Says two numbers of a picture: its `light`, 10 to 20 from black to white, and its `gray`, 0 to 1."""
    nodes = [
        helper.make_node("ReduceMean", ["in", "axes"], ["mean"], keepdims=0),
        helper.make_node("Concat", ["mean", "mean"], ["out"], axis=1),
    ]
    path = folder.parent / f"{name}.onnx"
    _save(path, nodes, {"axes": np.array([2, 3], np.int64)}, ["batch", 1, 8, 8], ["batch", 2])
    tensors = GraphSpec(
        inputs=[TensorSpec("in", "float32", ["batch", 1, 8, 8], "NCHW")],
        outputs=[TensorSpec("out", "float32", ["batch", 2], "")],
    )
    contract = spec(
        name=name,
        task="regress",
        graphs={"model": tensors},
        input=InputSpec(channels="gray", resize=Resize(rule="stretch", size_hw=(8, 8))),
        output=OutputSpec(
            decoder="values",
            parameters={"output": "out", "mean": [10.0, 0.0], "std": [10.0, 1.0]},
            labels=["light", "gray"],
        ),
    )
    return write_bundle(folder, msgspec.structs.replace(contract, **changes), {"model": path})


def trends(folder: Path, *, name: str = "trends", **changes: Any) -> ModelBundle:
    """A classifier of sequences of two numbers a step: `up` or `down`, whichever number is larger in the mean."""
    nodes = [helper.make_node("ReduceMean", ["in", "axes"], ["out"], keepdims=0)]
    constants = {"axes": np.array([1], np.int64)}
    path = _save(folder.parent / f"{name}.onnx", nodes, constants, ["batch", "steps", 2], ["batch", 2])
    tensors = GraphSpec(
        inputs=[TensorSpec("in", "float32", ["batch", "steps", 2], "NTF")],
        outputs=[TensorSpec("out", "float32", ["batch", 2], "")],
    )
    contract = spec(
        name=name,
        task="classify",
        graphs={"model": tensors},
        input=InputSpec(color="as-is", channels="gray", depth="keep", layout="NTF"),
        output=OutputSpec(decoder="softmax", parameters={"output": "out"}, labels=["up", "down"]),
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


def squares(
    folder: Path, *, name: str = "squares", rich: bool = False, batch: int | str = "batch", **changes: Any
) -> ModelBundle:
    """A detector of bright rectangles on dark ground, white ones and red ones, without any training.

    Every lit pixel proposes the box of the run of lit pixels it lies in, across and down, at most 255 long; its score
    is how bright it is. A rich one also makes masks (what is lit) and two keypoints (the corners of the box).
    """
    reach = 256
    nodes = [
        helper.make_node("Split", ["in"], ["red", "green", "blue"], axis=1, num_outputs=3),
        helper.make_node("Greater", ["red", "half"], ["lit"]),
        helper.make_node("Cast", ["lit"], ["bright"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["one", "green"], ["not_green"]),
        helper.make_node("Mul", ["red", "not_green"], ["reddish"]),
        helper.make_node("Min", ["red", "green"], ["whitish"]),
        helper.make_node("Concat", ["whitish", "reddish"], ["colors"], axis=1),
        helper.make_node("Mul", ["colors", "bright"], ["score_maps"]),
        helper.make_node("Mul", ["red", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "one"], ["ones"]),
        helper.make_node("Sub", ["bright", "half"], ["prototypes"]),
    ]
    for side, axis, pads in (("x", 3, [0, reach - 1, 0, 0]), ("y", 2, [reach - 1, 0, 0, 0])):
        kernel = [1, reach] if axis == 3 else [reach, 1]
        nodes += [
            helper.make_node("CumSum", ["ones", f"axis_{side}"], [f"place_{side}"], exclusive=1),
            helper.make_node("ReduceSum", ["ones", f"axis_{side}"], [f"length_{side}"], keepdims=1),
            # The last dark pixel before, or -1: one edge of the run; and likewise the first dark one behind.
            helper.make_node("Where", ["lit", "minus_one", f"place_{side}"], [f"dark_{side}"]),
            helper.make_node("MaxPool", [f"dark_{side}"], [f"before_{side}"], kernel_shape=kernel, pads=pads),
            helper.make_node("Add", [f"before_{side}", "one"], [f"low_{side}"]),
            helper.make_node("Where", ["lit", f"length_{side}", f"place_{side}"], [f"dark_behind_{side}"]),
            helper.make_node("Neg", [f"dark_behind_{side}"], [f"negative_{side}"]),
            helper.make_node(
                "MaxPool", [f"negative_{side}"], [f"behind_{side}"], kernel_shape=kernel, pads=[*pads[2:], *pads[:2]]
            ),
            helper.make_node("Neg", [f"behind_{side}"], [f"high_{side}"]),
            helper.make_node("Add", [f"low_{side}", f"high_{side}"], [f"sum_{side}"]),
            helper.make_node("Mul", [f"sum_{side}", "half"], [f"center_{side}"]),
            helper.make_node("Sub", [f"high_{side}", f"low_{side}"], [f"long_{side}"]),
        ]
    columns = ["center_x", "center_y", "long_x", "long_y", "score_maps"]
    if rich:
        columns += ["ones", "low_x", "low_y", "ones", "high_x", "high_y", "ones"]
    nodes += [
        helper.make_node("Concat", columns, ["table_map"], axis=1),
        helper.make_node("Reshape", ["table_map", "flat"], ["table"]),
    ]
    constants = {
        "zero": np.array(0, np.float32),
        "half": np.array(0.5, np.float32),
        "one": np.array(1, np.float32),
        "minus_one": np.array(-1, np.float32),
        "axis_x": np.array([3], np.int64),
        "axis_y": np.array([2], np.int64),
        "flat": np.array([0, 0, -1], np.int64),
    }
    entry = [batch, 3, "height", "width"]
    made: dict[str, list[Any]] = {"table": [batch, 13 if rich else 6, "boxes"]}
    if rich:
        made["prototypes"] = [batch, 1, "height", "width"]
    graph = helper.make_graph(
        nodes,
        "squares",
        [helper.make_tensor_value_info("in", TensorProto.FLOAT, entry)],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, dims) for output, dims in made.items()],
        [numpy_helper.from_array(value, constant) for constant, value in constants.items()],
    )
    path = folder.parent / f"{name}.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)
    parameters: dict[str, Any] = {"output": "table"}
    contract = spec(
        name=name,
        task="detect",
        graphs={
            "model": GraphSpec(
                inputs=[TensorSpec("in", "float32", entry, "NCHW")],
                outputs=[TensorSpec(output, "float32", dims) for output, dims in made.items()],
            )
        },
        output=OutputSpec(
            decoder="yolo-anchor-free",
            parameters=parameters | ({"prototypes": "prototypes", "keypoints": 2} if rich else {}),
            labels=["white", "red"],
            suppression=Suppression(iou_threshold=0.5),
            keypoints=["top left", "bottom right"] if rich else [],
            skeleton=[("top left", "bottom right")] if rich else [],
        ),
        decision=Decision(threshold=0.5),
    )
    return write_bundle(folder, msgspec.structs.replace(contract, **changes), {"model": path})
