"""Members of tars are read where they lie, and a hostile or broken tar does no harm."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

from clips import shard
from pixelwright.errors import ImageError, UnreadableImage, UnsupportedImage
from pixelwright.io import archive
from pixelwright.io.images import open_raster, read_image, write_image
from pixelwright.io.sources import list_images
from pixelwright.structures.image import Image


def picture(level: int) -> bytes:
    from PIL import Image as PillowImage

    out = io.BytesIO()
    PillowImage.new("RGB", (8, 6), (level, level, level)).save(out, "PNG")
    return out.getvalue()


def listed(*arguments: Path | str) -> list[tuple[str, str]]:
    return [(Path(item.path).name, item.name) for item in list_images([str(one) for one in arguments])]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    files = {"a/b.png": picture(10), "a/b.json": b"{}", "c.png": picture(20), ".hidden.png": picture(0)}
    return shard(tmp_path / "photos.tar", files)


def test_the_pictures_of_a_tar_are_items_and_read_by_offset(photos: Path) -> None:
    items = list(list_images([str(photos)]))
    assert [item.path for item in items] == [f"{photos}::a/b.png", f"{photos}::c.png"]
    assert [item.name for item in items] == ["a/b.png", "c.png"]
    assert [int(read_image(item.path).pixels[0, 0, 0]) for item in items] == [10, 20]


def test_a_tar_in_a_folder_stands_for_its_pictures_below_its_own_name(photos: Path) -> None:
    write_image(Image(np.zeros((2, 2, 3), np.uint8)), photos.parent / "z.png")
    assert [name for _, name in listed(photos.parent)] == ["photos/a/b.png", "photos/c.png", "z.png"]
    assert [name for _, name in listed(f"{photos.parent}/*.tar")] == ["a/b.png", "c.png"]


def test_a_window_of_a_large_picture_is_read_out_of_a_tar(tmp_path: Path) -> None:
    write_image(Image(np.arange(600 * 600, dtype=np.uint16).reshape(600, 600, 1).repeat(3, 2)), tmp_path / "x.tif")
    tar = shard(tmp_path / "t.tar", {"pad": b"x" * 700, "x.tif": (tmp_path / "x.tif").read_bytes()})
    assert np.array_equal(read_image(f"{tar}::x.tif").pixels, read_image(tmp_path / "x.tif").pixels)


def test_names_that_lead_elsewhere_name_only_results(tmp_path: Path) -> None:
    tar = shard(tmp_path / "t.tar", {"/etc/a.png": picture(1), "../../b.png": picture(2), "C:\\x\\c.png": picture(3)})
    items = list(list_images([str(tar)]))
    assert [item.name for item in items] == ["etc/a.png", "b.png", "C_/x/c.png"]
    assert [int(read_image(item.path).pixels[0, 0, 0]) for item in items] == [1, 2, 3]


def test_links_and_devices_are_passed_over(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "t.tar", "w") as tar:
        for name, kind in (("l.png", tarfile.SYMTYPE), ("h.png", tarfile.LNKTYPE), ("d.png", tarfile.CHRTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            tar.addfile(info)
    assert listed(tmp_path / "t.tar") == []


def test_the_last_of_several_members_of_a_name_counts(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "t.tar", "w") as tar:
        for level in (1, 2):
            info = tarfile.TarInfo("a.png")
            info.size = len(picture(level))
            tar.addfile(info, io.BytesIO(picture(level)))
    (item,) = list_images([str(tmp_path / "t.tar")])
    assert read_image(item.path).pixels[0, 0, 0] == 2


@pytest.mark.parametrize("left_bytes", [300, 512, 530])
def test_a_truncated_tar_gives_what_is_whole_and_is_an_item_itself(photos: Path, left_bytes: int) -> None:
    data = photos.read_bytes()
    photos.write_bytes(data[: 512 * 4 + left_bytes])
    items = list(list_images([str(photos)]))
    assert [item.name for item in items] == ["a/b.png", "photos.tar"]
    with pytest.raises(UnreadableImage, match=r"truncated .*after 2"):
        open_raster(items[-1].path)


@pytest.mark.parametrize("data", [b"", b"no tar at all" * 100, b"\xff" * 2048])
def test_what_is_no_tar_is_an_item_that_says_so(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.tar").write_bytes(data)
    (item,) = list_images([str(tmp_path / "x.tar")])
    with pytest.raises(ImageError, match=r"is no tar|is empty|damaged"):
        open_raster(item.path)


def header(name: bytes, size: bytes, kind: bytes) -> bytes:
    block = bytearray(512)
    block[: len(name)], block[124 : 124 + len(size)], block[156:157] = name, size, kind
    block[257:263] = b"ustar\x00"
    block[148:156] = b"        "
    block[148:156] = b"%06o\x00 " % sum(block)
    return bytes(block)


@pytest.mark.parametrize(
    ("size", "kind"),
    [
        (b"\xff" * 12, b"0"),  # negative
        (b"77777777777\x00", b"0"),  # eight gigabytes
        (b"77777777777\x00", b"L"),  # a name of eight gigabytes
        (b"77777777777\x00", b"x"),  # attributes of eight gigabytes
    ],
)
def test_absurd_sizes_end_quickly_in_a_sentence(tmp_path: Path, size: bytes, kind: bytes) -> None:
    path = tmp_path / "x.tar"
    good = shard(tmp_path / "good.tar", {"a.png": picture(5)}).read_bytes()[: 512 * 2]
    with path.open("wb") as file:
        file.write(good + header(b"evil.png", size, kind))
        file.truncate(2**35)  # sparse: the claim fits into the file
    index = archive.read_index(path)
    assert list(index.members)[:1] == ["a.png"] and (index.fault or kind == b"0")


def test_a_compressed_tar_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "x.tar.gz").write_bytes(b"\x1f\x8b")
    (item,) = list_images([str(tmp_path / "x.tar.gz")])
    with pytest.raises(UnsupportedImage, match="Decompress it"):
        open_raster(item.path)


def test_a_member_that_is_not_there_is_an_error(photos: Path) -> None:
    with pytest.raises(ImageError, match="no such file in the tar"):
        open_raster(f"{photos}::absent.png")
    with pytest.raises(ImageError, match="cannot be opened"):
        open_raster(f"{photos.parent}/absent.tar::a.png")
