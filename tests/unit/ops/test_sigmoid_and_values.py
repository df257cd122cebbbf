from __future__ import annotations

import numpy as np
import pytest

from pixelwright.errors import RuntimeFailure, ShapeError
from pixelwright.ops.decoders.sigmoid import sigmoid
from pixelwright.ops.decoders.values import values


def test_sigmoid_answers_each_class_on_its_own() -> None:
    scores = sigmoid({"y": np.log(np.array([[1.0, 3.0, 9.0]]))}, output="y")
    np.testing.assert_allclose(scores, [[0.5, 0.75, 0.9]], rtol=1e-6)


def test_a_temperature_of_two_takes_the_root_of_the_odds() -> None:
    scores = sigmoid({"y": np.log(np.array([[9.0, 1 / 9]]))}, output="y", temperature=2.0)
    np.testing.assert_allclose(scores, [[0.75, 0.25]], rtol=1e-6)


def test_sigmoid_of_huge_logits_is_finite() -> None:
    assert sigmoid({"y": np.array([[1e4, -1e4, np.inf]], np.float32)}, output="y").tolist() == [[1.0, 0.0, 1.0]]


def test_sigmoid_refuses_what_is_no_number() -> None:
    with pytest.raises(RuntimeFailure, match="no numbers"):
        sigmoid({"y": np.array([[0, np.nan]])}, output="y")


def test_values_are_put_back_into_their_units() -> None:
    answered = values({"y": np.array([[0.0, -1.0], [2.0, 1.0]])}, output="y", mean=[20.0, 5.0], std=[10.0, 0.5])
    assert answered.tolist() == [[20.0, 4.5], [40.0, 5.5]]


def test_values_without_units_are_as_they_are() -> None:
    assert values({"y": np.array([[1.5]], np.float32)}, output="y").tolist() == [[1.5]]


def test_values_refuse_another_number_of_means() -> None:
    with pytest.raises(ShapeError, match="2 numbers, but mean has 1"):
        values({"y": np.zeros((3, 2))}, output="y", mean=[1.0])


def test_values_refuse_what_is_not_finite() -> None:
    with pytest.raises(RuntimeFailure, match="not finite"):
        values({"y": np.array([[np.inf]])}, output="y")
