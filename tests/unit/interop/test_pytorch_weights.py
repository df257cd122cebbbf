"""Weights rounded in the network, and stored in fewer bits only where nothing is lost by it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from torch import nn  # noqa: E402

from pixelwright.interop.pytorch_weights import pack, round_weights  # noqa: E402
from pixelwright.models import vit  # noqa: E402
from pixelwright.runtimes.onnx import RUNTIME  # noqa: E402


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 16, 3), nn.BatchNorm2d(16), nn.Flatten(), nn.Linear(64, 8))


def product(matrix: np.ndarray) -> onnx.ModelProto:
    """in (N, K) times a matrix (K, M)."""
    node = helper.make_node("MatMul", ["in", "matrix"], ["out"])
    named = zip(("in", "out"), matrix.shape, strict=True)
    sides = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, size]) for name, size in named]
    graph = helper.make_graph([node], "test", sides[:1], sides[1:], [numpy_helper.from_array(matrix, "matrix")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def times_one(model: onnx.ModelProto, folder: Path) -> np.ndarray:
    """What the graph makes of the unit matrix: the matrix it multiplies by."""
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    rows = model.graph.input[0].type.tensor_type.shape.dim[1].dim_value
    return RUNTIME.open(folder / "model.onnx", threads=1).run({"in": np.eye(rows, dtype=np.float32)})["out"]


def kinds(model: onnx.ModelProto) -> set[str]:
    return {TensorProto.DataType.Name(tensor.data_type) for tensor in model.graph.initializer}


def test_half_precision_keeps_eleven_significant_bits_and_leaves_biases() -> None:
    net = network()
    net[0].weight.data.view(-1)[:2] = torch.tensor([1 + 2**-11, 1 + 3 * 2**-11])  # halfway: to the even neighbor
    bias = net[0].bias.detach().clone()
    round_weights(net, "f16")
    assert net[0].weight.view(-1)[:2].tolist() == [1.0, 1 + 2**-9]
    assert torch.equal(net[0].bias, bias)


def test_a_tensor_beyond_the_range_of_half_precision_is_left_alone() -> None:
    net = network()
    net[3].weight.data[0, 0] = 1e6
    before = net[3].weight.detach().clone()
    round_weights(net, "f16")
    assert torch.equal(net[3].weight, before)


def test_eight_bits_are_127_steps_of_a_scale_for_each_output() -> None:
    layer = nn.Linear(64, 2, bias=False)
    layer.weight.data.zero_()
    layer.weight.data[0, :4] = torch.tensor([127.0, -63.6, 0.4, 1.0])
    layer.weight.data[1, :2] = torch.tensor([-0.127, 0.0514])
    round_weights(layer, "int8")
    assert layer.weight[0, :4].tolist() == [127.0, -64.0, 0.0, 1.0]
    # A scale of 0.001, kept to 16 bits: -127 and 51 steps.
    np.testing.assert_allclose(layer.weight[1, :2].tolist(), [-0.127, 0.051], rtol=2**-16)


def test_eight_bits_of_a_transposed_convolution_have_a_scale_for_each_output_too() -> None:
    layer = nn.ConvTranspose2d(16, 2, 2, bias=False)
    layer.weight.data[:, 0] = torch.linspace(-127, 127, 64).view(16, 2, 2)
    layer.weight.data[:, 1] = torch.linspace(-0.127, 0.127, 64).view(16, 2, 2)
    before = layer.weight.detach().clone()
    round_weights(layer, "int8")
    apart = (layer.weight.detach() - before).abs().amax(dim=(0, 2, 3))
    assert 0 < apart[1] <= 0.0005001 and 0.4 < apart[0] <= 0.5001


@pytest.mark.parametrize("rounding", ["f16", "int8"])
def test_scales_of_layers_stay_as_they_are(rounding: Literal["f16", "int8"]) -> None:
    net = vit.VisionTransformer(vit.VARIANTS["xs"])
    scales = net.state_dict()["blocks.0.scales"]
    scales += torch.rand_like(scales)
    before = scales.clone()
    round_weights(net, rounding)
    assert torch.equal(net.state_dict()["blocks.0.scales"], before)


@pytest.mark.parametrize(("rounding", "kind"), [("f16", "FLOAT16"), ("int8", "INT8")])
@pytest.mark.parametrize("transposed", [False, True])
def test_rounded_weights_come_back_to_the_bit(tmp_path: Path, rounding: str, kind: str, transposed: bool) -> None:
    layer = nn.Linear(40, 24)
    round_weights(layer, rounding)
    matrix = layer.weight.detach().numpy()
    model = product(np.ascontiguousarray(matrix.T if transposed else matrix))
    assert pack(model) == 1
    assert kind in kinds(model)
    onnx.checker.check_model(model, full_check=True)
    np.testing.assert_array_equal(times_one(model, tmp_path), matrix.T if transposed else matrix)


def test_weights_that_would_lose_are_stored_as_they_are(tmp_path: Path) -> None:
    matrix = np.random.default_rng(0).normal(size=(16, 16)).astype(np.float32)
    model = product(matrix)
    assert pack(model) == 0
    assert kinds(model) == {"FLOAT"}
    np.testing.assert_array_equal(times_one(model, tmp_path), matrix)


def test_rounding_to_eight_bits_twice_changes_nothing() -> None:
    torch.manual_seed(1)
    layer = nn.Linear(300, 500)  # many rows: a scale that cannot be found again would show
    round_weights(layer, "int8")
    once = layer.weight.detach().clone()
    round_weights(layer, "int8")
    assert torch.equal(layer.weight, once)


def test_an_empty_channel_stays_empty() -> None:
    layer = nn.Linear(64, 2)
    layer.weight.data[0] = 0
    round_weights(layer, "int8")
    assert not layer.weight[0].any()
    assert torch.isfinite(layer.weight).all()
