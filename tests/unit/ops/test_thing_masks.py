"""Masks of things are placed at pixel centers, cut to their boxes, and run-length coded without the whole picture."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelwright.ops import masks
from pixelwright.ops.batch import Placement
from pixelwright.ops.masks import Part, Patch, join, patch, patch_of, runs_of
from pixelwright.structures.masks import decode_runs, encode_runs

SAME = Placement((1.0, 1.0), (0.0, 0.0))


@given(st.integers(0, 2**32 - 1), st.tuples(st.integers(1, 9), st.integers(1, 9)), st.floats(0, 1))
def test_runs_of_a_patch_are_those_of_the_whole_mask(seed: int, size_hw: tuple[int, int], share: float) -> None:
    random = np.random.default_rng(seed)
    top, left = random.integers(0, size_hw[0]), random.integers(0, size_hw[1])
    height, width = random.integers(1, size_hw[0] - top + 1), random.integers(1, size_hw[1] - left + 1)
    inside = random.uniform(size=(height, width)) < share
    whole = np.zeros(size_hw, bool)
    whole[top : top + height, left : left + width] = inside
    assert runs_of(Patch(int(top), int(left), inside), size_hw).tolist() == encode_runs(whole).tolist()


def test_a_mask_of_the_tensors_own_size_is_taken_as_it_is() -> None:
    logits = np.where(np.random.default_rng(2).uniform(size=(8, 10)) < 0.5, 1, -1).astype(np.float32)
    made = patch(logits, (8, 10), SAME, (2, 1, 7, 6))
    assert (made.top, made.left) == (1, 2)
    assert np.array_equal(made.inside, logits[1:6, 2:7] > 0)


def test_a_pixel_counts_if_its_center_is_in_the_box() -> None:
    made = patch(np.ones((4, 4), np.float32), (4, 4), SAME, (0.6, 0.4, 2.5, 2.6))
    assert np.array_equal(made.inside, [[False, True, False], [False, True, False], [False, True, False]])


def test_a_coarse_mask_is_interpolated_at_pixel_centers() -> None:
    logits = np.array([[-1, -1, 1, 1]], np.float32)  # over 16 pixels: the border is at 8
    made = patch(logits, (16, 16), SAME, (0, 0, 16, 16))
    assert made.inside.shape == (16, 16)
    assert (made.inside == (np.arange(16) >= 8)).all()


def test_a_mask_follows_its_tensor_into_the_picture() -> None:
    logits = np.full((10, 10), -1, np.float32)
    logits[2:4, 5:8] = 1
    # The tensor is a picture of 30 by 30, three times smaller, with a rim of one column to the left.
    made = patch(logits, (10, 10), Placement((3.0, 3.0), (-3.0, 0.0)), (0, 0, 27, 27))
    rows, columns = np.nonzero(made.inside)
    assert (rows.min(), rows.max() + 1, columns.min(), columns.max() + 1) == (6, 12, 12, 21)


def test_a_part_is_placed_as_the_whole_would_be() -> None:
    random = np.random.default_rng(4)
    logits = np.full((12, 14), -1, np.float32)
    logits[3:9, 5:12] = random.choice([-1, 1], (6, 7))
    part = Part(3, 5, logits[3:9, 5:12])
    for placement, box in ((SAME, (2, 1, 14, 12)), (Placement((2.5, 3.0), (-2.0, 4.0)), (0, 4, 33, 40))):
        made, expected = patch_of(part, (12, 14), placement, box), patch(logits, (12, 14), placement, box)
        assert (made.top, made.left) == (expected.top, expected.left)
        assert np.array_equal(made.inside, expected.inside)


def test_a_part_may_reach_beyond_the_box_and_the_picture() -> None:
    made = patch_of(Part(6, 6, np.ones((6, 6), np.float32)), (12, 12), SAME, (7, 8, 10, 10))
    assert (made.top, made.left) == (8, 7) and made.inside.shape == (2, 3) and made.inside.all()


def test_a_large_mask_is_made_in_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    logits = np.random.default_rng(3).normal(size=(6, 5)).astype(np.float32)
    whole = patch(logits, (60, 50), SAME, (3, 4, 47, 55))
    monkeypatch.setattr(masks, "BAND_PX", 100)
    assert np.array_equal(patch(logits, (60, 50), SAME, (3, 4, 47, 55)).inside, whole.inside)


def test_joined_patches_hold_what_any_of_them_holds() -> None:
    one = Patch(0, 0, np.ones((2, 2), bool))
    other = Patch(1, 1, np.ones((2, 3), bool))
    whole = decode_runs(runs_of(join([one, other]), (4, 5)), (4, 5))
    assert whole.astype(int).tolist() == [[1, 1, 0, 0, 0], [1, 1, 1, 1, 0], [0, 1, 1, 1, 0], [0, 0, 0, 0, 0]]
