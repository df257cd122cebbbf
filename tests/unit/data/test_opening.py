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
    with pytest.raises(DataError, match=r"cat: is the only folder of pictures: .* a classifier needs two"):
        open_dataset(tmp_path, hints=Hints(kinds=frozenset({"classes"})))


def test_an_empty_split_is_a_fault(tmp_path: Path) -> None:
    datasets.image_folder(tmp_path)
    (tmp_path / "test" / "cat").mkdir(parents=True)
    assert [(fault.where, fault.what) for fault in open_dataset(tmp_path).faults] == [
        ("test", "is a split without a sample that can be used")
    ]


LATIN = "path,label\ncat/a.png,Bär\ndog/b.png,Wal\n"


def two_folders(root: Path) -> Path:
    for number, name in enumerate(("cat/a.png", "dog/b.png")):
        picture(root / name, number)
    return root


@pytest.mark.parametrize(
    ("name", "content", "encoding", "said"),
    [
        ("labels.csv", LATIN, "latin-1", r"labels\.csv: expected UTF-8 text"),
        (
            "labels.csv",
            "path,label\nimgs/a.png,x\nimgs/b.png,y\n",
            "utf-8",
            r"labels\.csv line 2: there is no picture 'imgs",
        ),
        ("labels.csv", "path,label\n../a.png,x\n../b.png,y\n", "utf-8", r"'\.\./a\.png' leads out of"),
        ("data.yaml", "train: cat\nnames: [cat]\n", "utf-8", r"data\.yaml: no picture has a text file"),
        ("labels.csv", "path,breed\ncat/a.png,x\ndog/b.png,y\n", "utf-8", r"columns path, breed, none of which"),
        ("cat/a.xml", "<html/>", "utf-8", r"cat/a\.xml: is called as a picture is"),
    ],
)
def test_a_description_that_is_not_understood_is_never_passed_over(
    tmp_path: Path, name: str, content: str, encoding: str, said: str
) -> None:
    text(two_folders(tmp_path) / name, content, encoding)
    with pytest.raises(DataError, match=rf"{said}.*pass it over with --layout image-folder"):
        open_dataset(tmp_path)
    assert open_dataset(tmp_path, layout="image-folder").labels == ("cat", "dog")


def test_labels_of_boxes_that_are_not_understood_do_not_make_good_pictures(tmp_path: Path) -> None:
    for number in range(3):
        picture(tmp_path / "images" / f"{number}.png", number)
        text(tmp_path / "labels" / f"{number}.txt", f"Car 0.0 {number}\n")
    with pytest.raises(DataError, match=r"labels/0\.txt line 1: expected a class number and 4 shares"):
        open_dataset(tmp_path)


def test_one_bad_line_in_the_first_file_costs_that_line(tmp_path: Path) -> None:
    datasets.yolo(tmp_path)
    text(tmp_path / "labels" / "train" / "0.txt", "hello world\n0 0.5 0.5 0.5 nan\n")
    dataset = open_dataset(tmp_path)
    assert (dataset.layout, len(dataset)) == ("yolo", 3)
    assert [fault.where for fault in dataset.faults] == ["labels/train/0.txt line 1", "labels/train/0.txt line 2"]


def test_a_table_about_something_else_is_said_and_stops_nothing(tmp_path: Path) -> None:
    text(two_folders(tmp_path) / "sources.csv", "path,author,license\ncat/a.png,Anne,CC0\ndog/b.png,Bo,CC0\n")
    dataset = open_dataset(tmp_path)
    assert (dataset.layout, dataset.faults[0].where, dataset.faults[0].kind) == ("image-folder", "sources.csv", "other")
    assert "none of which holds classes" in dataset.faults[0].what


def test_a_doubt_is_a_fault_where_a_stronger_layout_fits(tmp_path: Path) -> None:
    datasets.yolo(tmp_path)
    text(tmp_path / "labels.csv", "path,label\nimgs/a.png,x\n")
    dataset = open_dataset(tmp_path)
    assert (dataset.layout, dataset.faults[0].kind) == ("yolo", "doubt")


def test_a_reason_is_said_where_nothing_else_is_there(tmp_path: Path) -> None:
    text(two_folders(tmp_path) / "ages.csv", "path,age,name\ncat/a.png,1.5,Anne\ndog/b.png,2.5,Bo\n")
    with pytest.raises(DataError, match=r"ages\.csv: has the columns path, age, name, none of which holds"):
        open_dataset(tmp_path, hints=Hints(kinds=frozenset({"values"})))


def test_values_are_not_taken_for_classes(tmp_path: Path) -> None:
    text(two_folders(tmp_path) / "ages.csv", "path,age\ncat/a.png,1.5\ndog/b.png,2.5\n")
    with pytest.raises(DataError, match=r"holds values \(layout csv\); expected classes\. Take it for another task"):
        open_dataset(tmp_path, hints=Hints(kinds=frozenset({"classes"})))


def test_a_file_that_describes_no_data_is_refused_by_name(tmp_path: Path) -> None:
    datasets.yolo(tmp_path)
    with pytest.raises(DataError, match=r"train\.py: describes no data\. Name a folder, .* \.csv"):
        open_dataset(text(tmp_path / "train.py", "print()"))


def test_labels_that_differ_by_case_or_spaces_are_faults(tmp_path: Path) -> None:
    text(two_folders(tmp_path) / "labels.csv", "path,label\ncat/a.png,Big  cat\ndog/b.png,big cat \n")
    (fault,) = open_dataset(tmp_path).faults
    assert (fault.kind, fault.what) == ("alike", "'Big  cat' and 'big cat' are taken for two; write them alike")


def test_one_is_said_as_one(tmp_path: Path) -> None:
    text(tmp_path / "a.csv", "path,age\na.png,1.5\nb.png,2\n")
    picture(tmp_path / "a.png")
    lines = describe(open_dataset(tmp_path))
    assert "1 label: age" in lines
    assert "1 fault, 1 thing left out:" in lines
