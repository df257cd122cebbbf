"""Which part of a picture to magnify: chosen from the clean photo alone, not by anybody's success."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwright.structures.raster import Window
from pixelwright.verbs.demo.scores import studio_luma

DETAIL_PX = 112  # side of a magnified part
DARKEST_LUMA = 30  # below, nothing is seen that could be smooth


def busiest(pixels: npt.NDArray[np.uint8], side_px: int) -> Window:
    """The square with the strongest gradients."""
    luma = studio_luma(pixels)
    side = min(side_px, *luma.shape)
    return _at_largest(_means(_gradients(luma), side), side)


def calmest(pixels: npt.NDArray[np.uint8], side_px: int) -> Window:
    """The square with the weakest gradients, of those that are not as good as black."""
    luma = studio_luma(pixels)
    side = min(side_px, *luma.shape)
    calm = -_means(_gradients(luma), side)
    return _at_largest(np.where(_means(luma, side) < DARKEST_LUMA, calm - 1000, calm), side)


def _gradients(luma: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    down, across = np.gradient(luma)
    return np.hypot(down, across)


def _means(values: npt.NDArray[np.float64], side: int) -> npt.NDArray[Any]:
    """Means over all squares of a side, at the place of their top-left corner."""
    import cv2

    means = cv2.boxFilter(values, -1, (side, side), anchor=(0, 0))
    return means[: values.shape[0] - side + 1, : values.shape[1] - side + 1]


def _at_largest(means: npt.NDArray[Any], side: int) -> Window:
    top, left = np.unravel_index(int(np.argmax(means)), means.shape)
    return Window(int(top), int(left), side, side)
