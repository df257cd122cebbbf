"""Networks of integers against LiteRT: at most one step apart, whether the integers are kept or made real."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixelwright.interop.tflite import read
from unit.interop.tflite.peers import run_litert, run_onnx, session
from unit.interop.tflite.writer import Step, Tensor, model

DICE = np.random.default_rng(1)
IMAGE = (1, 6, 8, 4)
CONV = {"padding": 0, "stride_w": 1, "stride_h": 1}
POOL = {"stride_w": 2, "stride_h": 2, "filter_w": 3, "filter_h": 3}
ONE_STEP = 1.01


def _stored(dtype: str, *shape: int) -> Any:
    info = np.iinfo(dtype)
    return DICE.integers(info.min, info.max, shape, endpoint=True).astype(dtype)


def _activation(name: str, shape: Any, dtype: str, scale: float, zero: int) -> Tensor:
    """A quantized tensor; `zero` counts from the lowest integer."""
    return Tensor(name, shape, dtype, scale=(scale,), zero=(zero + int(np.iinfo(dtype).min),))


def _weighted(kind: str, dtype: str, options: dict[str, Any], zero: int) -> bytes:
    """A layer with weights: per channel where signed, per tensor where not, as LiteRT has them."""
    shape = {"CONV_2D": (5, 3, 3, 4), "DEPTHWISE_CONV_2D": (1, 3, 3, 4), "FULLY_CONNECTED": (5, 4)}[kind]
    axis = 3 if kind == "DEPTHWISE_CONV_2D" else 0
    channels = shape[axis]
    signed, full = dtype == "int8", kind == "FULLY_CONNECTED"
    scales = (0.02,) if full or not signed else tuple(0.01 + 0.005 * number for number in range(channels))
    data = DICE.integers(-127 if signed else 1, 127 if signed else 255, shape, endpoint=True).astype(dtype)
    weights = Tensor("w", shape, dtype, data, scales, [0] * len(scales) if signed else [121], axis)
    bias = DICE.integers(-2000, 2000, channels).astype(np.int32)
    fed = (3, 4) if full else IMAGE
    result = (3, 5) if full else (1, 6, 8, channels)
    tensors = [
        _activation("x", fed, dtype, 0.05, 100),
        weights,
        Tensor("b", (channels,), "int32", bias, [0.05 * scale for scale in scales], [0] * len(scales)),
        _activation("y", result, dtype, 0.1, zero),
    ]
    steps = [Step(kind, ["x", "w", "b"], ["y"], options, version=3 if signed and not full else 4 if signed else 1)]
    return model(tensors, steps, ["x"], ["y"])


def _check(data: bytes, dtype: str, folder: Path, shape: Any, scale: float) -> None:
    """Both kinds of network against LiteRT; without integers a step does not stop where these end."""
    path = folder / "net.tflite"
    path.write_bytes(data)
    feeds = {"x": _stored(dtype, *shape)}
    expected = run_litert(path, feeds)
    for dequantize in (False, True):
        imported = read(path, dequantize=dequantize)
        for mine, theirs in zip(run_onnx(imported.model, feeds), expected, strict=True):
            inside = np.clip(mine, theirs.min(), theirs.max()) if dequantize else mine
            rounding = 0.5 if dequantize else 0  # the real number was not rounded, LiteRT's was
            np.testing.assert_allclose(inside, theirs, rtol=0, atol=(ONE_STEP + rounding) * scale)


@pytest.mark.parametrize("activation", [0, 1, 2, 3], ids=["none", "relu", "relu1", "relu6"])
@pytest.mark.parametrize("zero", [0, 90], ids=["from zero", "from below"])
@pytest.mark.parametrize("dtype", ["uint8", "int8"])
@pytest.mark.parametrize("kind", ["CONV_2D", "DEPTHWISE_CONV_2D"])
def test_a_convolution_is_one_step_from_litert(
    kind: str, dtype: str, zero: int, activation: int, tmp_path: Path
) -> None:
    options = {**CONV, "activation": activation}
    path = tmp_path / "net.tflite"
    path.write_bytes(_weighted(kind, dtype, options, zero))
    feeds = {"x": _stored(dtype, *IMAGE)}
    expected = run_litert(path, feeds)[0]
    top = 0.1 * (255 - zero)
    for dequantize in (False, True):
        (found,) = run_onnx(read(path, dequantize=dequantize).model, feeds)
        # Without integers a linear layer does not stop where these end.
        np.testing.assert_allclose(np.clip(found, -0.1 * zero, top), expected, rtol=0, atol=0.1 * ONE_STEP)


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
def test_a_connected_layer_is_one_step_from_litert(dtype: str, tmp_path: Path) -> None:
    _check(_weighted("FULLY_CONNECTED", dtype, {"activation": 1}, 0), dtype, tmp_path, (3, 4), 0.1)


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
@pytest.mark.parametrize(
    ("kind", "options", "shape", "scale", "zero"),
    [
        ("AVERAGE_POOL_2D", {**POOL, "padding": 0}, (1, 3, 4, 4), 0.05, 100),
        ("MAX_POOL_2D", {**POOL, "padding": 0}, (1, 3, 4, 4), 0.05, 100),
        ("MAX_POOL_2D", {**POOL, "padding": 1, "activation": 1}, (1, 2, 3, 4), 0.05, 100),
        ("RELU", {}, IMAGE, 0.05, 100),
        ("LOGISTIC", {}, IMAGE, 1 / 256, 0),
        ("SOFTMAX", {"beta": 1.0}, IMAGE, 1 / 256, 0),
        ("TANH", {}, IMAGE, 1 / 128, 128),
        ("QUANTIZE", {}, IMAGE, 0.06, 110),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_step_of_one_input_is_one_step_from_litert(
    kind: str, options: dict[str, Any], shape: Any, scale: float, zero: int, dtype: str, tmp_path: Path
) -> None:
    tensors = [_activation("x", IMAGE, dtype, 0.05, 100), _activation("y", shape, dtype, scale, zero)]
    data = model(tensors, [Step(kind, ["x"], ["y"], options, 2)], ["x"], ["y"])
    _check(data, dtype, tmp_path, IMAGE, scale)


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
@pytest.mark.parametrize(("kind", "scale", "zero"), [("ADD", 0.1, 128), ("MUL", 0.3, 128), ("SUB", 0.1, 128)])
def test_arithmetic_is_one_step_from_litert(kind: str, scale: float, zero: int, dtype: str, tmp_path: Path) -> None:
    tensors = [
        _activation("x", IMAGE, dtype, 0.05, 100),
        Tensor("c", (1, 1, 1, 4), dtype, _stored(dtype, 1, 1, 1, 4), (0.04,), (3,)),
        _activation("y", IMAGE, dtype, scale, zero),
    ]
    _check(model(tensors, [Step(kind, ["x", "c"], ["y"], {}, 2)], ["x"], ["y"]), dtype, tmp_path, IMAGE, scale)


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
@pytest.mark.parametrize("second", [0.05, 0.07], ids=["same scale", "another scale"])
def test_parts_are_joined(second: float, dtype: str, tmp_path: Path) -> None:
    tensors = [
        _activation("x", IMAGE, dtype, 0.05, 100),
        _activation("r", IMAGE, dtype, second, 100),
        _activation("y", (1, 6, 8, 8), dtype, 0.05, 100),
    ]
    steps = [Step("QUANTIZE", ["x"], ["r"], {}, 2), Step("CONCATENATION", ["x", "r"], ["y"], {"axis": 3}, 2)]
    if second != 0.05 and dtype == "int8":
        pytest.skip("LiteRT joins signed integers of one scale only")
    _check(model(tensors, steps, ["x"], ["y"]), dtype, tmp_path, IMAGE, 0.05)


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
@pytest.mark.parametrize(
    "kind", ["PAD", "PADV2", "MEAN", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "RESHAPE", "STRIDED_SLICE"]
)
def test_moved_integers_are_one_step_from_litert(kind: str, dtype: str, tmp_path: Path) -> None:
    ints = {
        "PAD": [[[0, 0], [1, 2], [0, 1], [0, 0]]],
        "PADV2": [[[0, 0], [1, 2], [0, 1], [0, 0]]],
        "MEAN": [[1, 2]],
        "RESIZE_BILINEAR": [[12, 16]],
        "RESIZE_NEAREST_NEIGHBOR": [[12, 16]],
        "RESHAPE": [[1, 48, 4]],
        "STRIDED_SLICE": [[0, 1, 0, 0], [1, 5, 8, 3], [1, 2, 1, 1]],
    }[kind]
    shapes = {
        "PAD": (1, 9, 9, 4),
        "PADV2": (1, 9, 9, 4),
        "MEAN": (1, 4),
        "RESHAPE": (1, 48, 4),
        "STRIDED_SLICE": (1, 2, 8, 3),
    }
    options = {"MEAN": {"keep_dims": False}, "STRIDED_SLICE": {"begin_mask": 0}, "RESHAPE": {"new_shape": (1, 48, 4)}}
    tensors = [_activation("x", IMAGE, dtype, 0.05, 100)]
    tensors += [Tensor(f"i{number}", np.shape(one), "int32", one) for number, one in enumerate(ints)]
    names = ["x", *(tensor.name for tensor in tensors[1:])]
    if kind == "PADV2":
        tensors.append(Tensor("fill", (1,), dtype, [7], (0.05,), (100 + int(np.iinfo(dtype).min),)))
        names.append("fill")
    tensors.append(_activation("y", shapes.get(kind, (1, 12, 16, 4)), dtype, 0.05, 100))
    data = model(
        tensors, [Step(kind, names, ["y"], options.get(kind, {}), 1 if kind == "RESHAPE" else 2)], ["x"], ["y"]
    )
    _check(data, dtype, tmp_path, IMAGE, 0.05)


def test_integers_are_kept_where_asked_and_runtimes_can_merge_them(tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(_weighted("CONV_2D", "int8", {**CONV, "activation": 1}, 0))
    kept, real = (read(path, dequantize=flag).model for flag in (False, True))
    assert Counter(node.op_type for node in kept.graph.node) == Counter(
        {"Transpose": 2, "DequantizeLinear": 5, "QuantizeLinear": 2, "Conv": 1}
    )
    assert [node.op_type for node in real.graph.node] == ["Transpose", "DequantizeLinear", "Conv", "Clip", "Transpose"]


def test_weights_can_be_made_unsigned_for_processors_whose_signed_products_overflow(tmp_path: Path) -> None:
    """As on x86 without VNNI; ONNX Runtime 1.31 fails there if two layers share the zero point of their weights."""
    tensors = [
        Tensor("x", IMAGE, "uint8", scale=(0.05,), zero=(100,)),
        *(Tensor(name, (4, 3, 3, 4), "uint8", _stored("uint8", 4, 3, 3, 4), (0.02,), (128,)) for name in "vw"),
        Tensor("b", (4,), "int32", [1, 2, 3, 4], (0.001,), (0,)),
        *(Tensor(name, IMAGE, "uint8", scale=(0.05,), zero=(100,)) for name in "ay"),
    ]
    steps = [Step("CONV_2D", ["x", "v", "b"], ["a"], CONV), Step("CONV_2D", ["a", "w", "b"], ["y"], CONV)]
    path = tmp_path / "net.tflite"
    path.write_bytes(model(tensors, steps, ["x"], ["y"]))
    feeds = {"x": _stored("uint8", *IMAGE)}
    imported = read(path)
    exact = session(imported.model, {"session.x64quantprecision": "1"}).run(None, feeds)[0]
    np.testing.assert_allclose(exact, run_litert(path, feeds)[0], rtol=0, atol=0.05 * 6)  # two layers, weights of 2.5


def test_a_network_of_16_bit_activations_is_one_step_from_litert(tmp_path: Path) -> None:
    tensors = [
        Tensor("x", IMAGE, "int16", scale=(0.001,), zero=(0,)),
        Tensor("w", (5, 3, 3, 4), "int8", DICE.integers(-127, 127, (5, 3, 3, 4)), [0.01] * 5, [0] * 5),
        Tensor("b", (5,), "int64", DICE.integers(-2000, 2000, 5), [0.00001] * 5, [0] * 5),
        Tensor("y", (1, 6, 8, 5), "int16", scale=(0.002,), zero=(0,)),
    ]
    data = model(tensors, [Step("CONV_2D", ["x", "w", "b"], ["y"], CONV, 4)], ["x"], ["y"])
    _check(data, "int16", tmp_path, IMAGE, 0.002)


def test_float16_weights_are_widened(tmp_path: Path) -> None:
    weights = DICE.normal(size=(5, 3, 3, 4)).astype(np.float16)
    tensors = [
        Tensor("x", IMAGE),
        Tensor("half", weights.shape, "float16", weights),
        Tensor("w", weights.shape),
        Tensor("b", (5,), data=DICE.normal(size=5)),
        Tensor("y", (1, 6, 8, 5)),
    ]
    steps = [Step("DEQUANTIZE", ["half"], ["w"], {}, 3), Step("CONV_2D", ["x", "w", "b"], ["y"], CONV)]
    path = tmp_path / "net.tflite"
    path.write_bytes(model(tensors, steps, ["x"], ["y"]))
    imported = read(path)
    feeds = {"x": DICE.normal(size=IMAGE).astype(np.float32)}
    np.testing.assert_allclose(run_onnx(imported.model, feeds)[0], run_litert(path, feeds)[0], rtol=1e-4, atol=1e-5)
    assert [node.op_type for node in imported.model.graph.node] == ["Transpose", "Conv", "Transpose"]
    assert "float16 weights were widened to float32" in imported.notes


def test_integer_weights_of_a_float_layer_are_widened(tmp_path: Path) -> None:
    stored = DICE.integers(-127, 127, (5, 12)).astype(np.int8)
    tensors = [
        Tensor("x", (2, 12)),
        Tensor("w", (5, 12), "int8", stored, (0.02,), (0,)),
        Tensor("b", (5,), data=np.ones(5)),
        Tensor("y", (2, 5)),
    ]
    path = tmp_path / "net.tflite"
    path.write_bytes(model(tensors, [Step("FULLY_CONNECTED", ["x", "w", "b"], ["y"], {}, 3)], ["x"], ["y"]))
    x = DICE.normal(size=(2, 12)).astype(np.float32)
    imported = read(path)
    expected = x @ (stored.astype(np.float32) * np.float32(0.02)).T + 1  # LiteRT itself rounds x to eight bits
    np.testing.assert_allclose(run_onnx(imported.model, {"x": x})[0], expected, rtol=1e-4, atol=1e-5)
    assert any("int8 weights" in note for note in imported.notes)
