"""EXIF and XMP: what is read of them, what is reset, and damage that must not matter."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as PillowImage

from pixelwright.io import exif, exif_tree, xmp


def block(order: str = "<", orientation: int = 6, **more: float) -> bytes:
    tags = PillowImage.Exif()
    tags.endian = order
    tags[274] = orientation
    tags[271] = "Maker"
    if "dpi" in more:
        tags[282], tags[283], tags[296] = more["dpi"], more["dpi"], more.get("unit", 2)
    return tags.tobytes()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("number", range(1, 9))
def test_orientation_is_read_and_reset(order: str, number: int) -> None:
    read = exif.read(block(order, number))
    assert read.orientation == number
    assert exif.read(read.block).orientation == 1
    found = PillowImage.Exif()
    found.load(read.block or b"")
    assert (found[271], found[274]) == ("Maker", 1)


@pytest.mark.parametrize(("unit", "expected"), [(2, 300.0), (3, 762.0)])
def test_resolution_is_told_in_inches(unit: int, expected: float) -> None:
    assert exif.read(block(dpi=300, unit=unit)).dpi == pytest.approx((expected, expected))


@pytest.mark.parametrize("number", [0, 9, 65535])
def test_nonsense_orientation_counts_as_upright(number: int) -> None:
    assert exif.read(block(orientation=number)).orientation == 1


def test_the_thumbnail_is_gone() -> None:
    """A camera's block: one tag, then a second directory with a JPEG at the end."""
    thumbnail = b"\xff\xd8THUMBNAIL\xff\xd9"
    first = struct.pack("<HHHII", 1, 274, 3, 1, 6) + struct.pack("<I", 26)
    second = struct.pack("<HHHIIHHII", 2, 513, 4, 1, 56, 514, 4, 1, len(thumbnail)) + struct.pack("<I", 0)
    made = b"II*\0\x08\0\0\0" + first + second + thumbnail
    assert made.index(thumbnail) == 56
    read = exif.read(made)
    assert read.orientation == 6
    assert read.block is not None
    assert b"THUMBNAIL" not in read.block
    assert b"THUMBNAIL" not in (exif.read(made + b"maker note").block or b"")
    assert (exif.read(made + b"maker note").block or b"").endswith(b"maker note")


@given(st.binary(max_size=200))
def test_any_bytes_are_survived(data: bytes) -> None:
    for start in (b"", b"II*\0", b"MM\0*", b"Exif\0\0II*\0\x08\0\0\0"):
        exif.read(start + data)
        exif_tree.of_block(start + data)


def test_directories_that_point_at_themselves_end() -> None:
    loop = b"II*\0\x08\0\0\0" + struct.pack("<HHHII", 1, 34665, 4, 1, 8) + bytes(4)
    assert exif_tree.of_block(loop) is not None


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
def test_moved_directories_say_the_same(order: str, big: bool) -> None:
    tags = PillowImage.Exif()
    tags.endian = order
    tags[271] = "A longer maker's name"
    tags.get_ifd(34665)[33434] = 0.004
    tags.get_ifd(34853)[2] = (52.0, 31.0, 12.5)
    made = exif_tree.of_block(tags.tobytes()[6:])
    assert made is not None
    place = exif_tree.Place("<", big)
    moved = bytes(1000) + exif_tree.pack(exif_tree.swapped(made[0], made[1].order), place, 1000)
    again = exif_tree.gather(lambda at, count: moved[at : at + count], place, 1000)
    assert again == exif_tree.swapped(made[0], made[1].order)
    back = exif_tree.block_of(lambda at, count: moved[at : at + count], place, 1000)
    found = PillowImage.Exif()
    found.load(back or b"")
    assert found[271] == "A longer maker's name"
    assert [float(value) for value in found.get_ifd(34853)[2]] == [52.0, 31.0, 12.5]


@pytest.mark.parametrize(
    ("packet", "expected"),
    [
        (b'<rdf tiff:Orientation="6"/>', b'<rdf tiff:Orientation="1"/>'),
        (b"<tiff:Orientation>8</tiff:Orientation>", b"<tiff:Orientation>1</tiff:Orientation>"),
        (b"<rdf tiff:Orientation = '3'/>", b"<rdf tiff:Orientation = '1'/>"),
        (b"", None),
        (None, None),
        (bytes(xmp.MAX_XMP_BYTES + 1), None),
    ],
)
def test_xmp_orientation_is_reset(packet: bytes | None, expected: bytes | None) -> None:
    assert xmp.reset(packet) == expected


def test_a_damaged_block_does_not_stop_the_picture() -> None:
    from pixelwright.io.images import read_image

    target = io.BytesIO()
    PillowImage.fromarray(np.zeros((4, 4, 3), np.uint8)).save(target, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert read_image(target.getvalue()).source.orientation == 1
