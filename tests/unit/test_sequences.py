"""Sequences: a bundle whose input is (N, T, F) answers arrays (T, F) of any length."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pixelwright as pw
from bundles import trends
from pixelwright.errors import BundleError, RuntimeFailure, ShapeError
from pixelwright.structures.spec import InputSpec, Resize, TensorSpec


def steps(length: int, first: float, second: float) -> np.ndarray:
    return np.tile(np.array([first, second], np.float32), (length, 1))


def test_a_sequence_is_answered_as_an_array(tmp_path: Path) -> None:
    trends(tmp_path / "trends")
    model = pw.load(tmp_path / "trends")
    assert model(steps(7, 100.0, -3.0)).top.label == "up"
    assert model(steps(1, -2.5, 3.0)).top.label == "down"


def test_sequences_of_several_lengths_are_answered_each_as_alone(tmp_path: Path) -> None:
    trends(tmp_path / "trends")
    model = pw.load(tmp_path / "trends")
    given = [steps(length, length / 10, 0.3) for length in (5, 2, 2, 9, 5)]
    together = [done.result.scores.tolist() for done in model.stream(given)]
    assert together == [model(one).scores.tolist() for one in given]


@pytest.mark.parametrize("array", [np.zeros((4, 2), np.uint8), np.zeros((4, 2, 3), np.float32)])
def test_a_picture_is_refused(tmp_path: Path, array: np.ndarray) -> None:
    trends(tmp_path / "trends")
    with pytest.raises(ShapeError, match="takes no pictures"):
        pw.load(tmp_path / "trends")(array)


def test_another_number_of_features_is_refused(tmp_path: Path) -> None:
    trends(tmp_path / "trends")
    with pytest.raises(RuntimeFailure, match=r"\(batch, steps, 2\), got \(1, 4, 3\)"):
        pw.load(tmp_path / "trends")(np.zeros((4, 3), np.float32))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"color": "srgb"}, "input.color"),
        ({"channels": "rgb"}, "input.channels"),
        ({"depth": "8-bit"}, "input.depth"),
        ({"white": 255.0}, "input.white"),
        ({"resize": Resize(rule="stretch", size_hw=(8, 8))}, "input.resize"),
    ],
)
def test_a_contract_that_treats_a_sequence_as_a_picture_is_refused(
    tmp_path: Path, changes: dict[str, Any], field: str
) -> None:
    sound: dict[str, Any] = {"color": "as-is", "channels": "gray", "depth": "keep", "layout": "NTF"}
    with pytest.raises(BundleError, match=field):
        trends(tmp_path / "trends", input=InputSpec(**sound | changes))


def test_a_graph_of_four_dimensions_takes_no_sequences(tmp_path: Path) -> None:
    made = trends(tmp_path / "trends").spec.graphs["model"]
    entry = TensorSpec("in", "float32", ["batch", 1, "steps", 2], "NTF")
    graph = type(made)(inputs=[entry], outputs=made.outputs)
    with pytest.raises(BundleError, match=r"4 dimensions; a batch has 3 \(NTF\)"):
        trends(tmp_path / "other", graphs={"model": graph})
