"""A VOC file counts pixels from 1, both ends inside, and any XML reader takes it."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image as PillowImage

from found import LABELS, SIZE_HW, boxes, found, record
from pixelwright.data import voc
from pixelwright.structures.detections import Detections


def corners(result: Detections) -> list[list[int]]:
    root = ElementTree.fromstring(voc.document(result, "a.png", SIZE_HW))
    return [[int(side.text or "") for side in box] for box in root.iter("bndbox")]


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((0, 0, 2, 1), [1, 1, 2, 1]),
        ((0, 0, 30, 20), [1, 1, 30, 20]),
        ((4.4, 4.6, 9.4, 9.6), [5, 6, 9, 10]),
        ((-7, -7, 99, 99), [1, 1, 30, 20]),
        ((5, 5, 5.1, 5.1), [6, 6, 6, 6]),  # one pixel at the least
        ((29.9, 19.9, 30, 20), [30, 20, 30, 20]),
    ],
)
def test_a_box_names_its_first_and_last_pixel_counted_from_1(box: tuple[float, ...], expected: list[int]) -> None:
    assert corners(boxes(box)) == [expected]


def test_boxes_outside_of_the_picture_are_left_out() -> None:
    assert corners(boxes((-9, 0, 0, 9), (30, 0, 40, 9), (0, 20, 9, 30))) == []


@pytest.mark.parametrize("text", [LABELS[1], "<![CDATA[ ]]>", "ünï 😀", "a\x07b\udcff\ufffe\r"])
def test_texts_of_any_characters_are_escaped(text: str) -> None:
    result = Detections(np.array([[0, 0, 9, 9]], np.float32), np.ones(1, np.float32), np.zeros(1, np.int32), (text,))
    root = ElementTree.fromstring(voc.document(result, f"{text}/x.png", SIZE_HW).encode("utf-8"))
    expected = text.replace("\x07", "\\u0007").replace("\udcff", "\\udcff").replace("\ufffe", "\\ufffe")
    assert root.findtext("object/name") == expected.replace("\r", "\\u000d")


def test_the_file_says_which_picture_it_is_of() -> None:
    root = ElementTree.fromstring(voc.document(boxes(), "sub/a.b.jpg", (7, 9)))
    assert [root.findtext(tag) for tag in ("folder", "filename", "size/width", "size/height")] == [
        "sub", "a.b.jpg", "9", "7",
    ]  # fmt: skip


def test_all_pictures_are_listed(tmp_path: Path) -> None:
    voc.write(found([record(0, "a.png", boxes()), record(1, "sub/b.c.png", boxes())], Detections), tmp_path)
    listed = (tmp_path / "voc/ImageSets/Main/default.txt").read_text().split()
    assert listed == ["a", "sub/b.c"]
    assert all((tmp_path / "voc/Annotations" / f"{name}.xml").exists() for name in listed)


def test_supervision_reads_it(tmp_path: Path) -> None:
    supervision = pytest.importorskip("supervision")
    voc.write(found([record(0, "a.png", boxes((3, 2, 30, 20), (8, 5, 20, 15)))], Detections), tmp_path)
    PillowImage.new("RGB", SIZE_HW[::-1]).save(tmp_path / "a.png")
    read = supervision.DetectionDataset.from_pascal_voc(str(tmp_path), str(tmp_path / "voc/Annotations"))
    ((_, _, again),) = list(read)
    assert again.xyxy.tolist() == [[3, 2, 30, 20], [8, 5, 20, 15]]
