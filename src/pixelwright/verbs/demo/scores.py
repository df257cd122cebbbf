"""The two scores the demo states. The metrics package will carry the full set; these stay small and tested."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwright.errors import ShapeError

# ITU-R BT.601-7, section 2.5.3: luma in studio range, 16..235, from R, G, B of 0..255.
STUDIO_LUMA = np.array([65.481, 128.553, 24.966]) / 255
STUDIO_BLACK = 16.0


def psnr(truth: npt.NDArray[Any], seen: npt.NDArray[Any], *, white: float = 255.0) -> float:
    """Peak signal-to-noise ratio in dB: `10 log10(white² / mean squared error)`; infinite where nothing differs.

    The mean runs over all pixels and channels. Source: Wang and Bovik, Mean Squared Error: Love It or Leave It?,
    IEEE Signal Processing Magazine 26 (1), 2009.

    Raises:
        ShapeError: The two differ in shape.
    """
    if truth.shape != seen.shape:
        raise ShapeError(f"seen: expected the shape of truth, {truth.shape}, got {seen.shape}.")
    error = float(np.mean((truth.astype(np.float64) - seen.astype(np.float64)) ** 2))
    return float("inf") if error == 0 else float(10 * np.log10(white**2 / error))


def studio_luma(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """BT.601 luma 16..235 (H, W), unrounded, of 8-bit RGB (H, W, 3): the Y of `PSNR-Y` in super-resolution."""
    return pixels @ STUDIO_LUMA + STUDIO_BLACK


def psnr_y(truth: npt.NDArray[np.uint8], seen: npt.NDArray[np.uint8], *, border_px: int) -> float:
    """PSNR of studio luma in dB with a border left out, as the field reports enlargement."""
    inner = slice(border_px, -border_px or None)
    return psnr(studio_luma(truth)[inner, inner], studio_luma(seen)[inner, inner])
