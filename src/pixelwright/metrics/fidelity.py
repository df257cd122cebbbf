"""How near a picture is to a better one: PSNR and SSIM, with what they leave out said aloud."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwright.errors import ShapeError

# ITU-R BT.601-7, section 2.5.3: luma in studio range, 16..235, from R, G, B of 0..255.
STUDIO_LUMA = np.array([65.481, 128.553, 24.966]) / 255
STUDIO_BLACK = 16.0

# Wang et al. 2004, section III.B and III.C.
WINDOW_PX = 11
SIGMA_PX = 1.5
K1, K2 = 0.01, 0.03

Floats = npt.NDArray[np.floating[Any]]


def psnr(truth: npt.NDArray[Any], seen: npt.NDArray[Any], *, white: float = 255.0) -> float:
    """Peak signal-to-noise ratio in dB: `10 log10(white² / mean squared error)`; infinite where nothing differs.

    The mean runs over all pixels and channels. Source: Wang and Bovik, Mean Squared Error: Love It or Leave It?,
    IEEE Signal Processing Magazine 26 (1), 2009.

    Raises:
        ShapeError: The two differ in shape.
    """
    _check(truth, seen)
    error = float(np.mean((truth.astype(np.float64) - seen.astype(np.float64)) ** 2))
    return float("inf") if error == 0 else float(10 * np.log10(white**2 / error))


def studio_luma(pixels: npt.NDArray[Any], *, white: float = 255.0) -> npt.NDArray[Any]:
    """BT.601 luma 16..235 (H, W), unrounded, of RGB (H, W, 3) or gray (H, W, 1): the Y of PSNR-Y."""
    scaled = pixels if white == 255.0 else pixels * (255.0 / white)
    if pixels.shape[2] == 1:
        return scaled[:, :, 0] * STUDIO_LUMA.sum() + STUDIO_BLACK
    return scaled @ STUDIO_LUMA + STUDIO_BLACK


def psnr_y(truth: npt.NDArray[Any], seen: npt.NDArray[Any], *, border_px: int, white: float = 255.0) -> float:
    """PSNR of studio luma in dB with a border left out, as the field reports enlargement.

    Raises:
        ShapeError: The two differ in shape.
    """
    _check(truth, seen)
    return psnr(*(inner(studio_luma(one, white=white)[:, :, None], border_px) for one in (truth, seen)))


def ssim(truth: npt.NDArray[Any], seen: npt.NDArray[Any], *, white: float = 255.0) -> float:
    """Structural similarity, at most 1, mean over pixels and channels; NaN where no window of 11 pixels fits.

    Gaussian weights of sigma 1.5 over 11 x 11 pixels, population covariance, and only windows wholly inside. This is
    scikit-image's `structural_similarity(gaussian_weights=True, sigma=1.5, use_sample_covariance=False)`.

    Source: Wang et al., Image Quality Assessment: From Error Visibility to Structural Similarity, IEEE TIP 13 (4),
    2004, equation 13.

    Raises:
        ShapeError: The two differ in shape.
    """
    _check(truth, seen)
    if min(truth.shape[:2]) < WINDOW_PX:
        return float("nan")
    one, two = truth.astype(np.float64), seen.astype(np.float64)
    mean_one, mean_two = _blurred(one), _blurred(two)
    var_one, var_two = _blurred(one * one) - mean_one**2, _blurred(two * two) - mean_two**2
    shared = _blurred(one * two) - mean_one * mean_two
    light, contrast = (K1 * white) ** 2, (K2 * white) ** 2
    top = (2 * mean_one * mean_two + light) * (2 * shared + contrast)
    bottom = (mean_one**2 + mean_two**2 + light) * (var_one + var_two + contrast)
    return float(np.mean(top / bottom))


def inner(pixels: npt.NDArray[Any], border_px: int) -> npt.NDArray[Any]:
    """Pixels (H, W, C) without a border; all of them where nothing would be left."""
    if border_px == 0 or min(pixels.shape[:2]) <= 2 * border_px:
        return pixels
    return pixels[border_px:-border_px, border_px:-border_px]


def _blurred(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Gaussian means where the window lies wholly inside."""
    import cv2

    around = WINDOW_PX // 2
    offsets = np.arange(-around, around + 1)
    kernel = np.exp(-(offsets**2) / (2 * SIGMA_PX**2))
    kernel /= kernel.sum()
    made = cv2.sepFilter2D(pixels, cv2.CV_64F, kernel, kernel).reshape(pixels.shape)
    return made[around:-around, around:-around]


def _check(truth: npt.NDArray[Any], seen: npt.NDArray[Any]) -> None:
    if truth.shape != seen.shape:
        raise ShapeError(f"seen: expected the shape of truth, {truth.shape}, got {seen.shape}.")
