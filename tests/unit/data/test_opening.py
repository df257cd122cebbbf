"""Opening: the layout is found by looking, and said in words."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import datasets
from datasets import coco, page, picture, text
from pixelwright.data.layout import Hints
from pixelwright.data.opening import describe, open_dataset
from pixelwright.errors import DataError, UnknownName


def test_two_descriptions_are_refused_by_name(tmp_path: Path) -> None:
    picture(tmp_path / "10.png")
    text(tmp_path / "10.xml", page("10.png", ("cat", 1, 1, 4, 4)))
    text(tmp_path / "coco.json", json.dumps(coco()))
    with pytest.raises(DataError, match=r"fits coco \(.*\) and voc \(.*\)\. Choose one with --layout"):
        open_dataset(tmp_path)
    assert open_dataset(tmp_path, layout="voc").layout == "voc"


def test_a_description_outranks_names_of_folders(tmp_path: Path) -> None:
    picture(tmp_path / "cat" / "a.png")
    picture(tmp_path / "dog" / "b.png")
    text(tmp_path / "data.csv", "path,label\ncat/a.png,tabby\ndog/b.png,poodle\n")
    assert open_dataset(tmp_path).labels == ("poodle", "tabby")


def test_nothing_is_refused_with_what_was_looked_for(tmp_path: Path) -> None:
    text(tmp_path / "notes.md", "nothing here")
    with pytest.raises(DataError, match=r"no data set found in it: 0 pictures among 1 files\. Looked for .*coco \("):
        open_dataset(tmp_path)


def test_data_for_another_task_is_said_to_be_that(tmp_path: Path) -> None:
    datasets.voc(tmp_path)
    with pytest.raises(DataError, match=r"holds boxes \(layout voc\); expected map"):
        open_dataset(tmp_path, hints=Hints(kinds=frozenset({"map"})))


def test_an_unknown_layout_proposes_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match=r"Did you mean 'coco'"):
        open_dataset(tmp_path, layout="cocoo")


def test_an_archive_beside_a_readme_is_opened(tmp_path: Path) -> None:
    datasets.image_folder(tmp_path / "data")
    (tmp_path / "set").mkdir()
    datasets.zipped(tmp_path / "data", tmp_path / "set" / "flowers.zip")
    text(tmp_path / "set" / "README.md", "flowers")
    assert open_dataset(tmp_path / "set").layout == "image-folder"


def test_a_split_folder_alone_keeps_its_meaning(tmp_path: Path) -> None:
    picture(tmp_path / "test" / "cat" / "a.png")
    picture(tmp_path / "test" / "dog" / "b.png")
    assert {sample.split for sample in open_dataset(tmp_path).samples} == {"test"}


def test_groups_by_pattern_join_all_that_is_in_parentheses(tmp_path: Path) -> None:
    for name in ("cat/01_1.png", "cat/01_2.png", "dog/01_1.png", "dog/x.png"):
        picture(tmp_path / name)
    dataset = open_dataset(tmp_path, hints=Hints(group=r"(\w+)/(\d+)_"))
    assert [sample.group for sample in dataset.samples] == ["cat/01", "cat/01", "dog/01", ""]
    assert [fault.what for fault in dataset.faults] == ["is not found in 1 ids; each is a group of its own"]


def test_a_pattern_that_is_found_nowhere_is_an_error(tmp_path: Path) -> None:
    datasets.image_folder(tmp_path)
    with pytest.raises(DataError, match=r"is found in no id; the first is 'train/cat/0\.png'"):
        open_dataset(tmp_path, hints=Hints(group=r"(patient\d+)"))


def test_the_description_counts_splits_and_classes(tmp_path: Path) -> None:
    datasets.image_folder(tmp_path)
    lines = describe(open_dataset(tmp_path))
    assert lines[0].endswith("layout image-folder, 4 pictures, classes")
    assert lines[1] == "splits: train 2, validation 2"
    assert lines[2:6] == [
        "2 labels: cat 2, dog 2",
        "  train: cat 1, dog 1",
        "  validation: cat 1, dog 1",
        "12x8 pixels",
    ]


def test_the_description_counts_things_and_spans_sizes(tmp_path: Path) -> None:
    datasets.voc(tmp_path)
    picture(tmp_path / "train" / "2.png", 2, (5, 30))
    text(tmp_path / "train" / "2.xml", page("2.png", ("cat", 1, 1, 4, 4), size=(30, 5)))
    lines = describe(open_dataset(tmp_path))
    assert "2 labels: cat 3, dog 2" in lines
    assert "12 to 30 x 5 to 8 pixels" in lines


def test_the_description_shows_faults_and_their_number(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    text(tmp_path / "data.csv", "path,label\na.png,cat\n" + "gone.png,cat\n" * 20)
    lines = describe(open_dataset(tmp_path))
    assert "20 faults, 20 things left out:" in lines
    assert lines[-1] == "  and 12 more"


def test_nothing_is_decoded_on_opening(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr("pixelwright.data.place.open_raster", decode)
    for name in ("image-folder", "csv", "coco", "yolo", "voc", "clean", "pairs"):
        datasets.EXAMPLES[name].make(tmp_path / name)
        assert len(open_dataset(tmp_path / name)) == datasets.EXAMPLES[name].count


def test_a_file_that_is_named_is_of_the_layout_of_its_ending(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", first=np.zeros(3))
    with pytest.raises(DataError, match=r"expected the arrays x and y.*found first"):
        open_dataset(tmp_path / "data.npz")


def test_several_archives_are_named(tmp_path: Path) -> None:
    datasets.image_folder(tmp_path / "data")
    (tmp_path / "set").mkdir()
    for name in ("a", "b"):
        datasets.zipped(tmp_path / "data", tmp_path / "set" / f"{name}.zip")
    with pytest.raises(DataError, match=r"Name one of the archives in it, or unpack them: a\.zip, b\.zip"):
        open_dataset(tmp_path / "set")


def test_a_single_class_is_refused_with_its_folder(tmp_path: Path) -> None:
    picture(tmp_path / "train" / "cat" / "a.png")
    with pytest.raises(DataError, match=r"1 pictures among 1 files, in train/cat"):
        open_dataset(tmp_path, hints=Hints(kinds=frozenset({"classes"})))


def test_an_empty_split_is_a_fault(tmp_path: Path) -> None:
    datasets.image_folder(tmp_path)
    (tmp_path / "test" / "cat").mkdir(parents=True)
    assert [(fault.where, fault.what) for fault in open_dataset(tmp_path).faults] == [
        ("test", "is a split without a sample that can be used")
    ]
