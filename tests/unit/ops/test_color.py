"""Depth, channels and alpha are converted by formula, with rounding, and only when asked."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelwright.errors import ShapeError
from pixelwright.ops import color
from pixelwright.structures.image import GRAY, Color, Image


def rgb(*pixel: float, dtype: type = np.uint8, **fields: object) -> Image:
    return Image(np.array([[pixel]], dtype), **fields)  # type: ignore[arg-type]


@given(st.integers(0, 65535))
def test_16_bit_to_8_rounds_like_division_by_257(value: int) -> None:
    assert color.to_8_bit(rgb(value, value, value, dtype=np.uint16)).pixels[0, 0, 0] == (value + 128) // 257


def test_a_12_bit_white_is_white_in_8_bit() -> None:
    image = Image(np.array([[[4095], [0], [2048]]], np.uint16), GRAY, white=4095)
    assert color.to_8_bit(image).pixels.ravel().tolist() == [255, 0, 128]


def test_floats_above_white_survive_a_round_trip_through_float() -> None:
    image = rgb(2.5, -0.5, 1.0, dtype=np.float32)
    assert color.from_float(color.to_float(image), np.float32, 1.0).ravel().tolist() == [2.5, -0.5, 1.0]


@given(st.integers(0, 65535), st.sampled_from([np.uint8, np.uint16]))
def test_integers_survive_a_round_trip_through_float(value: int, dtype: type) -> None:
    image = rgb(*[value % (np.iinfo(dtype).max + 1)] * 3, dtype=dtype)
    assert np.array_equal(color.from_float(color.to_float(image), dtype, image.white), image.pixels)


def test_nan_is_refused_with_its_count() -> None:
    with pytest.raises(ShapeError, match="1 of 3 values are NaN"):
        color.to_float(rgb(float("nan"), 0, 1, dtype=np.float32))


def test_luma_has_the_weights_of_bt601() -> None:
    image = Image(np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]], np.uint8))
    assert color.to_gray(image).pixels.ravel().tolist() == [76, 150, 29, 255]


def test_half_transparent_black_over_white_is_middle_gray() -> None:
    image = rgb(0, 0, 0, alpha=np.array([[128]], np.uint8))
    flat = color.flatten_alpha(image)
    assert flat.alpha is None
    assert flat.pixels.ravel().tolist() == [127, 127, 127]


def test_channels_that_are_no_picture_are_refused() -> None:
    image = Image(np.zeros((1, 1, 2), np.uint8), Color(("nir", "swir")))
    for convert in (color.to_gray, color.to_rgb):
        with pytest.raises(ShapeError, match="nir"):
            convert(image)
