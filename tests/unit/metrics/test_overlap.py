"""Overlap of label maps and instances, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pixelwright.metrics.detection import Truth, box_areas, box_overlaps, match
from pixelwright.metrics.overlap import (
    Things,
    boundary_scores,
    map_confusion,
    panoptic_quality,
    region_scores,
    things_statistic,
)

TRUTH = np.array([[0, 0, 1, 1], [0, 2, 2, 9]], np.uint8)
ANSWER = np.array([[0, 1, 1, 1], [0, 2, 0, 0]], np.uint8)


def test_pixels_of_the_truth_that_are_of_no_class_do_not_count() -> None:
    counts = map_confusion(TRUTH, ANSWER, 3)
    assert counts.tolist() == [[2, 1, 0, 0], [0, 2, 0, 0], [1, 0, 1, 0]]
    assert map_confusion(TRUTH, ANSWER, 3, void=0).sum() == 4


def test_an_answer_that_is_no_class_is_wrong() -> None:
    counts = map_confusion(np.zeros((1, 3), np.uint8), np.array([[0, 7, 200]], np.uint8), 2)
    assert counts.tolist() == [[1, 0, 2], [0, 0, 0]]


def test_iou_dice_and_accuracy_are_those_worked_out_by_hand() -> None:
    iou, dice, share = region_scores(map_confusion(TRUTH, ANSWER, 4))
    assert iou[:3] == pytest.approx([2 / 4, 2 / 3, 1 / 2])
    assert dice[:3] == pytest.approx([4 / 6, 4 / 5, 2 / 3])
    assert np.isnan(iou[3]) and share == pytest.approx(5 / 7)


def _square(top: int, left: int, side: int = 40) -> np.ndarray:
    ids = np.zeros((200, 200), np.uint8)
    ids[top : top + side, left : left + side] = 1
    return ids


def test_contours_within_the_tolerance_are_right_and_beyond_it_wrong() -> None:
    truth = _square(50, 50)  # 0.75 % of the diagonal of 283 pixels is 2.1: three pixels
    assert boundary_scores(truth, _square(52, 52), [1])[0] == pytest.approx(1.0)
    shifted = boundary_scores(truth, _square(90, 50), [1])[0]
    assert 0.1 < shifted < 0.35  # one of four sides, and what is near it at the corners


def test_a_class_in_neither_map_has_no_contour_and_one_in_only_one_has_a_score_of_0() -> None:
    scores = boundary_scores(_square(50, 50), np.zeros((200, 200), np.uint8), [1, 2])
    assert scores[0] == 0 and np.isnan(scores[1])


def test_contours_towards_void_do_not_count() -> None:
    truth = _square(50, 50)
    truth[:, 70:] = 9
    answer = _square(50, 50)
    assert boundary_scores(truth, answer, [1], void=9)[0] == pytest.approx(1.0)


def test_panoptic_quality_is_quality_times_recognition() -> None:
    quality, segmentation, recognition = panoptic_quality(2, 1, 1, 1.6)
    assert (float(quality), float(segmentation), float(recognition)) == pytest.approx((1.6 / 3, 0.8, 2 / 3))
    assert np.isnan(panoptic_quality(0, 0, 0, 0.0)[0])
    assert float(panoptic_quality(0, 2, 0, 0.0)[0]) == 0


def _things(there: list[list[float]], found: list[list[float]], passes: list[bool]) -> Things:
    boxes, answers = np.array(there, float).reshape(-1, 4), np.array(found, float).reshape(-1, 4)
    nobody = np.zeros(len(boxes), bool)
    matched = match(
        box_overlaps(answers, boxes, nobody),
        np.linspace(0.9, 0.1, len(answers)),
        np.zeros(len(answers), int),
        box_areas(answers),
        Truth(np.zeros(len(boxes), int), box_areas(boxes), nobody, ~nobody),
    )
    return Things.of(matched, np.array(passes, bool)[matched.rows], 1)


FIRST = _things(
    [[0, 0, 10, 10], [20, 0, 30, 10]], [[0, 0, 10, 8], [50, 0, 60, 10], [20, 0, 30, 10]], [True, True, False]
)
SECOND = _things([[0, 0, 10, 10]], [[0, 0, 10, 10]], [True])


def test_things_below_the_threshold_are_missed() -> None:
    values = things_statistic([FIRST], ["cell"])(np.arange(1))
    assert (values["precision50"], values["recall50"], values["f1_50"]) == pytest.approx((1 / 2, 1 / 2, 1 / 2))


def test_the_two_averages_of_cells_differ_where_pictures_differ() -> None:
    values = things_statistic([FIRST, SECOND], ["cell"], prefix="mask_")(np.arange(2))
    # At IoU 0.5: TP 1, FP 1, FN 1 in the first, TP 1 in the second; the first match has an IoU of 0.8.
    assert values["DSB_AP50"] == pytest.approx(2 / 4)
    assert values["DSB_AP"] == pytest.approx((7 * 2 / 4 + 3 * 1 / 5) / 10)
    assert values["DSB_AP_by_picture"] == pytest.approx((7 * (1 / 3) / 10 + 1) / 2)
    assert values["PQ"] == pytest.approx(1.8 / 3)
    assert values["SQ"] == pytest.approx(0.9)


def test_a_picture_with_neither_truth_nor_answer_is_no_picture_for_the_mean_over_pictures() -> None:
    empty = _things([], [], [])
    values = things_statistic([SECOND, empty], ["cell"], prefix="mask_")(np.arange(2))
    assert values["DSB_AP_by_picture"] == 1
