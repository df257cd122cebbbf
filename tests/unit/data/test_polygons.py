"""Polygons run along the edges of pixels: painted again, they are the mask they came from."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as of
from pycocotools import mask as reference
from skimage.measure import label

from pixelwright.data.polygons import Polygon, fill, joined, outlines
from pixelwright.errors import ShapeError

# pycocotools' arrays predate NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

small = of.arrays(bool, of.array_shapes(min_dims=2, max_dims=2, max_side=12))


def without_holes(mask: np.ndarray) -> np.ndarray:
    parts = label(mask, connectivity=2)
    filled = np.zeros_like(mask)
    for part in range(1, parts.max() + 1):
        outside = label(np.pad(parts != part, 1, constant_values=True), connectivity=1)
        filled |= (outside != outside[0, 0])[1:-1, 1:-1]
    return filled


def painted(polygons: list[Polygon], size_hw: tuple[int, int]) -> np.ndarray:
    if not polygons:
        return np.zeros(size_hw, bool)
    coded = reference.frPyObjects([polygon.ravel().tolist() for polygon in polygons], *size_hw)
    return reference.decode(reference.merge(coded)).astype(bool)


@settings(deadline=None)
@given(small)
def test_small_masks_lose_nothing_but_their_holes(mask: np.ndarray) -> None:
    assert np.array_equal(painted(outlines(mask), mask.shape), without_holes(mask))


def test_a_pixel_is_a_square() -> None:
    (square,) = outlines(np.ones((1, 1), bool))
    assert sorted(square.tolist()) == [[0, 0], [0, 1], [1, 0], [1, 1]]


def test_no_pixels_have_no_outline() -> None:
    assert outlines(np.zeros((5, 7), bool)) == []


@pytest.mark.parametrize("radius", [20, 50, 90])
def test_large_masks_have_few_corners_and_nearly_all_of_their_pixels(radius: int) -> None:
    y, x = np.mgrid[:200, :200]
    disk = (y - 100) ** 2 + (x - 100) ** 2 <= radius**2
    (edge,) = outlines(disk)
    again = painted([edge], disk.shape)
    assert len(edge) < 2 * radius + 10
    assert (again & disk).sum() / (again | disk).sum() > 0.98


def test_a_thin_line_does_not_vanish() -> None:
    assert painted(outlines(np.eye(60, dtype=bool)), (60, 60)).sum() >= 60


def test_parts_are_tied_together_without_adding_area() -> None:
    mask = np.zeros((12, 20), bool)
    mask[1:4, 1:4] = mask[6:9, 10:15] = mask[10:, 2:3] = True
    whole = joined(outlines(mask))
    x, y = whole.T
    assert abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2 == mask.sum()
    assert len(whole) == 3 * 4 + 2 * 2


def test_the_largest_part_comes_first() -> None:
    mask = np.zeros((12, 20), bool)
    mask[1:4, 1:4] = mask[6:12, 10:15] = True
    assert outlines(mask)[0].min(axis=0).tolist() == [10, 6]


@pytest.mark.parametrize("far", [1e7, 1e300])
def test_edges_longer_than_any_picture_are_refused_before_they_are_walked(far: float) -> None:
    with pytest.raises(ShapeError, match=r"expected 3,355,443 at most"):
        fill(np.array([[0.0, 0.0], [far, 0.0], [far, 5.0]]), (8, 12))
