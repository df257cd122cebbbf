"""Tables as people have them."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import numpy as np
import pytest

from datasets import picture, text
from pixelwright.data.dataset import Dataset
from pixelwright.data.layout import Hints
from pixelwright.data.opening import open_dataset
from pixelwright.errors import DataError, UsageError
from pixelwright.structures.targets import Annotations, Classes, Values


def opened(root: Path, table: str, *names: str, encoding: str = "utf-8", hints: Hints | None = None) -> Dataset:
    for number, name in enumerate(names or ("a.png", "b.png", "c.png")):
        picture(root / name, number)
    return open_dataset(text(root / "data.csv", table, encoding), hints=hints)


def classes(dataset: Dataset) -> dict[str, tuple[str, ...]]:
    targets = {sample.id: sample.truth() for sample in dataset.samples}
    return {name: tuple(dataset.labels[one] for one in target.ids) for name, target in targets.items()}  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "table",
    [
        "path,label\na.png,cat\nb.png,dog\n",
        "path,label\r\na.png,cat\r\nb.png,dog\r\n",
        "\ufeffpath,label\na.png,cat\nb.png,dog\n",
        "path;label\na.png;cat\nb.png;dog\n",
        "Filename\tClass\na.png\tcat\nb.png\tdog",
        'image,category\n"a.png","cat"\n"b.png", dog \n\n',
        "a.png,cat\nb.png,dog\n",
        "id,label\na,cat\nb,dog\n",
        "path,label\n./a.png,cat\nsub\\..\\b.png,dog\n",
    ],
)
def test_a_table_is_understood_however_it_was_saved(tmp_path: Path, table: str) -> None:
    assert classes(opened(tmp_path, table)) == {"a.png": ("cat",), "b.png": ("dog",)}


def test_utf_16_as_spreadsheets_save_it_is_read(tmp_path: Path) -> None:
    table = "path,label\na.png,Bär\nb.png,dog\n"
    assert opened(tmp_path, table, encoding="utf-16").labels == ("Bär", "dog")


def test_other_bytes_than_utf_8_are_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"Save it as UTF-8"):
        picture(tmp_path / "a.png")
        open_dataset(text(tmp_path / "data.csv", "path,label\na.png,Bär\n", "latin-1"), layout="csv")


def test_accents_match_whether_composed_or_not(tmp_path: Path) -> None:
    name = unicodedata.normalize("NFD", "bär.png")
    table = f"path,label\n{unicodedata.normalize('NFC', 'bär.png')},cat\nb.png,dog\n"
    assert classes(opened(tmp_path, table, name, "b.png"))[name] == ("cat",)


@pytest.mark.parametrize("mark", ["|", ";"])
def test_several_classes_stand_in_one_cell(tmp_path: Path, mark: str) -> None:
    dataset = opened(tmp_path, f"path,labels\na.png,cat{mark}dog\nb.png,dog\nc.png,\n")
    assert not dataset.exclusive
    assert classes(dataset) == {"a.png": ("cat", "dog"), "b.png": ("dog",), "c.png": ()}


def test_a_column_of_0_and_1_for_each_class(tmp_path: Path) -> None:
    dataset = opened(tmp_path, "path,cat,dog,bird\na.png,1,1,0\nb.png,0,0,0\nc.png,0,0,1\n")
    assert (dataset.labels, dataset.exclusive) == (("cat", "dog", "bird"), False)
    assert classes(dataset) == {"a.png": ("cat", "dog"), "b.png": (), "c.png": ("bird",)}


def test_one_hot_columns_exclude_each_other(tmp_path: Path) -> None:
    assert opened(tmp_path, "path,cat,dog\na.png,1,0\nb.png,0,1\n").exclusive


def test_numbers_with_fractions_are_values(tmp_path: Path) -> None:
    dataset = opened(tmp_path, "path,age,weight\na.png,31.5,70\nb.png,2,12.25\n")
    assert (dataset.kind, dataset.labels) == ("values", ("age", "weight"))
    assert [sample.truth() for sample in dataset.samples] == [Values((31.5, 70.0)), Values((2.0, 12.25))]


def test_a_decimal_comma_is_read(tmp_path: Path) -> None:
    dataset = opened(tmp_path, "path;label\na.png;1,5\nb.png;2,25\n")
    assert [sample.truth() for sample in dataset.samples] == [Values((1.5,)), Values((2.25,))]


def test_whole_numbers_are_classes_unless_values_are_wanted(tmp_path: Path) -> None:
    table = "path,label\na.png,10\nb.png,9\n"
    assert opened(tmp_path, table).labels == ("9", "10")
    wanted = opened(tmp_path, table, hints=Hints(kinds=frozenset({"values"})))
    assert [sample.truth() for sample in wanted.samples] == [Values((10.0,)), Values((9.0,))]


def test_numbers_lead_into_labels_that_are_given(tmp_path: Path) -> None:
    dataset = opened(tmp_path, "path,label\na.png,1\nb.png,0\nc.png,5\n", hints=Hints(labels=("cat", "dog")))
    assert classes(dataset) == {"a.png": ("dog",), "b.png": ("cat",)}
    assert [(fault.where, fault.lost) for fault in dataset.faults] == [("data.csv line 4", 1)]


def test_values_that_are_no_numbers_are_faults(tmp_path: Path) -> None:
    dataset = opened(
        tmp_path, "path,label\na.png,1.5\nb.png,nan\nc.png,much\n", hints=Hints(kinds=frozenset({"values"}))
    )
    assert [sample.id for sample in dataset.samples] == ["a.png"]
    assert [fault.where for fault in dataset.faults] == ["data.csv line 3", "data.csv line 4"]


@pytest.mark.parametrize("missing", ["", "n/a", "NaN", "?"])
def test_a_value_that_is_missing_early_on_costs_its_row_and_not_the_table(tmp_path: Path, missing: str) -> None:
    dataset = opened(tmp_path, f"path,age\na.png,{missing}\nb.png,2.5\n", "a.png", "b.png")
    assert [sample.truth() for sample in dataset.samples] == [Values((2.5,))]
    assert [(fault.where, fault.lost) for fault in dataset.faults] == [("data.csv line 2", 1)]


def test_missing_pictures_and_second_rows_are_faults(tmp_path: Path) -> None:
    dataset = opened(tmp_path, "path,label\na.png,cat\nnone.png,cat\na.png,dog\nb.png,dog\n")
    assert classes(dataset) == {"a.png": ("cat",), "b.png": ("dog",)}
    assert [(fault.where, fault.lost) for fault in dataset.faults] == [("data.csv line 3", 1), ("data.csv line 4", 1)]


def test_rows_of_another_length_are_faults(tmp_path: Path) -> None:
    dataset = opened(tmp_path, "path,label\na.png,cat\nb.png\nb.png,dog,more\nc.png,dog\n")
    assert sorted(classes(dataset)) == ["a.png", "c.png"]
    assert (dataset.faults[0].where, dataset.faults[0].lost) == ("data.csv line 3", 2)


@pytest.mark.parametrize("path", ["../secret.png", "/etc/passwd", "sub/../../secret.png", "C:\\secret.png", "~/a.png"])
def test_paths_that_lead_out_are_not_followed(tmp_path: Path, path: str) -> None:
    picture(tmp_path / "secret.png")
    dataset = opened(tmp_path / "data", f"path,label\na.png,cat\nb.png,dog\n{path},dog\n")
    assert sorted(classes(dataset)) == ["a.png", "b.png"]
    assert [fault.lost for fault in dataset.faults] == [1]


def test_an_absolute_path_into_the_folder_is_followed(tmp_path: Path) -> None:
    dataset = opened(tmp_path, f"path,label\n{tmp_path}/a.png,cat\nb.png,dog\n")
    assert sorted(classes(dataset)) == ["a.png", "b.png"]


def test_splits_are_read_whatever_they_are_called(tmp_path: Path) -> None:
    dataset = opened(tmp_path, "path,label,Subset\na.png,cat,TRAIN\nb.png,dog,valid\nc.png,dog,test\n")
    assert [sample.split for sample in dataset.samples] == ["train", "validation", "test"]


def test_rows_of_an_unknown_split_are_never_trained_on(tmp_path: Path) -> None:
    table = "path,label,split\na.png,cat,unlabeled\nb.png,dog,train\nc.png,dog,unlabeled\n"
    dataset = opened(tmp_path, table)
    assert [(sample.id, sample.split) for sample in dataset.samples] == [("b.png", "train")]
    assert [(fault.where, fault.lost) for fault in dataset.faults] == [("data.csv line 2", 2)]


def test_the_parts_of_public_sets_are_known(tmp_path: Path) -> None:
    table = "path,label,Usage\na.png,cat,Training\nb.png,dog,PublicTest\nc.png,dog,PrivateTest\n"
    assert [sample.split for sample in opened(tmp_path, table).samples] == ["train", "validation", "test"]


def test_numbers_of_folds_are_no_splits(tmp_path: Path) -> None:
    dataset = opened(tmp_path, "path,label,fold\na.png,cat,0\nb.png,dog,1\n")
    assert [sample.split for sample in dataset.samples] == ["", ""]
    assert [(fault.what, fault.lost) for fault in dataset.faults] == [
        ("column 'fold' holds 0, 1, no splits; it is not used", 0)
    ]


def test_y_is_a_place_beside_x_and_a_value_alone(tmp_path: Path) -> None:
    boxes = opened(tmp_path, "file,x,y,w,h\na.png,1,2,3,4\nb.png,1,3,3,4\n")
    assert (boxes.kind, boxes.labels) == ("boxes", ("thing",))
    assert boxes.samples[0].truth().class_ids.tolist() == [0]  # type: ignore[union-attr]
    both = opened(tmp_path, "path,x,y\na.png,1.5,2\nb.png,1,3\n")
    assert (both.labels, both.samples[0].truth()) == (("x", "y"), Values((1.5, 2.0)))
    assert opened(tmp_path, "path,y\na.png,cat\nb.png,dog\n").labels == ("cat", "dog")


@pytest.mark.parametrize("missing", ["", "nan", "inf", "?"])
def test_an_empty_cell_does_not_turn_values_into_classes(tmp_path: Path, missing: str) -> None:
    dataset = opened(tmp_path, f"path,label\na.png,1.5\nb.png,{missing}\nc.png,2.5\n")
    assert (dataset.kind, len(dataset)) == ("values", 2)
    assert [(fault.where, fault.lost) for fault in dataset.faults] == [("data.csv line 3", 1)]


@pytest.mark.parametrize("missing", ["", "nan", "-inf"])
def test_a_number_that_is_missing_among_classes_costs_its_row(tmp_path: Path, missing: str) -> None:
    dataset = opened(tmp_path, f"path,label\na.png,1\nb.png,{missing}\nc.png,2\n")
    assert (dataset.kind, dataset.labels, len(dataset)) == ("classes", ("1", "2"), 2)
    assert [(fault.where, fault.lost) for fault in dataset.faults] == [("data.csv line 3", 1)]


def test_an_empty_cell_among_columns_of_0_and_1_costs_its_row(tmp_path: Path) -> None:
    dataset = opened(tmp_path, "path,cat,dog\na.png,1,1\nb.png,,1\nc.png,0,1\n")
    assert classes(dataset) == {"a.png": ("cat", "dog"), "c.png": ("dog",)}
    assert [(fault.where, fault.lost) for fault in dataset.faults] == [("data.csv line 3", 1)]


def test_a_word_in_the_first_row_costs_its_row_and_not_the_table(tmp_path: Path) -> None:
    dataset = opened(tmp_path, "path,age\na.png,abc\nb.png,2.5\nc.png,3\n")
    assert (dataset.kind, [sample.id for sample in dataset.samples]) == ("values", ["b.png", "c.png"])
    assert [(fault.where, fault.lost) for fault in dataset.faults] == [("data.csv line 2", 1)]


def test_tables_called_after_splits_name_them(tmp_path: Path) -> None:
    for number, split in enumerate(("train", "test")):
        picture(tmp_path / split / "00" / f"{number}.png", number)
        text(tmp_path / f"{split}.csv", f"file,class\n00/{number}.png,{number}\n")
    dataset = open_dataset(tmp_path)
    assert [(sample.id, sample.split) for sample in dataset.samples] == [
        ("test/00/1.png", "test"),
        ("train/00/0.png", "train"),
    ]


def test_a_group_is_a_column(tmp_path: Path) -> None:
    table = "path,label,Patient\na.png,cat,p1\nb.png,dog,p2\nc.png,dog,p1\n"
    dataset = opened(tmp_path, table, hints=Hints(group="patient"))
    assert [sample.group for sample in dataset.samples] == ["p1", "p2", "p1"]


def test_a_group_that_is_no_column_is_a_pattern(tmp_path: Path) -> None:
    table = "path,label\np1_1.png,cat\np1_2.png,dog\np2_1.png,dog\n"
    dataset = opened(tmp_path, table, "p1_1.png", "p1_2.png", "p2_1.png", hints=Hints(group=r"(p\d+)_"))
    assert [sample.group for sample in dataset.samples] == ["p1", "p1", "p2"]


@pytest.mark.parametrize(
    ("group", "said"),
    [("patiant", "of data.csv, which has path, label, patient"), ("p_", "of data.csv"), ("(", "and no")],
)
def test_a_group_that_is_neither_is_refused(tmp_path: Path, group: str, said: str) -> None:
    with pytest.raises(UsageError, match=rf"is no column,? {said}"):
        opened(tmp_path, "path,label,patient\na.png,cat,1\nb.png,dog,2\n", hints=Hints(group=group))


def test_boxes_are_gathered_by_picture(tmp_path: Path) -> None:
    table = "file,class,x1,y1,x2,y2\na.png,dog,1,2,5,6\na.png,cat,0,0,12,8\nb.png,,,,,\n"
    dataset = opened(tmp_path, table)
    first, second = (sample.truth() for sample in dataset.samples)
    assert isinstance(first, Annotations) and isinstance(second, Annotations)
    assert (dataset.kind, dataset.labels) == ("boxes", ("cat", "dog"))
    assert first.boxes_xyxy.tolist() == [[1, 2, 5, 6], [0, 0, 12, 8]]
    assert first.class_ids.tolist() == [1, 0]
    assert len(second) == 0


def test_boxes_may_have_width_and_height(tmp_path: Path) -> None:
    target = opened(tmp_path, "file,class,x,y,w,h\na.png,dog,1,2,5,6\n").samples[0].truth()
    assert isinstance(target, Annotations)
    assert target.boxes_xyxy.tolist() == [[1, 2, 6, 8]]


def test_boxes_outside_are_cut_off_or_left_out(tmp_path: Path) -> None:
    table = "file,class,x1,y1,x2,y2\na.png,dog,-5,2,50,6\na.png,dog,5,5,5,7\na.png,dog,20,20,30,30\na.png,dog,x,1,2,3\n"
    dataset = opened(tmp_path, table)
    target = dataset.samples[0].truth()
    assert isinstance(target, Annotations)
    assert target.boxes_xyxy.tolist() == [[0, 2, 12, 6]]
    assert [fault.lost for fault in dataset.faults] == [1, 0, 1]  # what needs the picture's size is seen later


def test_a_table_with_boxes_serves_classification_too(tmp_path: Path) -> None:
    table = "file,class,x1,y1,x2,y2\na.png,0,1,2,5,6\nb.png,1,0,0,12,8\n"
    dataset = opened(tmp_path, table, hints=Hints(kinds=frozenset({"classes"})))
    assert [sample.truth() for sample in dataset.samples] == [Classes((0,)), Classes((1,))]


def test_a_table_of_something_else_is_none(tmp_path: Path) -> None:
    text(tmp_path / "MANIFEST.csv", "file,author,license\na.png,Anne,CC0\n")
    picture(tmp_path / "a.png")
    assert open_dataset(tmp_path).layout == "clean"


def test_a_cell_of_a_megabyte_is_no_table(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    table = text(tmp_path / "data.csv", "path,label\na.png," + "x" * (1 << 21))
    with pytest.raises(DataError, match=r"is no table"):
        open_dataset(table, layout="csv")


def test_pictures_are_found_without_decoding_any(tmp_path: Path) -> None:
    dataset = opened(tmp_path, "path,label\na.png,cat\nb.png,dog\n")
    (tmp_path / "a.png").write_bytes(b"no picture")
    assert classes(open_dataset(tmp_path)) == classes(dataset)
    assert np.array_equal(dataset.samples[1].read().pixels, open_dataset(tmp_path).samples[1].read().pixels)


def test_a_row_without_a_class_is_a_fault_and_not_several_classes(tmp_path: Path) -> None:
    dataset = opened(tmp_path, "path,label\na.png,cat\nb.png,\nc.png,dog\n")
    assert dataset.exclusive
    assert [(fault.where, fault.what) for fault in dataset.faults] == [("data.csv line 3", "has no class")]


def test_tables_as_contests_hand_them_out(tmp_path: Path) -> None:
    for split in ("train", "test"):
        for number in range(2):
            picture(tmp_path / split / f"{split}{number}.png", number)
    text(tmp_path / "train.csv", "id,label\ntrain0,cat\ntrain1,dog\n")
    text(tmp_path / "test.csv", "id\ntest0\ntest1\n")
    text(tmp_path / "sample_submission.csv", "id,label\ntest0,cat\ntest1,cat\n")
    dataset = open_dataset(tmp_path)
    assert classes(dataset) == {"train/train0.png": ("cat",), "train/train1.png": ("dog",)}
    assert [(fault.where, fault.lost) for fault in dataset.faults] == [("test.csv", 2), ("test", 0)]


def test_a_list_of_classes_is_no_table_of_pictures(tmp_path: Path) -> None:
    text(tmp_path / "labels.csv", "id,name\n0,cat\n1,dog\n")
    assert opened(tmp_path, "path,label\na.png,1\nb.png,0\n").labels == ("cat", "dog")


@pytest.mark.parametrize("folders", [("train", "val"), ("train_images", "val_images")])
def test_rows_of_equal_names_mean_the_picture_of_their_own_split(tmp_path: Path, folders: tuple[str, str]) -> None:
    table = "path,label,split\n0.png,cat,train\n0.png,dog,val\n"
    dataset = opened(tmp_path, table, *(f"{folder}/0.png" for folder in folders))
    assert classes(dataset) == {f"{folders[0]}/0.png": ("cat",), f"{folders[1]}/0.png": ("dog",)}
    assert [sample.split for sample in dataset.samples] == ["train", "validation"]
    assert dataset.faults == ()


def test_a_row_that_may_mean_either_split_is_a_fault(tmp_path: Path) -> None:
    dataset = opened(tmp_path, "path,label\n0.png,cat\nc.png,dog\n", "train/0.png", "val/0.png", "c.png")
    assert classes(dataset) == {"c.png": ("dog",)}
    assert "any of train/0.png, val/0.png" in dataset.faults[0].what


def splits(dataset: Dataset) -> dict[str, str]:
    return {sample.id: sample.split for sample in dataset.samples}


def test_a_split_without_a_folder_of_its_own_may_lie_in_that_of_another(tmp_path: Path) -> None:
    for number in range(4):
        picture(tmp_path / "train_images" / f"{number}.png", number)
    text(tmp_path / "train.csv", "path,label\n0.png,cat\n1.png,dog\n")
    text(tmp_path / "val.csv", "path,label\n2,cat\n3,dog\n")
    dataset = open_dataset(tmp_path)
    parts = ("train", "train", "validation", "validation")
    assert splits(dataset) == {f"train_images/{number}.png": part for number, part in enumerate(parts)}
    assert dataset.remarks[-1] == "2 of validation lie in train_images/: there is no folder called after validation"


def test_a_column_of_splits_may_name_others_than_the_only_folder(tmp_path: Path) -> None:
    dataset = opened(tmp_path, "path,label,split\n0.png,cat,train\n1.png,dog,val\n", "train/0.png", "train/1.png")
    assert splits(dataset) == {"train/0.png": "train", "train/1.png": "validation"}
    assert dataset.faults == ()


@pytest.mark.parametrize("there", [("train/0.png",), ("train/0.png", "train/1.png", "val/2.png")])
def test_a_picture_of_another_split_that_is_not_taken_is_said_to_be_there(tmp_path: Path, there: list[str]) -> None:
    wanted = there[:2][-1].rpartition("/")[2]  # what train names itself, or what lies beside a folder of its own
    table = f"path,label,split\n0.png,cat,train\n{wanted},dog,val\n"
    dataset = opened(tmp_path, table, *there)
    assert splits(dataset) == {"train/0.png": "train"}
    assert f"train/{wanted} lies in a folder called after train, and is not taken for valid" in dataset.faults[0].what


@pytest.mark.parametrize("name", ["_annotations.csv", "labels.csv"])
def test_a_table_in_the_folder_of_a_split_is_of_that_split(tmp_path: Path, name: str) -> None:
    for number, split in enumerate(("train", "test")):
        picture(tmp_path / split / f"{number}.png", number)
        text(tmp_path / split / name, f"filename,class\n{number}.png,{number}\n")
    dataset = open_dataset(tmp_path)
    assert splits(dataset) == {"test/1.png": "test", "train/0.png": "train"}
    assert dataset.faults == ()


def test_a_table_of_something_else_further_out_hides_none(tmp_path: Path) -> None:
    for number, label in enumerate(("u", "v")):
        picture(tmp_path / "train" / label / f"{number}.png", number)
    text(tmp_path / "sources.csv", "path,author,license\ntrain/u/0.png,Anne,CC0\n")
    text(tmp_path / "train" / "labels.csv", "path,label\nu/0.png,cat\nv/1.png,dog\n")
    assert classes(open_dataset(tmp_path)) == {"train/u/0.png": ("cat",), "train/v/1.png": ("dog",)}
