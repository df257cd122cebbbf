"""When an export is the network that was trained, and when it is not."""

from __future__ import annotations

from math import nan
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import bundles
from pixelwright.errors import ParityError
from pixelwright.verbs.train.finishing.parity import ONNX, TORCH, UNROUNDED, Compared, compare
from pixelwright.verbs.train.scoring.observe import Observed


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return bundles.blur(tmp_path / "blur").file("model")


def observed(trained: float, exported: float, apart: float, **more: float) -> Observed:
    metrics = {TORCH: {"accuracy": trained}, ONNX: {"accuracy": exported}}
    if more:
        metrics[UNROUNDED] = {"accuracy": more["before"]}
    return Observed(n=20, differences={TORCH: 0.0, ONNX: apart, UNROUNDED: 0.01}, metrics=metrics)


def compared(model: Path, *numbers: float, **more: float) -> Compared:
    return compare(model, observed(*numbers, **more), "accuracy")


def test_equal_metrics_and_near_outputs_pass_without_a_word(model: Path) -> None:
    found = compared(model, 0.91234, 0.91239, 4e-7)
    (row,) = found.rows
    assert (row.runtime, row.n, row.largest_difference, row.tolerance) == ("onnxruntime", 20, 4e-7, 1e-3)
    assert row.metric_delta == pytest.approx(5e-5)
    assert found.remarks == ()


def test_a_metric_that_differs_is_refused_with_both_numbers(model: Path) -> None:
    with pytest.raises(ParityError, match=r"20 validation pictures accuracy is 0\.95 in PyTorch and 0\.9 in ONNX"):
        compared(model, 0.95, 0.9, 5e-5)


def test_outputs_that_differ_are_refused_though_the_metric_is_equal(model: Path) -> None:
    with pytest.raises(ParityError, match=r"outputs differ by 0\.02 of the largest \(allowed 0\.001\)"):
        compared(model, 0.95, 0.95, 0.02)


def test_a_jump_of_the_metric_by_rounding_alone_is_told(model: Path) -> None:
    found = compared(model, 0.95, 0.9, 3e-7)
    assert "0.95 in PyTorch and 0.9 in ONNX Runtime, although outputs differ by 3e-07" in found.remarks[0]
    assert found.rows[0].metric_delta == pytest.approx(-0.05)


def test_a_metric_without_a_value_is_equal_to_one_without(model: Path) -> None:
    assert compared(model, nan, nan, 0.0).rows[0].metric_delta == 0
    with pytest.raises(ParityError, match="nan in ONNX Runtime"):
        compared(model, 0.5, nan, 1e-4)


def test_what_rounding_the_weights_changed_is_told(model: Path) -> None:
    found = compared(model, 0.94, 0.94, 0.0, before=0.95)
    assert "rounding the weights changed accuracy on the validation pictures from 0.95 to 0.94" in found.remarks[0]


def test_runtimes_are_timed_on_what_was_fed(model: Path) -> None:
    seen = observed(1.0, 1.0, 0.0)
    seen.feeds.append({"in": np.zeros((1, 3, 8, 8), np.float32)})
    found = compare(model, seen, "accuracy")
    assert found.rows[0].relative_time == 1
    assert found.run_s > 0
