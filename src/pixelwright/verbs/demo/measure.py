"""What the demo states: two scores, and which part of a picture to magnify, chosen from the clean photo alone.

The metrics package will carry the full set of scores; these stay small and tested.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwright.errors import ShapeError
from pixelwright.structures.raster import Window

# ITU-R BT.601-7, section 2.5.3: luma in studio range, 16..235, from R, G, B of 0..255.
STUDIO_LUMA = np.array([65.481, 128.553, 24.966]) / 255
STUDIO_BLACK = 16.0
DETAIL_PX = 112  # side of a magnified part
DARKEST_LUMA = 30  # below, nothing is seen that could be smooth


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


def busiest(pixels: npt.NDArray[np.uint8]) -> Window:
    """The square with the strongest gradients."""
    return _at_largest(_means(_gradients(studio_luma(pixels))), pixels)


def calmest(pixels: npt.NDArray[np.uint8]) -> Window:
    """The square with the weakest gradients, of those that are not as good as black."""
    luma = studio_luma(pixels)
    calm = -_means(_gradients(luma))
    return _at_largest(np.where(_means(luma) < DARKEST_LUMA, calm - 1000, calm), pixels)


def _gradients(luma: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    down, across = np.gradient(luma)
    return np.hypot(down, across)


def _side(shape: tuple[int, ...]) -> int:
    return min(DETAIL_PX, *shape[:2])


def _means(values: npt.NDArray[np.float64]) -> npt.NDArray[Any]:
    """Means over all squares of the side, at the place of their top-left corner."""
    import cv2

    side = _side(values.shape)
    means = cv2.boxFilter(values, -1, (side, side), anchor=(0, 0))
    return means[: values.shape[0] - side + 1, : values.shape[1] - side + 1]


def _at_largest(means: npt.NDArray[Any], pixels: npt.NDArray[np.uint8]) -> Window:
    top, left = np.unravel_index(int(np.argmax(means)), means.shape)
    return Window(int(top), int(left), _side(pixels.shape), _side(pixels.shape))
