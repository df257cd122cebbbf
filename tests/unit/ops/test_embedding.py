"""Vectors come out with a direction and unit length."""

from __future__ import annotations

import numpy as np
import pytest

from pixelwright.errors import NotFinite, RuntimeFailure, ShapeError
from pixelwright.ops.decoders.embedding import embedding


@pytest.mark.parametrize("shape", [(1, 2), (1, 1, 1, 2), (1, 2, 1, 1)])
def test_vectors_get_unit_length(shape: tuple[int, ...]) -> None:
    assert embedding({"y": np.array([3, 4.0]).reshape(shape)}, output="y").tolist() == [
        pytest.approx([0.6, 0.8], abs=1e-7)
    ]


@pytest.mark.parametrize("size", [1e-30, 1e30, 65_504])
def test_neither_tiny_nor_huge_values_lose_their_direction(size: float) -> None:
    vector = embedding({"y": np.array([[size, size]], np.float32)}, output="y")[0]
    assert vector.dtype == np.float32 and vector.tolist() == pytest.approx([0.5**0.5] * 2)


@pytest.mark.parametrize("bad", [[np.nan, 1], [np.inf, 1], [np.nan, np.nan]])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_what_is_not_finite_is_refused(bad: list[float], dtype: type) -> None:
    with pytest.raises(NotFinite, match="output 'y': the model made a vector of values that are not finite"):
        embedding({"y": np.array([[1, 0], bad], dtype)}, output="y")


def test_zeros_which_have_no_direction_are_refused_but_are_finite() -> None:
    with pytest.raises(RuntimeFailure, match="output 'y': the model made a vector of zeros") as caught:
        embedding({"y": np.array([[1, 0], [0, 0]], np.float32)}, output="y")
    assert not isinstance(caught.value, NotFinite)


@pytest.mark.parametrize("shape", [(3,), (1, 2, 3), (1, 2, 3, 3), (1, 0)])
def test_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"output 'y': expected \(N, D\)"):
        embedding({"y": np.ones(shape)}, output="y")
