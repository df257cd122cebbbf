"""Pascal VOC, flat and as in the challenge."""

from __future__ import annotations

from pathlib import Path

import pytest

from datasets import page, picture, text
from found import SIZE_HW, boxes
from pixelwright.data.dataset import Dataset
from pixelwright.data.opening import open_dataset
from pixelwright.data.voc import document
from pixelwright.errors import DataError
from pixelwright.structures.targets import Annotations


def opened(root: Path, *pages: str) -> Dataset:
    for number, content in enumerate(pages):
        picture(root / "train" / f"{number}.png", number)
        text(root / "train" / f"{number}.xml", content)
    return open_dataset(root, layout="voc")


def first(dataset: Dataset) -> Annotations:
    target = dataset.samples[0].truth()
    assert isinstance(target, Annotations)
    return target


def test_pixels_are_counted_from_1_and_the_last_is_inside(tmp_path: Path) -> None:
    dataset = opened(tmp_path, page("0.png", ("dog", 1, 1, 2, 2), ("cat", 3, 4, 12, 8)))
    assert first(dataset).boxes_xyxy.tolist() == [[0, 0, 2, 2], [2, 3, 12, 8]]
    assert dataset.labels == ("cat", "dog")


def test_a_corner_of_0_says_that_all_are_counted_from_0(tmp_path: Path) -> None:
    dataset = opened(tmp_path, page("0.png", ("dog", 1, 1, 2, 2)), page("1.png", ("dog", 0, 1, 4, 4)))
    assert first(dataset).boxes_xyxy.tolist() == [[1, 1, 2, 2]]
    assert any("counted from 0" in remark for remark in dataset.remarks)


def test_difficult_things_are_ignored_in_scores(tmp_path: Path) -> None:
    content = page("0.png", ("dog", 1, 1, 4, 4)).replace("<difficult>0", "<difficult>1")
    ignored = first(opened(tmp_path, content)).ignore
    assert ignored is not None
    assert ignored.tolist() == [True]


def test_the_folders_of_the_challenge_and_its_lists(tmp_path: Path) -> None:
    for number, split in enumerate(("train", "val", "test")):
        picture(tmp_path / "VOC2012" / "JPEGImages" / f"{number}.jpg", number)
        text(tmp_path / "VOC2012" / "Annotations" / f"{number}.xml", page(f"{number}.jpg", ("dog", 1, 1, 4, 4)))
        text(tmp_path / "VOC2012" / "ImageSets" / "Main" / f"{split}.txt", f"{number}\n")
    text(tmp_path / "VOC2012" / "ImageSets" / "Main" / "dog_train.txt", "0  1\n1 -1\n")
    text(tmp_path / "VOC2012" / "ImageSets" / "Main" / "trainval.txt", "0\n1\n")
    dataset = open_dataset(tmp_path)
    assert [(sample.id, sample.split) for sample in dataset.samples] == [
        ("JPEGImages/0.jpg", "train"),
        ("JPEGImages/1.jpg", "validation"),
        ("JPEGImages/2.jpg", "test"),
    ]


@pytest.mark.parametrize(
    "content",
    [
        '<!DOCTYPE a [<!ENTITY b "c">]><annotation>&b;</annotation>',
        '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY l2 "&lol;&lol;">]><annotation/>',
        '<!DOCTYPE a SYSTEM "file:///etc/passwd"><annotation/>',
    ],
)
def test_entities_are_refused_and_the_rest_is_read(tmp_path: Path, content: str) -> None:
    dataset = opened(tmp_path, content, page("1.png", ("dog", 1, 1, 4, 4)))
    assert [sample.id for sample in dataset.samples] == ["train/1.png"]
    assert "without a DOCTYPE" in dataset.faults[0].what


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])  # the first with a mark
def test_entities_do_not_hide_in_another_encoding(tmp_path: Path, encoding: str) -> None:
    content = '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE a [<!ENTITY b "c">]><annotation>&b;</annotation>'
    picture(tmp_path / "a.png")
    text(tmp_path / "a.xml", content, encoding)
    with pytest.raises(DataError, match=r"no XML file of boxes"):
        open_dataset(tmp_path, layout="voc")


@pytest.mark.parametrize(
    ("box", "said", "lost"),
    [
        (("dog", 5, 5, 4, 8), "is empty", 1),
        (("dog", 50, 50, 60, 60), "outside of the picture", 1),
        (("dog", 5, 5, 40, 8), "reaches outside", 0),
        (("dog", "x", 5, 40, 8), "no box of four numbers", 1),
        (("dog", "nan", 5, 40, 8), "no box of four numbers", 1),
        (("", 1, 1, 4, 4), "has no name", 1),
    ],
)
def test_boxes_that_cannot_be_used_are_faults(tmp_path: Path, box: tuple[object, ...], said: str, lost: int) -> None:
    dataset = opened(tmp_path, page("0.png", ("cat", 1, 1, 4, 4), box))
    assert said in dataset.faults[0].what
    assert (dataset.faults[0].lost, len(first(dataset))) == (lost, 2 - lost)


def test_pictures_and_files_without_each_other_are_faults(tmp_path: Path) -> None:
    picture(tmp_path / "train" / "lonely.png", 5)
    text(tmp_path / "train" / "gone.xml", page("gone.png", ("dog", 1, 1, 4, 4)))
    dataset = opened(tmp_path, page("0.png", ("dog", 1, 1, 4, 4)))
    assert [(fault.where, fault.lost) for fault in dataset.faults] == [("train/gone.xml", 1), ("train/lonely.png", 1)]


def test_a_file_name_in_the_xml_leads_nowhere_else(tmp_path: Path) -> None:
    picture(tmp_path / "secret.png")
    root = tmp_path / "data"
    text(root / "train" / "x.xml", page("../../secret.png", ("dog", 1, 1, 4, 4)))
    dataset = opened(root, page("0.png", ("dog", 1, 1, 4, 4)))
    assert [sample.id for sample in dataset.samples] == ["train/0.png"]


def test_a_picture_of_another_size_than_stated_is_an_error_when_read(tmp_path: Path) -> None:
    dataset = opened(tmp_path, page("0.png", ("dog", 1, 1, 4, 4), size=(8, 12)))
    with pytest.raises(DataError, match=r"made for a picture of 8x12, which has 12x8"):
        dataset.samples[0].truth()


def test_a_size_of_0_says_nothing(tmp_path: Path) -> None:
    assert len(first(opened(tmp_path, page("0.png", ("dog", 1, 1, 4, 4), size=(0, 0))))) == 1


def test_what_is_exported_comes_back(tmp_path: Path) -> None:
    result = boxes((3, 2, 30, 20), (8, 5, 20, 15))
    picture(tmp_path / "a.png", 0, SIZE_HW)
    text(tmp_path / "a.xml", document(result, "a.png", SIZE_HW))
    dataset = open_dataset(tmp_path)
    assert first(dataset).boxes_xyxy.tolist() == result.boxes_xyxy.tolist()
    labels = [dataset.labels[one] for one in first(dataset).class_ids]
    assert labels == [label.strip() for label in result.labels]


def test_xml_files_of_something_else_hide_none(tmp_path: Path) -> None:
    for number in range(25):
        text(tmp_path / "AA" / f"{number:02}.xml", "<config/>")
    picture(tmp_path / "JPEGImages" / "p.jpg")
    text(tmp_path / "Annotations" / "p.xml", page("p.jpg", ("cat", 1, 1, 4, 4)))
    dataset = open_dataset(tmp_path)
    assert [sample.id for sample in dataset.samples] == ["JPEGImages/p.jpg"]
    assert dataset.faults == ()
