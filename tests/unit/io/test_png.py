"""PNG: every kind of it, transparency, color chunks, damage, and writing in rows."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage

from pixelwright.errors import UnreadableImage
from pixelwright.io.formats import png_write
from pixelwright.io.formats.png_chunks import SIGNATURE, chunk
from pixelwright.io.formats.png_write import filter_rows
from pixelwright.io.images import open_raster, read_image, write_image
from pixelwright.structures.image import Capture, Color, Image
from pixelwright.structures.raster import Raster, Window


def made(
    rows: np.ndarray[Any, Any], kind: int, depth: int, *, before: bytes = b"", after: bytes = b"", width: int = 0
) -> bytes:
    """A PNG of raw rows of bytes with filter 0."""
    plain = b"".join(b"\0" + row.tobytes() for row in rows)
    head = struct.pack(">IIBBBBB", width or len(rows[0]), len(rows), depth, kind, 0, 0, 0)
    body = chunk(b"IHDR", head) + before + chunk(b"IDAT", zlib.compress(plain)) + after + chunk(b"IEND", b"")
    return SIGNATURE + body


def big_endian(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return array.astype(">u2").reshape(len(array), -1).view(np.uint8)


RAMP = np.arange(0, 65536, 1093, dtype=np.uint16)[:60]


@pytest.mark.parametrize(("kind", "samples"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_16_bits_are_kept_in_every_kind(kind: int, samples: int) -> None:
    stored = np.resize(RAMP, (5, 4, samples))
    image = read_image(made(big_endian(stored), kind, 16, width=4))
    color = samples - (samples in (2, 4))
    assert image.pixels.dtype == np.uint16
    assert np.array_equal(image.pixels, stored[..., :color])
    assert (image.alpha is None) == (samples in (1, 3))
    if image.alpha is not None:
        assert np.array_equal(image.alpha, stored[..., -1])


@pytest.mark.parametrize(("depth", "expected"), [(1, [0, 255, 255]), (2, [0, 85, 170]), (4, [0, 17, 34])])
def test_few_bits_of_gray_are_spread_over_8(depth: int, expected: list[int]) -> None:
    values = {1: (0, 1, 1), 2: (0, 1, 2), 4: (0, 1, 2)}[depth]
    bits = "".join(f"{value:0{depth}b}" for value in values).ljust(16, "0")
    row = np.array([int(bits[:8], 2), int(bits[8:], 2)], np.uint8)[: -(-3 * depth // 8)]
    image = read_image(made(row[None], 0, depth, width=3))
    assert image.pixels[0, :, 0].tolist() == expected


def test_palette_with_transparency_becomes_rgb_and_alpha() -> None:
    chunks = chunk(b"PLTE", bytes((10, 20, 30, 40, 50, 60))) + chunk(b"tRNS", b"\x80")
    image = read_image(made(np.array([[0, 1, 0]], np.uint8), 3, 8, before=chunks))
    assert image.pixels.tolist() == [[[10, 20, 30], [40, 50, 60], [10, 20, 30]]]
    assert image.alpha is not None
    assert image.alpha.tolist() == [[128, 255, 128]]


def test_transparent_color_of_16_bit_rgb_matches_all_bits() -> None:
    stored = np.array([[[258, 2, 3], [514, 2, 3]]], np.uint16)  # the low bytes are the same
    image = read_image(made(big_endian(stored), 2, 16, before=chunk(b"tRNS", struct.pack(">3H", 258, 2, 3)), width=2))
    assert image.alpha is not None
    assert image.alpha.tolist() == [[0, 65535]]


def test_transparency_that_names_no_color_is_ignored(tmp_path: Path) -> None:
    data = made(np.arange(30, dtype=np.uint8).reshape(2, 15), 2, 8, before=chunk(b"tRNS", b"\0\1"), width=5)
    with open_raster(data) as raster:
        assert not raster.has_alpha
        assert raster.warnings == ("The tRNS chunk names no color and was ignored.",)
        write_image(raster, tmp_path / "again.png")
    assert read_image(tmp_path / "again.png").pixels.ravel().tolist() == list(range(30))


def test_what_pillow_wrote_with_16_bits_is_read() -> None:
    target = io.BytesIO()
    array = np.resize(RAMP, (9, 7)).astype(np.uint16)
    PillowImage.fromarray(array).save(target, "PNG")
    assert np.array_equal(read_image(target.getvalue()).pixels[..., 0], array)


def test_interlaced_pixels_come_out_in_order() -> None:
    """Adam7 by hand: 2x2 gray pixels come in passes 1 (0,0), 6 (0,1) and 7 (second row)."""
    values = {"a": 1000, "b": 20000, "c": 30000, "d": 65535}
    row = {name: b"\0" + struct.pack(">H", value) for name, value in values.items()}
    plain = row["a"] + row["b"] + b"\0" + struct.pack(">HH", values["c"], values["d"])
    head = struct.pack(">IIBBBBB", 2, 2, 16, 0, 0, 0, 1)
    data = SIGNATURE + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(plain)) + chunk(b"IEND", b"")
    assert read_image(data).pixels[..., 0].tolist() == [[1000, 20000], [30000, 65535]]


GRAY = np.full((2, 3), 7, np.uint8)


@pytest.mark.parametrize(
    ("chunks", "transfer", "primaries", "profile"),
    [
        (b"", "srgb", "srgb", False),
        (chunk(b"gAMA", struct.pack(">I", 45455)), "srgb", "srgb", False),
        (chunk(b"gAMA", struct.pack(">I", 100000)), "linear", "srgb", True),
        (chunk(b"gAMA", struct.pack(">I", 55556)), "gamma", "srgb", True),
        (chunk(b"sRGB", b"\0") + chunk(b"gAMA", struct.pack(">I", 100000)), "srgb", "srgb", False),
        (chunk(b"cICP", bytes((9, 16, 0, 1))), "pq", "bt2020", False),
        (chunk(b"cICP", bytes((12, 13, 0, 1))), "srgb", "display-p3", False),
    ],
)
def test_color_chunks_by_precedence(chunks: bytes, transfer: str, primaries: str, profile: bool) -> None:
    rgb = np.full((2, 9), 7, np.uint8)
    color = read_image(made(rgb, 2, 8, before=chunks, width=3)).color
    assert (color.transfer, color.primaries, color.icc is not None) == (transfer, primaries, profile)


def test_hdr_is_written_back_with_its_code(tmp_path: Path) -> None:
    color = Color(transfer="pq", primaries="bt2020")
    write_image(Image(np.zeros((2, 3, 3), np.uint16), color), tmp_path / "hdr.png")
    assert read_image(tmp_path / "hdr.png").color == color


def test_profile_bomb_is_ignored_with_a_warning() -> None:
    bomb = b"x\0\0" + zlib.compress(bytes(2**25))
    image = read_image(made(GRAY, 0, 8, before=chunk(b"iCCP", bomb)))
    assert image.color.icc is None
    assert any("ICC" in sentence for sentence in image.warnings)


def test_text_bomb_is_not_unfolded() -> None:
    bomb = b"XML:com.adobe.xmp\0\x01\0\0\0" + zlib.compress(bytes(2**25))
    assert read_image(made(GRAY, 0, 8, before=chunk(b"iTXt", bomb))).capture.xmp is None


def test_orientation_behind_the_pixels_counts() -> None:
    block = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    image = read_image(made(GRAY, 0, 8, after=chunk(b"eXIf", block)))
    assert (image.size_hw, image.source.orientation) == ((3, 2), 6)


def damaged(kind: str) -> bytes:
    sound = made(big_endian(np.resize(RAMP, (6, 5))), 0, 16, width=5)
    if kind == "checksum":
        return sound[:-20] + bytes((sound[-20] ^ 1,)) + sound[-19:]
    if kind == "cut":
        return sound[: len(sound) // 2]
    if kind == "no end":
        return sound[:-12]
    if kind == "short":
        return made(big_endian(np.resize(RAMP, (6, 5))), 0, 16, width=9)
    plain = b"".join(b"\x09" + row.tobytes() for row in big_endian(np.resize(RAMP, (6, 5))))
    head = struct.pack(">IIBBBBB", 5, 6, 16, 0, 0, 0, 0)
    return SIGNATURE + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(plain)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", ["checksum", "cut", "no end", "short", "filter"])
def test_damage_is_an_error_and_nothing_is_printed(kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UnreadableImage):
        read_image(damaged(kind))
    assert capfd.readouterr().err == ""


def test_short_8_bit_pixels_are_an_error() -> None:
    with pytest.raises(UnreadableImage):
        read_image(made(np.resize(np.arange(250, dtype=np.uint8), (6, 5)), 0, 8, width=60))


def test_a_header_without_pixels_is_looked_at_only_once_they_are_asked_for() -> None:
    raster = open_raster(made(GRAY, 0, 8, width=60))
    assert raster.size_hw == (2, 60)


def test_filtered_rows_are_what_the_standard_says() -> None:
    """Undone here by the definitions of PNG 9.2, one byte at a time."""
    rows = np.random.default_rng(3).integers(0, 256, (6, 12)).astype(np.uint8)
    rows[3] = np.arange(12)
    above = np.zeros(12, np.uint8)
    for packed, expected in zip(filter_rows(rows, above, 3), rows, strict=True):
        kind, undone = packed[0], np.zeros(12, int)
        for i, value in enumerate(packed[1:].tolist()):
            a, b, c = (int(undone[i - 3]) if i > 2 else 0), int(above[i]), (int(above[i - 3]) if i > 2 else 0)
            near = min((a, b, c), key=lambda each, p=a + b - c: abs(p - each))
            undone[i] = (value + {1: a, 2: b, 4: near}[int(kind)]) % 256
        assert undone.tolist() == expected.tolist()
        above = undone.astype(np.uint8)


def test_a_16_bit_raster_is_pulled_in_strips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png_write, "_QUICK_BYTES", 0)
    monkeypatch.setattr(png_write, "_STRIP_BYTES", 2**14)
    array = np.random.default_rng(1).integers(0, 65536, (300, 50, 3)).astype(np.uint16)
    whole = Raster.of(Image(array))
    heights = []

    def decode(window: Window | None, _at_least_hw: tuple[int, int] | None) -> Image:
        assert window is not None
        heights.append(window.height)
        return whole.read(window)

    write_image(replace(whole, decode=decode), tmp_path / "strips.png")
    assert max(heights) < 100
    assert np.array_equal(read_image(tmp_path / "strips.png").pixels, array)


def test_12_bits_are_stretched_as_the_standard_asks_and_said(tmp_path: Path) -> None:
    image = Image(np.array([[[0], [2048], [4095]]], np.uint16), Color(("gray",)), white=4095.0)
    write_image(image, tmp_path / "twelve.png")
    again = read_image(tmp_path / "twelve.png")
    assert again.pixels[0, :, 0].tolist() == [0, 32776, 65535]
    assert (again.source.bits, again.white) == (12, 65535.0)


def test_metadata_is_read_by_pillow(tmp_path: Path) -> None:
    block = b"II*\0\x08\0\0\0\x01\0\x0f\x01\x02\0\x04\0\0\0abc\0\0\0\0\0"
    capture = Capture(exif=block, xmp=b"<x:xmpmeta/>", dpi=(72.0, 300.0))
    write_image(Image(np.zeros((2, 3, 3), np.uint16), capture=capture), tmp_path / "kept.png")
    with PillowImage.open(tmp_path / "kept.png") as picture:
        assert picture.getexif()[271] == "abc"
        assert picture.info["dpi"] == pytest.approx((72, 300), abs=0.02)
        assert picture.info["xmp"] == b"<x:xmpmeta/>"
