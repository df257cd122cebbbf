"""WebP, AVIF, HEIC, BMP, GIF, JPEG 2000 and JPEG XL: what only each of them has."""

from __future__ import annotations

import io
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage

from pixelwright.errors import MissingExtra, UnreadableImage, UnsupportedImage
from pixelwright.io.formats import jxl_header
from pixelwright.io.icc import to_srgb8
from pixelwright.io.images import open_raster, read_image, read_pages, write_image
from pixelwright.structures.image import GRAY, Capture, Color, Image

RNG = np.random.default_rng(0)


JXL_MULTIPLIED = (
    "ff0a43c000280108001000a4004b1209121838044148810588314e9c182c26068b8971628c710e00d02875c0d38a034198fbed303320"
)


def smooth(height: int = 40, width: int = 56, channels: int = 3, top: int = 255) -> np.ndarray[Any, Any]:
    y, x = np.mgrid[:height, :width]
    planes = [(np.sin(x / 9 + k) * np.cos(y / 8) + 1) / 2 * top for k in range(channels)]
    return np.stack(planes, axis=2).astype(np.uint8 if top < 256 else np.uint16)


def saved(array: np.ndarray[Any, Any], form: str, mode: str | None = None, **options: Any) -> bytes:
    target = io.BytesIO()
    picture = PillowImage.fromarray(array)
    (picture.convert(mode) if mode else picture).save(target, form, **options)
    return target.getvalue()


def test_animated_webp_gives_its_frames() -> None:
    frames = [PillowImage.new("RGB", (20, 10), (90 * k, 0, 0)) for k in range(3)]
    target = io.BytesIO()
    frames[0].save(target, "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    pages = list(read_pages(target.getvalue()))
    assert [int(page.pixels[0, 0, 0]) for page in pages] == [0, 90, 180]
    assert pages[1].source.pages == 3
    assert int(read_image(target.getvalue(), page=2).pixels[0, 0, 0]) == 180


@pytest.mark.parametrize("lossless", [True, False])
def test_webp_header_is_read_without_decoding(lossless: bool) -> None:
    raster = open_raster(saved(smooth(31, 47, 4), "WEBP", lossless=lossless))
    assert (raster.size_hw, raster.has_alpha) == ((31, 47), True)


def test_webp_is_lossless_without_a_quality_and_lossy_with_one(tmp_path: Path) -> None:
    array = RNG.integers(0, 256, (30, 40, 3)).astype(np.uint8)
    write_image(Image(array), tmp_path / "exact.webp")
    write_image(Image(array), tmp_path / "small.webp", quality=30)
    assert np.array_equal(read_image(tmp_path / "exact.webp").pixels, array)
    assert not np.array_equal(read_image(tmp_path / "small.webp").pixels, array)


@pytest.mark.parametrize(("white", "bits"), [(1023, 10), (4095, 12)])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("alpha", [True, False])
def test_avif_keeps_10_and_12_bits(tmp_path: Path, white: int, bits: int, channels: int, alpha: bool) -> None:
    pixels = smooth(channels=channels, top=white)
    mask = np.full((40, 56), white // 2, np.uint16) if alpha else None
    color = GRAY if channels == 1 else Color()
    write_image(Image(pixels, color, float(white), mask), tmp_path / "deep.avif", quality=100)
    again = read_image(tmp_path / "deep.avif")
    assert (again.white, again.source.bits, again.pixels.dtype) == (float(white), bits, np.uint16)
    seen = again.pixels if again.pixels.shape[2] == channels else again.pixels[..., :1]
    assert np.abs(seen.astype(int) - pixels).max() <= white // 100
    assert (again.alpha is not None) == alpha
    if again.alpha is not None:
        assert np.abs(again.alpha.astype(int) - white // 2).max() <= white // 100


@pytest.mark.parametrize("suffix", ["avif", "webp", "jp2", "jxl", "heic"])
def test_what_is_asked_for_without_loss_is_exact(suffix: str, tmp_path: Path) -> None:
    array = RNG.integers(0, 256, (30, 40, 3)).astype(np.uint8)
    try:
        write_image(Image(array), tmp_path / f"exact.{suffix}", lossless=True)
    except MissingExtra as err:
        pytest.skip(str(err))
    assert np.array_equal(read_image(tmp_path / f"exact.{suffix}").pixels, array)


def test_gray_avif_stays_gray(tmp_path: Path) -> None:
    write_image(Image(smooth(channels=1), GRAY), tmp_path / "gray.avif")
    assert read_image(tmp_path / "gray.avif").color.is_gray


def test_avif_refuses_full_16_bits(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedImage, match=r"white value of 65535.*PNG"):
        write_image(Image(np.zeros((4, 4, 3), np.uint16)), tmp_path / "x.avif")


def test_avif_rotation_boxes_are_applied_once() -> None:
    array = smooth()
    tags = PillowImage.Exif()
    tags[274] = 6  # Pillow turns this into an irot box
    image = read_image(saved(array, "AVIF", exif=tags, quality=95, subsampling="4:4:4"))
    assert (image.size_hw, image.source.orientation) == ((56, 40), 6)
    assert np.abs(image.pixels.astype(int) - np.rot90(array, -1)).mean() < 6


def test_avif_with_orientation_in_exif_alone_is_turned_too() -> None:
    cv2 = pytest.importorskip("cv2")
    block = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x08\0\0\0\0\0\0"
    kept = [np.frombuffer(block, np.uint8)]
    _, data = cv2.imencodeWithMetadata(".avif", smooth()[..., ::-1].copy(), [cv2.IMAGE_METADATA_EXIF], kept)
    image = read_image(data.tobytes())
    assert (image.size_hw, image.source.orientation) == ((56, 40), 8)


def test_avif_metadata_and_profile_survive(tmp_path: Path) -> None:
    from pixelwright.io.profiles import TO_XYZ_D50, make

    block = b"II*\0\x08\0\0\0\x01\0\x0f\x01\x02\0\x04\0\0\0abc\0\0\0\0\0"
    color = Color(transfer="gamma", primaries="display-p3", icc=make(TO_XYZ_D50["display-p3"], 2.2))
    for pixels, white in ((smooth(), 255.0), (smooth(top=1023), 1023.0)):
        image = Image(pixels, color, white, capture=Capture(exif=block, xmp=b"<x:xmpmeta/>"))
        write_image(image, tmp_path / "kept.avif")
        again = read_image(tmp_path / "kept.avif")
        assert again.color == color
        assert again.capture.exif is not None
        assert b"abc" in again.capture.exif
        assert again.capture.xmp == b"<x:xmpmeta/>"


def test_heic_round_trip_keeps_alpha_profile_and_metadata(tmp_path: Path) -> None:
    pytest.importorskip("pillow_heif")
    from pixelwright.io.profiles import TO_XYZ_D50, make

    block = b"II*\0\x08\0\0\0\x01\0\x0f\x01\x02\0\x04\0\0\0abc\0\0\0\0\0"
    color = Color(transfer="gamma", primaries="display-p3", icc=make(TO_XYZ_D50["display-p3"], 2.2))
    image = Image(smooth(), color, alpha=smooth(channels=1)[..., 0], capture=Capture(exif=block))
    write_image(image, tmp_path / "kept.heic")
    again = read_image(tmp_path / "kept.heic")
    assert again.source.format == "heif"
    assert again.color == color
    assert again.alpha is not None
    assert np.abs(again.pixels.astype(int) - image.pixels).mean() < 4
    assert b"abc" in (again.capture.exif or b"")


def test_heic_10_bits_keep_their_white() -> None:
    heif = pytest.importorskip("pillow_heif")
    array = smooth(top=1023) << 6
    made = heif.from_bytes(mode="RGB;16", size=(56, 40), data=array.tobytes())
    target = io.BytesIO()
    made.save(target, quality=95, chroma=444)
    image = read_image(target.getvalue())
    assert (image.white, image.source.bits) == (1023.0, 10)
    assert np.abs(image.pixels.astype(int) - (array >> 6)).mean() < 10


@pytest.mark.parametrize(
    ("suffix", "module", "head"),
    [
        ("jxl", "pillow_jxl", b"\xff\x0a\x0f"),
        ("heic", "pillow_heif", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"),
    ],
)
def test_a_missing_plugin_is_one_sentence(
    suffix: str, module: str, head: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtra, match=r"pip install 'pixelwright\[formats\]'"):
        read_image(head + bytes(100))
    with pytest.raises(MissingExtra):
        write_image(Image(smooth()), tmp_path / f"x.{suffix}")
    assert list(tmp_path.iterdir()) == []


def bmp(bits: int, packing: int, rows: bytes, *, height: int = 2, masks: bytes = b"", palette: bytes = b"") -> bytes:
    """A 2-pixel-wide BMP with a version 4 header."""
    info = struct.pack("<IiiHHIIiiII", 108, 2, height, 1, bits, packing, len(rows), 2835, 5669, len(palette) // 4, 0)
    info += masks.ljust(16, b"\0") + bytes(52)
    return (
        struct.pack("<2sIHHI", b"BM", 14 + 108 + len(palette) + len(rows), 0, 0, 122 + len(palette))
        + info
        + palette
        + rows
    )


def test_bmp_rows_run_upwards_and_downwards() -> None:
    rows = bytes((1, 2, 3, 4, 5, 6, 0, 0)) + bytes((7, 8, 9, 10, 11, 12, 0, 0))  # BGR, padded to four bytes
    assert read_image(bmp(24, 0, rows)).pixels.tolist() == [[[9, 8, 7], [12, 11, 10]], [[3, 2, 1], [6, 5, 4]]]
    down = read_image(bmp(24, 0, rows, height=-2))
    assert down.pixels.tolist() == [[[3, 2, 1], [6, 5, 4]], [[9, 8, 7], [12, 11, 10]]]
    assert down.capture.dpi == pytest.approx((72, 144), abs=0.1)


def test_bmp_alpha_counts_where_there_is_a_mask_for_it() -> None:
    rows = bytes((1, 2, 3, 40, 4, 5, 6, 50)) * 2
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    image = read_image(bmp(32, 3, rows, masks=masks))
    assert image.pixels[0].tolist() == [[3, 2, 1], [6, 5, 4]]
    assert image.alpha is not None
    assert image.alpha[0].tolist() == [40, 50]
    assert read_image(bmp(32, 0, rows)).alpha is None


def test_bmp_run_lengths_and_palette_are_unpacked() -> None:
    palette = bytes((1, 2, 3, 0, 9, 8, 7, 0))
    rows = bytes((2, 1, 0, 0, 1, 0, 1, 1, 0, 1))  # two of color 1; end of row; color 0, color 1; end
    image = read_image(bmp(8, 1, rows, palette=palette))
    assert image.pixels.tolist() == [[[3, 2, 1], [7, 8, 9]], [[7, 8, 9], [7, 8, 9]]]


def test_gif_frames_are_composed_in_one_pass() -> None:
    frames = [PillowImage.new("P", (12, 8), k) for k in range(4)]
    for frame in frames:
        frame.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255])
    target = io.BytesIO()
    frames[0].save(target, "GIF", save_all=True, append_images=frames[1:], duration=50)
    pages = list(read_pages(target.getvalue()))
    assert [page.pixels[0, 0].tolist() for page in pages] == [[0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255]]
    assert read_image(target.getvalue(), page=3).pixels[0, 0].tolist() == [0, 0, 255]


def test_gif_with_very_many_frames_opens_quickly() -> None:
    one = saved(np.zeros((2, 2), np.uint8), "GIF")
    start = one.index(b",", 13)
    data = one[:-1] + one[start:-1] * 70_000 + b";"
    raster = open_raster(data)
    assert raster.source.pages == 2**16
    assert raster.read().size_hw == (2, 2)


def test_gif_is_not_written(tmp_path: Path) -> None:
    from pixelwright.errors import UsageError

    with pytest.raises(UsageError, match=r"no format is written under the ending '.gif'"):
        write_image(Image(smooth()), tmp_path / "x.gif")
    with pytest.raises(UnsupportedImage, match="only read here"):
        write_image(Image(smooth()), tmp_path / "x.gif", format_name="gif")


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize("bare", [True, False])
def test_jpeg_2000_is_exact_without_loss(mode: str, bare: bool) -> None:
    array = smooth(channels=len(mode))
    image = read_image(saved(array.squeeze(), "JPEG2000", no_jp2=bare))
    both = image.pixels if image.alpha is None else np.dstack([image.pixels, image.alpha])
    assert np.array_equal(both, array)


@pytest.mark.parametrize("bits", [10, 12, 16])
@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_2000_keeps_more_than_8_bits(bits: int, channels: int) -> None:
    imagecodecs = pytest.importorskip("imagecodecs")
    array = smooth(channels=channels, top=2**bits - 1)
    data = imagecodecs.jpeg2k_encode(array.squeeze(), level=0, reversible=True, bitspersample=bits, codecformat="jp2")
    image = read_image(data)
    assert image.white == 2**bits - 1
    assert np.array_equal(image.pixels, array)


def test_jpeg_xl_is_exact_without_loss_and_keeps_metadata(tmp_path: Path) -> None:
    pytest.importorskip("pillow_jxl")
    block = b"II*\0\x08\0\0\0\x01\0\x0f\x01\x02\0\x04\0\0\0abc\0\0\0\0\0"
    image = Image(smooth(), alpha=smooth(channels=1)[..., 0], capture=Capture(exif=block, xmp=b"<x/>"))
    write_image(image, tmp_path / "exact.jxl")
    again = read_image(tmp_path / "exact.jxl")
    assert np.array_equal(again.pixels, image.pixels)
    assert again.alpha is not None
    assert image.alpha is not None
    assert np.array_equal(again.alpha, image.alpha)
    assert (again.capture.exif, again.capture.xmp) == (block, b"<x/>")


def test_jpeg_xl_of_16_bit_rgb_is_refused_not_squeezed() -> None:
    imagecodecs = pytest.importorskip("imagecodecs")
    pytest.importorskip("pillow_jxl")
    with pytest.raises(UnsupportedImage, match="16-bit RGB"):
        read_image(imagecodecs.jpegxl_encode(smooth(top=65535), lossless=True))
    gray = smooth(channels=1, top=65535)
    assert np.array_equal(read_image(imagecodecs.jpegxl_encode(gray[..., 0], lossless=True)).pixels, gray)


def test_colors_multiplied_by_alpha_are_divided_out() -> None:
    pytest.importorskip("pillow_jxl")
    # 16 x 16 pixels of (100, 50, 20) under an alpha of 200, by libjxl; the header's extra channel spelled out, with
    # the bit of ISO/IEC 18181-1 D.3.6 that says the colors were multiplied
    image = read_image(bytes.fromhex(JXL_MULTIPLIED))
    assert image.alpha is not None
    assert int(image.alpha[0, 0]) == 200
    assert image.pixels[0, 0].tolist() == [128, 64, 26]  # 127.5 to even, 63.75, 25.5 to even
    heif = pytest.importorskip("pillow_heif")
    made = heif.from_bytes(mode="RGBa", size=(16, 16), data=bytes((100, 50, 20, 200)) * 256)
    target = io.BytesIO()
    made.save(target, quality=-1, chroma=444, matrix_coefficients=0)
    again = read_image(target.getvalue())
    assert again.pixels[0, 0].tolist() == [128, 64, 26]


def test_jpeg_xl_header_bits() -> None:
    """Written by hand from ISO/IEC 18181-1: 300 x 200, nothing but defaults."""
    fields = [(0, 1), (0, 2), (199, 9), (0, 3), (0, 2), (299, 9), (1, 1)]  # (value, bits), lowest first
    number, shift = 0, 0
    for value, bits in fields:
        number |= value << shift
        shift += bits
    header = jxl_header.parse(b"\xff\x0a" + number.to_bytes(8, "little"))
    assert (header.size_hw, header.bits, header.transfer, header.alpha) == ((200, 300), 8, "srgb", False)
    with pytest.raises(ValueError, match="cut off"):
        jxl_header.parse(b"\xff\x0a\x00")


def test_hlg_and_pq_are_shown_with_a_warning() -> None:
    for transfer in ("pq", "hlg"):
        image = Image(
            np.array([[[0.0], [0.5], [1.0]]], np.float32).repeat(3, 2), Color(transfer=transfer, primaries="bt2020")
        )
        shown = to_srgb8(image)
        assert shown.pixels[0, 0].tolist() == [0, 0, 0]
        assert shown.pixels[0, 2].tolist() == [255, 255, 255]
        assert any("HDR" in sentence for sentence in shown.warnings)


@pytest.mark.parametrize("form", ["WEBP", "AVIF", "BMP", "GIF", "JPEG2000"])
def test_truncation_is_an_error(form: str, capfd: pytest.CaptureFixture[str]) -> None:
    data = saved(
        RNG.integers(0, 256, (60, 80, 3)).astype(np.uint8), form, **({"quality": 95} if form == "AVIF" else {})
    )
    with pytest.raises(UnreadableImage):
        read_image(data[: len(data) // 2])
    assert capfd.readouterr().err == ""
