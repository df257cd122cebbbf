"""What is exported to COCO is read, measured and painted by the COCO API as it was found."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from found import KEYPOINTS, LABELS, SKELETON, boxes, failure, found, record, regions, things
from pixelwright.data import coco
from pixelwright.structures.detections import Detections
from pixelwright.structures.label_map import LabelMap

# pycocotools' arrays predate NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

RECORDS = [
    record(0, "a.png", things()),
    failure(1, "b.png"),
    record(2, "sub/c.jpg", boxes(), (7, 9)),
    record(3, "d.png", things().take(slice(1))),
]


def read(folder: Path) -> tuple[COCO, COCO]:
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(folder / "results.coco.json"))
        return truth, truth.loadRes(str(folder / "results.coco-predictions.json"))


@pytest.fixture
def written(tmp_path: Path) -> Path:
    coco.write(found(RECORDS, Detections), tmp_path)
    return tmp_path


def test_the_coco_api_reads_the_data_set(written: Path) -> None:
    truth, _ = read(written)
    assert truth.getImgIds() == [1, 3, 4]
    assert truth.loadImgs(3)[0] | {"path": ""} == {
        "id": 3, "file_name": "sub/c.jpg", "width": 9, "height": 7, "path": "",
    }  # fmt: skip
    assert [one["name"] for one in truth.loadCats(truth.getCatIds())] == list(LABELS)
    assert truth.cats[1]["keypoints"] == list(KEYPOINTS) and truth.cats[1]["skeleton"] == [[1, 3], [3, 2]]
    assert truth.getAnnIds() == [1, 2, 3] and truth.getAnnIds(imgIds=[3]) == []


def test_masks_are_the_same_pixels(written: Path) -> None:
    truth, answers = read(written)
    masks = things().masks
    assert masks is not None
    for read_back in (truth, answers):
        first, second, again = (read_back.annToMask(one) for one in read_back.loadAnns(read_back.getAnnIds()))
        assert np.array_equal(first, masks[0]) and np.array_equal(again, masks[0]) and np.array_equal(second, masks[1])
    assert [one["area"] for one in truth.loadAnns([1, 2])] == [113, 116]


def test_boxes_are_left_top_width_height_and_keypoints_count_pixels(written: Path) -> None:
    truth, answers = read(written)
    row = truth.loadAnns(1)[0]
    assert (row["category_id"], row["bbox"], row["score"]) == (1, [3, 2, 27, 18], 0.9)
    # The center of the pixel with the index 4 is at 4.5; what was not found is at 0, 0.
    assert row["keypoints"] == [4, 3, 2, 10, 3.75, 1, 0, 0, 0] and row["num_keypoints"] == 2
    assert all(type(flag) is int for flag in row["keypoints"][2::3])
    assert answers.loadAnns(1)[0]["keypoints"] == [4, 3, 0.9, 10, 3.75, 0.2, -0.5, -0.5, 0]
    assert (row["track_id"], row["iscrowd"]) == (7, 0)


@pytest.mark.parametrize("kind", ["bbox", "segm"])
def test_predictions_are_perfect_when_they_are_the_truth(written: Path, kind: str) -> None:
    truth, answers = read(written)
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(truth, answers, kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    assert evaluation.stats[:3].tolist() == [1, 1, 1]


def test_a_label_map_has_one_region_a_class_and_no_void(tmp_path: Path) -> None:
    coco.write(found([record(0, "a.png", regions())], LabelMap), tmp_path)
    truth, answers = read(tmp_path)
    for read_back in (truth, answers):
        for one in read_back.loadAnns(read_back.getAnnIds()):
            assert np.array_equal(read_back.annToMask(one), regions().ids == one["category_id"] - 1)
    rows = truth.loadAnns(truth.getAnnIds())
    assert [row["category_id"] for row in rows] == [1, 3]
    assert rows[1]["bbox"] == [10, 5, 10, 10] and rows[1]["area"] == 96


def test_names_that_are_no_text_come_back(tmp_path: Path) -> None:
    coco.write(found([record(0, "\udcff ü.png", boxes())], Detections), tmp_path)
    image = json.loads((tmp_path / "results.coco.json").read_text(encoding="utf-8"))["images"][0]
    assert image["file_name"] == "\udcff ü.png"


def test_one_result_needs_no_job() -> None:
    row: dict[str, Any] = coco.annotations(boxes((1, 2, 4, 8)), image_id=5, first_id=9)[0]
    assert (row["id"], row["image_id"], row["area"], row["segmentation"]) == (9, 5, 18, [])
    assert coco.predictions(boxes((1, 2, 4, 8)), image_id=5) == [
        {"category_id": 1, "bbox": [1, 2, 3, 6], "score": 0.9, "image_id": 5}
    ]
    assert coco.categories(["a"]) == [{"id": 1, "name": "a", "supercategory": ""}]
    assert coco.categories(["a"], KEYPOINTS, SKELETON)[0]["skeleton"] == [[1, 3], [3, 2]]
