"""The face: sources, faults, limits, and files that appear whole or not at all."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest
from PIL import Image as PillowImage

from pixelwright.errors import ImageError, ImageTooLarge, UnreadableImage, UnsupportedImage, UsageError
from pixelwright.io import images
from pixelwright.io.images import open_raster, read_image, write_image
from pixelwright.structures.image import GRAY, Capture, Color, Image
from pixelwright.structures.raster import Raster, Window

PIXELS = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)


def png(array: np.ndarray[Any, Any] = PIXELS) -> bytes:
    target = io.BytesIO()
    PillowImage.fromarray(array).save(target, "PNG")
    return target.getvalue()


def test_paths_bytes_and_files_give_the_same(tmp_path: Path) -> None:
    path = tmp_path / "bäume 木 🌳.png"
    path.write_bytes(png())
    with path.open("rb") as file:
        for source in (path, str(path), png(), bytearray(png()), memoryview(png()), io.BytesIO(png()), file):
            assert np.array_equal(read_image(source).pixels, PIXELS)
    write_image(Image(PIXELS), tmp_path / "größe.tif")
    assert read_image(tmp_path / "größe.tif").source.path.endswith("größe.tif")


@pytest.mark.parametrize("source", [3, None, io.StringIO("text")])
def test_other_sources_are_a_usage_error(source: Any) -> None:
    with pytest.raises(UsageError):
        read_image(source)


def test_folders_pipes_and_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="is a folder"):
        read_image(tmp_path)
    with pytest.raises(ImageError, match=r"nowhere\.png: cannot be opened: No such file"):
        read_image(tmp_path / "nowhere.png")
    with pytest.raises(ImageError):
        read_image("a\0b.png")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.png")
        with pytest.raises(ImageError, match="a pipe or a device"):
            read_image(tmp_path / "pipe.png")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_closed_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "closed.png"
    path.write_bytes(png())
    path.chmod(0)
    with pytest.raises(ImageError, match="Permission denied"):
        read_image(path)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"this is not an image", "begins with text"),
        (bytes(40), "unknown bytes"),
        (b"\xff\xd8\xff", "cut off"),
    ],
)
def test_what_is_no_image_is_said(data: bytes, words: str) -> None:
    with pytest.raises(UnreadableImage, match=words):
        read_image(data)


def test_content_decides_not_the_name(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(png())
    assert read_image(tmp_path / "photo.jpg").source.format == "png"


def test_limits_hold_before_anything_is_decoded() -> None:
    with pytest.raises(ImageTooLarge) as caught:
        open_raster(png(), max_pixels=19)
    assert (caught.value.size_hw, caught.value.limit_px) == ((4, 5), 19)
    assert open_raster(png(), max_pixels=20).size_hw == (4, 5)


def test_negative_pages_and_pages_that_are_not_there() -> None:
    with pytest.raises(UsageError, match="page"):
        open_raster(png(), page=-1)
    with pytest.raises(UnreadableImage, match="has 1 page; page 1"):
        open_raster(png(), page=1)


@pytest.mark.parametrize(
    "error", [ValueError("x"), KeyError("k"), MemoryError(), RecursionError(), SyntaxError("s"), OSError("o")]
)
def test_no_foreign_error_leaves(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    from pixelwright.io.formats import png as module

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(module, "decode_pixels", fail)
    with pytest.raises(UnreadableImage) as caught:
        read_image(png())
    assert caught.value.__cause__ is error


def test_pillow_of_the_user_is_left_alone() -> None:
    before = (PillowImage.MAX_IMAGE_PIXELS, dict(PillowImage.OPEN).keys(), warnings.filters[:])
    read_image(png())
    assert (PillowImage.MAX_IMAGE_PIXELS, dict(PillowImage.OPEN).keys(), warnings.filters[:]) == before


def test_opencv_of_the_user_speaks_again_afterwards() -> None:
    import cv2

    before = cv2.utils.logging.getLogLevel()
    read_image(png(np.zeros((3, 3), np.uint16)))
    assert cv2.utils.logging.getLogLevel() == before


def test_importing_the_face_loads_no_decoder() -> None:
    code = "import sys, pixelwright.io.images; print({'cv2', 'PIL', 'tifffile', 'simplejpeg'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("image", "name", "words"),
    [
        (Image(np.zeros((2, 2, 3), np.uint16)), "x.jpg", "JPEG cannot hold uint16 pixels. Write PNG, TIFF"),
        (Image(PIXELS, alpha=PIXELS[..., 0]), "x.jpg", "JPEG cannot hold alpha. Write PNG, WebP, TIFF"),
        (Image(np.zeros((2, 2, 3), np.float32)), "x.png", "PNG cannot hold float32 pixels. Write TIFF."),
        (Image(PIXELS, Color(("a", "b", "c"))), "x.png", "PNG cannot hold the channels a, b, c. Write TIFF."),
        (Image(PIXELS, Color(primaries="display-p3")), "x.bmp", "BMP cannot hold a color profile"),
        (Image(PIXELS, Color(transfer="pq")), "x.tif", "TIFF cannot hold an HDR transfer .pq.. Write PNG"),
    ],
)
def test_what_a_format_cannot_hold_is_refused_with_a_way_out(
    tmp_path: Path, image: Image, name: str, words: str
) -> None:
    with pytest.raises(UnsupportedImage, match=words):
        write_image(image, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "quality", "words"), [("x.txt", None, "'.txt'"), ("x", None, "''"), ("x.jpg", 0, "1..100")]
)
def test_unknown_endings_and_qualities_are_usage_errors(
    tmp_path: Path, name: str, quality: int | None, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        write_image(Image(PIXELS), tmp_path / name, quality=quality)


def test_a_failure_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "kept.tif"
    write_image(Image(PIXELS), path)
    before = path.read_bytes()

    def fail(_window: Window | None, _at_least_hw: tuple[int, int] | None) -> Image:
        raise RuntimeError("the model failed")

    with pytest.raises(ImageError):
        write_image(replace(Raster.of(Image(PIXELS)), decode=fail), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", ["bmp", "jp2"])
def test_metadata_that_has_no_place_is_named(suffix: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_image(Image(PIXELS), tmp_path / f"x.{suffix}")
    assert caplog.messages == []
    write_image(Image(PIXELS, capture=Capture(exif=b"II*\0", xmp=b"<x/>")), tmp_path / f"x.{suffix}")
    assert len(caplog.messages) == 1
    assert caplog.messages[0].endswith("has no place for EXIF and XMP.")


def test_a_full_disk_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_raster: Raster, file: BinaryIO, _options: object) -> None:
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    form = replace(images.registry.get("format", "png"), write=full)
    monkeypatch.setattr(images, "_by_suffix", lambda _path: form)
    with pytest.raises(ImageError, match="cannot be written: the disk is full"):
        write_image(Image(PIXELS), tmp_path / "x.png")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="there is no folder"):
        write_image(Image(PIXELS), tmp_path / "nowhere" / "x.png")


def test_a_folder_that_is_there_is_not_said_to_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:  # as /proc does
        raise FileNotFoundError(errno.ENOENT, "No such file or directory")

    monkeypatch.setattr(
        images, "_by_suffix", lambda _path: replace(images.registry.get("format", "png"), write=refused)
    )
    with pytest.raises(ImageError, match=r"x\.png: cannot be written: No such file or directory\.$"):
        write_image(Image(PIXELS), tmp_path / "x.png")


def test_written_files_have_the_usual_permissions(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"")
    write_image(Image(PIXELS), tmp_path / "x.png")
    assert (tmp_path / "x.png").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_file_that_is_replaced_keeps_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "private.png"
    write_image(Image(PIXELS), path)
    path.chmod(0o600)
    before = path.stat().st_mode
    write_image(Image(PIXELS), path)
    assert path.stat().st_mode == before


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    link = tmp_path / "link.png"
    link.symlink_to(Path("store") / "real.png")
    write_image(Image(PIXELS), link)
    assert link.is_symlink()
    assert np.array_equal(read_image(tmp_path / "store" / "real.png").pixels, PIXELS)
    assert len(list((tmp_path / "store").iterdir())) == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes in folders")
def test_a_pipe_or_folder_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    for name in ("pipe.png", "folder.png"):
        with pytest.raises(ImageError, match="a folder, a pipe or a device"):
            write_image(Image(PIXELS), tmp_path / name)
    assert (tmp_path / "pipe.png").is_fifo()


def test_a_name_as_long_as_the_file_system_takes_is_written(tmp_path: Path) -> None:
    path = tmp_path / ("木" * 83 + ".png")  # 253 bytes
    write_image(Image(PIXELS), path)
    assert path.is_file()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_closed_folder_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(ImageError, match=r"x\.png: cannot be written: Permission denied"):
            write_image(Image(PIXELS), tmp_path / "x.png")
    finally:
        tmp_path.chmod(0o700)


def test_a_size_that_differs_from_the_header_is_damage() -> None:
    raster = replace(Raster.of(Image(PIXELS)), size_hw=(9, 9))
    guarded = images._guarded(raster, 1000)
    with pytest.raises(UnreadableImage, match="header says 9x9"):
        guarded.read()


def test_one_pixel_and_one_row_are_pictures(tmp_path: Path) -> None:
    for shape in ((1, 1, 1), (1, 7, 3), (7, 1, 3)):
        image = Image(np.full(shape, 9, np.uint8), GRAY if shape[2] == 1 else Color())
        for suffix in ("png", "tif", "bmp", "webp", "jpg"):
            write_image(image, tmp_path / f"x.{suffix}")
            assert read_image(tmp_path / f"x.{suffix}").size_hw == shape[:2]
