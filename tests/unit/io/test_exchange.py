"""Arrays and pictures of other libraries: orders of channels, depths, and what has no counterpart."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage

from pixelwright.errors import ShapeError, UnsupportedImage
from pixelwright.io.exchange import from_numpy, from_opencv, from_pillow, to_numpy, to_opencv, to_pillow
from pixelwright.structures.image import Capture, Color, Image

RGBA = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


@pytest.mark.parametrize(
    ("shape", "channels", "alpha"),
    [
        ((2, 3), 1, False),
        ((2, 3, 1), 1, False),
        ((2, 3, 2), 1, True),
        ((2, 3, 3), 3, False),
        ((2, 3, 4), 3, True),
    ],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_arrays_round_trip(shape: tuple[int, ...], channels: int, alpha: bool, dtype: Any) -> None:
    array = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    image = from_numpy(array)
    assert (image.pixels.shape[2], image.alpha is not None) == (channels, alpha)
    assert np.array_equal(to_numpy(image), array.reshape(2, 3, -1))


@pytest.mark.parametrize(
    "array",
    [np.zeros(3, np.uint8), np.zeros((2, 2, 5), np.uint8), np.zeros((2, 2), np.int64), np.zeros((0, 2), np.uint8)],
)
def test_other_arrays_are_refused(array: np.ndarray[Any, Any]) -> None:
    with pytest.raises(ShapeError, match="expected"):
        from_numpy(array)


def test_named_channels_are_no_alpha() -> None:
    image = from_numpy(RGBA, color=Color(("a", "b", "c", "d"), "unknown", "unknown"), white=100.0)
    assert (image.alpha, image.white, image.pixels.shape[2]) == (None, 100.0, 4)


def test_opencv_order_is_swapped_both_ways() -> None:
    image = from_opencv(RGBA)
    assert image.pixels[0, 0].tolist() == [2, 1, 0]
    assert image.alpha is not None
    assert image.alpha[0, 0] == 3
    assert np.array_equal(to_opencv(image), RGBA)
    assert to_opencv(from_numpy(RGBA[..., 0])).shape == (2, 3)
    assert to_opencv(from_numpy(RGBA[..., :2]))[0, 0].tolist() == [0, 0, 0, 1]


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "I;16", "F"])
def test_pillow_round_trip(mode: str) -> None:
    dtype, count = {"I;16": (np.uint16, 1), "F": (np.float32, 1)}.get(mode, (np.uint8, len(mode)))
    array = np.arange(6 * count).reshape(2, 3, count).astype(dtype)
    picture = to_pillow(from_numpy(array))
    assert picture.mode == mode
    assert np.array_equal(to_numpy(from_pillow(picture)), array)


@pytest.mark.parametrize("mode", ["1", "P", "RGBX", "CMYK", "La", "RGBa", "I;16B"])
def test_other_pillow_modes_become_what_they_show(mode: str) -> None:
    source = PillowImage.new(
        "L" if mode in ("1", "I;16B", "La") else "RGB", (3, 2), 255 if mode[0] in "1IL" else (255, 0, 0)
    )
    through = source.convert("LA" if mode == "La" else "RGBA" if mode == "RGBa" else source.mode)
    picture = source.convert("I;16").convert("I;16B") if mode == "I;16B" else through.convert(mode)
    image = from_pillow(picture)
    expected = [255] if image.color.is_gray else [255, 0, 0]
    assert image.pixels[0, 0].tolist() == expected


def test_pillow_transparency_becomes_alpha() -> None:
    picture = PillowImage.new("P", (2, 1))
    picture.putpalette([9, 9, 9, 200, 100, 50])
    picture.putpixel((1, 0), 1)
    picture.info["transparency"] = 1
    image = from_pillow(picture)
    assert image.pixels.tolist() == [[[9, 9, 9], [200, 100, 50]]]
    assert image.alpha is not None
    assert image.alpha.tolist() == [[255, 0]]


def test_pillow_orientation_and_profile() -> None:
    from pixelwright.io.profiles import TO_XYZ_D50, make

    tags = PillowImage.Exif()
    tags[274] = 6
    profile = make(TO_XYZ_D50["display-p3"], 2.2)
    target = io.BytesIO()
    PillowImage.fromarray(RGBA[..., :3]).save(target, "PNG", exif=tags, icc_profile=profile, dpi=(100, 100))
    with PillowImage.open(io.BytesIO(target.getvalue())) as picture:
        image = from_pillow(picture)
    assert (image.size_hw, image.source.orientation, image.source.stored_size_hw) == ((3, 2), 6, (2, 3))
    assert np.array_equal(image.pixels, np.rot90(RGBA[..., :3], -1))
    assert (image.color.primaries, image.color.icc) == ("display-p3", profile)
    assert to_pillow(image).info["icc_profile"] == profile


def test_what_pillow_has_no_mode_for_is_refused() -> None:
    with pytest.raises(UnsupportedImage, match="uint16 RGB"):
        to_pillow(from_numpy(RGBA[..., :3].astype(np.uint16)))
    with pytest.raises(ShapeError, match="gray or RGB"):
        to_pillow(Image(RGBA, Color(("a", "b", "c", "d"))))
    with pytest.raises(UnsupportedImage, match="mode HSV"):
        from_pillow(PillowImage.new("HSV", (2, 2)))


def test_xmp_goes_to_pillow_and_comes_back() -> None:
    image = Image(np.zeros((2, 2, 3), np.uint8), capture=Capture(xmp=b"<x:xmpmeta/>"))
    picture = to_pillow(image)
    assert picture.info["xmp"] == b"<x:xmpmeta/>"
    assert from_pillow(picture).capture.xmp == b"<x:xmpmeta/>"
