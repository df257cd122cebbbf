"""PSNR and SSIM, held against scikit-image."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from pixelwright.errors import ShapeError
from pixelwright.metrics.fidelity import inner, psnr, psnr_y, ssim, studio_luma


def _pair(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    truth = generator.integers(0, 256, shape).astype(np.uint8)
    return truth, np.clip(truth + generator.normal(0, 20, shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("shape", [(40, 31, 3), (11, 11, 1), (64, 64, 3)])
def test_structural_similarity_is_that_of_scikit_image(shape: tuple[int, ...]) -> None:
    truth, seen = _pair(shape)
    expected = structural_similarity(
        truth, seen, data_range=255, channel_axis=2, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert ssim(truth, seen) == pytest.approx(expected, abs=1e-9)


def test_structural_similarity_knows_the_range() -> None:
    truth, seen = _pair((30, 30, 3))
    assert ssim(truth / 255, seen / 255, white=1.0) == pytest.approx(ssim(truth, seen))


def test_a_picture_smaller_than_the_window_has_no_structural_similarity() -> None:
    assert np.isnan(ssim(*_pair((10, 40, 3))))


def test_psnr_is_that_of_scikit_image_and_infinite_without_a_difference() -> None:
    truth, seen = _pair((20, 20, 3))
    assert psnr(truth, seen) == pytest.approx(peak_signal_noise_ratio(truth, seen, data_range=255))
    assert psnr(truth, truth) == float("inf")


def test_luma_of_white_and_black_are_the_ends_of_the_studio_range() -> None:
    assert studio_luma(np.full((1, 1, 3), 255.0)) == pytest.approx(235)
    assert studio_luma(np.zeros((1, 1, 3))) == pytest.approx(16)
    assert studio_luma(np.full((1, 1, 1), 1.0), white=1.0) == pytest.approx(235)


def test_a_border_is_left_out_of_psnr_y() -> None:
    truth, seen = np.zeros((9, 9, 3), np.uint8), np.zeros((9, 9, 3), np.uint8)
    seen[0] = 255
    assert psnr_y(truth, seen, border_px=1) == float("inf")
    assert psnr_y(truth, seen, border_px=0) < 20


def test_a_border_that_would_leave_nothing_is_not_taken() -> None:
    assert inner(np.zeros((4, 9, 3)), 2).shape == (4, 9, 3)


def test_two_shapes_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"expected the shape of truth, \(2, 2, 3\), got \(2, 3, 3\)"):
        ssim(np.zeros((2, 2, 3)), np.zeros((2, 3, 3)))
