"""YOLO's text files and `data.yaml`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from datasets import HEIGHT, WIDTH, picture, text
from found import KEYPOINTS, LABELS, SIZE_HW, things
from pixelwright.data.dataset import Dataset, Kind
from pixelwright.data.layout import Hints
from pixelwright.data.opening import open_dataset
from pixelwright.data.yolo import data_yaml, lines
from pixelwright.errors import DataError
from pixelwright.structures.targets import Annotations

YAML = "train: images\nnames: [cat, dog]\n"


def opened(root: Path, rows: str, yaml: str = YAML, kind: Kind | None = None) -> Dataset:
    picture(root / "images" / "a.png")
    text(root / "labels" / "a.txt", rows)
    text(root / "data.yaml", yaml)
    return open_dataset(root, layout="yolo", hints=Hints(kinds=frozenset({kind} if kind else ())))


def first(dataset: Dataset) -> Annotations:
    target = dataset.samples[0].truth()
    assert isinstance(target, Annotations)
    return target


def test_boxes_are_shares_of_width_and_height(tmp_path: Path) -> None:
    target = first(opened(tmp_path, "\ufeff1 0.5 0.5 0.5 0.25\r\n0 0.25 0.25 0.5 0.5\r\n"))
    assert target.boxes_xyxy.tolist() == [[3, 3, 9, 5], [0, 0, 6, 4]]
    assert target.class_ids.tolist() == [1, 0]


def test_polygons_are_masks_if_wanted_and_boxes_else(tmp_path: Path) -> None:
    row = "0 0.25 0.25 0.75 0.25 0.75 0.75 0.25 0.75\n"
    target = first(opened(tmp_path, row))
    assert target.masks is not None
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[2:6, 3:9] = True
    assert np.array_equal(target.masks[0], mask)
    boxed = first(opened(tmp_path, row, kind="boxes"))
    assert boxed.masks is None
    assert boxed.boxes_xyxy.tolist() == target.boxes_xyxy.tolist() == [[3, 2, 9, 6]]


@pytest.mark.parametrize(("shape", "points"), [(3, "0.5 0.25 2 0 0 0"), (2, "0.5 0.25 0 0")])
def test_keypoints_have_two_or_three_numbers(tmp_path: Path, shape: int, points: str) -> None:
    yaml = f"{YAML}kpt_shape: [2, {shape}]\n"
    dataset = opened(tmp_path, f"0 0.5 0.5 1 1 {points}\n", yaml)
    target = first(dataset)
    assert (dataset.kind, len(dataset.keypoints)) == ("keypoints", 2)
    assert target.keypoints is not None
    assert target.keypoints.tolist() == [[[6, 2, 2], [0, 0, 0]]]


@pytest.mark.parametrize("shape", ["[1, 0]", "[2, 1]", "[100000000, 3]", "[0, 3]", "[-1, 2]", "[true, 2]", "5"])
def test_a_shape_of_keypoints_that_none_can_have_is_one_clear_error(tmp_path: Path, shape: str) -> None:
    with pytest.raises(DataError, match=r"kpt_shape: expected \[1\.\.1,000 keypoints, 2 or 3\]"):
        opened(tmp_path, "0 0.5 0.5 1 1 0.5 0.5\n", f"{YAML}kpt_shape: {shape}\n")


def test_which_keypoints_change_places_in_a_mirror_is_read(tmp_path: Path) -> None:
    yaml = f"{YAML}kpt_shape: [3, 2]\nflip_idx: [0, 2, 1]\n"
    row = "0 0.5 0.5 1 1 0.5 0.5 0.2 0.5 0.8 0.5\n"
    assert opened(tmp_path, row, yaml).mirrored == (0, 2, 1)
    assert opened(tmp_path, row, yaml, kind="boxes").mirrored == ()


@pytest.mark.parametrize("stated", ["[0, 2]", "[0, 1, 3]", "[0, 1, 1]", "left"])
def test_mirrored_keypoints_that_are_no_order_of_all_are_a_fault(tmp_path: Path, stated: str) -> None:
    yaml = f"{YAML}kpt_shape: [3, 2]\nflip_idx: {stated}\n"
    dataset = opened(tmp_path, "0 0.5 0.5 1 1 0.5 0.5 0.2 0.5 0.8 0.5\n", yaml)
    assert (dataset.mirrored, dataset.faults[0].lost) == ((), 0)
    assert "flip_idx: expected each of 0..2 once" in dataset.faults[0].what


@pytest.mark.parametrize(
    ("row", "said", "lost"),
    [
        ("5 0.5 0.5 0.5 0.5", "unknown class 5", 1),
        ("0 0.5 0.5 0.5", "expected a class number and 4 shares of the picture or more", 1),
        ("0 0.5 0.5 0.5 nan", "expected a class number", 1),
        ("cat 0.5 0.5 0.5 0.5", "expected a class number", 1),
        ("0 0.5 0.5 0 0.5", "is empty", 1),
        ("0 1.5 1.5 0.2 0.2", "outside of the picture", 1),
        ("0 0.9 0.5 0.5 0.5", "reaches outside", 0),
        ("-1 0.5 0.5 0.5 0.5", "expected a class number", 1),
        ("0 320 240 64 48", "shares of the picture", 1),
    ],
)
def test_lines_that_cannot_be_used_are_faults(tmp_path: Path, row: str, said: str, lost: int) -> None:
    dataset = opened(tmp_path, f"1 0.5 0.5 0.5 0.5\n{row}\n", kind="boxes")
    assert said in dataset.faults[0].what
    assert dataset.faults[0].lost == lost
    assert len(first(dataset)) == 2 - lost


def test_a_box_among_polygons_has_no_mask(tmp_path: Path) -> None:
    dataset = opened(tmp_path, "0 0.5 0.5 0.5 0.5\n0 0 0 1 0 1 1\n")
    assert (dataset.kind, len(first(dataset)), dataset.faults[0].lost) == ("instances", 1, 1)


def test_a_picture_without_a_text_file_has_nothing_in_it(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "b.png", 1)
    dataset = opened(tmp_path, "0 0.5 0.5 0.5 0.5\n")
    assert [len(sample.truth()) for sample in dataset.samples] == [1, 0]  # type: ignore[arg-type]
    skipping = opened(tmp_path, "0 0.5 0.5 0.5 0.5\n", f"{YAML}skip_if_label_file_missing: true\n")
    assert [sample.id for sample in skipping.samples] == ["images/a.png"]


def test_a_text_file_without_a_picture_is_a_fault(tmp_path: Path) -> None:
    text(tmp_path / "labels" / "gone.txt", "0 0.5 0.5 0.5 0.5\n")
    text(tmp_path / "labels" / "classes.txt", "cat\ndog\n")
    assert [fault.where for fault in opened(tmp_path, "0 0.5 0.5 0.5 0.5\n").faults] == ["labels/gone.txt"]


@pytest.mark.parametrize(
    "names",
    [
        "names: ['cat', \"dog\"]  # two",
        "names:\n- cat\n- dog",
        "names:\n  - cat\n  - dog",
        "names:\n  0: cat\n  1: dog",
        "names: {0: cat, 1: dog}",
        "nc: 2\ndownload: |\n  print('no')\n  a: [\nnames: [cat, dog]",
    ],
)
def test_names_are_read_in_every_form(tmp_path: Path, names: str) -> None:
    assert opened(tmp_path, "1 0.5 0.5 0.5 0.5\n", f"train: images\n{names}\n").labels == ("cat", "dog")


def test_class_numbers_may_have_gaps(tmp_path: Path) -> None:
    dataset = opened(tmp_path, "90 0.5 0.5 0.5 0.5\n", "names:\n  1: cat\n  90: dog\n")
    assert dataset.labels == ("cat", "dog")
    assert first(dataset).class_ids.tolist() == [1]


@pytest.mark.parametrize("names", ["names: 5", "names: &a [cat]", "names: {cat: 0}", "names: [cat", "names: !!x [a]"])
def test_names_that_are_none_are_one_clear_error(tmp_path: Path, names: str) -> None:
    with pytest.raises(DataError, match=r"data\.yaml"):
        opened(tmp_path, "0 0.5 0.5 0.5 0.5\n", f"{names}\n")


def test_splits_are_folders_or_lists_that_the_yaml_names(tmp_path: Path) -> None:
    for number, split in enumerate(("train", "val", "extra")):
        picture(tmp_path / "images" / split / f"{number}.png", number)
        text(tmp_path / "labels" / split / f"{number}.txt", "0 0.5 0.5 0.5 0.5\n")
    text(tmp_path / "test.txt", "./images/extra/2.png\n../../secret.png\n")
    text(tmp_path / "data.yaml", "train: ../images/train\nval: [images/val]\ntest: test.txt\nnames: [cat]\n")
    assert [(sample.id, sample.split) for sample in open_dataset(tmp_path).samples] == [
        ("images/extra/2.png", "test"),
        ("images/train/0.png", "train"),
        ("images/val/1.png", "validation"),
    ]


def test_without_a_yaml_folders_and_classes_txt_are_enough(tmp_path: Path) -> None:
    picture(tmp_path / "train" / "images" / "a.png")
    text(tmp_path / "train" / "labels" / "a.txt", "1 0.5 0.5 0.5 0.5\n")
    text(tmp_path / "classes.txt", "cat\ndog\n")
    dataset = open_dataset(tmp_path)
    assert (dataset.layout, dataset.labels, dataset.samples[0].split) == ("yolo", ("cat", "dog"), "train")


def test_the_yaml_may_be_named_itself(tmp_path: Path) -> None:
    opened(tmp_path, "0 0.5 0.5 0.5 0.5\n")
    dataset = open_dataset(tmp_path / "data.yaml")
    assert (dataset.layout, dataset.labels) == ("yolo", ("cat", "dog"))


@pytest.mark.parametrize("kind", ["keypoints", "instances"])
def test_what_is_exported_comes_back(tmp_path: Path, kind: Kind) -> None:
    result = things()
    if kind == "instances":
        import dataclasses

        result = dataclasses.replace(result, keypoints=None, keypoint_names=())
    picture(tmp_path / "images" / "a.png", 0, SIZE_HW)
    text(tmp_path / "labels" / "a.txt", "".join(f"{line}\n" for line in lines(result, SIZE_HW)))
    text(tmp_path / "data.yaml", data_yaml(LABELS, KEYPOINTS if kind == "keypoints" else ()))
    dataset = open_dataset(tmp_path)
    target = first(dataset)
    assert (dataset.kind, dataset.labels) == (kind, LABELS)
    assert target.class_ids.tolist() == result.class_ids.tolist()
    if kind == "keypoints":
        assert target.keypoints is not None
        assert target.keypoints[0].round(2).tolist() == [[4.5, 3.5, 2], [10.5, 4.25, 1], [0, 0, 0]]
        assert np.allclose(target.boxes_xyxy, result.boxes_xyxy, atol=1e-3)
    else:
        assert target.masks is not None and result.masks is not None
        # Parts are tied together by bridges of no width, holes are lost: nothing else differs.
        assert (target.masks[0] != result.masks[0]).sum() <= 4
        assert (target.masks[1] != result.masks[1]).sum() == 4  # the hole


def test_pictures_of_a_list_that_are_not_there_are_a_fault(tmp_path: Path) -> None:
    text(tmp_path / "train.txt", "images/gone.png\nimages/a.png\n\nimages/lost.png\n")
    text(tmp_path / "data.yaml", "train: train.txt\nnames: [cat]\n")
    picture(tmp_path / "images" / "a.png")
    text(tmp_path / "labels" / "a.txt", "0 0.5 0.5 0.5 0.5\n")
    (fault,) = open_dataset(tmp_path).faults
    assert (fault.where, fault.lost) == ("train.txt", 2)
    assert "there is no picture 'images/gone.png'" in fault.what


@pytest.mark.parametrize("key", ["class_names", "filenames"])
def test_a_yaml_with_other_names_describes_no_data(tmp_path: Path, key: str) -> None:
    for number, label in enumerate(("cat", "dog")):
        picture(tmp_path / label / f"{number}.png", number)
    text(tmp_path / "config.yaml", f"train: ./train\n{key}: [a, b]\n")
    assert open_dataset(tmp_path).layout == "image-folder"
