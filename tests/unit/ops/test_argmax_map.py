"""Maps of scores and of ids become the class of each pixel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pixelwright.errors import RuntimeFailure, ShapeError
from pixelwright.ops.decoders.argmax_map import DECODER, argmax_map
from pixelwright.ops.maps import Grid
from pixelwright.structures.spec import TensorSpec

SCORES = np.array([[[[5, 0]], [[1, 1]], [[0, 2]]]], np.float32)  # one row, two columns: classes 0 and 2


@pytest.mark.parametrize(
    ("array", "layout"), [(SCORES, "NCHW"), (SCORES.transpose(0, 2, 3, 1), "NHWC"), (np.array([[[0, 2]]]), "ids")]
)
def test_every_layout_gives_the_same_classes(array: np.ndarray, layout: Any) -> None:
    found = np.asarray(argmax_map({"y": array}, output="y", layout=layout))
    assert found.dtype == np.uint8 and found.tolist() == [[[0, 2]]]


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.float32, np.uint8])
@pytest.mark.parametrize("shape", [(1, 1, 2), (1, 1, 2, 1)])
def test_ids_come_in_many_types(dtype: type, shape: tuple[int, ...]) -> None:
    found = np.asarray(argmax_map({"y": np.array([3, 254]).astype(dtype).reshape(shape)}, output="y", layout="ids"))
    assert found.dtype == np.uint8 and found.tolist() == [[[3, 254]]]


def test_a_high_id_takes_two_bytes() -> None:
    assert np.asarray(argmax_map({"y": np.array([[[256]]])}, output="y", layout="ids")).dtype == np.uint16


@pytest.mark.parametrize(
    ("values", "threshold", "expected"),
    [
        ("logits", None, [0, 1, 1]),
        ("logits", 0.9, [0, 0, 1]),
        ("logits", 0.0, [1, 1, 1]),
        ("logits", 1.0, [0, 0, 0]),
        ("probabilities", None, [0, 0, 1]),
        ("probabilities", 0.0, [0, 1, 1]),
    ],
)
def test_one_class_alone_is_cut_at_a_probability(values: Any, threshold: float | None, expected: list[int]) -> None:
    scores = np.array([-1, 0, 3], np.float32).reshape(1, 1, 1, 3)
    found = np.asarray(argmax_map({"y": scores}, output="y", values=values, threshold=threshold))
    assert found.tolist() == [[expected]]


@pytest.mark.parametrize(
    ("values", "scores", "threshold", "expected"),
    [
        ("logits", [[0, 0, 0], [-1, 1, 3]], None, [0, 1, 1]),
        ("logits", [[0, 0, 0], [-1, 1, 3]], 0.9, [0, 0, 1]),  # sigmoids 0.27, 0.73, 0.95
        ("logits", [[5, 5, 5], [4, 6, 8]], 0.2, [1, 1, 1]),
        ("probabilities", [[0.9, 0.6, 0.1], [0.1, 0.4, 0.9]], 0.4, [0, 1, 1]),
    ],
)
def test_of_two_classes_the_second_has_to_reach_a_threshold(
    values: Any, scores: list[list[float]], threshold: float | None, expected: list[int]
) -> None:
    planes = np.array(scores, np.float32)[None, :, None]
    found = np.asarray(argmax_map({"y": planes}, output="y", values=values, threshold=threshold))
    assert found.tolist() == [[expected]]


def test_a_grid_says_where_classes_are_wanted() -> None:
    grid = Grid(np.array([0.5, 0.5]), np.array([1.0, 3.0, 3.5]), (1, 4))
    assert argmax_map({"y": SCORES}, output="y", grids=[grid])[0].tolist() == [[0, 2, 2]] * 2
    ids = argmax_map({"y": np.array([[[0, 2]]])}, output="y", layout="ids", grids=[grid])
    assert ids[0].tolist() == [[0, 2, 2]] * 2


def test_infinity_is_a_score_as_others_are() -> None:
    scores = np.array([[-np.inf, 0], [np.inf, -np.inf]], np.float32).reshape(1, 2, 1, 2)
    grid = Grid(np.array([0.5]), np.array([0.5, 1.5]), (1, 2))
    assert argmax_map({"y": scores}, output="y", grids=[grid])[0].tolist() == [[1, 0]]


def test_nan_has_no_class() -> None:
    with pytest.raises(RuntimeFailure, match="output 'y': the model made values that are no numbers"):
        argmax_map({"y": np.full((1, 2, 3, 3), np.nan)}, output="y")


@pytest.mark.parametrize("value", [-1, 0.5, np.nan, np.inf, 65_536])
def test_an_id_is_a_whole_number(value: float) -> None:
    with pytest.raises(RuntimeFailure, match="output 'y': expected ids of classes"):
        argmax_map({"y": np.array([[[value]]])}, output="y", layout="ids")


@pytest.mark.parametrize(("shape", "layout"), [((1, 2, 3), "NCHW"), ((2, 2), "ids"), ((1, 2, 2, 2), "ids")])
def test_another_shape_is_refused(shape: tuple[int, ...], layout: Any) -> None:
    with pytest.raises(ShapeError, match="output 'y': expected"):
        argmax_map({"y": np.zeros(shape)}, output="y", layout=layout)


@pytest.mark.parametrize(
    ("dims", "layout", "count"),
    [
        ([1, 21, 8, 8], "NCHW", 21),
        ([1, 8, 8, 21], "NHWC", 21),
        ([1, 1, 8, 8], "NCHW", 2),
        ([1, 8, 8], "ids", None),
        ([1, "classes", 8, 8], "NCHW", None),
    ],
)
def test_the_contract_says_how_many_classes_there_are(dims: list[Any], layout: str, count: int | None) -> None:
    tensors = {"y": TensorSpec("y", "float32", dims)}
    assert DECODER.class_count(tensors, {"output": "y", "layout": layout}) == count
