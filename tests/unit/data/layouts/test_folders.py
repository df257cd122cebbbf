"""What folders and their names say: classes, pairs, plain pictures, and shards of tars."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datasets import HEIGHT, WIDTH, picture, shards, text
from pixelwright.data.layout import Hints
from pixelwright.data.opening import open_dataset
from pixelwright.errors import DataError
from pixelwright.structures.image import Image
from pixelwright.structures.targets import Classes


def folders(root: Path, *names: str) -> Path:
    for number, name in enumerate(names):
        picture(root / name, number)
    return root


def test_splits_are_recognized_by_all_their_names(tmp_path: Path) -> None:
    names = ["train", "Training", "val", "valid", "validation", "test", "calibration"]
    dataset = open_dataset(folders(tmp_path, *(f"{name}/{label}/a.png" for name in names for label in ("cat", "dog"))))
    assert {sample.id.partition("/")[0]: sample.split for sample in dataset.samples} == {
        "train": "train",
        "Training": "train",
        "val": "validation",
        "valid": "validation",
        "validation": "validation",
        "test": "test",
        "calibration": "calibration",
    }


def test_a_train_among_vehicles_is_a_class(tmp_path: Path) -> None:
    dataset = open_dataset(folders(tmp_path, "train/a.png", "car/b.png", "bus/c.png"))
    assert (dataset.labels, {sample.split for sample in dataset.samples}) == (("bus", "car", "train"), {""})


@pytest.mark.parametrize("names", [("mask", "no_mask"), ("clean", "dirty"), ("normal", "pneumonia"), ("low", "high")])
def test_classes_may_be_called_like_roles(tmp_path: Path, names: tuple[str, str]) -> None:
    dataset = open_dataset(folders(tmp_path, f"{names[0]}/a.png", f"{names[1]}/b.png"))
    assert (dataset.layout, dataset.labels) == ("image-folder", tuple(sorted(names)))


def test_pictures_in_no_class_are_a_fault(tmp_path: Path) -> None:
    dataset = open_dataset(folders(tmp_path, "train/cat/a.png", "train/dog/b.png", "train/c.png", "d.png"))
    assert len(dataset) == 2
    assert [(fault.where, fault.lost) for fault in dataset.faults] == [("d.png", 2)]


def test_given_labels_choose_and_order_the_classes(tmp_path: Path) -> None:
    root = folders(tmp_path, "cat/a.png", "dog/b.png", "bird/c.png")
    dataset = open_dataset(root, hints=Hints(labels=("dog", "cat")))
    assert {sample.id: sample.truth() for sample in dataset.samples} == {
        "cat/a.png": Classes((1,)),
        "dog/b.png": Classes((0,)),
    }
    assert [(fault.where, fault.lost) for fault in dataset.faults] == [("bird", 1)]


def test_folders_within_a_class_and_names_of_any_script_are_read(tmp_path: Path) -> None:
    dataset = open_dataset(
        folders(tmp_path, "кошка/ünï/日本 😀.png", "dog/b.PNG", "dog/.hidden.png", "dog/notes.txt.png")
    )
    assert [sample.id for sample in dataset.samples] == ["dog/b.PNG", "dog/notes.txt.png", "кошка/ünï/日本 😀.png"]
    assert dataset.samples[2].read().size_hw == (HEIGHT, WIDTH)


@pytest.mark.parametrize(
    ("worse", "better"),
    [("lq", "gt"), ("low", "high"), ("input", "target"), ("noisy", "clean"), ("LR", "HR"), ("blur", "sharp")],
)
@pytest.mark.parametrize("frame", ["{}", "train/{}", "{}/train"])
def test_pairs_are_found_by_the_names_of_folders(tmp_path: Path, worse: str, better: str, frame: str) -> None:
    for name in ("a", "b"):
        picture(tmp_path / frame.format(worse) / f"{name}.png", ord(name))
        picture(tmp_path / frame.format(better) / f"{name}.png", ord(name) + 10)
    dataset = open_dataset(tmp_path)
    assert (dataset.layout, len(dataset)) == ("pairs", 2)
    assert dataset.samples[0].id.startswith(frame.format(worse))
    assert dataset.samples[0].split == ("train" if "train" in frame else "")
    target = dataset.samples[0].truth()
    assert isinstance(target, Image)
    better_pixels = np.random.default_rng(ord("a") + 10).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    assert np.array_equal(target.pixels, better_pixels)


def test_names_of_better_pictures_may_have_something_attached(tmp_path: Path) -> None:
    for name in ("a", "b"):
        picture(tmp_path / "lr" / f"{name}_x2.png", ord(name))
        picture(tmp_path / "hr" / f"{name}_x2_hr.png", ord(name), (2 * HEIGHT, 2 * WIDTH))
    assert len(open_dataset(tmp_path)) == 2


@pytest.mark.parametrize("size_hw", [(HEIGHT + 1, WIDTH), (2 * HEIGHT, WIDTH), (HEIGHT // 2, WIDTH // 2)])
def test_pairs_of_sizes_that_do_not_fit_are_errors_when_read(tmp_path: Path, size_hw: tuple[int, int]) -> None:
    picture(tmp_path / "lq" / "a.png")
    picture(tmp_path / "gt" / "a.png", 1, size_hw)
    with pytest.raises(DataError, match=r"expected 12x8 pixels or a whole multiple"):
        open_dataset(tmp_path).samples[0].truth()


def test_a_worse_picture_alone_is_a_fault(tmp_path: Path) -> None:
    root = folders(tmp_path, "lq/a.png", "gt/a.png", "lq/b.png")
    assert [(fault.where, fault.lost) for fault in open_dataset(root).faults] == [("lq/b.png", 1)]


def test_folders_of_splits_with_nothing_else_are_clean_pictures(tmp_path: Path) -> None:
    dataset = open_dataset(folders(tmp_path, "train/a.png", "val/b.png"))
    assert (dataset.layout, [sample.split for sample in dataset.samples]) == ("clean", ["train", "validation"])


def test_any_pictures_are_clean_ones_where_a_restoration_wants_them(tmp_path: Path) -> None:
    root = folders(tmp_path, "cat/a.png", "dog/b.png")
    dataset = open_dataset(root, hints=Hints(kinds=frozenset({"pair", "clean"})))
    assert (dataset.kind, len(dataset)) == ("clean", 2)


def tar(path: Path, **files: bytes | str) -> Path:
    with tarfile.open(path, "w") as opened:
        for name, data in files.items():
            content = data.encode() if isinstance(data, str) else data
            info = tarfile.TarInfo(name.replace("_", "."))
            info.size = len(content)
            opened.addfile(info, io.BytesIO(content))
    return path


@pytest.fixture
def png(tmp_path: Path) -> bytes:
    return picture(tmp_path / "outside" / "a.png").read_bytes()


@pytest.mark.parametrize(
    ("truth", "labels"),
    [
        ({"a_txt": "cat\n", "b_txt": "dog"}, ("cat", "dog")),
        ({"a_cls": "0", "b_cls": "1\n"}, ("0", "1")),
        ({"a_json": '{"label": "cat"}', "b_json": '{"label": "dog"}'}, ("cat", "dog")),
        ({"a_json": "1", "b_json": "0"}, ("0", "1")),
    ],
)
def test_classes_of_a_shard_stand_in_files_of_their_own(
    tmp_path: Path, png: bytes, truth: dict[str, Any], labels: tuple[str, ...]
) -> None:
    path = tar(tmp_path / "train-0.tar", a_png=png, b_png=png, **truth)
    dataset = open_dataset(path)
    assert (dataset.layout, dataset.labels, len(dataset)) == ("shards", labels, 2)
    assert dataset.samples[0].picture.path is None


def test_a_shard_may_state_several_classes(tmp_path: Path, png: bytes) -> None:
    truth = {"a_json": json.dumps({"labels": ["cat", "dog"]}), "b_json": json.dumps({"labels": ["dog"]})}
    dataset = open_dataset(tar(tmp_path / "0.tar", a_png=png, b_png=png, **truth))
    assert not dataset.exclusive
    assert [sample.truth() for sample in dataset.samples] == [Classes((0, 1)), Classes((1,))]


def test_truth_of_a_shard_that_is_none_is_a_fault(tmp_path: Path, png: bytes) -> None:
    dataset = open_dataset(tar(tmp_path / "0.tar", a_png=png, a_cls="1", b_png=png, b_cls="one\ntwo"))
    assert (len(dataset), [fault.where for fault in dataset.faults]) == (1, ["b.png"])


def test_numbers_and_names_in_one_shard_are_refused(tmp_path: Path, png: bytes) -> None:
    path = tar(tmp_path / "0.tar", a_png=png, a_txt="1", b_png=png, b_txt="dog")
    with pytest.raises(DataError, match=r"some classes are numbers and some are names"):
        open_dataset(path)


def test_numbers_of_shards_are_named_beside_them(tmp_path: Path) -> None:
    shards(tmp_path)
    text(tmp_path / "labels.txt", "cat\ndog\n")
    dataset = open_dataset(tmp_path)
    assert dataset.labels == ("cat", "dog")
    assert [sample.split for sample in dataset.samples] == ["train", "train", "validation", "validation"]


def test_a_damaged_shard_is_a_fault_and_the_others_are_read(tmp_path: Path) -> None:
    shards(tmp_path)
    (tmp_path / "val-000000.tar").write_bytes(b"no tar")
    dataset = open_dataset(tmp_path)
    assert {sample.split for sample in dataset.samples} == {"train"}


def test_one_shard_beside_a_list_of_classes(tmp_path: Path, png: bytes) -> None:
    root = tmp_path / "set"
    root.mkdir()
    tar(root / "val-0.tar", a_png=png, a_cls="0", b_png=png, b_cls="1")
    text(root / "labels.txt", "cat\ndog\n")
    dataset = open_dataset(root)
    assert (dataset.labels, {sample.split for sample in dataset.samples}) == (("cat", "dog"), {"validation"})


def test_a_shard_may_keep_its_files_in_a_folder(tmp_path: Path, png: bytes) -> None:
    files = {"inner/a_png": png, "inner/a_cls": "0", "inner/b_png": png, "inner/b_cls": "1"}
    dataset = open_dataset(tar(tmp_path / "train-0.tar", **files))
    assert [(sample.id, sample.split) for sample in dataset.samples] == [("a.png", "train"), ("b.png", "train")]
