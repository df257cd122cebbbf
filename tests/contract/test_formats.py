"""One suite for every file format in the registry, built in or plugged in."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from clips import dicom
from pixelwright import registry
from pixelwright.errors import MissingExtra, UnreadableImage, UnsupportedImage
from pixelwright.io.format import Format
from pixelwright.io.images import open_raster, read_image, read_pages, write_image
from pixelwright.structures.image import GRAY, RGB_CHANNELS, Color, Image
from pixelwright.structures.raster import Window

NAMES = registry.names("format")


@pytest.fixture(params=NAMES)
def form(request: pytest.FixtureRequest) -> Format:
    return registry.get("format", request.param)


def picture(dtype: str, *, alpha: bool, gray: bool = False, white: float = 0.0) -> Image:
    top = 1.0 if dtype == "float32" else white or float(np.iinfo(dtype).max)
    y, x = np.mgrid[:70, :90]
    planes = [(np.sin(x / 11 + k) * np.cos(y / 13) + 1) / 2 * top for k in range(1 if gray else 3)]
    mask = (x / 89 * top).astype(dtype) if alpha else None
    return Image(np.stack(planes, axis=2).astype(dtype), GRAY if gray else Color(RGB_CHANNELS), white, mask)


def written(form: Format, image: Image, folder: Path) -> Path:
    path = folder / f"x{form.suffixes[0]}"
    try:
        write_image(image, path, format_name=form.name)
    except MissingExtra as err:
        pytest.skip(str(err))
    return path


def any_file(form: Format, folder: Path) -> Path:
    if form.write is not None:
        return written(form, picture("uint8", alpha=False), folder)
    from PIL import Image as PillowImage

    path, pixels = folder / f"x{form.suffixes[0]}", picture("uint8", alpha=False).pixels
    if form.name == "dicom":
        return dicom(path, pixels)
    PillowImage.fromarray(pixels).save(path)
    return path


def test_the_record_is_complete(form: Format) -> None:
    assert form.name in NAMES
    assert form.title
    assert form.suffixes
    assert all(re.fullmatch(r"\.[a-z0-9]+", suffix) for suffix in form.suffixes)
    assert set(form.holds.dtypes) <= {"uint8", "uint16", "float32"}


def test_suffixes_and_names_are_taken_once() -> None:
    forms = [registry.get("format", name) for name in NAMES]
    suffixes = [suffix for form in forms for suffix in form.suffixes]
    assert len(suffixes) == len(set(suffixes))
    assert [form.name for form in forms] == list(NAMES)


def test_only_one_format_recognizes_a_file(form: Format, tmp_path: Path) -> None:
    head = any_file(form, tmp_path).read_bytes()[:65536]
    assert [name for name in NAMES if registry.get("format", name).sniff(head)] == [form.name]


@pytest.mark.parametrize(
    "head", [b"", b"x", b"not an image at all", bytes(64), b"\xff" * 64, b"RIFF", b"\0\0\0\x18ftyp"]
)
def test_sniffing_survives_anything(form: Format, head: bytes) -> None:
    assert form.sniff(head) is False or head.startswith(b"\xff\xff")


def test_the_header_says_what_reading_gives(form: Format, tmp_path: Path) -> None:
    path = any_file(form, tmp_path)
    with open_raster(path) as raster:
        image = raster.read()
        part = raster.read(Window(3, 5, 20, 30))
    assert image.size_hw == raster.size_hw == (70, 90)
    assert (image.pixels.dtype, image.color, image.white) == (np.dtype(raster.dtype), raster.color, raster.white)
    assert (image.alpha is not None) == raster.has_alpha
    assert image.source.format == form.name
    assert image.pixels.flags.c_contiguous
    assert np.array_equal(part.pixels, image.pixels[3:23, 5:35])


def test_everything_it_claims_to_hold_is_kept(form: Format, tmp_path: Path) -> None:
    if form.write is None:
        pytest.skip("read only")
    for dtype in form.holds.dtypes:
        white = form.holds.whites[0] if form.holds.whites and dtype == "uint16" else 0.0
        for alpha in (False, True)[: 1 + form.holds.alpha]:
            image = picture(dtype, alpha=alpha, white=white)
            again = read_image(written(form, image, tmp_path))
            assert (again.pixels.dtype.name, again.white) == (dtype, image.white)
            assert (again.alpha is not None) == alpha
            assert np.abs(again.pixels.astype(float) - image.pixels).mean() < 0.02 * image.white
            if image.alpha is not None and again.alpha is not None:
                assert np.abs(again.alpha.astype(float) - image.alpha).mean() < 0.02 * image.white


def test_what_it_does_not_hold_is_refused(form: Format, tmp_path: Path) -> None:
    for dtype in {"uint8", "uint16", "float32"} - set(form.holds.dtypes if form.write else ()):
        with pytest.raises(UnsupportedImage, match=re.escape(form.title)):
            write_image(picture(dtype, alpha=False), tmp_path / "x", format_name=form.name)
    assert list(tmp_path.iterdir()) == []


def test_gray_is_written(form: Format, tmp_path: Path) -> None:
    if form.write is None:
        pytest.skip("read only")
    again = read_image(written(form, picture("uint8", alpha=False, gray=True), tmp_path))
    assert np.ptp(again.pixels.astype(int), axis=2).max() <= 2


def test_half_a_file_is_an_error(form: Format, tmp_path: Path) -> None:
    data = any_file(form, tmp_path).read_bytes()
    with pytest.raises(UnreadableImage):
        read_image(data[: len(data) // 2])


def test_the_beginning_alone_is_an_error(form: Format, tmp_path: Path) -> None:
    data = any_file(form, tmp_path).read_bytes()
    for size in (4, 12, 20, 40):
        with pytest.raises(UnreadableImage):
            read_image(data[:size])


def test_pages_begin_with_the_first(form: Format, tmp_path: Path) -> None:
    path = any_file(form, tmp_path)
    assert np.array_equal(next(read_pages(path)).pixels, read_image(path).pixels)
