"""Maps are read between their cells exactly, whatever the size of the bands they are read in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelwright.ops import maps
from pixelwright.ops.maps import Grid, best_classes, classes_at, ids_at


def grid(rows: list[float], columns: list[float], tensor_hw: tuple[int, int], *, align_corners: bool = False) -> Grid:
    return Grid(np.array(rows), np.array(columns), tensor_hw, align_corners)


def whole(size_hw: tuple[int, int], tensor_hw: tuple[int, int], *, align_corners: bool = False) -> Grid:
    """The centers of a picture's pixels, stretched to the tensor."""
    rows, columns = ((np.arange(n) + 0.5) * side / n for n, side in zip(size_hw, tensor_hw, strict=True))
    return Grid(rows, columns, tensor_hw, align_corners)


def test_cells_lie_in_the_middle_of_their_patches() -> None:
    rows, columns = grid([4, 12], [2, 6], (16, 8)).cells((2, 2))
    assert rows.tolist() == [0, 1] and columns.tolist() == [0, 1]


def test_aligned_cells_lie_on_the_outer_pixels() -> None:
    rows, columns = grid([0.5, 8.5, 16.5], [0.5], (17, 1), align_corners=True).cells((3, 1))
    assert rows.tolist() == [0, 1, 2] and columns.tolist() == [0]


def test_places_outside_belong_to_the_edge() -> None:
    assert ids_at(np.array([[7, 9]], np.uint8), grid([-5, 50], [-5, 50], (2, 4))).tolist() == [[7, 9], [7, 9]]


def test_ids_are_those_of_the_nearest_cell() -> None:
    found = ids_at(np.array([[1, 2], [3, 4]], np.uint8), whole((4, 6), (2, 2)))
    assert found.tolist() == [[1, 1, 1, 2, 2, 2]] * 2 + [[3, 3, 3, 4, 4, 4]] * 2


def test_a_class_wins_where_its_interpolated_score_does() -> None:
    # From cell 0 to cell 1 the first falls 3 to 0, the second stays 1: they meet two thirds of the way.
    scores = np.array([[[3, 0]], [[1, 1]]], np.float32)
    places = [0.5 + 0.6, 0.5 + 0.7]
    assert classes_at(scores, grid([0.5], places, (1, 2)), cut=0).tolist() == [[0, 1]]


def test_one_class_alone_is_a_yes_from_the_cut_on() -> None:
    scores = np.array([[[0.0, 1.0]]], np.float32)
    assert classes_at(scores, grid([0.5], [0.5, 1.0, 1.5], (1, 2)), cut=0.5).tolist() == [[0, 1, 1]]
    assert best_classes(scores, cut=0.5).tolist() == [[0, 1]]


@given(
    st.tuples(st.integers(1, 4), st.integers(1, 6), st.integers(1, 6)),
    st.tuples(st.integers(1, 20), st.integers(1, 20)),
    st.booleans(),
)
def test_interpolation_equals_its_formula(
    shape: tuple[int, int, int], size_hw: tuple[int, int], align_corners: bool
) -> None:
    scores = np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)
    places = whole(size_hw, (12, 18), align_corners=align_corners)
    rows, columns = places.cells(shape[1:])
    # Independent: each cell's weight is a triangle around it.
    down = np.clip(1 - np.abs(rows[:, None] - np.arange(shape[1])), 0, None)
    along = np.clip(1 - np.abs(columns[:, None] - np.arange(shape[2])), 0, None)
    expected = np.einsum("rh,chw,sw->crs", down, scores.astype(np.float64), along)
    found = classes_at(scores, places, cut=0)
    if shape[0] == 1:
        sure = np.abs(expected[0]) > 1e-6
        assert (found == (expected[0] >= 0))[sure].all()
    else:
        chosen = np.take_along_axis(expected, found[None].astype(np.intp), axis=0)[0]
        assert np.allclose(chosen, expected.max(axis=0), rtol=0, atol=1e-6)


def test_bands_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = np.random.default_rng(0).normal(size=(5, 7, 9)).astype(np.float32)
    places = whole((40, 30), (56, 72))
    at_once = classes_at(scores, places, cut=0)
    monkeypatch.setattr(maps, "BAND_BYTES", 1)
    assert (classes_at(scores, places, cut=0) == at_once).all()


def test_more_classes_than_a_byte_holds_get_two() -> None:
    scores = np.zeros((300, 1, 1), np.float32)
    scores[299] = 1
    found = classes_at(scores, grid([0.5], [0.5], (1, 1)), cut=0)
    assert found.dtype == np.uint16 and found.tolist() == [[299]]
