"""Pictures that look alike have descriptions that are alike."""

from __future__ import annotations

import numpy as np
import pytest

from pixelwright.errors import ShapeError
from pixelwright.ops.appearance import AT_ONCE, CELLS, DIRECTIONS, THUMB_PX, TINT_PX, describe


def tints(count: int) -> np.ndarray:
    return np.full((count, TINT_PX, TINT_PX, 3), 128, np.uint8)


def edges(thumb: np.ndarray) -> np.ndarray:
    """Of one gray copy: how much each direction has of all edges."""
    found = describe(thumb[None], tints(1))[0, : CELLS * CELLS * DIRECTIONS]
    return (found**2).reshape(-1, DIRECTIONS).sum(axis=0)


def test_edges_are_told_apart_by_their_direction() -> None:
    rising = np.tile(np.arange(THUMB_PX, dtype=np.uint8) * 8, (THUMB_PX, 1))
    np.testing.assert_allclose(edges(rising), np.eye(DIRECTIONS)[0], atol=1e-5)  # brighter to the right
    np.testing.assert_allclose(edges(rising.T), np.eye(DIRECTIONS)[DIRECTIONS // 4], atol=1e-5)  # downward
    np.testing.assert_allclose(edges(rising[:, ::-1]), np.eye(DIRECTIONS)[DIRECTIONS // 2], atol=1e-5)


def test_how_strong_the_contrast_is_does_not_matter_to_edges() -> None:
    strong = np.random.default_rng(0).integers(0, 200, (THUMB_PX, THUMB_PX)).astype(np.uint8) // 4 * 4
    np.testing.assert_allclose(edges(strong), edges(strong // 4), atol=1e-4)


def test_a_plain_picture_has_no_edges_and_a_finite_description() -> None:
    found = describe(np.full((1, THUMB_PX, THUMB_PX), 7, np.uint8), tints(1))
    assert np.isfinite(found).all() and (found[0, : CELLS * CELLS * DIRECTIONS] == 0).all()


def test_many_pictures_are_described_as_each_alone() -> None:
    thumbs = np.random.default_rng(0).integers(0, 256, (AT_ONCE + 3, THUMB_PX, THUMB_PX), np.uint8)
    found = describe(thumbs, tints(len(thumbs)))
    np.testing.assert_allclose(found[-1:], describe(thumbs[-1:], tints(1)), rtol=1e-6)
    assert len(found) == len(thumbs) and len(describe(thumbs[:0], tints(0))) == 0


def test_copies_of_another_size_are_refused() -> None:
    with pytest.raises(ShapeError, match="expected"):
        describe(np.zeros((1, 16, 16), np.uint8), tints(1))
