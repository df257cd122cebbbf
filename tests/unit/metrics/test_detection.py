"""Average precision, held against pycocotools on random things."""

from __future__ import annotations

import contextlib
import io
import tracemalloc
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from pixelwright.metrics.detection import BITS, Matched, Truth, box_areas, box_overlaps, mask_overlaps, match
from pixelwright.metrics.precision import statistic
from pixelwright.structures.masks import Masks, runs_to_text

SIDE = 240
LABELS = ("cell", "dot", "leaf")
NAMES = ("AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large")
RECALLS = ("AR1", "AR10", "AR100", "AR_small", "AR_medium", "AR_large")


@dataclass
class Scene:
    """What is there in a picture, and what was found."""

    there_xyxy: npt.NDArray[Any]
    there_ids: npt.NDArray[Any]
    crowd: npt.NDArray[np.bool_]
    ignore: npt.NDArray[np.bool_]
    found_xyxy: npt.NDArray[Any]
    found_ids: npt.NDArray[Any]
    scores: npt.NDArray[Any]


def _scene(generator: np.random.Generator) -> Scene:
    """Boxes of all sizes, some found well, some twice, some not at all, with scores that tie."""
    there = _boxes(generator, int(generator.integers(0, 9)))
    ids = generator.integers(0, 3, len(there))
    found = np.concatenate(
        [
            there + generator.integers(-5, 6, there.shape),
            there[::2] + generator.integers(-14, 15, there[::2].shape),
            _boxes(generator, int(generator.integers(0, 6))),
        ]
    )
    found[:, 2:] = np.maximum(found[:, 2:], found[:, :2] + 1)
    found_ids = np.concatenate([ids, ids[::2], generator.integers(0, 3, len(found) - len(ids) - len(ids[::2]))])
    wrong = generator.random(len(found)) < 0.1
    found_ids[wrong] = generator.integers(0, 3, wrong.sum())
    return Scene(
        there_xyxy=there.astype(np.float32),
        there_ids=ids,
        crowd=generator.random(len(there)) < 0.12,
        ignore=generator.random(len(there)) < 0.12,
        found_xyxy=np.clip(found, 0, SIDE).astype(np.float32) + np.array([0, 0, 1, 1], np.float32),
        found_ids=found_ids,
        scores=np.round(generator.random(len(found)), 1).astype(np.float32),
    )


def _boxes(generator: np.random.Generator, count: int) -> npt.NDArray[Any]:
    sides = generator.choice([8, 30, 60, 110, 150], (count, 2)) + generator.integers(0, 9, (count, 2))
    corners = generator.integers(0, SIDE - 160, (count, 2))
    return np.concatenate([corners, corners + sides], axis=1)


def _disks(boxes_xyxy: npt.NDArray[Any]) -> Masks:
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    masks = []
    for left, top, right, bottom in boxes_xyxy:
        across, down = (2 * x - left - right) / (right - left), (2 * y - top - bottom) / (bottom - top)
        masks.append(across**2 + down**2 <= 1)
    return Masks.of(masks, (SIDE, SIDE))


def _matched(scene: Scene, *, masks: bool = False) -> Matched:
    if masks:
        found, there = _disks(scene.found_xyxy), _disks(scene.there_xyxy)
        overlaps, found_areas, areas = mask_overlaps(found, there, scene.crowd), found.areas, there.areas
    else:
        overlaps = box_overlaps(scene.found_xyxy, scene.there_xyxy, scene.crowd)
        found_areas, areas = box_areas(scene.found_xyxy), box_areas(scene.there_xyxy)
    counted = ~(scene.crowd | scene.ignore)
    return match(
        overlaps, scene.scores, scene.found_ids, found_areas, Truth(scene.there_ids, areas, scene.crowd, counted)
    )


def _reference(scenes: list[Scene], kind: str, most: int = 100) -> COCOeval:
    """What pycocotools says; what is to be ignored is given an area out of every range there."""
    annotations, results = [], []
    for number, scene in enumerate(scenes, 1):
        shapes = zip(scene.there_xyxy, _disks(scene.there_xyxy), scene.there_ids, strict=True)
        for place, (box, mask, one) in enumerate(shapes):
            area = mask.sum() if kind == "segm" else np.prod((box[2:] - box[:2]).astype(float))
            crowd, ignore = bool(scene.crowd[place]), bool(scene.ignore[place])
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": int(one) + 1,
                    "iscrowd": int(crowd),
                    "area": 1e11 if ignore and not crowd else float(area),
                    "bbox": [*map(float, box[:2]), *map(float, box[2:] - box[:2])],
                    "segmentation": _rle(mask),
                }
            )
        for box, mask, one, score in zip(
            scene.found_xyxy, _disks(scene.found_xyxy), scene.found_ids, scene.scores, strict=True
        ):
            result = {"image_id": number, "category_id": int(one) + 1, "score": float(score)}
            if kind == "segm":
                result["segmentation"] = _rle(mask)
            else:
                result["bbox"] = [*map(float, box[:2]), *map(float, box[2:] - box[:2])]
            results.append(result)
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {
            "images": [{"id": number, "height": SIDE, "width": SIDE} for number in range(1, len(scenes) + 1)],
            "categories": [{"id": place + 1, "name": name} for place, name in enumerate(LABELS)],
            "annotations": annotations,
        }
        coco.createIndex()
        made = COCOeval(coco, coco.loadRes(results), kind)
        made.params.maxDets = [1, 10, most]
        made.evaluate()
        made.accumulate()
        if most == 100:  # its summary knows no other number
            made.summarize()
    return made


def _rle(mask: npt.NDArray[np.bool_]) -> dict[str, Any]:
    return {"size": [SIDE, SIDE], "counts": runs_to_text(Masks.of([mask], (SIDE, SIDE)).runs[0])}


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("kind", ["bbox", "segm"])
def test_average_precision_and_recall_are_those_of_pycocotools(kind: str, seed: int) -> None:
    generator = np.random.default_rng(seed)
    scenes = [_scene(generator) for _ in range(12)]
    expected = _reference(scenes, kind)
    values = statistic([_matched(scene, masks=kind == "segm") for scene in scenes], LABELS)(np.arange(len(scenes)))
    found = [values[name] for name in (*NAMES, *RECALLS)]
    assert [values["AP_1000"], values["AP50_1000"]] == [values["AP"], values["AP50"]]
    np.testing.assert_allclose(np.nan_to_num(found, nan=-1), expected.stats, atol=1e-6)
    for place, label in enumerate(LABELS):
        precision = expected.eval["precision"][:, :, place, 0, 2]
        by_class = -1.0 if (precision == -1).all() else precision.mean()
        assert np.nan_to_num(values[f"AP/{label}"], nan=-1) == pytest.approx(by_class, abs=1e-6)


def test_a_hundred_of_a_class_count_in_a_picture_and_no_more() -> None:
    generator = np.random.default_rng(3)
    there = np.array([[x, y, x + 9, y + 9] for x in range(0, 230, 10) for y in range(0, 60, 10)], np.float32)
    scene = Scene(
        there_xyxy=there,
        there_ids=np.zeros(len(there), int),
        crowd=np.zeros(len(there), bool),
        ignore=np.zeros(len(there), bool),
        found_xyxy=there + generator.integers(-1, 2, there.shape),
        found_ids=np.zeros(len(there), int),
        scores=generator.random(len(there)).astype(np.float32),
    )
    values = statistic([_matched(scene)], LABELS)(np.arange(1))
    np.testing.assert_allclose([values[name] for name in ("AP", "AR100")], _reference([scene], "bbox").stats[[0, 8]])
    assert values["AP50"] == pytest.approx(100 / len(there), abs=0.02)
    crowds = _reference([scene], "bbox", most=1000).eval["precision"][:, :, 0, 0, 2].mean(axis=1)
    np.testing.assert_allclose([values["AP_1000"], values["AP50_1000"]], [crowds.mean(), crowds[0]], atol=1e-6)
    assert values["AP50_1000"] > 0.95


def test_a_picture_drawn_twice_counts_like_two_pictures() -> None:
    generator = np.random.default_rng(5)
    scenes = [_scene(generator) for _ in range(6)]
    for scene in scenes:  # ties between pictures fall out differently, as copies then stand beside each other
        scene.scores = generator.random(len(scene.scores)).astype(np.float32)
    once = statistic([_matched(scene) for scene in scenes], LABELS)(np.array([0, 1, 1, 3, 3, 3]))
    copies = statistic([_matched(scenes[place]) for place in (0, 1, 1, 3, 3, 3)], LABELS)(np.arange(6))
    # Copies are one step of the curve here and several there, of which only the last is the best at its recall.
    assert [once[name] for name in ("AP", "AR100")] == pytest.approx([copies["AP"], copies["AR100"]], abs=1e-12)


def test_without_a_thing_to_find_there_is_no_value() -> None:
    nothing = np.zeros((0, 4), np.float32)
    scene = Scene(
        nothing, np.zeros(0, int), np.zeros(0, bool), np.zeros(0, bool), nothing, np.zeros(0, int), np.zeros(0)
    )
    values = statistic([_matched(scene)], LABELS)(np.arange(1))
    assert np.isnan([values["AP"], values["AR100"], values["AP/dot"]]).all()


def test_what_is_found_where_nothing_is_makes_precision_fall() -> None:
    there = np.array([[10, 10, 50, 50]], np.float32)
    found = np.array([[100, 100, 140, 140], [10, 10, 50, 50]], np.float32)
    scene = Scene(
        there, np.zeros(1, int), np.zeros(1, bool), np.zeros(1, bool), found, np.zeros(2, int), np.array([0.9, 0.8])
    )
    # The right box stands second: precision 1/2 at every recall.
    assert statistic([_matched(scene)], LABELS)(np.arange(1))["AP"] == pytest.approx(0.5)


def test_the_match_at_half_overlap_says_what_was_missed_and_how_well_the_rest_fits() -> None:
    there = np.array([[0, 0, 10, 10], [50, 50, 60, 60]], np.float32)
    found = np.array([[0, 0, 10, 8]], np.float32)
    crowd = np.zeros(2, bool)
    truth = Truth(np.zeros(2, int), box_areas(there), crowd, ~crowd)
    made = match(box_overlaps(found, there, crowd), np.array([0.7]), np.zeros(1, int), box_areas(found), truth)
    assert (made.mates.tolist(), made.missed().tolist()) == ([0], [False, True])
    assert made.missed(np.zeros(1, bool)).tolist() == [True, True]  # where it does not reach the threshold
    assert made.overlaps.tolist() == pytest.approx([0.8])
    assert [bool(made.hits[0, 0] & bit) for bit in BITS] == [True] * 7 + [False] * 3  # 0.5 to 0.8


def test_a_right_answer_stands_for_the_thing_of_its_class_though_it_covers_another_better() -> None:
    there = np.array([[0, 0, 10, 12], [0, 0, 10, 10], [0, 0, 10, 12]], np.float32)
    found = there[:1]
    crowd = np.array([False, False, True])
    truth = Truth(np.array([1, 0, 0]), box_areas(there), crowd, ~crowd)
    made = match(box_overlaps(found, there, crowd), np.array([0.7]), np.zeros(1, int), box_areas(found), truth)
    assert (made.mates.tolist(), made.missed().tolist()) == ([1], [True, False, False])


def test_of_large_masks_only_what_is_in_them_is_kept() -> None:
    side, count = 1000, 30
    masks = []
    for number in range(count):
        mask = np.zeros((side, side), bool)
        mask[10 * number : 10 * number + 5, :5] = True
        masks.append(mask)
    coded = Masks.of(masks, (side, side))
    del masks
    tracemalloc.start()
    try:
        overlaps = mask_overlaps(coded, coded, np.zeros(count, bool))
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert overlaps.tolist() == np.eye(count).tolist()
    assert peak_bytes < 10 * side * side  # a few masks at a time, not all sixty
