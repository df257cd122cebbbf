"""The eight orientations, against Pillow's own turning and against the definition of each."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as PillowImage
from PIL import ImageOps

from pixelwright.io import orientation
from pixelwright.io.images import open_raster, read_image
from pixelwright.structures.raster import Window

ALL = range(1, 9)
TRANSPOSE = PillowImage.Transpose
BY_PILLOW = {
    1: None,
    2: TRANSPOSE.FLIP_LEFT_RIGHT,
    3: TRANSPOSE.ROTATE_180,
    4: TRANSPOSE.FLIP_TOP_BOTTOM,
    5: TRANSPOSE.TRANSPOSE,
    6: TRANSPOSE.ROTATE_270,
    7: TRANSPOSE.TRANSVERSE,
    8: TRANSPOSE.ROTATE_90,
}


@pytest.mark.parametrize("number", ALL)
def test_turn_equals_pillows_transpose(number: int) -> None:
    array = np.arange(15, dtype=np.uint8).reshape(3, 5)
    how = BY_PILLOW[number]
    picture = PillowImage.fromarray(array)
    expected = picture if how is None else picture.transpose(how)
    assert orientation.turn(array, number).tolist() == np.asarray(expected).tolist()


@given(
    number=st.sampled_from(list(ALL)),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    data=st.data(),
)
def test_a_window_read_through_orientation_is_a_window_of_the_upright_picture(
    number: int, height: int, width: int, data: st.DataObject
) -> None:
    stored = np.arange(height * width).reshape(height, width)
    whole = orientation.turn(stored, number)
    top = data.draw(st.integers(0, whole.shape[0] - 1))
    left = data.draw(st.integers(0, whole.shape[1] - 1))
    window = Window(
        top, left, data.draw(st.integers(1, whole.shape[0] - top)), data.draw(st.integers(1, whole.shape[1] - left))
    )
    inner = orientation.stored_window(window, (whole.shape[0], whole.shape[1]), number)
    part = orientation.turn(stored[inner.slices], number)
    assert part.tolist() == whole[window.slices].tolist()


@pytest.mark.parametrize("number", ALL)
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_files_of_every_orientation_come_out_as_pillow_turns_them(number: int, form: str) -> None:
    array = np.zeros((16, 24, 3), np.uint8)
    array[:8, :8, 0] = 255
    array[8:, 16:, 1] = 255
    tags = PillowImage.Exif()
    tags[274] = number
    target = io.BytesIO()
    PillowImage.fromarray(array).save(target, form, exif=tags, **({"lossless": True} if form == "WEBP" else {}))
    image = read_image(target.getvalue())
    with PillowImage.open(io.BytesIO(target.getvalue())) as picture:
        expected = np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
    assert image.source.orientation == number
    assert image.source.stored_size_hw == (16, 24)
    assert image.size_hw == expected.shape[:2]
    assert np.array_equal(image.pixels, expected)


def test_windows_and_resolution_turn_with_the_picture() -> None:
    array = np.arange(20 * 30, dtype=np.uint16).reshape(20, 30)
    tags = PillowImage.Exif()
    tags[274] = 6
    target = io.BytesIO()
    PillowImage.fromarray(array).save(target, "TIFF", exif=tags, dpi=(100, 200))
    with open_raster(target.getvalue()) as raster:
        assert raster.size_hw == (30, 20)
        assert raster.capture.dpi == (200, 100)
        whole = raster.read()
        part = raster.read(Window(3, 4, 10, 7))
    assert np.array_equal(part.pixels, whole.pixels[3:13, 4:11])
    assert np.array_equal(whole.pixels[..., 0], np.rot90(array, -1))


@pytest.mark.parametrize(
    ("quarter_turns_left", "mirror_axis", "expected"),
    [(0, None, 1), (1, None, 8), (2, None, 3), (3, None, 6), (0, 1, 2), (0, 0, 4), (1, 1, 7), (1, 0, 5)],
)
def test_box_properties_equal_rotating_then_mirroring(
    quarter_turns_left: int, mirror_axis: int | None, expected: int
) -> None:
    array = np.arange(6).reshape(2, 3)
    by_steps = np.rot90(array, quarter_turns_left)
    if mirror_axis is not None:
        by_steps = by_steps[::-1] if mirror_axis == 0 else by_steps[:, ::-1]
    number = orientation.of_box_properties(quarter_turns_left, mirror_axis)
    assert number == expected
    assert orientation.turn(array, number).tolist() == by_steps.tolist()
