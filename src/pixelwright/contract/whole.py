"""What tasks that answer for whole pictures and sequences have in common when they are learned."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwright.contract.training import kept
from pixelwright.data.dataset import Dataset
from pixelwright.errors import ShapeError
from pixelwright.models.architecture import Problem
from pixelwright.structures.image import Image
from pixelwright.structures.spec import InputSpec, Resize

# Photos are seen at no more than this: twice the rows and columns cost four times the time.
LARGEST_PX = 160
ROUND_PX = 16  # networks halve their maps four times and more


def whole_input(dataset: Dataset, sizes_hw: Sequence[tuple[int, int]], channels: int) -> InputSpec:
    """All pictures in one size: their own where they have one in common and it is small, else a square.

    Sequences stay as they are.
    """
    if dataset.sequence:
        return InputSpec(color="as-is", channels="gray", depth="keep", layout="NTF")
    return InputSpec(
        channels="gray" if channels == 1 else "rgb",
        resize=Resize(rule="stretch", size_hw=_common_size(sizes_hw)),
    )


def whole_pixels(image: Image, problem: Problem, spec: InputSpec) -> npt.NDArray[Any]:
    """A picture (H, W, C) uint8 as its contract prepares it, or a sequence (T, F, 1) float32 as it is.

    Raises:
        ShapeError: A sequence has another number of features, or numbers that are not finite; or the contract refuses
            this kind of picture.
    """
    if not problem.sequence:
        return kept(image, spec).tensor
    if image.size_hw[1] != problem.size_hw[1]:
        raise ShapeError(f"{image.source.path}: expected {problem.size_hw[1]} features a step, got {image.size_hw[1]}.")
    if not np.isfinite(image.pixels).all():
        raise ShapeError(f"{image.source.path}: holds NaN or infinity.")
    return image.pixels.astype(np.float32)


def _common_size(sizes_hw: Sequence[tuple[int, int]]) -> tuple[int, int]:
    first = sizes_hw[0]
    if all(size == first for size in sizes_hw) and max(first) <= LARGEST_PX:
        return first
    shorter = median(min(size) for size in sizes_hw)
    side = int(max(min(round(shorter / ROUND_PX) * ROUND_PX, LARGEST_PX), 2 * ROUND_PX))
    return side, side
