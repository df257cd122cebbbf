"""Scores of a COCO file, from the file itself to the numbers, are those of pycocotools on the same file."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from bundles import squares
from pixelwright.data.opening import open_dataset
from pixelwright.io.images import write_image
from pixelwright.model import Execution, Model, load
from pixelwright.structures.image import Image
from pixelwright.tasks.detect.evaluate import LOWEST_SCORE, MOST_THINGS
from pixelwright.verbs.evaluate import EvaluateOptions, compare, evaluate

SIDE, COUNT = 200, 12
LABELS = ("white", "red")
NAMES = ("AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large")
RECALLS = ("AR1", "AR10", "AR100", "AR_small", "AR_medium", "AR_large")


def _scene(generator: np.random.Generator) -> tuple[npt.NDArray[np.uint8], list[dict[str, Any]]]:
    """Rectangles that do not touch, each of another brightness, and what a hasty annotator says of them."""
    pixels, rows = np.zeros((SIDE, SIDE, 3), np.uint8), []
    for left, top in np.argwhere(np.ones((3, 2))) * (60, 100) + 4:
        width, height = (int(generator.integers(6, most)) for most in (52, 92))
        red = int(generator.integers(2))
        pixels[top : top + height, left : left + width, : 1 if red else 3] = generator.integers(140, 256)
        if generator.random() < 0.15:  # overlooked
            continue
        shift, grown = generator.integers(-3, 4, 2), generator.integers(-2, 3, 2)
        box = [int(left + shift[0]), int(top + shift[1]), int(width + grown[0]), int(height + grown[1])]
        category = red if generator.random() < 0.9 else 1 - red
        crowd = int(generator.random() < 0.1)
        rows.append({"category_id": category + 5, "bbox": box, "area": box[2] * box[3], "iscrowd": crowd})
    return pixels, rows


def _written(root: Path) -> Path:
    generator = np.random.default_rng(4)
    images, annotations = [], []
    for number in range(1, COUNT + 1):
        pixels, rows = _scene(generator)
        if number == 1:  # at the border, and said to reach over it
            pixels[-9:, :20] = 255
            rows.append({"category_id": 5, "bbox": [-0.4, SIDE - 9, 20.4, 9], "area": 183.6, "iscrowd": 0})
        write_image(Image(pixels), root / f"{number:02}.png")
        images.append({"id": number, "file_name": f"{number:02}.png", "width": SIDE, "height": SIDE})
        annotations += [{**row, "image_id": number, "id": len(annotations) + one} for one, row in enumerate(rows, 1)]
    names = [{"id": place + 5, "name": label} for place, label in enumerate(LABELS)]
    (root / "coco.json").write_text(json.dumps({"images": images, "annotations": annotations, "categories": names}))
    return root / "coco.json"


def _reference(file: Path, model: Model) -> Any:
    results: list[dict[str, Any]] = []
    for number in range(1, COUNT + 1):
        found = model(file.parent / f"{number:02}.png", threshold=LOWEST_SCORE, top_k=MOST_THINGS)
        for box, score, label in zip(found.boxes_xyxy.tolist(), found.scores.tolist(), found.labels, strict=True):
            sized = [*box[:2], box[2] - box[0], box[3] - box[1]]
            results.append({"image_id": number, "category_id": LABELS.index(label) + 5, "bbox": sized, "score": score})
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(file))
        made = COCOeval(coco, coco.loadRes(results), "bbox")
        made.evaluate()
        made.accumulate()
        made.summarize()
    return made.stats


def test_scores_of_a_file_are_those_of_pycocotools_on_it(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    file = _written(tmp_path / "data")
    model = load(squares(tmp_path / "s").path, execution=Execution(threads=1))
    expected = _reference(file, model)
    found = evaluate(model, open_dataset(file), EvaluateOptions(rounds=20))
    values = {score.metric: score.value for score in found.scores}
    assert 0.1 < expected[0] < 0.9
    np.testing.assert_allclose(
        np.nan_to_num([values[name] for name in (*NAMES, *RECALLS)], nan=-1), expected, atol=1e-6
    )


def test_a_thing_that_its_file_says_to_ignore_is_neither_found_nor_missed(tmp_path: Path) -> None:
    pixels = np.zeros((40, 40, 3), np.uint8)
    pixels[5:15, 5:15] = pixels[25:35, 25:35] = 255
    write_image(Image(pixels), tmp_path / "a.png")
    rows = [
        {"id": place, "image_id": 1, "category_id": 1, "bbox": [corner, corner, 10, 10], "area": 100, "ignore": place}
        for place, corner in enumerate((5, 25))
    ]
    rows[1]["bbox"] = [26, 26, 10, 10]
    content = {"images": [{"id": 1, "file_name": "a.png"}], "annotations": rows}
    (tmp_path / "coco.json").write_text(json.dumps({**content, "categories": [{"id": 1, "name": "white"}]}))
    model = load(squares(tmp_path / "s").path, execution=Execution(threads=1))
    found = evaluate(model, open_dataset(tmp_path / "coco.json"), EvaluateOptions(rounds=20))
    assert [found.score(name).value for name in ("AP", "f1_50")] == pytest.approx([1, 1])  # type: ignore[union-attr]


def test_where_masks_are_measured_the_headline_is_that_by_which_training_chooses(tmp_path: Path) -> None:
    pixels = np.zeros((60, 60, 3), np.uint8)
    pixels[10:30, 5:25] = 255
    write_image(Image(pixels), tmp_path / "a.png")
    ring = [5, 10, 25, 10, 25, 30, 5, 30]
    row = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [5, 10, 20, 20], "segmentation": [ring], "area": 400}
    content = {"images": [{"id": 1, "file_name": "a.png"}], "annotations": [row]}
    (tmp_path / "coco.json").write_text(json.dumps({**content, "categories": [{"id": 1, "name": "white"}]}))
    model = load(squares(tmp_path / "s", rich=True).path, execution=Execution(threads=1))
    found = evaluate(model, open_dataset(tmp_path / "coco.json"), EvaluateOptions(rounds=20))
    assert [score.metric for score in found.scores[:4]] == ["mask_AP50", "mask_AP", "AP50", "AP"]
    assert (found.headline.metric, found.headline.value) == ("mask_AP50", pytest.approx(1))
    assert compare((model, model), found.dataset, EvaluateOptions(rounds=20)).headline.metric == "mask_AP50"
