"""JPEG: the fast path against Pillow, scales, polarity, faults and metadata."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage

from pixelwright.errors import UnreadableImage, UnsupportedImage
from pixelwright.io.images import open_raster, read_image, write_image
from pixelwright.structures.raster import Window


def photograph(height: int = 67, width: int = 101) -> np.ndarray[Any, Any]:
    y, x = np.mgrid[:height, :width]
    waves = [128 + 100 * np.sin(x / 9 + phase) * np.cos(y / 7) for phase in (0, 1, 2)]
    return np.stack(waves, axis=2).astype(np.uint8)


def saved(array: np.ndarray[Any, Any], mode: str | None = None, **options: Any) -> bytes:
    target = io.BytesIO()
    picture = PillowImage.fromarray(array)
    (picture.convert(mode) if mode else picture).save(target, "JPEG", **options)
    return target.getvalue()


def by_pillow(data: bytes) -> np.ndarray[Any, Any]:
    with PillowImage.open(io.BytesIO(data)) as picture:
        return np.asarray(picture)


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("progressive", [False, True])
def test_pixels_equal_pillows(subsampling: str, progressive: bool) -> None:
    data = saved(photograph(), quality=90, subsampling=subsampling, progressive=progressive)
    assert np.array_equal(read_image(data).pixels, by_pillow(data))


def test_gray_has_one_channel() -> None:
    data = saved(photograph(), "L")
    image = read_image(data)
    assert image.color.is_gray
    assert np.array_equal(image.pixels[..., 0], by_pillow(data))


@pytest.mark.parametrize(
    ("at_least_hw", "expected_hw", "scale"),
    [
        ((10, 10), (25, 38), 1 / 8),
        ((25, 38), (25, 38), 1 / 8),
        ((26, 38), (50, 75), 2 / 8),
        ((25, 39), (50, 75), 2 / 8),
        ((75, 75), (75, 113), 3 / 8),
        ((199, 299), (200, 300), 1.0),
        ((500, 10), (200, 300), 1.0),
    ],
)
def test_the_smallest_scale_that_is_large_enough_both_ways(
    at_least_hw: tuple[int, int], expected_hw: tuple[int, int], scale: float
) -> None:
    image = read_image(saved(photograph(200, 300)), at_least_hw=at_least_hw)
    assert image.size_hw == expected_hw
    assert image.source.scale == scale
    assert image.source.upright_size_hw == (200, 300)


def test_reduced_scale_looks_at_the_upright_size() -> None:
    tags = PillowImage.Exif()
    tags[274] = 6
    data = saved(photograph(200, 400), exif=tags)
    assert read_image(data, at_least_hw=(100, 50)).size_hw == (100, 50)
    assert read_image(data, at_least_hw=(50, 100)).size_hw == (200, 100)


def test_a_window_is_full_resolution() -> None:
    data = saved(photograph())
    with open_raster(data) as raster:
        part = raster.read(Window(5, 6, 20, 30), at_least_hw=(1, 1))
    assert np.array_equal(part.pixels, by_pillow(data)[5:25, 6:36])


def cmyk_jpeg(*, adobe: bool) -> bytes:
    """Pure cyan ink; Pillow writes it inverted, with the Adobe segment that says so."""
    ink = np.zeros((16, 16, 4), np.uint8)
    ink[..., 0] = 255 if adobe else 0  # without the segment the values mean what they are, so they are swapped here
    if not adobe:
        ink[..., 1:] = 255
    target = io.BytesIO()
    PillowImage.fromarray(ink, mode="CMYK").save(target, "JPEG", quality=100)
    data = target.getvalue()
    at = data.index(b"Adobe") - 4
    return data if adobe else data[:at] + data[at + 16 :]


@pytest.mark.parametrize("adobe", [True, False])
def test_cmyk_polarity_follows_the_adobe_segment(adobe: bool) -> None:
    image = read_image(cmyk_jpeg(adobe=adobe))
    assert image.source.stored_color == "cmyk"
    assert np.abs(image.pixels[8, 8].astype(int) - (0, 255, 255)).max() <= 3


def test_truncated_scan_is_refused() -> None:
    data = saved(photograph())
    for share in (0.5, 0.8, 0.95):
        with pytest.raises(UnreadableImage, match="truncated"):
            read_image(data[: int(len(data) * share)])


def test_a_missing_end_marker_alone_costs_only_a_warning() -> None:
    data = saved(photograph())
    image = read_image(data[:-2])
    assert np.array_equal(image.pixels, by_pillow(data))
    assert any("end-of-image" in sentence for sentence in image.warnings)


def test_extra_bytes_before_the_end_marker_cost_only_a_warning() -> None:
    data = saved(photograph())
    image = read_image(data[:-2] + bytes(7) + data[-2:])
    assert np.array_equal(image.pixels, by_pillow(data))
    assert image.warnings


@pytest.mark.parametrize("marker", [0xC3, 0xC1])
def test_lossless_and_12_bit_are_unsupported_by_name(marker: int) -> None:
    data = bytearray(saved(photograph()))
    at = data.index(b"\xff\xc0")
    data[at + 1] = marker
    data[at + 4] = 12
    with pytest.raises(UnsupportedImage, match="lossless" if marker == 0xC3 else "12-bit"):
        open_raster(bytes(data))


def test_metadata_survives_writing(tmp_path: Any) -> None:
    tags = PillowImage.Exif()
    tags[271] = "Maker"
    tags[274] = 8
    data = saved(photograph(), exif=tags, dpi=(300, 150), xmp=b'<x:xmpmeta tiff:Orientation="8"/>')
    write_image(read_image(data), tmp_path / "again.jpg")
    with PillowImage.open(tmp_path / "again.jpg") as picture:
        found = picture.getexif()
        assert (found[271], found[274]) == ("Maker", 1)
        assert picture.info["dpi"] == (150, 300)
        assert b'tiff:Orientation="1"' in picture.info["xmp"]


def test_long_profile_is_split_and_joined(tmp_path: Any) -> None:
    from pixelwright.io.profiles import TO_XYZ_D50, make
    from pixelwright.structures.image import Color

    profile = make(TO_XYZ_D50["bt2020"], 2.4)
    profile = struct.pack(">I", 200_000) + profile[4:] + bytes(200_000 - len(profile))
    image = read_image(saved(photograph())).replace(color=Color(("red", "green", "blue"), icc=profile))
    write_image(image, tmp_path / "long.jpg")
    with PillowImage.open(tmp_path / "long.jpg") as picture:
        assert picture.info["icc_profile"] == profile
    assert read_image(tmp_path / "long.jpg").color.icc == profile


def test_default_quality_and_chroma_are_the_stated_ones(tmp_path: Any) -> None:
    array = photograph()
    write_image(read_image(saved(array, quality=100)), tmp_path / "default.jpg")
    with PillowImage.open(tmp_path / "default.jpg") as picture:
        assert {layer[1:3] for layer in picture.layer} == {(1, 1)}
        expected = PillowImage.open(io.BytesIO(saved(array, quality=95))).quantization
        assert picture.quantization == expected


def test_adobe_rgb_by_the_cameras_rule_is_recognized(tmp_path: Any) -> None:
    tags = PillowImage.Exif()
    tags.get_ifd(34665)[40961] = 65535
    tags.get_ifd(34665)[40965] = {1: "R03"}
    image = read_image(saved(photograph(), exif=tags))
    assert image.color.primaries == "adobe-rgb"
    write_image(image, tmp_path / "kept.png")
    assert read_image(tmp_path / "kept.png").color.primaries == "adobe-rgb"
