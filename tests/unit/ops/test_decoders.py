"""Decoders compute what their formula says."""

from __future__ import annotations

import numpy as np
import pytest

from pixelwright.errors import RuntimeFailure, ShapeError
from pixelwright.ops.decoders.image import image
from pixelwright.ops.decoders.softmax import softmax


def test_softmax_of_known_logits() -> None:
    scores = softmax({"y": np.log(np.array([[1.0, 2.0, 5.0]]))}, output="y")
    assert scores[0].tolist() == pytest.approx([1 / 8, 2 / 8, 5 / 8])


def test_a_temperature_flattens() -> None:
    scores = softmax({"y": np.log(np.array([[1.0, 4.0]]))}, output="y", temperature=2.0)
    assert scores[0].tolist() == pytest.approx([1 / 3, 2 / 3])


def test_softmax_of_huge_logits_is_finite() -> None:
    assert softmax({"y": np.array([[1e4, -1e4]], np.float32)}, output="y").tolist() == [[1.0, 0.0]]


def test_a_class_that_is_ruled_out_gets_nothing() -> None:
    assert softmax({"y": np.array([[0, -np.inf, 0]])}, output="y").tolist() == [[0.5, 0.0, 0.5]]


@pytest.mark.parametrize("logits", [[0, np.nan], [0, np.inf], [-np.inf, -np.inf]])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_no_scores_come_of_what_is_no_number(logits: list[float], dtype: type) -> None:
    batch = np.array([[0, 0], logits], dtype)
    with pytest.raises(RuntimeFailure, match="output 'y': the model made values that are not finite"):
        softmax({"y": batch}, output="y")


def test_softmax_refuses_maps() -> None:
    with pytest.raises(ShapeError, match=r"\(N, K\)"):
        softmax({"y": np.zeros((1, 2, 3, 3))}, output="y")


def test_an_image_is_laid_out_by_rows_with_white_at_one() -> None:
    planes = np.arange(12, dtype=np.float32).reshape(1, 3, 2, 2)
    made = image({"y": planes}, output="y", white=255.0)
    assert made.shape == (1, 2, 2, 3)
    assert made[0, 1, 0].tolist() == pytest.approx([2 / 255, 6 / 255, 10 / 255])
