"""Pictures that look alike have descriptions that are alike."""

from __future__ import annotations

import numpy as np
import pytest

from pixelwright.errors import ShapeError
from pixelwright.ops.appearance import ANGLES, CELLS, LENGTH, describe


def stripes(*, across: bool, side: int = 64) -> np.ndarray:
    wave = np.where(np.arange(side) // 8 % 2, 255, 0).astype(np.uint8)
    rows = np.repeat(wave[None], side, 0) if across else np.repeat(wave[:, None], side, 1)
    return rows[:, :, None]


def test_the_size_of_a_picture_hardly_matters() -> None:
    rng = np.random.default_rng(0)
    blocks = rng.integers(0, 256, (4, 4, 3), np.uint8)
    small, large = (blocks.repeat(times, 0).repeat(times, 1) for times in (16, 40))
    other = rng.integers(0, 256, (4, 4, 3), np.uint8).repeat(16, 0).repeat(16, 1)
    near, far = (np.linalg.norm(describe(small, 255) - describe(one, 255)) for one in (large, other))
    assert near < far / 5


def test_edges_are_told_apart_by_their_direction() -> None:
    upright, lying = (describe(stripes(across=across), 255)[: CELLS * CELLS * ANGLES] for across in (True, False))
    by_angle = [one.reshape(-1, ANGLES).sum(0).argmax() for one in (upright, lying)]
    assert by_angle == [0, ANGLES // 2]  # brightness changes along x, then along y
    assert upright @ lying < 0.1


def test_depth_does_not_matter_and_gray_is_gray() -> None:
    gray = stripes(across=True)
    deep = gray.astype(np.uint16) * 257
    np.testing.assert_allclose(describe(gray, 255), describe(deep, 65535), atol=1e-6)
    np.testing.assert_allclose(describe(gray, 255), describe(gray.repeat(3, 2), 255), atol=1e-6)


@pytest.mark.parametrize("side", [1, 7])
def test_tiny_and_plain_pictures_have_finite_descriptions(side: int) -> None:
    found = describe(np.full((side, side, 3), 9, np.uint8), 255)
    assert found.shape == (LENGTH,) and np.isfinite(found).all()


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 2), (0, 4, 3)])
def test_what_is_no_picture_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="expected"):
        describe(np.zeros(shape, np.uint8), 255)
