"""Resizing agrees with independent implementations, in every dtype."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image as PillowImage

from pixelwright.ops.resample import resize, resized_hw
from pixelwright.structures.spec import Resize


@pytest.mark.parametrize(
    ("size_hw", "rule", "expected"),
    [
        ((300, 400), Resize(rule="shorter", size_hw=(256, 256)), (256, 341)),
        ((400, 300), Resize(rule="shorter", size_hw=(256, 256)), (341, 256)),
        ((1, 1000), Resize(rule="shorter", size_hw=(8, 8)), (8, 8000)),
        ((1000, 1), Resize(rule="stretch", size_hw=(28, 30)), (28, 30)),
    ],
)
def test_rules_make_the_size_they_say(size_hw: tuple[int, int], rule: Resize, expected: tuple[int, int]) -> None:
    assert resized_hw(size_hw, rule) == expected


@pytest.mark.parametrize("kernel", ["box", "bilinear", "bicubic", "lanczos"])
def test_8_bit_color_is_what_pillow_makes(kernel: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (37, 53, 3), np.uint8)
    expected = PillowImage.fromarray(pixels).resize((20, 15), PillowImage.Resampling[kernel.upper()])
    assert np.array_equal(resize(pixels, (15, 20), kernel=kernel), np.asarray(expected))  # type: ignore[arg-type]


def test_16_bit_keeps_its_depth() -> None:
    ramp = np.linspace(0, 65535, 64).astype(np.uint16)[None, :, None].repeat(8, axis=0).repeat(3, axis=2)
    small = resize(ramp, (4, 16), kernel="box")
    assert small.dtype == np.uint16
    expected = ramp[0, :, 0].reshape(16, 4).mean(axis=1)
    assert np.abs(small[0, :, 0] - expected).max() <= 0.5


def test_overshoot_of_16_bit_is_clipped_not_wrapped() -> None:
    edge = np.zeros((8, 8, 1), np.uint16)
    edge[:, 4:] = 65535
    large = resize(edge, (64, 64), kernel="lanczos")
    assert large[:, 0].max() < 1000 and large[:, -1].min() > 64000


def test_one_pixel_becomes_a_constant_image() -> None:
    assert (resize(np.full((1, 1, 3), 7, np.uint8), (5, 9)) == 7).all()


def test_without_antialiasing_a_bilinear_half_takes_the_two_nearest() -> None:
    pixels = np.array([0, 10, 20, 30, 40, 50, 60, 70], np.float32)[None, :, None]
    quarter = resize(pixels, (1, 2), antialias=False)
    assert quarter.ravel().tolist() == [15.0, 55.0]  # centers at 1.5 and 5.5
