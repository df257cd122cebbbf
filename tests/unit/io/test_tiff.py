"""TIFF: layouts, codecs, sample kinds, windows, pages, faults, streaming out; tifffile and Pillow are the judges."""

from __future__ import annotations

import io
import struct
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as PillowImage

from pixelwright.errors import ImageTooLarge, UnreadableImage, UnsupportedImage
from pixelwright.io.formats import tiff
from pixelwright.io.images import open_raster, read_image, read_pages, write_image
from pixelwright.structures.image import Capture, Color, Image
from pixelwright.structures.raster import Raster, Window

RNG = np.random.default_rng(0)


def noise(*shape: int, dtype: Any = np.uint8) -> np.ndarray[Any, Any]:
    if np.dtype(dtype).kind == "f":
        return RNG.random(shape).astype(dtype)
    info = np.iinfo(dtype)
    return RNG.integers(info.min, info.max, shape, endpoint=True).astype(dtype)


def by_tifffile(array: np.ndarray[Any, Any], *, big: bool = False, order: str = "<", **options: Any) -> bytes:
    target = io.BytesIO()
    with tifffile.TiffWriter(target, bigtiff=big, byteorder=order) as writer:  # pyright: ignore[reportArgumentType]
        writer.write(array, metadata=None, **options)
    return target.getvalue()


def by_pillow(array: np.ndarray[Any, Any], mode: str | None = None, **options: Any) -> bytes:
    target = io.BytesIO()
    picture = PillowImage.fromarray(array)
    (picture.convert(mode) if mode else picture).save(target, "TIFF", **options)
    return target.getvalue()


def window_of(data: bytes, window: Window) -> Image:
    with open_raster(data) as raster:
        assert raster.windowed
        return raster.read(window)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize(
    "options",
    [{"rowsperstrip": 7}, {"tile": (16, 32)}, {"tile": (16, 16), "compression": "zlib", "predictor": True}, {}],
    ids=["strips", "tiles", "deflated", "one strip"],
)
def test_layouts_orders_and_windows(options: dict[str, Any], big: bool, order: str) -> None:
    array = noise(61, 53, 3, dtype=np.uint16)
    data = by_tifffile(array, big=big, order=order, photometric="rgb", **options)
    assert np.array_equal(read_image(data).pixels, array)
    part = window_of(data, Window(13, 20, 40, 31))
    assert np.array_equal(part.pixels, array[13:53, 20:51])


def test_planes_are_put_together() -> None:
    array = noise(3, 40, 50, dtype=np.uint16)
    for options in ({"rowsperstrip": 9}, {"tile": (16, 16)}):
        data = by_tifffile(array, photometric="rgb", planarconfig="separate", **options)
        assert np.array_equal(read_image(data).pixels, array.transpose(1, 2, 0))
        assert np.array_equal(window_of(data, Window(5, 6, 30, 30)).pixels, array.transpose(1, 2, 0)[5:35, 6:36])


@pytest.mark.parametrize("codec", ["tiff_lzw", "packbits", "lzma", "zstd", "tiff_adobe_deflate"])
@pytest.mark.parametrize("predictor", [1, 2])
def test_byte_codecs_without_imagecodecs(codec: str, predictor: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    array = np.cumsum(noise(70, 90, 3) // 60, axis=1).astype(np.uint8)
    data = by_pillow(array, compression=codec, tiffinfo={317: predictor, 278: 16})
    assert np.array_equal(read_image(data).pixels, array)


@pytest.mark.parametrize("codec", ["group3", "group4", "raw", "packbits"])
def test_bilevel_codecs(codec: str) -> None:
    array = (noise(33, 37) > 128) * np.uint8(255)
    data = by_pillow(array, "1", compression=codec)
    assert np.array_equal(read_image(data).pixels[..., 0], array)


@pytest.mark.parametrize("photometric", ["rgb", "ycbcr"])
def test_jpeg_tiles_equal_pillows(photometric: str) -> None:
    pytest.importorskip("imagecodecs")
    y, x = np.mgrid[:64, :96]
    array = np.stack([y * 3, x * 2, (y + x)], axis=2).astype(np.uint8)
    data = by_tifffile(array, photometric=photometric, tile=(32, 32), compression="jpeg", compressionargs={"level": 95})
    with PillowImage.open(io.BytesIO(data)) as picture:
        assert np.array_equal(read_image(data).pixels, np.asarray(picture.convert("RGB")))
    assert window_of(data, Window(10, 10, 40, 40)).size_hw == (40, 40)


@given(size=st.integers(1, 6000), kinds=st.integers(1, 256), seed=st.integers(0, 9))
@settings(max_examples=25, deadline=None)
def test_lzw_undoes_what_libtiff_wrote(size: int, kinds: int, seed: int) -> None:
    plain = np.random.default_rng(seed).integers(0, kinds, size).astype(np.uint8)
    data = by_pillow(plain[None], compression="tiff_lzw")
    assert read_image(data).pixels.tobytes() == plain.tobytes()


@pytest.mark.parametrize("codec", ["tiff_lzw", "packbits"])
@pytest.mark.parametrize("shape", [(40, 50), (40, 51), (1, 51), (1, 1)])
def test_truncated_lzw_and_packbits_are_an_error(
    codec: str, shape: tuple[int, int], capfd: pytest.CaptureFixture[str]
) -> None:
    data = by_pillow(noise(*shape), compression=codec)
    (offset,) = struct.unpack_from("<I", data, data.index(struct.pack("<HHI", 273, 4, 1)) + 8)
    with pytest.raises(UnreadableImage):
        read_image(data[: offset + max(1, shape[0] * shape[1] // 3)])
    if shape[0] * shape[1] % 2 == 0:  # an odd byte is checked by Pillow's libtiff, which prints
        assert capfd.readouterr().err == ""


def test_damaged_fax_is_read_in_silence_and_truncated_fax_is_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    data = bytearray(by_pillow((noise(64, 64) > 128) * np.uint8(255), "1", compression="group4"))
    data[60:90] = noise(30).tobytes()
    read_image(bytes(data))
    assert capfd.readouterr().err == ""
    at = data.index(struct.pack("<HHI", 279, 4, 1)) + 8
    struct.pack_into("<I", data, at, len(data))
    with pytest.raises(UnreadableImage, match="is truncated"):
        read_image(bytes(data))


def test_a_palette_keeps_its_alpha(tmp_path: Path) -> None:
    target = io.BytesIO()
    picture = PillowImage.fromarray(np.array([[0, 1]], np.uint8), "P")
    picture.putpalette([10, 20, 30, 40, 50, 60])
    picture.putalpha(PillowImage.fromarray(np.array([[255, 7]], np.uint8)))
    picture.save(target, "TIFF")
    data = target.getvalue()
    with open_raster(data) as raster:
        assert raster.has_alpha
        assert raster.read().alpha is not None
        write_image(raster, tmp_path / "again.tif")
    again = read_image(tmp_path / "again.tif")
    assert again.pixels.tolist() == [[[10, 20, 30], [40, 50, 60]]]
    assert again.alpha is not None
    assert again.alpha.tolist() == [[255, 7]]


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.uint32, np.int32, np.float16, np.float32, np.float64])
def test_other_numbers_become_float32_where_that_is_exact(dtype: Any) -> None:
    array = np.array([[0, 1, 2], [100, 64, 127]], dtype)
    image = read_image(by_tifffile(array))
    assert image.pixels.dtype == np.float32
    assert image.pixels[..., 0].tolist() == array.tolist()


@pytest.mark.parametrize("array", [np.array([[2**24 + 1]], np.uint32), np.array([[0.1]], np.float64)])
def test_numbers_that_float32_cannot_hold_are_refused(array: np.ndarray[Any, Any]) -> None:
    with pytest.raises(UnsupportedImage, match="cannot hold exactly"):
        read_image(by_tifffile(array))


def test_nan_passes_through() -> None:
    assert np.isnan(read_image(by_tifffile(np.array([[np.nan, 1]], np.float64))).pixels[0, 0, 0])


def test_min_is_white_is_turned() -> None:
    array = noise(5, 6, dtype=np.uint16)
    assert np.array_equal(read_image(by_tifffile(array, photometric="miniswhite")).pixels[..., 0], 65535 - array)


def test_palette_is_expanded() -> None:
    colors = noise(3, 256, dtype=np.uint16)
    array = noise(5, 6)
    image = read_image(by_tifffile(array, photometric="palette", colormap=colors))
    assert image.source.stored_color == "palette"
    expected = np.rint(colors.astype(float) / 257)[:, array].transpose(1, 2, 0)
    assert np.abs(image.pixels - expected).max() == 0


def test_cmyk_becomes_rgb() -> None:
    ink = np.zeros((4, 4, 4), np.uint8)
    ink[..., 1] = 255
    image = read_image(by_tifffile(ink, photometric="separated"))
    assert image.pixels[0, 0].tolist() == [255, 0, 255]


def test_associated_alpha_is_divided_out() -> None:
    array = np.array([[[100, 50, 0, 200], [0, 0, 0, 0]]], np.uint8)
    image = read_image(by_tifffile(array, photometric="rgb", extrasamples=["assocalpha"]))
    assert image.pixels.tolist() == [[[128, 64, 0], [0, 0, 0]]]  # 100 * 255 / 200 = 127.5, to even
    assert image.alpha is not None
    assert image.alpha.tolist() == [[200, 0]]


def test_12_bits_stated_are_the_white_value(tmp_path: Path) -> None:
    array = noise(5, 6, dtype=np.uint16) >> 4
    image = read_image(by_tifffile(array, extratags=[(281, "H", 1, 4095, True)]))
    assert (image.white, image.source.bits) == (4095.0, 12)
    write_image(image, tmp_path / "again.tif")
    again = read_image(tmp_path / "again.tif")
    assert again.white == 4095.0
    assert np.array_equal(again.pixels, image.pixels)


def test_a_statistical_maximum_is_no_white_value() -> None:
    assert read_image(by_tifffile(noise(5, 6, dtype=np.uint16), extratags=[(281, "H", 1, 3000, True)])).white == 65535.0


def test_many_channels_keep_their_names(tmp_path: Path) -> None:
    names = ("blue", "green", "red", "red edge", "near <infrared>", "pan")
    image = Image(noise(20, 30, 6, dtype=np.uint16), Color(names, "unknown", "unknown"))
    write_image(image, tmp_path / "bands.tif")
    again = read_image(tmp_path / "bands.tif")
    assert again.color.channels == names
    assert np.array_equal(again.pixels, image.pixels)
    plain = read_image(by_tifffile(noise(20, 30, 5), photometric="minisblack", planarconfig="contig"))
    assert plain.color.channels == ("band 1", "band 2", "band 3", "band 4", "band 5")


def test_pages_are_read_in_order_and_by_number() -> None:
    target = io.BytesIO()
    with tifffile.TiffWriter(target) as writer:
        for value in range(3):
            writer.write(np.full((4 + value, 5), value, np.uint8), metadata=None)
    pages = list(read_pages(target.getvalue()))
    assert [(page.size_hw, int(page.pixels[0, 0, 0]), page.source.page) for page in pages] == [
        ((4, 5), 0, 0),
        ((5, 5), 1, 1),
        ((6, 5), 2, 2),
    ]
    assert read_image(target.getvalue(), page=2).size_hw == (6, 5)
    with pytest.raises(UnreadableImage, match="has 3 pages; page 3"):
        read_image(target.getvalue(), page=3)


def test_a_window_of_one_uncompressed_strip_reads_only_its_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    array = noise(4000, 1000)
    path = tmp_path / "strip.tif"
    path.write_bytes(by_tifffile(array, rowsperstrip=4000))
    seen = []
    inner = tiff.tiff_segments.decode
    monkeypatch.setattr(tiff.tiff_segments, "decode", lambda data, *rest: seen.append(len(data)) or inner(data, *rest))
    with open_raster(path) as raster:
        assert np.array_equal(raster.read(Window(2000, 10, 5, 6)).pixels[..., 0], array[2000:2005, 10:16])
    assert sum(seen) < array.nbytes / 2


def test_a_large_file_may_be_opened_for_windows_but_not_read_whole() -> None:
    data = by_tifffile(noise(64, 64), tile=(16, 16))
    with open_raster(data, max_pixels=1000) as raster:
        assert raster.read(Window(0, 0, 30, 30)).size_hw == (30, 30)
        with pytest.raises(ImageTooLarge):
            raster.read()


def test_one_giant_compressed_strip_is_held_to_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiff, "WINDOWED_SEGMENT_BYTES", 1000)
    data = by_tifffile(noise(64, 64), compression="zlib", rowsperstrip=64)
    with open_raster(data) as raster:
        assert not raster.windowed
    with pytest.raises(ImageTooLarge):
        open_raster(data, max_pixels=1000)


def test_the_cache_of_segments_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiff, "CACHE_BYTES", 600)
    array = noise(64, 64)
    assert np.array_equal(read_image(by_tifffile(array, tile=(16, 16))).pixels[..., 0], array)


def test_truncated_segments_are_an_error() -> None:
    data = by_tifffile(noise(64, 64), compression="zlib", rowsperstrip=8)
    with pytest.raises(UnreadableImage):
        read_image(data[: len(data) - 500])
    with pytest.raises(UnreadableImage):
        read_image(by_tifffile(noise(64, 64))[:-1])


def test_a_loop_of_directories_ends() -> None:
    data = bytearray(by_tifffile(noise(4, 4)))
    (first,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, first)
    struct.pack_into("<I", data, first + 2 + 12 * count, first)
    with suppress(UnreadableImage):
        assert 1 <= open_raster(bytes(data)).source.pages < 100_000


@pytest.mark.parametrize("tag", [256, 257, 258, 273, 277, 279])
def test_absurd_numbers_end_in_one_error(tag: int) -> None:
    data = bytearray(by_tifffile(noise(4, 4)))
    (first,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, first)
    for place in range(first + 2, first + 2 + 12 * count, 12):
        if struct.unpack_from("<H", data, place)[0] == tag:
            struct.pack_into("<HHII", data, place, tag, 4, 1, 0x7FFFFFF0)
    with pytest.raises((UnreadableImage, UnsupportedImage, ImageTooLarge)):
        read_image(bytes(data))


@pytest.mark.parametrize("codec", [34887, 12345])
def test_unknown_compression_is_unsupported(codec: int) -> None:
    data = by_tifffile(noise(4, 4))
    at = data.index(struct.pack("<HHI", 259, 3, 1))
    with pytest.raises(UnsupportedImage, match=f"compression {codec}"):
        open_raster(data[: at + 8] + struct.pack("<H", codec) + data[at + 10 :])


def test_a_streamed_raster_is_pulled_in_bands_of_tiles(tmp_path: Path) -> None:
    array = noise(1500, 300, 3, dtype=np.uint16)
    windows = []

    def decode(window: Window | None, _at_least_hw: tuple[int, int] | None) -> Image:
        assert window is not None
        windows.append(window)
        return Image(array[window.slices])

    raster = Raster((1500, 300), np.uint16, Color(), 65535.0, decode, windowed=True)
    write_image(raster, tmp_path / "streamed.tif")
    assert [(window.top, window.height, window.width) for window in windows] == [(0, 768, 300), (768, 732, 300)]
    with tifffile.TiffFile(tmp_path / "streamed.tif") as judge:
        page = judge.pages.first
        assert (page.is_tiled, page.compression.name, page.predictor) == (True, "ADOBE_DEFLATE", 2)
    with PillowImage.open(io.BytesIO((tmp_path / "streamed.tif").read_bytes())) as picture:
        assert picture.size == (300, 1500)
    assert np.array_equal(read_image(tmp_path / "streamed.tif").pixels, array)


def test_big_tiff_is_chosen_when_offsets_need_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiff.tiff_write, "BIG_BYTES", 1000)
    tags = PillowImage.Exif()
    tags.get_ifd(34665)[33434] = 0.01
    capture = Capture(exif=tags.tobytes()[6:])
    write_image(Image(noise(40, 50, 3), capture=capture), tmp_path / "big.tif")
    assert (tmp_path / "big.tif").read_bytes()[2:4] == b"+\0"
    again = read_image(tmp_path / "big.tif")
    assert again.capture.exif is not None
    found = PillowImage.Exif()
    found.load(again.capture.exif)
    assert float(found.get_ifd(34665)[33434]) == pytest.approx(0.01)


@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_moves_between_jpeg_and_tiff(tmp_path: Path, order: str) -> None:
    tags = PillowImage.Exif()
    tags.endian = order
    tags[271] = "Maker"
    tags.get_ifd(34665)[33434] = 0.008
    tags.get_ifd(34665)[37386] = 50.0
    tags.get_ifd(34853)[1] = "N"
    capture = Capture(exif=tags.tobytes()[6:], xmp=b"<x:xmpmeta/>", dpi=(300.0, 300.0))
    write_image(Image(noise(20, 30, 3), capture=capture), tmp_path / "moved.tif")
    with PillowImage.open(tmp_path / "moved.tif") as picture:  # an independent reader finds them
        found = picture.getexif()
        assert found[271] == "Maker"
        assert float(found.get_ifd(34665)[37386]) == 50.0
        assert found.get_ifd(34853)[1] == "N"
    again = read_image(tmp_path / "moved.tif").capture
    assert (again.xmp, again.dpi) == (b"<x:xmpmeta/>", (300.0, 300.0))
    block = PillowImage.Exif()
    block.load(again.exif or b"")
    assert (block[271], float(block.get_ifd(34665)[33434])) == ("Maker", pytest.approx(0.008))


def test_float_predictor_is_undone() -> None:
    pytest.importorskip("imagecodecs")
    array = noise(40, 50, 3, dtype=np.float32)
    data = by_tifffile(array, photometric="rgb", compression="zlib", predictor=3, tile=(16, 16))
    assert np.array_equal(read_image(data).pixels, array)


def test_packed_12_bit_samples_are_unpacked() -> None:
    pytest.importorskip("imagecodecs")
    array = noise(9, 7, dtype=np.uint16) >> 4
    image = read_image(by_tifffile(array, bitspersample=12))
    assert image.white == 4095.0
    assert np.array_equal(image.pixels[..., 0], array)
