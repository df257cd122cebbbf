"""Graphs of other bundles answer in torch as in ONNX Runtime, and learn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

torch = pytest.importorskip("torch")

from pixelwright.bundle import read_bundle  # noqa: E402
from pixelwright.errors import UnsupportedModel, UsageError  # noqa: E402
from pixelwright.models import imported, optimizers  # noqa: E402
from pixelwright.models.architecture import Problem  # noqa: E402
from pixelwright.structures.spec import InputSpec, Resize  # noqa: E402

DIGITS = Path(imported.__file__).parents[1] / "zoo" / "digits"
FLOAT = InputSpec(resize=Resize("stretch", (9, 11)))
RNG = np.random.default_rng(0)


def constant(name: str, array: Any) -> Any:
    return numpy_helper.from_array(np.asarray(array), name)


def weights(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def write(path: Path, nodes: list[Any], constants: list[Any], shape: list[Any], kind: int = TensorProto.FLOAT) -> Path:
    """A graph from `x` to `y`."""
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.save(model, path)
    return path


def node(operator: str, inputs: str, output: str = "y", **attributes: Any) -> Any:
    return helper.make_node(operator, [name.strip() for name in inputs.split(",")], [output], **attributes)


# What comes after a convolution `h` (N, 4, 9, 11).
CASES: dict[str, tuple[list[Any], list[Any]]] = {
    "uneven pads and strides": (
        [node("Conv", "h, w, b", strides=[2, 3], pads=[0, 1, 2, 1])],
        [constant("w", weights(5, 4, 3, 2)), constant("b", weights(5))],
    ),
    "same upper": ([node("Conv", "h, w", strides=[2, 2], auto_pad="SAME_UPPER")], [constant("w", weights(2, 4, 3, 4))]),
    "same lower": ([node("Conv", "h, w", strides=[2, 2], auto_pad="SAME_LOWER")], [constant("w", weights(2, 4, 3, 4))]),
    "groups and dilations": (
        [node("Conv", "h, w", group=2, dilations=[2, 1])],
        [constant("w", weights(6, 2, 3, 3))],
    ),
    "maximum with pads": ([node("MaxPool", "h", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])], []),
    "mean without pads": ([node("AveragePool", "h", kernel_shape=[3, 2], pads=[1, 0, 1, 1])], []),
    "mean with pads": ([node("AveragePool", "h", kernel_shape=[3, 3], pads=[1] * 4, count_include_pad=1)], []),
    "norm": (
        [node("BatchNormalization", "h, s, b, m, v", epsilon=1e-3)],
        [constant(name, np.abs(weights(4)) + 0.1) for name in "sbmv"],
    ),
    "clip": ([node("Clip", "h, lo, hi")], [constant("lo", np.float32(-0.2)), constant("hi", np.float32(0.3))]),
    "clip below": ([node("Clip", "h, lo")], [constant("lo", np.float32(0))]),
    "held between": (
        [node("Max", "h, lo", "m"), node("Min", "m, hi")],
        [constant("lo", np.float32(-0.2)), constant("hi", np.float32(0.3))],
    ),
    "weights in half precision": (
        [node("Cast", "w", "w32", to=TensorProto.FLOAT), node("Conv", "h, w32")],
        [constant("w", weights(3, 4, 3, 3).astype(np.float16))],
    ),
    "weights in whole numbers": (
        [
            node("Cast", "w", "w32", to=TensorProto.FLOAT),
            node("Mul", "w32, s", "scaled"),
            node("Conv", "h, scaled"),
        ],
        [constant("w", RNG.integers(-127, 127, (3, 4, 3, 3), np.int8)), constant("s", np.float32(0.01))],
    ),
    "a shape of whole numbers": (
        [
            node("Cast", "s", "s64", to=TensorProto.INT64),
            node("Mul", "s64, t", "shape"),
            node("Reshape", "h, shape"),
        ],
        [constant("s", np.array([-1, 2, 33], np.int32)), constant("t", np.array([1, 1, 3], np.int64))],
    ),
    "leaky": ([node("LeakyRelu", "h", alpha=0.2)], []),
    "slope by channel": ([node("PRelu", "h, w")], [constant("w", weights(4, 1, 1))]),
    "hard swish": ([node("HardSwish", "h")], []),
    "hard sigmoid": ([node("HardSigmoid", "h", alpha=0.3, beta=0.4)], []),
    "pad": (
        [node("Pad", "h, p, v")],
        [constant("p", np.array([0, 0, 1, 2, 0, 0, 3, 4])), constant("v", np.float32(2))],
    ),
    "shuffle": (
        [
            node("Reshape", "h, s", "r"),
            node("Transpose", "r", "t", perm=[1, 0, 2, 3]),
            node("Gather", "t, i", "g", axis=0),
            node("Unsqueeze", "g, u", "q"),
            node("Squeeze", "q, u"),
        ],
        [constant("s", np.array([-1, 2, 9, 11])), constant("i", np.int64(1)), constant("u", np.array([1]))],
    ),
    "mean over space": ([node("ReduceMean", "h, a", keepdims=0)], [constant("a", np.array([2, 3]))]),
    "widened": (
        [node("Resize", "h, , f", mode="linear", coordinate_transformation_mode="half_pixel")],
        [constant("f", np.array([1, 1, 2, 2], np.float32))],
    ),
    "repeated": (
        [node("Resize", "h, , f", mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")],
        [constant("f", np.array([1, 1, 2, 3], np.float32))],
    ),
    "dense": (
        [node("GlobalAveragePool", "h", "g"), node("Flatten", "g", "f"), node("Gemm", "f, w, b", transB=1, alpha=0.5)],
        [constant("w", weights(7, 4)), constant("b", weights(7))],
    ),
    "product": (
        [node("GlobalAveragePool", "h", "g"), node("Flatten", "g", "f"), node("MatMul", "f, w")],
        [constant("w", weights(4, 3))],
    ),
    "joined": ([node("Relu", "h", "r"), node("Sub", "h, r", "s"), node("Concat", "r, s", axis=1)], []),
    "scaled": (
        [node("Mul", "h, w", "m"), node("Div", "m, w2", "d"), node("Add", "d, h")],
        [constant("w", weights(4, 1, 1)), constant("w2", np.float32(3))],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_an_operator_answers_as_in_onnx_runtime(name: str, tmp_path: Path) -> None:
    nodes, constants = CASES[name]
    first = node("Conv", "x, first", "h", pads=[1, 1, 1, 1])
    constants = [constant("first", weights(4, 3, 3, 3)), *constants]
    path = write(tmp_path / "m.onnx", [first, *nodes], constants, ["N", 3, 9, 11])
    images = RNG.normal(size=(2, 3, 9, 11)).astype(np.float32)
    (expected,) = onnxruntime.InferenceSession(path).run(None, {"x": images})
    graph = onnx.load(path).graph
    held = {entry.name: numpy_helper.to_array(entry) for entry in graph.initializer}
    whole = imported.Backbone(tuple(imported._real(imported._nodes(graph, held), held)), held, "x", "y", FLOAT)
    with torch.no_grad():
        made = imported.GraphNetwork(whole)(torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(made, expected, rtol=1e-4, atol=1e-5)


def quantized(path: Path) -> Path:
    """8-bit pictures with channels last, one convolution whose output range hides a ReLU, and a head."""
    nodes = [
        node("Transpose", "x", "t", perm=[0, 3, 1, 2]),
        node("DequantizeLinear", "t, s, z", "real"),
        node("DequantizeLinear", "w, ws, wz", "weight", axis=0),
        node("Conv", "real, weight", "c"),
        node("QuantizeLinear", "c, os, oz", "q"),
        node("DequantizeLinear", "q, os, oz", "d"),
        node("GlobalAveragePool", "d", "g"),
        node("Flatten", "g", "f"),
        node("Gemm", "f, head", "y"),
    ]
    constants = [
        constant("s", np.float32(1 / 128)),
        constant("z", np.uint8(128)),
        constant("w", RNG.integers(-127, 128, (4, 3, 3, 3), np.int8)),
        constant("ws", np.array([0.01, 0.02, 0.015, 0.01], np.float32)),
        constant("wz", np.zeros(4, np.int8)),
        constant("os", np.float32(2 / 255)),
        constant("oz", np.uint8(0)),
        constant("head", weights(4, 5)),
    ]
    return write(path, nodes, constants, ["N", 9, 11, 3], TensorProto.UINT8)


def test_a_quantized_network_becomes_a_float_one_within_its_rounding(tmp_path: Path) -> None:
    path = quantized(tmp_path / "q.onnx")
    spec = InputSpec(white=255.0, layout="NHWC", dtype="uint8", resize=Resize("stretch", (9, 11)))
    backbone = imported.read_backbone(path, "classify", spec)
    assert (backbone.input.dtype, backbone.input.layout) == ("float32", "NCHW")
    assert backbone.input.mean == [128.0] and backbone.input.std == [128.0]
    images = RNG.integers(0, 256, (3, 9, 11, 3), np.uint8)
    model = onnx.load(path)
    model.graph.output.append(helper.make_tensor_value_info("f", TensorProto.FLOAT, None))
    (expected,) = onnxruntime.InferenceSession(model.SerializeToString()).run(["f"], {"x": images})
    with torch.no_grad():
        real = torch.from_numpy((images.transpose(0, 3, 1, 2).astype(np.float32) - 128) / 128)
        made = imported.pooled(imported.GraphNetwork(backbone)(real)).numpy()
    assert np.abs(made - expected).max() <= 1 / 255  # half a step of the activations, at the most
    assert expected.max() > 0.5  # and there is something to compare


@pytest.mark.parametrize(
    "name", ["digits", "fashion", "chest-xray", "clothing", "signs", "blood-cells", "nuclei", "roads"]
)
def test_a_network_of_the_zoo_gives_the_features_that_onnx_runtime_sees(name: str) -> None:
    bundle = read_bundle(DIGITS.parent / name)
    backbone = imported.open_backbone(bundle)
    model = onnx.load(bundle.file("model"))
    model.graph.output.append(helper.make_tensor_value_info(backbone.features, TensorProto.FLOAT, None))
    resize = bundle.spec.input.resize
    size_hw = resize.size_hw if resize else (64, 96)
    images = RNG.random((4, 1 if bundle.spec.input.channels == "gray" else 3, *size_hw), np.float32)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (expected,) = session.run([backbone.features], {session.get_inputs()[0].name: images})
    with torch.no_grad():
        made = imported.GraphNetwork(backbone)(torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(made, expected, rtol=1e-4, atol=1e-5)


def test_a_step_of_training_changes_features_and_head() -> None:
    record = imported.architecture(read_bundle(DIGITS), "digits")
    problem = Problem("classify", ("a", "b", "c"), 1, (28, 28))
    net = record.build(record.fit(record.variants["features"], problem))
    before = {name: value.clone() for name, value in net.named_parameters()}
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    images = torch.rand(8, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    torch.nn.functional.cross_entropy(net(images), torch.arange(8) % 3).backward()
    optimizer.step()
    changed = {name for name, value in net.named_parameters() if not torch.equal(value, before[name])}
    assert changed == set(before) and net(images).shape == (8, 3)


def test_a_backbone_for_another_kind_of_picture_is_refused() -> None:
    record = imported.architecture(read_bundle(DIGITS), "digits")
    with pytest.raises(UsageError, match=r"1 channels .* asked is classify of 3"):
        record.fit(record.variants["features"], Problem("classify", ("a", "b"), 3, (28, 28)))


def test_a_backbone_that_wants_blue_first_gets_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = [
        node("Conv", "x, w", "c"),
        node("GlobalAveragePool", "c", "g"),
        node("Flatten", "g", "f"),
        node("Gemm", "f, head"),
    ]
    constants = [constant("w", weights(4, 3, 3, 3)), constant("head", weights(4, 2))]
    path = write(tmp_path / "m.onnx", nodes, constants, ["N", 3, 9, 11])
    spec = InputSpec(channels="bgr", mean=[51.0, 102.0, 153.0], std=[255.0], white=255.0)
    backbone = imported.read_backbone(path, "classify", spec)
    monkeypatch.setattr(imported, "open_backbone", lambda bundle: backbone)
    bundle = read_bundle(DIGITS)
    record = imported.architecture(bundle, "other")
    assert record.mean_std == ((0.6, 0.4, 0.2), (1.0,))
    net = record.build(record.fit(record.variants["features"], Problem("classify", ("a", "b"), 3, (9, 11)))).eval()
    images = torch.rand(2, 3, 9, 11)
    with torch.no_grad():
        expected = net.head(imported.pooled(net.body(images[:, [2, 1, 0]])))
        torch.testing.assert_close(net(images), expected)


def test_an_operator_that_cannot_be_trained_is_named(tmp_path: Path) -> None:
    nodes = [
        node("Conv", "x, w", "c"),
        node("Erf", "c", "e"),
        node("GlobalAveragePool", "e", "g"),
        node("Flatten", "g", "f"),
        node("Gemm", "f, head"),
    ]
    constants = [constant("w", weights(4, 3, 3, 3)), constant("head", weights(4, 2))]
    path = write(tmp_path / "m.onnx", nodes, constants, ["N", 3, 9, 11])
    with pytest.raises(UnsupportedModel, match=r"m\.onnx: Erf cannot be trained"):
        imported.read_backbone(path, "classify", FLOAT)


def test_a_network_without_weights_is_no_backbone(tmp_path: Path) -> None:
    path = write(tmp_path / "m.onnx", [node("GlobalAveragePool", "x")], [], ["N", 3, 9, 11])
    with pytest.raises(UsageError, match="no layer with weights"):
        imported.read_backbone(path, "classify", FLOAT)


def test_the_backbone_learns_more_slowly_than_the_head_and_a_frozen_one_not_at_all() -> None:
    record = imported.architecture(read_bundle(DIGITS), "digits")
    start = replace(record.variants["features"], classes=3)
    groups = optimizers.parameter_groups(record.build(start), 0.0, 0.5)
    assert sorted({group["lr"] for group in groups}) == [0.05, 0.5]
    frozen = record.build(replace(start, body_rate=0.0))
    learning = {name for name, weight in frozen.named_parameters() if weight.requires_grad}
    assert learning == {"head.weight", "head.bias"}
