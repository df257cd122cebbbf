"""Elman networks: the operator that stands for all steps, against PyTorch's own, and free in time once exported."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")

from torch import nn  # noqa: E402

from pixelwright.errors import UnsupportedModel  # noqa: E402
from pixelwright.interop.pytorch import export_onnx  # noqa: E402
from pixelwright.interop.pytorch_rnn import Elman, prepared  # noqa: E402
from pixelwright.structures.spec import TensorSpec  # noqa: E402


@pytest.mark.parametrize(("nonlinearity", "bias", "batch_first"), [("tanh", True, True), ("relu", False, False)])
def test_the_operator_computes_what_pytorch_does(nonlinearity: str, bias: bool, batch_first: bool) -> None:
    torch.manual_seed(0)
    cells = nn.RNN(3, 4, 2, nonlinearity=nonlinearity, bias=bias, batch_first=batch_first)
    steps = torch.randn(5, 2, 3)
    torch.testing.assert_close(Elman(cells)(steps)[0], cells(steps)[0])


def test_networks_in_both_directions_are_refused() -> None:
    with pytest.raises(UnsupportedModel, match="both directions"):
        prepared(nn.Sequential(nn.RNN(3, 4, bidirectional=True)))


@pytest.mark.slow
def test_the_export_is_free_in_time(tmp_path: Path) -> None:
    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cells = nn.RNN(3, 4, 2, batch_first=True)

        def forward(self, steps: torch.Tensor) -> torch.Tensor:
            return self.cells(steps)[0][:, -1]

    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    examples = [{"steps": rng.normal(size=(n, t, 3)).astype(np.float32)} for n, t in ((2, 7), (3, 1), (1, 40))]
    net = Last()
    found = export_onnx(net, tmp_path / "m.onnx", [TensorSpec("steps", "float32", ["N", "T", 3])], ["last"], examples)
    assert found.largest_difference < 1e-6
    assert isinstance(net.cells, nn.RNN)
