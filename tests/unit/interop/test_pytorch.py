"""PyTorch networks as ONNX files: compared at once, free where said, the same bytes each time."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from torch import nn  # noqa: E402

from pixelwright.errors import ParityError, PixelwrightError, UnsupportedModel  # noqa: E402
from pixelwright.interop import pytorch  # noqa: E402
from pixelwright.interop.pytorch import export_onnx  # noqa: E402
from pixelwright.interop.pytorch_weights import round_weights  # noqa: E402
from pixelwright.models.recurrent import Config, Recurrent  # noqa: E402
from pixelwright.runtimes.onnx import RUNTIME  # noqa: E402
from pixelwright.runtimes.torch import TorchGraph  # noqa: E402
from pixelwright.structures.spec import TensorSpec  # noqa: E402

IMAGE = TensorSpec("image", "float32", ["N", 3, "H", "W"])


class Small(nn.Module):
    """A convolution with normalization, halved in size, and the mean of it: two outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.dense = nn.Linear(8, 10)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features = nn.functional.max_pool2d(torch.relu(self.norm(self.conv(image))), 2)
        return self.dense(features.mean(dim=(2, 3))), features


def small() -> Small:
    torch.manual_seed(0)
    net = Small()
    net.norm.running_mean.uniform_(-1, 1)
    net.norm.running_var.uniform_(0.5, 2)
    return net


def pictures(*shapes: tuple[int, int, int]) -> list[dict[str, np.ndarray]]:
    rng = np.random.default_rng(0)
    return [{"image": rng.random((n, 3, h, w), np.float32)} for n, h, w in shapes]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pytorch.Exported]:
    path = tmp_path_factory.mktemp("export") / "model.onnx"
    examples = pictures((1, 17, 23), (2, 8, 31))
    return path, export_onnx(small(), path, [IMAGE], ["logits", "features"], examples, labels=["a", "é"])


def test_the_file_answers_as_the_network_at_other_sizes(written: tuple[Path, pytorch.Exported]) -> None:
    graph = RUNTIME.open(written[0], threads=1)
    reference = TorchGraph(small(), (IMAGE,), graph.outputs)
    (feeds,) = pictures((3, 5, 2))
    for name, expected in reference.run(feeds).items():
        np.testing.assert_allclose(graph.run(feeds)[name], expected, rtol=1e-4, atol=1e-5)


def test_sizes_have_the_names_that_were_given(written: tuple[Path, pytorch.Exported]) -> None:
    found = written[1]
    assert [(one.name, one.dims) for one in found.outputs] == [
        ("logits", ["N", 10]),
        ("features", ["N", 8, "(H//2)", "(W//2)"]),
    ]
    assert [dim.dim_param for dim in onnx.load(written[0]).graph.input[0].type.tensor_type.shape.dim] == [
        "N",
        "",
        "H",
        "W",
    ]
    assert found.size_bytes == written[0].stat().st_size
    assert 0 <= found.largest_difference < 1e-6


def test_normalization_is_folded_and_labels_are_in_the_metadata(written: tuple[Path, pytorch.Exported]) -> None:
    model = onnx.load(written[0])
    assert "BatchNormalization" not in {node.op_type for node in model.graph.node}
    assert [(prop.key, prop.value) for prop in model.metadata_props] == [("labels", '["a", "\\u00e9"]')]


def test_nothing_of_this_machine_is_in_the_file(written: tuple[Path, pytorch.Exported]) -> None:
    raw = written[0].read_bytes()
    for trace in (str(Path(__file__).parent), "site-packages", "stack_trace", "forward", torch.__version__):
        assert trace.encode() not in raw


def test_the_same_network_gives_the_same_bytes(written: tuple[Path, pytorch.Exported], tmp_path: Path) -> None:
    path = tmp_path / "again.onnx"
    export_onnx(small(), path, [IMAGE], ["logits", "features"], pictures((2, 9, 11)), labels=["a", "é"])
    assert path.read_bytes() == written[0].read_bytes()


@pytest.mark.slow
def test_another_process_writes_the_same_bytes(written: tuple[Path, pytorch.Exported], tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; import test_pytorch as t; path = Path(sys.argv[1]);"
        "t.export_onnx(t.small(), path, [t.IMAGE], ['logits', 'features'], t.pictures((2, 9, 11)), labels=['a', 'é'])"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "1", "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "other.onnx")], env=environment, capture_output=True, check=True
    )
    assert (tmp_path / "other.onnx").read_bytes() == written[0].read_bytes()
    assert done.stdout + done.stderr == b""


@pytest.mark.slow
def test_exporting_leaves_the_network_as_it_was(tmp_path: Path) -> None:
    net = small().train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    export_onnx(net, tmp_path / "model.onnx", [IMAGE], ["logits", "features"], pictures((1, 8, 10)))
    assert net.training
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())


@pytest.mark.slow
def test_torch_says_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        export_onnx(small(), tmp_path / "model.onnx", [IMAGE], ["logits", "features"], pictures((1, 8, 10)))
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


@pytest.mark.slow
def test_packed_weights_make_a_smaller_file_with_the_same_answers(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Conv2d(3, 64, 3), nn.BatchNorm2d(64), nn.ReLU(), nn.Conv2d(64, 64, 3))
    round_weights(net, "int8")
    examples = pictures((1, 9, 12))
    whole = export_onnx(net, tmp_path / "whole.onnx", [IMAGE], ["out"], examples)
    packed = export_onnx(net, tmp_path / "packed.onnx", [IMAGE], ["out"], examples, weights="packed")
    assert packed.size_bytes < 0.3 * whole.size_bytes
    assert packed.largest_difference < 1e-6


@pytest.mark.slow
def test_a_recurrent_network_is_free_in_batch_and_time(tmp_path: Path) -> None:
    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(4, 8, 2, batch_first=True)

        def forward(self, steps: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
            return self.lstm(steps)[0][torch.arange(len(steps)), lengths - 1]

    inputs = [TensorSpec("sequence", "float32", ["N", "T", 4]), TensorSpec("lengths", "int64", ["N"])]
    rng = np.random.default_rng(0)
    examples = [
        {"sequence": rng.normal(size=(n, t, 4)).astype(np.float32), "lengths": rng.integers(1, t + 1, n)}
        for n, t in ((2, 7), (5, 3))
    ]
    exported = export_onnx(Last(), tmp_path / "model.onnx", inputs, ["last"], examples)
    assert [one.dims for one in exported.outputs] == [["N", 8]]


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["rnn", "lstm"])
@pytest.mark.parametrize("weights", ["f32", "packed"])
def test_our_recurrent_networks_are_one_operator_a_layer_for_any_length(
    tmp_path: Path, cell: Literal["rnn", "lstm"], weights: Literal["f32", "packed"]
) -> None:
    torch.manual_seed(0)
    net = Recurrent(Config(cell, inputs=4, hidden=100, layers=2, classes=3))
    rng = np.random.default_rng(0)
    examples = [{"steps": rng.normal(size=(n, t, 4)).astype(np.float32)} for n, t in ((2, 7), (3, 1), (1, 300))]
    inputs = [TensorSpec("steps", "float32", ["N", "T", 4])]
    export_onnx(net, tmp_path / "model.onnx", inputs, ["logits"], examples, weights=weights)
    found = Counter(node.op_type for node in onnx.load(tmp_path / "model.onnx").graph.node)
    assert found[cell.upper()] == 2
    assert not found.keys() & {"Concat", "Split", "Unsqueeze", "Reshape"}  # weights are in their order already


def test_a_wrong_export_is_refused_and_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def sabotage(model: onnx.ModelProto) -> None:
        kernel = next(tensor for tensor in model.graph.initializer if len(tensor.dims) == 4)
        kernel.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(kernel) * 1.01, kernel.name))

    monkeypatch.setattr(pytorch, "_strip", sabotage)
    with pytest.raises(ParityError, match=r"Small differs from PyTorch by 0\.0\d+ .*allowed is 0.0001"):
        export_onnx(small(), tmp_path / "model.onnx", [IMAGE], ["logits", "features"], pictures((1, 8, 10)))
    assert list(tmp_path.iterdir()) == []


def test_a_network_that_looks_at_values_is_told(tmp_path: Path) -> None:
    class Choosing(nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return image if image.mean() > 0 else -image

    with pytest.raises(UnsupportedModel, match=r"Choosing: PyTorch cannot export it for image \['N', 3, 'H', 'W'\]: "):
        export_onnx(Choosing(), tmp_path / "model.onnx", [IMAGE], ["out"], pictures((1, 8, 8)))


@pytest.mark.slow
def test_a_size_that_only_seems_free_is_found_by_an_example_of_another(tmp_path: Path) -> None:
    class Divided(nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return image.reshape(len(image), 3, 2, -1) + image[:, :, :2].reshape(len(image), 3, 2, -1).mean()

    with pytest.raises(PixelwrightError, match=r"\(1, 3, 7, 9\)"):
        export_onnx(Divided(), tmp_path / "model.onnx", [IMAGE], ["out"], pictures((1, 8, 8), (1, 7, 9)))
    assert list(tmp_path.iterdir()) == []
