"""Captions fit their picture and leave it as it was."""

from __future__ import annotations

import numpy as np
import pytest

from pixelwright.ops.draw import caption
from pixelwright.structures.image import GRAY, Image


@pytest.mark.parametrize("shape", [(28, 28, 1), (600, 800, 3), (1, 1, 3)])
def test_a_caption_adds_a_strip_below(shape: tuple[int, int, int]) -> None:
    image = Image(np.full(shape, 200, np.uint8), GRAY if shape[2] == 1 else Image(np.zeros((1, 1, 3), np.uint8)).color)
    made = caption(image, ["a label  99.9%", "a very long line " * 40])
    factor = made.size_hw[1] // shape[1]
    picture = made.pixels[: shape[0] * factor]
    assert (picture == 200).all()
    strip = made.pixels[shape[0] * factor :]
    assert strip.max() > 200 and strip.min() < 40  # light text on dark
