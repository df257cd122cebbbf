"""Every file of the shared folder of awkward images, and what its README says a correct reader must do."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from pixelwright.errors import ImageTooLarge, MissingExtra, UnreadableImage
from pixelwright.io.icc import to_srgb8
from pixelwright.io.images import open_raster, read_image, read_pages, write_image
from pixelwright.structures.image import Image

pytestmark = pytest.mark.shared


@pytest.fixture(scope="module")
def folder(shared: Path) -> Path:
    return shared / "data" / "edge-images"


def psnr(image: Image, reference: Image) -> float:
    height, width = image.size_hw
    seen = to_srgb8(image).pixels.astype(float)
    difference = seen - to_srgb8(reference).pixels[:height, :width].astype(float)
    return 10 * np.log10(255**2 / max(1e-12, float((difference**2).mean())))


@pytest.mark.parametrize("number", range(1, 9))
def test_orientation_is_applied_once_and_dropped_on_saving(folder: Path, tmp_path: Path, number: int) -> None:
    reference = read_image(folder / "orientation_upright_reference.png")
    image = read_image(folder / f"orientation_{number}.jpg")
    assert image.source.orientation == number
    assert image.size_hw == reference.size_hw
    assert psnr(image, reference) > 30
    write_image(image, tmp_path / "again.jpg")
    again = read_image(tmp_path / "again.jpg")
    assert again.source.orientation == 1
    assert again.size_hw == reference.size_hw


def test_cmyk_is_no_negative(folder: Path) -> None:
    image = read_image(folder / "cmyk.jpg")
    assert image.source.stored_color == "cmyk"
    assert psnr(image, read_image(folder / "srgb_reference.png")) > 30


def test_rgb16_png_keeps_16_bits(folder: Path) -> None:
    image = read_image(folder / "rgb16.png")
    assert image.pixels.dtype == np.uint16
    assert image.pixels[0, 0].tolist() == [0, 65535, 0]


def test_gray16_png_is_not_clipped(folder: Path) -> None:
    image = read_image(folder / "gray16.png")
    assert (image.pixels.dtype, int(image.pixels.min()), int(image.pixels.max())) == (np.uint16, 0, 65535)


def test_rgb16_tiff_holds_8_bit_values_times_257(folder: Path) -> None:
    image = read_image(folder / "rgb16.tif")
    assert image.pixels.dtype == np.uint16
    assert not (image.pixels % 257).any()


def test_gray12in16_tiff_keeps_raw_values(folder: Path) -> None:
    image = read_image(folder / "gray12in16.tif")
    assert (image.white, int(image.pixels.min()), int(image.pixels.max())) == (4095.0, 0, 4095)


def test_palette_is_expanded(folder: Path) -> None:
    image = read_image(folder / "palette.png")
    assert image.color.is_rgb
    assert psnr(image, read_image(folder / "srgb_reference.png")) > 20


@pytest.mark.parametrize(("name", "channels"), [("alpha.png", 3), ("gray_alpha.png", 1)])
def test_alpha_is_kept_beside_the_color(folder: Path, name: str, channels: int) -> None:
    image = read_image(folder / name)
    assert image.pixels.shape[2] == channels
    assert image.alpha is not None
    assert len(np.unique(image.alpha)) > 10


def test_bilevel_is_0_and_255(folder: Path) -> None:
    image = read_image(folder / "bilevel.png")
    assert image.size_hw[1] == 37
    assert np.unique(image.pixels).tolist() == [0, 255]


def test_progressive_equals_baseline(folder: Path) -> None:
    assert np.array_equal(read_image(folder / "progressive.jpg").pixels, read_image(folder / "baseline.jpg").pixels)


def test_gray_jpeg_has_one_channel(folder: Path) -> None:
    assert read_image(folder / "gray.jpg").color.is_gray


def test_odd_size_stays_odd(folder: Path) -> None:
    assert read_image(folder / "odd_size_420.jpg").size_hw == (67, 101)


@pytest.mark.parametrize("name", ["adobe_rgb.jpg", "display_p3.jpg"])
def test_profile_is_kept_and_conversion_matches_srgb(folder: Path, name: str) -> None:
    image = read_image(folder / name)
    reference = read_image(folder / "srgb_reference.png").pixels.mean(axis=(0, 1))
    assert image.color.icc is not None
    assert np.abs(to_srgb8(image).pixels.mean(axis=(0, 1)) - reference).max() < 2
    assert np.abs(image.pixels.mean(axis=(0, 1)) - reference).max() > 2


def test_bad_profile_is_ignored_with_a_warning(folder: Path) -> None:
    image = read_image(folder / "bad_icc.jpg")
    assert image.color.icc is None
    assert any("ICC" in sentence for sentence in image.warnings)


def test_animated_gif_gives_the_first_frame_and_all_if_asked(folder: Path) -> None:
    first = read_image(folder / "animated.gif")
    assert first.source.pages == 4
    assert first.pixels.mean(axis=(0, 1)).argmax() == 0
    assert [page.source.page for page in read_pages(folder / "animated.gif")] == [0, 1, 2, 3]


@pytest.mark.parametrize("name", ["truncated.jpg", "bad_crc.png", "truncated.png", "zero_bytes.jpg", "text_named.png"])
def test_broken_files_give_one_error_with_their_name(folder: Path, name: str) -> None:
    with pytest.raises(UnreadableImage, match=re.escape(name)):
        read_image(folder / name)


def test_corrupt_scan_gives_a_picture_of_the_right_size_and_a_warning(folder: Path) -> None:
    image = read_image(folder / "corrupt.jpg")
    assert image.size_hw == (200, 300)
    assert any("damaged" in sentence for sentence in image.warnings)


def test_content_decides_not_the_name(folder: Path) -> None:
    assert read_image(folder / "png_named.jpg").source.format == "png"


def test_bomb_is_refused_on_the_header(folder: Path) -> None:
    with pytest.raises(ImageTooLarge) as caught:
        open_raster(folder / "bomb.png")
    assert caught.value.size_hw == (60000, 60000)


def test_one_pixel_and_one_row(folder: Path) -> None:
    assert read_image(folder / "one_pixel.png").pixels.tolist() == [[[1, 2, 3]]]
    assert read_image(folder / "one_row.png").size_hw[0] == 1


@pytest.mark.parametrize(
    ("name", "decibel"),
    [("lossy.webp", 28), ("photo.avif", 28), ("photo.heic", 28), ("photo.jxl", 25), ("photo.jp2", 22)],
)
def test_lossy_photographs_look_like_their_reference(folder: Path, name: str, decibel: float) -> None:
    try:
        image = read_image(folder / name)
    except MissingExtra as err:
        assert "pixelwright[formats]" in str(err)
        return
    assert psnr(image, read_image(folder / "srgb_reference.png")) > decibel


@pytest.mark.parametrize("name", ["lossless.webp", "lossless.jxl"])
def test_lossless_ones_equal_the_top_left_of_the_reference(folder: Path, name: str) -> None:
    if name.endswith(".jxl"):
        pytest.importorskip("pillow_jxl")
    image = read_image(folder / name)
    height, width = image.size_hw
    assert np.array_equal(image.pixels, read_image(folder / "srgb_reference.png").pixels[:height, :width])


def test_old_avif_with_alpha_is_decoded(folder: Path) -> None:
    image = read_image(folder / "plum_alpha_8bit.avif")
    assert image.size_hw == (128, 128)
    assert image.alpha is not None
    assert int(image.alpha.min()) < 30 < 225 < int(image.alpha.max())


def test_avif_rotation_is_applied_once(folder: Path) -> None:
    image = read_image(folder / "kimono_irot.avif")
    assert image.size_hw == (1024, 722)
    assert image.source.orientation == 6


def test_jxl_container_with_extended_box_size_is_read(folder: Path) -> None:
    pytest.importorskip("pillow_jxl")
    assert read_image(folder / "square_container.jxl").size_hw == (8, 8)


def test_pq_is_said_and_never_silently_srgb(folder: Path) -> None:
    pytest.importorskip("pillow_jxl")
    image = read_image(folder / "pq_gradient.jxl")
    assert image.color.transfer == "pq"
    assert any("HDR" in sentence for sentence in image.warnings)
    assert any("clipped" in sentence for sentence in to_srgb8(image).warnings)
