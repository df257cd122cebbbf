"""Run lengths hold a mask without loss, and their text is what the COCO API writes, byte for byte."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as of
from pycocotools import mask as reference

from pixelwright.errors import ShapeError
from pixelwright.structures.masks import Masks, decode_runs, encode_runs, runs_to_text, text_to_runs

# pycocotools' arrays predate NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

masks = of.arrays(bool, of.array_shapes(min_dims=2, max_dims=2, max_side=40))
# Long runs, which random pixels never have.
blocks = st.tuples(masks, st.integers(1, 9), st.integers(1, 9)).map(
    lambda parts: np.repeat(np.repeat(parts[0], parts[1], axis=0), parts[2], axis=1)
)
runs = st.lists(st.integers(0, 2**32 - 1), max_size=30).map(lambda counts: np.array(counts, np.uint32))


@settings(deadline=None)
@given(masks | blocks)
def test_the_text_is_the_one_of_the_coco_api(mask: np.ndarray) -> None:
    expected = reference.encode(np.asfortranarray(mask, np.uint8))["counts"].decode("ascii")
    assert runs_to_text(encode_runs(mask)) == expected


@settings(deadline=None)
@given(masks | blocks)
def test_a_mask_comes_back_from_its_text(mask: np.ndarray) -> None:
    again = decode_runs(text_to_runs(runs_to_text(encode_runs(mask))), mask.shape)
    assert again.dtype == bool and np.array_equal(again, mask)


@settings(deadline=None)
@given(runs)
def test_counts_of_any_size_come_back(counts: np.ndarray) -> None:
    assert np.array_equal(text_to_runs(runs_to_text(counts)), counts)


@settings(deadline=None)
@given(st.text(max_size=40) | st.text("0123456789PQRSTUVWXYZ[]^_`abcmno", max_size=60))
def test_any_other_text_is_refused_or_stands_for_runs(text: str) -> None:
    try:
        counts = text_to_runs(text)
    except ShapeError:
        return
    assert counts.dtype == np.uint32
    assert np.array_equal(text_to_runs(runs_to_text(counts)), counts)


@pytest.mark.parametrize("text", ["o", "0o", "/", "p", "ü", "\udcff", "oooooooo0", "O", "o" * 1000, "0\x00"])
def test_text_that_is_cut_off_or_no_text_of_runs_is_refused(text: str) -> None:
    with pytest.raises(ShapeError, match="run lengths"):
        text_to_runs(text)


def test_a_pixel_is_a_mask() -> None:
    assert encode_runs(np.ones((1, 1), bool)).tolist() == [0, 1]
    assert encode_runs(np.zeros((1, 1), bool)).tolist() == [1]
    assert encode_runs(np.zeros((0, 3), bool)).tolist() == []


def test_runs_that_do_not_fill_the_image_are_refused() -> None:
    with pytest.raises(ShapeError, match="add up to 3 pixels, a mask of 2 rows and 2 columns"):
        decode_runs(np.array([1, 2], np.uint32), (2, 2))
    with pytest.raises(ShapeError, match="add up to 8589934590"):
        Masks((2, 2), (np.array([2**32 - 1, 2**32 - 1], np.uint32),))
    with pytest.raises(ShapeError, match=r"expected \(2, 2\), got \(3, 3\)"):
        Masks.of([np.zeros((3, 3), bool)], (2, 2))


@settings(deadline=None)
@given(st.lists(of.arrays(bool, (5, 7)), max_size=4))
def test_areas_are_the_pixels_inside(many: list[np.ndarray]) -> None:
    kept = Masks.of(many, (5, 7))
    assert kept.areas.tolist() == [int(mask.sum()) for mask in many]
    assert len(kept) == len(many) and all(map(np.array_equal, kept, many))
