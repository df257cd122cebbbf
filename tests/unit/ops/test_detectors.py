"""Decoders of detectors compute what their papers say: values by hand, or by loops without any vector."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, get_type_hints

import msgspec
import numpy as np
import pytest

from pixelwright import registry
from pixelwright.errors import RuntimeFailure, ShapeError
from pixelwright.ops.decoders.box_rows import box_rows
from pixelwright.ops.decoders.boxes import boxes
from pixelwright.ops.decoders.centernet import centernet
from pixelwright.ops.decoders.decoder import Candidates
from pixelwright.ops.decoders.detr import detr
from pixelwright.ops.decoders.fastestdet import fastestdet
from pixelwright.ops.decoders.heatmap import heatmap
from pixelwright.ops.decoders.keypoints import keypoints
from pixelwright.ops.decoders.picodet import picodet
from pixelwright.ops.decoders.proposals import pick
from pixelwright.ops.decoders.scores import scores
from pixelwright.ops.decoders.ssd import ssd
from pixelwright.ops.decoders.tensors import tensors
from pixelwright.ops.decoders.yolo_anchor_free import yolo_anchor_free
from pixelwright.structures.spec import TensorSpec

INPUT_HW = (100, 200)


def floats(values: Any) -> np.ndarray:
    return np.array(values, np.float32)


def logistic(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def near(values: Any) -> Any:
    return pytest.approx(values, rel=1e-4, abs=1e-4)


# scores, tensors


def test_scores_leave_the_background_out() -> None:
    made = scores({"y": floats([[0.5, 0.2, 0.3]])}, output="y", background=1)
    assert made[0].tolist() == near([0.2, 0.3])


def test_scores_that_are_logits_are_refused() -> None:
    with pytest.raises(RuntimeFailure, match=r"expected scores between 0 and 1, got -2 to 5"):
        scores({"y": floats([[5, -2]])}, output="y")


def test_tensors_are_handed_on_as_they_are() -> None:
    outputs = {"a": np.zeros(3), "b": np.ones((2, 2))}
    assert tensors(outputs) is outputs


# picking


def test_a_box_stands_for_its_best_class_or_for_all() -> None:
    table = floats([[0.1, 0.2], [0.9, 0.6], [0.5, 0.7]])
    rows, ids, best = pick(table, 0.5)
    assert (rows.tolist(), ids.tolist(), best.tolist()) == ([1, 2], [0, 1], near([0.9, 0.7]))
    rows, ids, best = pick(table, 0.5, "all")
    assert (rows.tolist(), ids.tolist(), best.tolist()) == ([1, 1, 2, 2], [0, 1, 0, 1], near([0.9, 0.6, 0.5, 0.7]))


# boxes


@pytest.mark.parametrize(
    ("order", "row"),
    [("xyxy", [10, 20, 30, 60]), ("yxyx", [20, 10, 60, 30]), ("cxcywh", [20, 40, 20, 40]), ("xywh", [10, 20, 20, 40])],
)
def test_boxes_in_any_order_are_the_same_box(order: Any, row: list[float]) -> None:
    outputs = {"b": floats([[row]]), "s": floats([[[0.8]]])}
    (found,) = boxes(outputs, boxes="b", scores="s", input_hw=INPUT_HW, unit="pixels", format=order)
    assert found.boxes_xyxy.tolist() == [[10, 20, 30, 60]]


def test_relative_boxes_are_scaled_and_the_background_is_no_class() -> None:
    outputs = {"b": floats([[[0.1, 0.2, 0.5, 0.6], [0, 0, 1, 1]]]), "s": floats([[[0.1, 0.2, 0.7], [0.9, 0.05, 0.05]]])}
    (found,) = boxes(outputs, boxes="b", scores="s", input_hw=INPUT_HW, background=1, threshold=0.5)
    assert found.boxes_xyxy.tolist() == [near([20, 20, 100, 60])]
    assert found.class_ids.tolist() == [1] and found.scores.tolist() == near([0.7])


def test_logits_of_boxes_are_activated() -> None:
    outputs = {"b": np.zeros((1, 1, 4)), "s": floats([[[0, math.log(3)]]])}
    kinds: dict[Any, list[float]] = {"sigmoid": [0.5, 0.75], "softmax": [0.25, 0.75]}
    for activation, expected in kinds.items():
        (found,) = boxes(
            outputs, boxes="b", scores="s", input_hw=INPUT_HW, activation=activation, per_box="all"
        )  # fmt: skip
        assert found.scores.tolist() == near(expected)


# box-rows


def test_rows_of_an_end_to_end_network() -> None:
    table = floats([[[10, 20, 30, 40, 0.9, 2], [0, 0, 5, 5, 0.1, 1], [0, 0, 0, 0, 0, -1]]])
    (found,) = box_rows({"y": table}, output="y", input_hw=INPUT_HW, threshold=0.25)
    assert found.boxes_xyxy.tolist() == [[10, 20, 30, 40]]
    assert (found.class_ids.tolist(), found.scores.tolist()) == ([2], near([0.9]))


def test_columns_of_rows_may_stand_in_another_order() -> None:
    table = floats([[[7, 1, 0.9, 0.1, 0.2, 0.3, 0.4]]])
    columns = ("unused", "class", "score", "left", "top", "right", "bottom")
    (found,) = box_rows({"y": table}, output="y", input_hw=INPUT_HW, columns=columns, unit="relative", background=1)
    assert found.boxes_xyxy.tolist() == [near([20, 20, 60, 40])] and found.class_ids.tolist() == [0]


def test_empty_rows_may_hold_anything() -> None:
    table = floats([[[10, 20, 30, 40, 0.9, 2], [-1, -1, -1, -1, -1, -1]]])
    (found,) = box_rows({"y": table}, output="y", input_hw=INPUT_HW)
    assert found.boxes_xyxy.tolist() == [[10, 20, 30, 40]] and found.class_ids.tolist() == [2]
    with pytest.raises(RuntimeFailure, match="expected scores between 0 and 1, got -1"):
        box_rows({"y": floats([[[0, 0, 1, 1, -1, 0]]])}, output="y", input_hw=INPUT_HW)


@pytest.mark.parametrize("value", [0.5, 1000.5, 3e9])
def test_classes_that_are_no_whole_numbers_are_refused(value: float) -> None:
    with pytest.raises(RuntimeFailure, match="no whole numbers"):
        box_rows({"y": floats([[[0, 0, 1, 1, 0.5, value]]])}, output="y", input_hw=INPUT_HW)


# ssd


def priors_by_hand(input_hw: tuple[int, int], strides: list[int], sizes: list[list[float]], ceil: bool) -> list[Any]:
    found = []
    for stride, sides in zip(strides, sizes, strict=True):
        rows, columns = math.ceil(input_hw[0] / stride), math.ceil(input_hw[1] / stride)
        for row in range(rows):
            for column in range(columns):
                x = (column + 0.5) / columns * input_hw[1] if ceil else (column + 0.5) * stride
                y = (row + 0.5) / rows * input_hw[0] if ceil else (row + 0.5) * stride
                found += [(x, y, side, side) for side in sides]
    return found


@pytest.mark.parametrize("centers", ["exact", "ceil"])
def test_ssd_shifts_its_priors(centers: Any) -> None:
    strides, sizes = [32, 64], [[10.0, 20.0], [50.0]]
    priors = priors_by_hand(INPUT_HW, strides, sizes, centers == "ceil")
    random = np.random.default_rng(4)
    offsets, chances = random.normal(size=(len(priors), 4)), random.uniform(size=(len(priors), 2))
    outputs = {"b": floats(offsets)[None], "s": floats(np.stack((1 - chances[:, 0], chances[:, 0]), axis=1))[None]}
    (found,) = ssd(
        outputs,
        boxes="b",
        scores="s",
        strides=strides,  # type: ignore[arg-type]
        sizes=sizes,  # type: ignore[arg-type]
        input_hw=INPUT_HW,
        centers=centers,
    )
    for (x, y, wide, high), (tx, ty, tw, th), made in zip(priors, offsets, found.boxes_xyxy, strict=True):
        cx, cy = x + 0.1 * tx * wide, y + 0.1 * ty * high
        w, h = wide * math.exp(0.2 * tw), high * math.exp(0.2 * th)
        assert made.tolist() == near([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2])


def one_prior(**parameters: Any) -> list[list[float]]:
    """Boxes of an SSD that shifts nothing: its priors."""
    sizes = parameters.pop("sizes")
    count = len(sizes[0]) * len(parameters.get("ratios", [[1]])[0])
    outputs = {"b": np.zeros((1, count, 4)), "s": np.ones((1, count, 2))}
    (found,) = ssd(outputs, boxes="b", scores="s", strides=(64,), sizes=sizes, input_hw=(64, 64), **parameters)
    return found.boxes_xyxy.tolist()


def test_priors_of_ssd_have_ratios_at_equal_area() -> None:
    made = one_prior(sizes=[[20]], ratios=[[1, 4, 0.25]])
    assert made == [near([22, 22, 42, 42]), near([12, 27, 52, 37]), near([27, 12, 37, 52])]


def test_priors_of_ssd_may_be_given_as_width_and_height() -> None:
    assert one_prior(sizes=[[[20, 10], 30]]) == [near([22, 27, 42, 37]), near([17, 17, 47, 47])]


def test_priors_of_ssd_are_cut_to_the_input_where_asked() -> None:
    assert one_prior(sizes=[[100]], clip=True) == [near([0, 0, 64, 64])]
    assert one_prior(sizes=[[100]]) == [near([-18, -18, 82, 82])]


def test_offsets_of_ssd_may_begin_with_y() -> None:
    outputs = {"b": floats([[[10, 0, 0, 0]]]), "s": np.ones((1, 1, 2))}
    (found,) = ssd(
        outputs, boxes="b", scores="s", strides=(64,), sizes=((20,),), input_hw=(64, 64), order="yxhw"
    )  # fmt: skip
    assert found.boxes_xyxy.tolist() == [near([22, 42, 42, 62])]


def test_another_number_of_priors_is_refused_before_any_is_made() -> None:
    outputs = {"b": np.zeros((1, 7, 4)), "s": np.zeros((1, 7, 2))}
    with pytest.raises(ShapeError, match=r"7 boxes, but an input of 60000x60000 has 3600000000 priors"):
        ssd(outputs, boxes="b", scores="s", strides=(1,), sizes=((20,),), input_hw=(60_000, 60_000))


# yolo


def yolo(table: Any, **parameters: Any) -> Candidates:
    outputs = {"y": floats(table)[None], **parameters.pop("more", {})}
    (found,) = yolo_anchor_free(outputs, output="y", input_hw=INPUT_HW, **parameters)
    return found


def test_yolo_with_values_as_channels() -> None:
    found = yolo([[20, 50], [40, 50], [20, 10], [40, 10], [0.9, 0.1], [0.2, 0.15]], threshold=0.25)
    assert found.boxes_xyxy.tolist() == [[10, 20, 30, 60]]
    assert (found.class_ids.tolist(), found.scores.tolist()) == ([0], near([0.9]))


def test_yolo_with_rows_and_objectness() -> None:
    found = yolo([[20, 40, 20, 40, 0.5, 0.2, 0.8]], layout="rows", objectness=True)
    assert (found.class_ids.tolist(), found.scores.tolist()) == ([1], near([0.4]))


def test_yolox_grids_are_decoded_row_by_row() -> None:
    random = np.random.default_rng(6)
    strides, table = [32, 64], []
    expected = []
    for stride in strides:
        for row in range(math.ceil(INPUT_HW[0] / stride)):
            for column in range(math.ceil(INPUT_HW[1] / stride)):
                tx, ty, tw, th = random.normal(size=4)
                table.append([tx, ty, tw, th, 0.5, 0.5])
                x, y, w, h = (column + tx) * stride, (row + ty) * stride, math.exp(tw) * stride, math.exp(th) * stride
                expected.append([x - w / 2, y - h / 2, x + w / 2, y + h / 2])
    found = yolo(table, layout="rows", objectness=True, strides=strides)
    assert np.allclose(found.boxes_xyxy, expected, rtol=1e-4, atol=1e-3)


def test_yolo_masks_are_made_of_the_prototypes_of_the_rows_asked_for() -> None:
    prototypes = floats([[[1, 2], [3, 4]], [[10, 20], [30, 40]]])[None]
    table = [[20, 40, 20, 40, 0.5, 1, 0], [20, 40, 20, 40, 0.6, 2, -1], [20, 40, 20, 40, 0.1, 0, 1]]
    found = yolo(table, layout="rows", prototypes="p", more={"p": prototypes}, threshold=0.3)
    assert found.mask_logits is not None
    assert found.mask_logits(np.array([1])).tolist() == [[[-8, -16], [-24, -32]]]
    assert found.mask_logits(np.array([0, 1])).shape == (2, 2, 2)
    assert found.mask_logits(np.zeros(0, np.intp)).shape == (0, 2, 2)


def test_yolo_keypoints_stand_at_the_end() -> None:
    found = yolo([[20, 40, 20, 40, 0.5, 1, 2, 0.7, 3, 4, 0.9]], layout="rows", keypoints=2)
    assert found.keypoints is not None and found.keypoints[0].tolist() == [near([1, 2, 0.7]), near([3, 4, 0.9])]


def test_yolo_in_relative_units() -> None:
    found = yolo([[0.5, 0.5, 0.1, 0.2, 0.5, 0.25, 0.75, 1]], layout="rows", keypoints=1, unit="relative")
    assert found.boxes_xyxy.tolist() == [near([90, 40, 110, 60])]
    assert found.keypoints is not None and found.keypoints[0].tolist() == [near([50, 75, 1])]


def test_a_yolo_table_without_classes_is_refused() -> None:
    with pytest.raises(ShapeError, match="leave none for classes"):
        yolo([[1, 2, 3, 4]], layout="rows")


# fastestdet


def test_fastestdet_cells_are_decoded_as_its_formulas_say() -> None:
    output = np.zeros((1, 7, 2, 4), np.float32)  # two rows of four cells; two classes
    output[0, :, 1, 2] = [0.8, 0.3, -0.2, 0.5, -1.0, 0.1, 0.7]
    (found,) = fastestdet({"y": output}, output="y", input_hw=INPUT_HW, threshold=0.3)
    x, y = (2 + math.tanh(0.3)) / 4 * 200, (1 + math.tanh(-0.2)) / 2 * 100
    w, h = logistic(0.5) * 200, logistic(-1.0) * 100
    assert found.boxes_xyxy.tolist() == [near([x - w / 2, y - h / 2, x + w / 2, y + h / 2])]
    assert found.scores.tolist() == near([0.8**0.6 * 0.7**0.4]) and found.class_ids.tolist() == [1]


# centernet


def test_centernet_takes_peaks_alone() -> None:
    heat = np.zeros((1, 2, 5, 6), np.float32)
    heat[0, 0, 1, 2], heat[0, 0, 1, 3], heat[0, 1, 4, 5] = 0.9, 0.8, 0.6
    size, offset = np.zeros((1, 2, 5, 6), np.float32), np.zeros((1, 2, 5, 6), np.float32)
    size[0, :, 1, 2], offset[0, :, 1, 2] = (3, 2), (0.25, 0.5)
    size[0, :, 4, 5] = (1, 1)
    outputs = {"h": heat, "s": size, "o": offset}
    (found,) = centernet(outputs, heatmap="h", size="s", offset="o", stride=8, threshold=0.5)
    assert found.boxes_xyxy.tolist() == [[18 - 12, 12 - 8, 18 + 12, 12 + 8], [40 - 4, 32 - 4, 40 + 4, 32 + 4]]
    assert (found.class_ids.tolist(), found.scores.tolist()) == ([0, 1], near([0.9, 0.6]))


def test_centernet_without_offsets_takes_the_middle_of_cells_and_sizes_in_pixels() -> None:
    heat, size = np.full((1, 1, 1, 1), 2.0, np.float32), np.full((1, 2, 1, 1), 6, np.float32)
    (found,) = centernet(
        {"h": heat, "s": size}, heatmap="h", size="s", stride=4, size_unit="pixels", activation="sigmoid"
    )
    assert found.boxes_xyxy.tolist() == [[-1, -1, 5, 5]] and found.scores.tolist() == near([logistic(2)])


# picodet


def test_picodet_sides_are_the_means_of_their_distributions() -> None:
    outputs = {
        "s0": np.zeros((1, 2, 2)),
        "b0": np.zeros((1, 2, 12)),
        "s1": np.zeros((1, 1, 2)),
        "b1": np.zeros((1, 1, 12)),
    }
    outputs["s0"][0, 1] = [0.2, 0.9]
    logits = np.log([[1, 1, 2], [1, 2, 1], [4, 0.5, 0.5], [1, 1, 6]])  # means 1.25, 1, 0.3, 1.625
    outputs["b0"][0, 1] = logits.ravel()
    (found,) = picodet(
        outputs, scores=("s0", "s1"), boxes=("b0", "b1"), strides=(16, 32), input_hw=(16, 32), threshold=0.5
    )
    assert found.boxes_xyxy.tolist() == [near([24 - 20, 8 - 16, 24 + 4.8, 8 + 26])]
    assert found.class_ids.tolist() == [1]


def test_picodet_levels_that_do_not_fit_the_input_are_refused() -> None:
    outputs = {"s": np.zeros((1, 3, 2)), "b": np.zeros((1, 3, 12))}
    with pytest.raises(ShapeError, match="3 boxes, but an input of 32x16 has 2 cells of 16 pixels"):
        picodet(outputs, scores=("s",), boxes=("b",), strides=(16,), input_hw=(16, 32))
    with pytest.raises(ShapeError, match="1 scores, 1 boxes, 2 strides"):
        picodet(outputs, scores=("s",), boxes=("b",), strides=(16, 32), input_hw=(16, 32))


# detr


def test_detr_with_no_object_as_the_last_class() -> None:
    logits = np.log(floats([[[6, 1, 1], [1, 1, 8], [1, 4, 5]]]))
    outputs = {"l": logits, "b": floats([[[0.5, 0.5, 0.2, 0.4]] * 3])}
    (found,) = detr(outputs, logits="l", boxes="b", input_hw=INPUT_HW, threshold=0.3)
    assert found.scores.tolist() == near([0.75, 0.4]) and found.class_ids.tolist() == [0, 1]
    assert found.boxes_xyxy[0].tolist() == near([80, 30, 120, 70])


def test_a_query_of_a_sigmoid_detr_may_stand_for_several_classes() -> None:
    outputs = {"l": floats([[[3, 2, -5], [1, -5, -5]]]), "b": floats([[[0.5, 0.5, 0.2, 0.4], [0.1, 0.1, 0.2, 0.2]]])}
    (found,) = detr(outputs, logits="l", boxes="b", input_hw=INPUT_HW, activation="sigmoid")
    assert found.scores.tolist() == near([logistic(3), logistic(2)])  # as many as there are queries
    assert found.class_ids.tolist() == [0, 1] and np.array_equal(found.boxes_xyxy[0], found.boxes_xyxy[1])


# heatmap, keypoints


def test_a_keypoint_is_shifted_a_quarter_to_its_higher_neighbor() -> None:
    maps = np.zeros((1, 2, 5, 8), np.float32)
    maps[0, 0, 2, 3], maps[0, 0, 2, 4], maps[0, 0, 1, 3] = 0.9, 0.5, 0.4
    maps[0, 1, 0, 7], maps[0, 1, 0, 6] = 0.7, 0.3  # in a corner: not shifted
    (found,) = heatmap({"y": maps}, output="y", input_hw=(20, 32), centers="patches")
    assert found.keypoints is not None
    assert found.keypoints[0].tolist() == [near([(3.75) * 4, (2.25) * 4, 0.9]), near([7.5 * 4, 0.5 * 4, 0.7])]
    assert found.scores.tolist() == near([0.8]) and found.boxes_xyxy.tolist() == [near([15, 2, 30, 9])]


@pytest.mark.parametrize(("centers", "place"), [("pixels", 8.5), ("corners", 2 * 31 / 7 + 0.5), ("patches", 10)])
def test_cells_of_a_heatmap_stand_for_pixels_as_the_network_was_trained(centers: Any, place: float) -> None:
    maps = np.zeros((1, 1, 8, 8), np.float32)
    maps[0, 0, 2, 2] = 1
    (found,) = heatmap({"y": maps}, output="y", input_hw=(32, 32), centers=centers)
    assert found.keypoints is not None and found.keypoints[0].tolist() == [near([place, place, 1])]


def test_joints_of_a_heatmap_are_where_the_paper_had_them() -> None:
    # Its targets: a bell around the cell nearest to a quarter of the joint, whose pixels are counted at their centers.
    places, random = np.arange(64), np.random.default_rng(0)
    errors = []
    for x, y in random.uniform(20, 236, (400, 2)):
        column, row = int(x / 4 + 0.5), int(y / 4 + 0.5)
        bell = np.exp(-((places[None] - column) ** 2 + (places[:, None] - row) ** 2) / 8)
        (found,) = heatmap({"y": floats(bell)[None, None]}, output="y", input_hw=(256, 256))
        assert found.keypoints is not None
        errors.append(found.keypoints[0, 0, :2] - (x + 0.5, y + 0.5))
    assert np.abs(np.mean(errors, axis=0)).max() < 0.2  # rounded to whole cells, but to no side


def test_a_flat_map_gives_no_thing() -> None:
    (found,) = heatmap({"y": np.zeros((1, 3, 4, 4))}, output="y", input_hw=(16, 16))
    assert len(found.scores) == 0 and found.keypoints is not None and found.keypoints.shape == (0, 3, 3)


def test_the_box_of_keypoints_holds_the_certain_ones() -> None:
    table = floats([[[[0.1, 0.2, 0.9], [0.5, 0.6, 0.6], [0.9, 0.9, 0.1]]]])
    (found,) = keypoints({"y": table}, output="y", input_hw=INPUT_HW, certain=0.3)
    assert found.boxes_xyxy.tolist() == [near([40, 10, 120, 50])]
    assert found.scores.tolist() == near([1.6 / 3])
    assert found.keypoints is not None and found.keypoints[0, 2].tolist() == near([180, 90, 0.1])


def test_keypoints_in_pixels_with_x_first() -> None:
    table = floats([[[[10, 20, 0.9], [50, 60, 0.6]]]])
    (found,) = keypoints({"y": table}, output="y", input_hw=INPUT_HW, order="xys", unit="pixels")
    assert found.boxes_xyxy.tolist() == [[10, 20, 50, 60]]


def test_things_without_a_certain_keypoint_are_left_out() -> None:
    table = np.zeros((1, 3, 2, 3), np.float32)
    table[0, 1] = [[0.5, 0.5, 0.9], [0.6, 0.6, 0.9]]
    (found,) = keypoints({"y": table}, output="y", input_hw=INPUT_HW)
    assert len(found.scores) == 1


# what all have in common

SOUND: dict[str, tuple[dict[str, np.ndarray], dict[str, Any]]] = {
    "scores": ({"y": np.full((2, 3), 0.3)}, {"output": "y"}),
    "boxes": ({"b": np.ones((2, 5, 4)), "s": np.full((2, 5, 3), 0.3)}, {"boxes": "b", "scores": "s"}),
    "box-rows": ({"y": np.ones((2, 5, 6))}, {"output": "y"}),
    "ssd": (
        {"b": np.ones((2, 4, 4)), "s": np.full((2, 4, 3), 0.3)},
        {"boxes": "b", "scores": "s", "strides": [64], "sizes": [[8]]},
    ),
    "yolo-anchor-free": (
        {"y": np.full((2, 12, 5), 0.3), "p": np.ones((2, 2, 4, 4))},
        {"output": "y", "prototypes": "p", "keypoints": 1},
    ),
    "fastestdet": ({"y": np.full((2, 8, 4, 4), 0.3)}, {"output": "y"}),
    "centernet": (
        {"h": np.full((2, 3, 4, 4), 0.3), "s": np.ones((2, 2, 4, 4)), "o": np.ones((2, 2, 4, 4))},
        {"heatmap": "h", "size": "s", "offset": "o", "stride": 32},
    ),
    "picodet": (
        {"s": np.full((2, 4, 3), 0.3), "b": np.ones((2, 4, 32))},
        {"scores": ["s"], "boxes": ["b"], "strides": [64]},
    ),
    "detr": ({"l": np.ones((2, 5, 3)), "b": np.ones((2, 5, 4))}, {"logits": "l", "boxes": "b"}),
    "heatmap": ({"y": np.full((2, 3, 4, 4), 0.3)}, {"output": "y"}),
    "keypoints": ({"y": np.full((2, 1, 3, 3), 0.3)}, {"output": "y"}),
    "star-polygons": (
        {"o": np.full((2, 1, 4, 4), 0.3), "r": np.full((2, 8, 4, 4), 0.3)},
        {"objects": "o", "rays": "r", "stride": 32},
    ),
}
DAMAGED = [(name, output) for name, (outputs, _) in SOUND.items() for output in outputs]


def run(name: str, outputs: dict[str, np.ndarray], threshold: float = 0.0) -> Any:
    return registry.get("decoder", name).run(outputs, SOUND[name][1], input_hw=(128, 128), threshold=threshold)


def test_every_decoder_of_detectors_is_among_these() -> None:
    makes = {name: registry.get("decoder", name).makes for name in registry.BUILTIN["decoder"]}
    assert {name for name, made in makes.items() if made == "candidates"} == set(SOUND) - {"scores"}


@pytest.mark.parametrize("name", SOUND)
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_every_image_of_a_batch_gets_its_answer(name: str, dtype: type) -> None:
    outputs = {output: values.astype(dtype) for output, values in SOUND[name][0].items()}
    made = run(name, outputs)
    assert len(made) == 2
    for one in made:
        if isinstance(one, Candidates):
            assert len(one.boxes_xyxy) == len(one.scores) == len(one.class_ids) > 0
            assert (one.boxes_xyxy.dtype, one.scores.dtype, one.class_ids.dtype) == (np.float32, np.float32, np.int32)


@pytest.mark.parametrize("name", sorted(set(SOUND) - {"scores"}))
def test_nothing_above_the_threshold_gives_no_candidates(name: str) -> None:
    for one in run(name, SOUND[name][0], threshold=1.01):
        assert one.boxes_xyxy.shape == (0, 4) and one.scores.shape == (0,) and one.class_ids.shape == (0,)


@pytest.mark.parametrize(
    ("name", "outputs"),
    [
        ("boxes", {"b": np.ones((1, 0, 4)), "s": np.ones((1, 0, 3))}),
        ("box-rows", {"y": np.ones((1, 0, 6))}),
        ("yolo-anchor-free", {"y": np.ones((1, 12, 0)), "p": np.ones((1, 2, 4, 4))}),
        ("detr", {"l": np.ones((1, 0, 3)), "b": np.ones((1, 0, 4))}),
        ("keypoints", {"y": np.ones((1, 0, 3, 3))}),
    ],
)
def test_a_network_that_proposes_nothing_finds_nothing(name: str, outputs: dict[str, np.ndarray]) -> None:
    (found,) = run(name, outputs)
    assert found.boxes_xyxy.shape == (0, 4)


def test_an_output_that_is_not_there_is_named() -> None:
    with pytest.raises(ShapeError, match="there is no output 'y'; there are 'a', 'b'"):
        scores({"b": np.ones((1, 2)), "a": np.ones((1, 2))}, output="y")


@pytest.mark.parametrize(("name", "output"), DAMAGED)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_is_refused(name: str, output: str, value: float) -> None:
    outputs = {key: values.copy() for key, values in SOUND[name][0].items()}
    outputs[output][1].flat[0] = value
    with pytest.raises(RuntimeFailure, match="not finite"):
        run(name, outputs)


@pytest.mark.parametrize("name", [name for name, (outputs, _) in SOUND.items() if len(outputs) > 1])
def test_outputs_for_different_numbers_of_images_are_refused(name: str) -> None:
    for output, values in SOUND[name][0].items():
        for changed in (values[:1], np.concatenate((values, values))):
            with pytest.raises(ShapeError):
                run(name, {**SOUND[name][0], output: changed})


@pytest.mark.parametrize(
    ("name", "output"), [(name, output) for name, output in DAMAGED if SOUND[name][0][output].ndim == 4]
)
def test_maps_of_no_size_are_refused(name: str, output: str) -> None:
    for axis in (0, 2, 3):
        shape = list(SOUND[name][0][output].shape)
        shape[axis] = 0
        with pytest.raises(ShapeError, match="got shape"):
            run(name, {**SOUND[name][0], output: np.zeros(shape)})
    with pytest.raises(ShapeError, match="got shape"):
        run("heatmap", {"y": np.zeros((1, 0, 4, 4))})


@pytest.mark.parametrize(("name", "output"), DAMAGED)
@pytest.mark.parametrize("value", [1e38, -1e38])
def test_numbers_beyond_all_measure_do_no_harm(name: str, output: str, value: float) -> None:
    outputs = {key: values.copy() for key, values in SOUND[name][0].items()}
    outputs[output][1].flat[::2] = value
    try:
        made = run(name, outputs)
    except RuntimeFailure:  # no probabilities
        return
    assert all(np.isfinite(one.boxes_xyxy).all() for one in made)


@pytest.mark.parametrize(("name", "output"), DAMAGED)
def test_another_number_of_dimensions_is_refused(name: str, output: str) -> None:
    outputs = {**SOUND[name][0], output: SOUND[name][0][output][..., None]}
    with pytest.raises(ShapeError, match=f"output '{output}': expected"):
        run(name, outputs)


HOSTILE: list[tuple[Callable[..., Any], str, Any]] = [
    (ssd, "strides", [0]),
    (ssd, "strides", [8] * 1000),
    (ssd, "sizes", [[1e9]]),
    (ssd, "sizes", [[[1, 2, 3]]]),
    (ssd, "variances", [0.1]),
    (ssd, "ratios", [[0]]),
    (yolo_anchor_free, "keypoints", 10**9),
    (yolo_anchor_free, "layout", "sideways"),
    (centernet, "stride", 10**9),
    (boxes, "background", -1),
    (boxes, "format", "xxyy"),
    (box_rows, "columns", ["left"]),
    (picodet, "boxes", ["a"] * 1000),
    (keypoints, "certain", 2),
]


@pytest.mark.parametrize(("decoder", "parameter", "value"), HOSTILE)
def test_parameters_out_of_range_are_refused(decoder: Callable[..., Any], parameter: str, value: Any) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(value, get_type_hints(decoder, include_extras=True)[parameter])


@pytest.mark.parametrize(
    ("name", "dims", "parameters", "count"),
    [
        ("boxes", {"s": ["n", 9, 21]}, {"scores": "s", "background": 1}, 20),
        ("ssd", {"s": ["n", 9, 21]}, {"scores": "s"}, 20),
        ("yolo-anchor-free", {"y": ["n", 116, 9], "p": ["n", 32, 5, 5]}, {"output": "y", "prototypes": "p"}, 80),
        ("yolo-anchor-free", {"y": ["n", 56, 9]}, {"output": "y", "keypoints": 17}, 1),
        ("yolo-anchor-free", {"y": ["n", 9, 85]}, {"output": "y", "layout": "rows", "objectness": True}, 80),
        ("yolo-anchor-free", {"y": ["n", "values", 9]}, {"output": "y"}, None),
        ("fastestdet", {"y": ["n", 85, 22, 22]}, {"output": "y"}, 80),
        ("centernet", {"h": ["n", 80, 9, 9]}, {"heatmap": "h"}, 80),
        ("picodet", {"a": ["n", 9, 80]}, {"scores": ["a"]}, 80),
        ("detr", {"l": ["n", 100, 92]}, {"logits": "l"}, 91),
        ("detr", {"l": ["n", 300, 80]}, {"logits": "l", "activation": "sigmoid"}, 80),
        ("keypoints", {}, {}, 1),
        ("scores", {"y": ["n", 1001]}, {"output": "y", "background": 1}, 1000),
    ],
)
def test_a_decoder_says_how_many_classes_its_outputs_have(
    name: str, dims: dict[str, list[Any]], parameters: dict[str, Any], count: int | None
) -> None:
    specs = {output: TensorSpec(output, "float32", shape) for output, shape in dims.items()}
    assert registry.get("decoder", name).class_count(specs, parameters) == count
