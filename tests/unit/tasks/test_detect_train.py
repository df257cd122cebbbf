"""What detectors are trained on: frames, crops, and the truth scaled and cut along."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage

from pixelwright import registry
from pixelwright.contract import Example, LossOptions
from pixelwright.data.dataset import Dataset, Kind, Sample
from pixelwright.errors import DataError, ShapeError, TrainingError, UsageError
from pixelwright.models.architecture import Problem
from pixelwright.structures.image import Image
from pixelwright.structures.masks import Masks
from pixelwright.structures.spec import InputSpec, Resize
from pixelwright.structures.targets import Annotations, Classes
from pixelwright.tasks.detect.train import TRAINING, collate, encode, input_contract
from pixelwright.verbs.train import read_config
from pixelwright.verbs.train.planning.decide import open_splits, plan_of

PLAIN = InputSpec()
BOXES = Problem("detect", ("a", "b"), 3, (32, 32))
MASKS = Problem("detect", ("a",), 3, (16, 16), fixed=False, masks=True)


def image(height: int, width: int) -> Image:
    """Each pixel says where it is: row in red, column in green."""
    rows, columns = np.mgrid[:height, :width]
    return Image(np.stack((rows, columns, rows * 0), axis=2).astype(np.uint8))


def things(*boxes: tuple[float, ...], **columns: Any) -> Annotations:
    return Annotations(np.array(boxes, np.float32).reshape(-1, 4), np.zeros(len(boxes), np.int32), **columns)


def of_masks(*masks: np.ndarray) -> Annotations:
    places = [np.nonzero(one) for one in masks]
    boxes = [(x.min(), y.min(), x.max() + 1, y.max() + 1) for y, x in places]
    return things(*boxes, masks=Masks.of(masks, masks[0].shape))


def dataset(kind: Kind, *truths: Annotations) -> Dataset:
    samples = tuple(Sample(str(place), None, lambda one=one: one) for place, one in enumerate(truths))  # type: ignore
    return Dataset(Path("data"), "voc", kind, ("a",), samples)


def test_one_truth_that_cannot_be_read_ends_nothing() -> None:
    def unreadable() -> Annotations:
        raise DataError("1.xml: made for a picture of 36x48, which has 48x36.")

    whole = dataset("boxes", things((0, 0, 32, 32)))
    bad = Sample("1", None, unreadable)  # type: ignore
    assert input_contract(whole.only((bad, *whole.samples)), [(480, 640)], 3) == input_contract(whole, [(480, 640)], 3)


def test_the_task_is_registered() -> None:
    assert registry.get("training", "detect") is TRAINING
    assert all("detect" in registry.get("architecture", name).tasks for name in TRAINING.architectures)


def test_pictures_are_scaled_down_until_small_things_are_just_large_enough() -> None:
    boxes = [(0, 0, 60, 32 + row / 100) for row in range(100)]  # a twentieth of them below 32.05
    spec = input_contract(dataset("boxes", things(*boxes)), [(480, 640)] * 9, 3)
    assert spec.resize is not None and spec.resize.rule == "letterbox"
    assert spec.resize.size_hw == (256, 320)  # half, 240 rows, in steps of 32
    assert spec.channels == "rgb"


def test_pictures_that_lie_and_stand_get_a_square() -> None:
    spec = input_contract(dataset("boxes", things((0, 0, 32, 32))), [(480, 640), (640, 480)], 1)
    assert spec.resize is not None and spec.resize.size_hw == (320, 320)
    assert spec.channels == "gray"


def test_small_pictures_are_not_enlarged() -> None:
    spec = input_contract(dataset("boxes", things((0, 0, 4, 4))), [(90, 100)], 3)
    assert spec.resize is not None and spec.resize.size_hw == (96, 128)


def test_pictures_without_things_keep_their_detail_within_bounds() -> None:
    spec = input_contract(dataset("boxes", things()), [(3000, 4000)], 3)
    assert spec.resize is not None and spec.resize.size_hw == (576, 768)


def test_pictures_of_things_with_masks_keep_their_size() -> None:
    assert input_contract(dataset("instances"), [(256, 256), (1024, 1024)], 3).resize is None


def test_boxes_follow_their_picture_into_its_frame() -> None:
    spec = InputSpec(resize=Resize(rule="letterbox", size_hw=(32, 32), fill=114))
    example = encode(image(24, 64), things((8, 4, 40, 20)), BOXES, spec)
    assert example.pixels.shape == (32, 32, 3) and example.pixels.dtype == np.uint8
    assert example.target["boxes"].tolist() == [[4, 12, 20, 20]]  # half the size, below ten rows of filling
    assert (example.pixels[:10] == 114).all()


def test_crowds_and_what_evaluation_ignores_are_not_learned() -> None:
    flags = np.array([[True, False, False], [False, True, False]])
    truth = things((0, 0, 4, 4), (4, 4, 8, 8), (8, 8, 12, 12), crowd=flags[0], ignore=flags[1])
    assert encode(image(16, 16), truth, BOXES, PLAIN).target["ignored"].tolist() == [True, True, False]


def test_masks_are_painted_the_small_above_the_large() -> None:
    large, small = np.zeros((2, 16, 16), bool)
    large[2:14, 2:14] = small[5:9, 6:8] = True
    painted = encode(image(16, 16), of_masks(small, large), MASKS, PLAIN).target["instances"]
    assert np.array_equal(painted, np.where(small, 1, np.where(large, 2, 0)))


def test_masks_follow_their_picture_into_its_frame() -> None:
    mask = np.zeros((32, 64), bool)
    mask[8:16, 20:40] = True
    spec = InputSpec(resize=Resize(rule="letterbox", size_hw=(32, 32)))
    example = encode(image(32, 64), of_masks(mask), MASKS, spec)
    rows, columns = np.nonzero(example.target["instances"])
    assert (rows.min(), rows.max() + 1, columns.min(), columns.max() + 1) == (12, 16, 10, 20)
    assert example.target["boxes"].tolist() == [[10, 12, 20, 16]]


def test_what_are_no_things_is_refused() -> None:
    with pytest.raises(ShapeError, match="got Classes"):
        encode(image(8, 8), Classes((0,)), BOXES, PLAIN)
    with pytest.raises(ShapeError, match="boxes alone"):
        encode(image(8, 8), things((0, 0, 4, 4)), MASKS, PLAIN)


def cut(example: Example, problem: Problem, seed: int = 0) -> Any:
    return collate([example], np.random.default_rng(seed), problem)


def test_a_picture_of_the_right_size_is_not_cut() -> None:
    example = encode(image(32, 32), things((8, 4, 30, 20), (0, 0, 32, 32)), BOXES, PLAIN)
    made = cut(example, BOXES)
    assert np.allclose(made.images[0].permute(1, 2, 0).numpy() * 255, example.pixels)
    assert made.boxes_xyxy[0].tolist() == [[8, 4, 30, 20], [0, 0, 32, 32]]
    assert made.box_ignored[0].tolist() == [False, False]


@pytest.mark.parametrize("seed", range(8))
def test_the_truth_is_cut_with_the_picture(seed: int) -> None:
    masks = np.zeros((3, 40, 50), bool)
    masks[0, 2:10, 3:9], masks[1, 20:33, 18:30], masks[2, 35:40, 40:50] = True, True, True
    made = cut(encode(image(40, 50), of_masks(*masks), MASKS, PLAIN), MASKS, seed)
    top, left = np.rint(made.images[0, :2, 0, 0].numpy() * 255).astype(int)
    ids = made.instances[0].numpy()
    seen = [mask[top : top + 16, left : left + 16] for mask in masks]
    seen = [mask for mask in seen if mask.any()]
    assert len(made.boxes_xyxy[0]) == len(made.box_classes[0]) == len(made.box_ignored[0]) == len(seen)
    for row, (mask, box) in enumerate(zip(seen, made.boxes_xyxy[0].tolist(), strict=True)):
        y, x = np.nonzero(mask)
        assert np.array_equal(ids == row + 1, mask)
        assert box == [x.min(), y.min(), x.max() + 1, y.max() + 1]


def test_nothing_is_learned_at_a_sliver_of_a_box() -> None:
    problem = Problem("detect", ("a",), 3, (16, 15))
    example = encode(image(16, 20), things((14, 0, 20, 16)), problem, PLAIN)
    flags = {}
    for seed in range(40):
        made = cut(example, problem, seed)
        flags[float(made.boxes_xyxy[0][0, 2] - made.boxes_xyxy[0][0, 0])] = bool(made.box_ignored[0][0])
    assert flags == {1: True, 2: False, 3: False, 4: False, 5: False, 6: False}


def test_a_box_without_area_is_no_thing_to_learn() -> None:
    example = encode(image(32, 32), things((8, 4, 9, 20), (0, 0, 32, 32)), BOXES, PLAIN)
    example.target["boxes"][0, 2] = 8  # as rounding may leave it
    made = cut(example, BOXES)
    assert made.boxes_xyxy[0].tolist() == [[0, 0, 32, 32]]


def test_a_small_picture_goes_on_by_its_edge_and_so_do_its_things() -> None:
    mask = np.zeros((8, 10), bool)
    mask[2:, 3:7] = True
    made = cut(encode(image(8, 10), of_masks(mask), MASKS, PLAIN), MASKS)
    assert made.images.shape == (1, 3, 16, 16)
    assert (made.images[0, :, 8:, :10] == made.images[0, :, 7:8, :10]).all()
    assert (made.instances[0, 2:, 3:7] == 1).all() and made.instances[0].sum() == 14 * 4


def test_half_of_the_crops_are_laid_on_a_thing() -> None:
    mask = np.zeros((400, 400), bool)
    mask[300:306, 20:26] = True
    example = encode(image(400, 400), of_masks(mask), MASKS, PLAIN)
    hits = sum(len(cut(example, MASKS, seed).box_classes[0]) for seed in range(100))
    assert 35 <= hits <= 65


def test_there_is_no_loss_but_that_of_the_network() -> None:
    with pytest.raises(TrainingError, match="Leave out --loss"):
        TRAINING.loss({}, cut(encode(image(8, 8), things(), BOXES, PLAIN), BOXES), BOXES, LossOptions())


def planned(tmp_path: Path, kind: str, **changes: Any) -> Any:
    """The plan for two pictures a part, with boxes or with masks of things."""
    for place, part in enumerate(("train", "train", "val", "val")):
        folder = tmp_path / "data" / part
        for name in ("images", "labels") if kind == "instances" else ("",):
            (folder / name).mkdir(parents=True, exist_ok=True)
        pixels, ids = np.full((64, 64, 3), place, np.uint8), np.zeros((64, 64), np.uint8)
        ids[8:30, 8:30], ids[30:50, 8:30] = 1, 2
        if kind == "instances":
            PillowImage.fromarray(pixels).save(folder / "images" / f"{place}.png")
            PillowImage.fromarray(ids).save(folder / "labels" / f"{place}.png")
            continue
        PillowImage.fromarray(pixels).save(folder / f"{place}.png")
        box = "<bndbox><xmin>9</xmin><ymin>9</ymin><xmax>30</xmax><ymax>30</ymax></bndbox>"
        text = f"<annotation><filename>{place}.png</filename><object><name>a</name>{box}</object></annotation>"
        (folder / f"{place}.xml").write_text(text, encoding="utf-8")
    named = {"data.path": str(tmp_path / "data"), "data.calibration": 0.0, "budget.epochs": 1}
    config = read_config("detect", None, {**named, **changes})
    return plan_of(config, open_splits("detect", config.data, 0))


def test_boxes_are_learned_by_a_detector_that_box_ap_chooses(tmp_path: Path) -> None:
    plan = planned(tmp_path, "boxes")
    assert plan.architecture == "onestage" and plan.config.goal == "AP50"
    assert plan.spec.input.resize is not None and plan.spec.input.multiple_of == 32


def test_masks_are_learned_by_polygons_that_mask_ap_chooses(tmp_path: Path) -> None:
    plan = planned(tmp_path, "instances")
    assert plan.architecture == "starconvex" and plan.config.goal == "mask_AP50"
    assert plan.spec.input.resize is None and plan.spec.output.decoder == "star-polygons"


@pytest.mark.parametrize("goal", ["DSB_AP", "PQ", "mask_AP50_1000"])
def test_the_goal_may_be_any_metric_of_masks_where_there_are_masks(tmp_path: Path, goal: str) -> None:
    assert planned(tmp_path / "masks", "instances", goal=goal).config.goal == goal
    with pytest.raises(UsageError, match=f"--goal {goal}: is not measured on these data"):
        planned(tmp_path / "boxes", "boxes", goal=goal)


def test_class_weights_that_a_detector_would_not_heed_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--class-weights: detect has no classes to be balanced"):
        planned(tmp_path, "boxes", **{"loss.class_weights": "balanced"})
