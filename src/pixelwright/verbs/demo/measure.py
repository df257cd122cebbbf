"""Which part of a picture the demo magnifies, chosen from the clean photo alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwright.metrics.fidelity import studio_luma
from pixelwright.structures.raster import Window

DETAIL_PX = 112  # side of a magnified part
DARKEST_LUMA = 30  # below, nothing is seen that could be smooth


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
