"""COCO files, ours and others'."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datasets import HEIGHT, RUNS, WIDTH, coco, picture, text
from found import KEYPOINTS, LABELS, SIZE_HW, SKELETON, things
from pixelwright.data.coco import annotations, categories
from pixelwright.data.dataset import Dataset
from pixelwright.data.layout import Hints
from pixelwright.data.layouts.coco import Categories
from pixelwright.data.opening import describe, open_dataset
from pixelwright.errors import DataError
from pixelwright.structures.masks import runs_to_text
from pixelwright.structures.targets import Annotations


def opened(root: Path, file: Any, hints: Hints | None = None) -> Dataset:
    for number in (10, 20):
        picture(root / f"{number}.png", number)
    content = file if isinstance(file, str) else json.dumps(file)
    return open_dataset(text(root / "coco.json", content), layout="coco", hints=hints)


def first(dataset: Dataset) -> Annotations:
    target = dataset.samples[0].truth()
    assert isinstance(target, Annotations)
    return target


def test_categories_may_have_gaps_and_any_order(tmp_path: Path) -> None:
    dataset = opened(tmp_path, coco())
    assert dataset.labels == ("cat", "dog")
    assert first(dataset).class_ids.tolist() == [0, 1]


def test_polygons_and_runs_are_masks(tmp_path: Path) -> None:
    masks = first(opened(tmp_path, coco())).masks
    assert masks is not None
    square, column = np.zeros((HEIGHT, WIDTH), bool), np.zeros((HEIGHT, WIDTH), bool)
    square[1:5, 1:5], column[:, 1] = True, True
    assert np.array_equal(masks[0], square)
    assert np.array_equal(masks[1], column)


def test_compressed_runs_are_masks(tmp_path: Path) -> None:
    counts = runs_to_text(np.array(RUNS["counts"], np.uint32))
    rows = [
        {"id": 1, "image_id": 10, "category_id": 3, "segmentation": {"counts": counts, "size": [HEIGHT, WIDTH]}},
    ]
    target = first(opened(tmp_path, coco(annotations=rows)))
    assert target.masks is not None
    assert np.array_equal(np.flatnonzero(target.masks[0].any(axis=0)), [1])
    assert target.boxes_xyxy.tolist() == [[1, 0, 2, HEIGHT]]  # from the mask, as no box is stated


def test_crowds_and_areas_are_kept(tmp_path: Path) -> None:
    file = coco()
    file["annotations"][1]["area"] = 8
    target = first(opened(tmp_path, file))
    assert target.crowd is not None and target.areas is not None
    assert target.crowd.tolist() == [False, True]
    assert target.areas.tolist() == [16, 8]


def test_boxes_alone_are_read_if_wanted(tmp_path: Path) -> None:
    target = first(opened(tmp_path, coco(), Hints(kinds=frozenset({"boxes"}))))
    assert target.masks is None
    assert target.boxes_xyxy.tolist() == [[1, 1, 5, 5], [0, 0, 12, 8]]


def test_a_picture_without_annotations_has_none(tmp_path: Path) -> None:
    target = opened(tmp_path, coco()).samples[1].truth()
    assert isinstance(target, Annotations)
    assert len(target) == 0


def test_keypoints_are_centers_of_pixels(tmp_path: Path) -> None:
    category = {"id": 3, "name": "cat", "keypoints": ["eye", "nose", "tail"], "skeleton": [[1, 2]]}
    points = [2, 3, 2, 0, 0, 0, 4, 5, 1]
    row = {"id": 1, "image_id": 10, "category_id": 3, "bbox": [1, 1, 8, 6], "keypoints": points}
    dataset = opened(tmp_path, coco(categories=[category], annotations=[row]))
    target = first(dataset)
    assert (dataset.kind, dataset.keypoints, dataset.skeleton) == (
        "keypoints",
        ("eye", "nose", "tail"),
        (("eye", "nose"),),
    )
    assert target.keypoints is not None
    assert target.keypoints.tolist() == [[[2.5, 3.5, 2], [0, 0, 0], [4.5, 5.5, 1]]]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"category_id": 99}, "category 99"),
        ({"segmentation": [[1, 1, 5, 5]]}, "3 points or more"),
        ({"segmentation": [[1, 1, 5, 1, 5, "x"]]}, "segmentation[0][5]: expected a number, got text"),
        ({"segmentation": [[1, 1, 5, 1, 1e9, 5]]}, "more than 200,000 pixels away"),
        ({"segmentation": {"counts": [-1, 9, 88], "size": [8, 12]}}, "counts of 96 pixels; expected 12x8, each from 0"),
        ({"segmentation": {"counts": [2**33], "size": [8, 12]}}, "counts of 8,589,934,592 pixels"),
        ({"segmentation": {"counts": [95], "size": [8, 12]}}, "counts of 95 pixels"),
        ({"segmentation": {"counts": "~~", "size": [8, 12]}}, "run lengths"),
        ({"segmentation": []}, "has no mask"),
        ({"segmentation": [[1, 1, 5, 1, 5, 5, 1e400, 5]]}, "segmentation[0][6]: expected a number"),
        ({"bbox": [1, 1, "x", 4]}, "bbox[2]: expected a number, got text"),
        ({"bbox": [1, 1, 0, 4]}, "is empty"),
        ({"bbox": [50, 50, 4, 4]}, "outside of the picture"),
    ],
)
def test_annotations_that_cannot_be_used_are_faults(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    file = coco()
    file["annotations"][0] |= change
    dataset = opened(tmp_path, file)
    assert said in dataset.faults[0].what
    assert dataset.faults[0].lost == 1
    assert first(dataset).class_ids.tolist() == [1]


def test_annotations_are_read_as_other_tools_write_them(tmp_path: Path) -> None:
    file = coco()
    file["annotations"][0] |= {"iscrowd": False, "ignore": None, "keypoints": None}
    file["annotations"][1] |= {"iscrowd": True}
    dataset = opened(tmp_path, file)
    assert dataset.faults == ()
    assert first(dataset).crowd.tolist() == [False, True]  # type: ignore[union-attr]


def test_a_file_of_which_most_is_not_understood_is_one_clear_error(tmp_path: Path) -> None:
    file = coco()
    for row in file["annotations"]:
        row["bbox"] = ["x", 1, 2, 3]
    what = r"2 of 2 annotations cannot be used, such as coco\.json annotation 1: bbox\[0\]: expected a number, got text"
    with pytest.raises(DataError, match=what):
        opened(tmp_path, file)


def test_annotations_are_decoded_once_when_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bytes] = []
    thing = Categories.thing
    monkeypatch.setattr(Categories, "thing", lambda self, raw: seen.append(raw) or thing(self, raw))
    dataset = opened(tmp_path, coco())
    describe(dataset)
    assert len(seen) == 2


def test_annotations_of_no_picture_are_counted(tmp_path: Path) -> None:
    file = coco()
    file["annotations"].append({"id": 3, "image_id": 999, "category_id": 3, "bbox": [0, 0, 1, 1]})
    faults = opened(tmp_path, file).faults
    assert [(fault.what, fault.lost) for fault in faults] == [
        ("annotations belong to pictures that are not in the list", 1)
    ]


def test_a_picture_stated_twice_counts_once(tmp_path: Path) -> None:
    file = coco()
    file["images"].append(file["images"][0])
    dataset = opened(tmp_path, file)
    assert len(dataset) == 2
    assert "twice" in dataset.faults[0].what


@pytest.mark.parametrize("name", ["gone.png", "../30.png", "/etc/passwd", ""])
def test_pictures_that_are_not_there_are_faults(tmp_path: Path, name: str) -> None:
    file = coco()
    file["images"][1]["file_name"] = name
    picture(tmp_path / "30.png")
    dataset = opened(tmp_path / "data", file)
    assert [sample.id for sample in dataset.samples] == ["10.png"]
    assert [fault.lost for fault in dataset.faults] == [1]


def test_a_picture_of_another_size_than_stated_is_an_error_when_read(tmp_path: Path) -> None:
    file = coco()
    file["images"][0] |= {"width": HEIGHT, "height": WIDTH}
    del file["annotations"][1]
    with pytest.raises(DataError, match=r"made for a picture of 8x12, which has 12x8"):
        opened(tmp_path, file).samples[0].truth()


@pytest.mark.parametrize(
    "content",
    ["[]", "{}", '{"images": 5, "annotations": [], "categories": []}', "{" * 100_000, '{"images": [], "annotations"'],
)
def test_json_of_another_shape_is_one_clear_error(tmp_path: Path, content: str) -> None:
    with pytest.raises(DataError, match=r"no COCO file"):
        opened(tmp_path, content)


def test_a_large_file_of_something_else_is_not_even_read(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    path = text(tmp_path / "huge.json", '{"rows": [1, 2, 3')
    with path.open("r+b") as file:
        file.truncate(2**31)  # sparse
    assert open_dataset(tmp_path).layout == "clean"
    with pytest.raises(DataError, match=r"2,147,483,648 bytes, at most"):
        open_dataset(path, layout="coco")


def test_files_whose_categories_differ_are_refused(tmp_path: Path) -> None:
    text(tmp_path / "instances_train.json", json.dumps(coco()))
    text(tmp_path / "instances_val.json", json.dumps(coco(categories=[{"id": 3, "name": "horse"}])))
    with pytest.raises(DataError, match=r"category 3 is 'horse', in another file 'cat'"):
        open_dataset(tmp_path)


def test_splits_are_in_the_names_of_files_or_folders(tmp_path: Path) -> None:
    for split in ("train", "valid"):
        for number in (10, 20):
            picture(tmp_path / split / f"{number}.png", number)
        text(tmp_path / split / "_annotations.coco.json", json.dumps(coco()))
    dataset = open_dataset(tmp_path)
    assert [(sample.id, sample.split) for sample in dataset.samples] == [
        ("train/10.png", "train"),
        ("train/20.png", "train"),
        ("valid/10.png", "validation"),
        ("valid/20.png", "validation"),
    ]


def test_what_is_exported_comes_back(tmp_path: Path) -> None:
    result = things()
    height, width = SIZE_HW
    file = {
        "images": [{"id": 1, "file_name": "a.png", "width": width, "height": height}],
        "annotations": annotations(result),
        "categories": categories(LABELS, KEYPOINTS, SKELETON),
    }
    picture(tmp_path / "a.png", 0, SIZE_HW)
    path = text(tmp_path / "results.coco.json", json.dumps(file))
    masked = first(open_dataset(path, hints=Hints(kinds=frozenset({"instances"}))))
    pointed = open_dataset(path, hints=Hints(kinds=frozenset({"keypoints"})))
    assert result.masks is not None and masked.masks is not None
    assert [mask.tolist() for mask in masked.masks] == [mask.tolist() for mask in result.masks]
    assert masked.boxes_xyxy.tolist() == result.boxes_xyxy.tolist()
    assert masked.class_ids.tolist() == result.class_ids.tolist()
    assert (pointed.labels, pointed.keypoints, pointed.skeleton) == (LABELS, KEYPOINTS, SKELETON)
    points = first(pointed).keypoints
    assert points is not None
    assert points[0].tolist() == [[4.5, 3.5, 2], [10.5, 4.25, 1], [0, 0, 0]]


def test_truth_goes_to_other_processes_and_is_small(tmp_path: Path) -> None:
    sample = opened(tmp_path, coco()).samples[0]
    packed = pickle.dumps(sample)
    assert len(packed) < 3000
    assert first(opened(tmp_path, coco())).boxes_xyxy.tolist() == pickle.loads(packed).truth().boxes_xyxy.tolist()  # noqa: S301


def test_labels_choose_and_order_the_categories(tmp_path: Path) -> None:
    dataset = opened(tmp_path, coco(), Hints(labels=("dog",)))
    assert (dataset.labels, dataset.faults) == (("dog",), ())
    assert first(dataset).class_ids.tolist() == [0]
    with pytest.raises(DataError, match=r"no category 'horse'; it has cat, dog"):
        opened(tmp_path, coco(), Hints(labels=("dog", "horse")))


def shares_names(root: Path, parts: dict[str, int], files: dict[str, str]) -> Dataset:
    """Two parts with a picture `0.png` each, and a file for each with one box of its own size."""
    for folder, value in parts.items():
        picture(root / folder / "0.png", value)
    for name, _ in files.items():
        side = 2 if "train" in name else 4
        row = {"id": 1, "image_id": 10, "category_id": 3, "bbox": [1, 1, side, side]}
        file = coco(images=[{"id": 10, "file_name": "0.png", "width": WIDTH, "height": HEIGHT}], annotations=[row])
        text(root / name, json.dumps(file))
    return open_dataset(root)


@pytest.mark.parametrize("pattern", ["{}_annotations.json", "{}_coco.json", "labels_{}_v2.json", "instances_{}.json"])
@pytest.mark.parametrize("folder", ["{}", "images/{}", "{}_images"])
def test_pictures_of_equal_names_have_the_boxes_of_their_own_split(tmp_path: Path, pattern: str, folder: str) -> None:
    folders = {folder.format(one): number for number, one in enumerate(("train", "val"))}
    files = {f"annotations/{pattern.format(one)}": one for one in ("train", "val")}
    dataset = shares_names(tmp_path, folders, files)
    found = {sample.id: (sample.split, sample.truth().boxes_xyxy.tolist()) for sample in dataset.samples}  # type: ignore[union-attr]
    assert found == {
        f"{folder.format('train')}/0.png": ("train", [[1, 1, 3, 3]]),
        f"{folder.format('val')}/0.png": ("validation", [[1, 1, 5, 5]]),
    }
    assert dataset.faults == ()


def test_a_split_whose_pictures_are_not_there_takes_none_of_another(tmp_path: Path) -> None:
    files = {"annotations/instances_train.json": "train", "annotations/instances_val.json": "val"}
    dataset = shares_names(tmp_path, {"val": 1}, files)
    assert [(sample.id, sample.split) for sample in dataset.samples] == [("val/0.png", "validation")]
    assert "there is no picture '0.png'" in dataset.faults[0].what


def test_a_name_that_may_be_in_either_split_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"may be any of train/0\.png, val/0\.png; state the folder in its file_name"):
        shares_names(tmp_path, {"train": 1, "val": 2}, {"annotations.json": ""})


def test_a_split_may_lie_in_a_folder_that_is_called_after_another_too(tmp_path: Path) -> None:
    for split, number in (("train", 0), ("val", 1)):
        picture(tmp_path / "train_val" / f"{number}.png", number)
        images = [{"id": 10, "file_name": f"{number}.png", "width": WIDTH, "height": HEIGHT}]
        text(tmp_path / f"annotations/instances_{split}.json", json.dumps(coco(images=images)))
    dataset = open_dataset(tmp_path)
    found = {sample.id: sample.split for sample in dataset.samples}
    assert found == {"train_val/0.png": "train", "train_val/1.png": "validation"}
    assert dataset.faults == ()
    assert "1 of validation lie in train_val/" in dataset.remarks[-1]


def test_masks_on_few_annotations_are_read_if_wanted_and_told_of_else(tmp_path: Path) -> None:
    masked, *bare = ({"id": one, "image_id": 10, "category_id": 3, "bbox": [one, 1, 4, 4]} for one in range(4))
    file = coco(annotations=[masked | {"segmentation": [[1, 1, 5, 1, 5, 5]]}, *bare])
    boxes = opened(tmp_path, file)
    assert (boxes.kind, len(first(boxes))) == ("boxes", 4)
    assert "1 of 4 annotations have masks; read as boxes" in boxes.remarks
    wanted = opened(tmp_path, file, Hints(kinds=frozenset({"instances"})))
    assert (wanted.kind, len(first(wanted)), len(wanted.faults)) == ("instances", 1, 3)
    assert opened(tmp_path, file, Hints(kinds=frozenset({"boxes"}))).remarks == boxes.remarks[:2]


@pytest.mark.parametrize(
    ("mask", "said"),
    [
        ({"counts": [0, 64], "size": [8, 8]}, "a mask has 8x8 pixels, the picture 12x8; it is left out"),
        ([[0, 0, 2e5, 0, 0, 1] * 20], "a polygon has edges of 8,000,020 pixels together"),
    ],
)
def test_a_mask_that_cannot_be_read_costs_its_thing_alone(tmp_path: Path, mask: Any, said: str) -> None:
    file = coco()
    file["annotations"].append({"id": 3, "image_id": 10, "category_id": 3, "bbox": [1, 1, 4, 4], "segmentation": mask})
    dataset = opened(tmp_path, file)
    assert [fault.where for fault in dataset.faults] == ["coco.json annotation 3"]
    assert said in dataset.faults[0].what
    assert len(first(dataset)) == 2
