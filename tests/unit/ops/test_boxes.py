"""Boxes overlap as geometry says, and suppression keeps what the definition keeps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwright.ops import boxes as box_ops
from pixelwright.ops.boxes import area, clip, from_centers, intersection, iou, suppress


def boxes(*rows: tuple[float, float, float, float]) -> np.ndarray:
    return np.array(rows, np.float32).reshape(-1, 4)


def suppress_by_hand(rows: np.ndarray, scores: np.ndarray, ids: np.ndarray, limit: float, per_class: bool) -> list[int]:
    """The definition, box by box, in the float32 arithmetic that torchvision uses."""
    kept: list[int] = []
    for one in sorted(range(len(rows)), key=lambda row: (-scores[row], row)):
        if all(
            (per_class and ids[one] != ids[better]) or not overlap(rows[one], rows[better]) > limit for better in kept
        ):
            kept.append(one)
    return kept


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    zero = np.float32(0)
    wide = max(zero, min(one[2], other[2]) - max(one[0], other[0]))
    high = max(zero, min(one[3], other[3]) - max(one[1], other[1]))
    shared = wide * high
    both = (one[2] - one[0]) * (one[3] - one[1]) + (other[2] - other[0]) * (other[3] - other[1]) - shared
    return float(shared / both) if both else 0.0


def random_boxes(seed: int, count: int, spread: float = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    corners = random.uniform(0, spread, (count, 2))
    rows = np.concatenate((corners, corners + random.uniform(0, 30, (count, 2))), axis=1).astype(np.float32)
    scores = random.choice(np.linspace(0.1, 1, 40), count).astype(np.float32)  # some are equal
    return rows, scores, random.integers(0, 3, count).astype(np.int32)


def test_the_overlap_of_known_boxes() -> None:
    one = boxes((0, 0, 10, 10))
    others = boxes((0, 0, 10, 10), (5, 0, 15, 10), (10, 0, 20, 10), (2, 2, 4, 4))
    assert area(others).tolist() == [100, 100, 100, 4]
    assert intersection(one, others)[0].tolist() == [100, 50, 0, 4]
    assert iou(one, others)[0].tolist() == pytest.approx([1, 50 / 150, 0, 0.04])


def test_overlaps_are_the_same_however_many_are_computed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, _, _ = random_boxes(1, 50)
    whole = iou(rows, rows)
    monkeypatch.setattr(box_ops, "PAIRS", 70)
    assert np.array_equal(iou(rows, rows), whole)


def test_suppress_keeps_the_better_box() -> None:
    rows = boxes((0, 0, 10, 10), (1, 0, 11, 10), (30, 0, 40, 10))
    assert suppress(rows, np.array([0.5, 0.9, 0.7], np.float32), np.zeros(3), iou_threshold=0.5).tolist() == [1, 2]


def test_an_overlap_of_exactly_the_threshold_stays() -> None:
    rows = boxes((0, 0, 10, 10), (0, 0, 10, 5))  # 50 / 100
    scores = np.array([0.9, 0.8], np.float32)
    assert suppress(rows, scores, np.zeros(2), iou_threshold=0.5).tolist() == [0, 1]
    assert suppress(rows, scores, np.zeros(2), iou_threshold=0.499).tolist() == [0]


def test_a_suppressed_box_suppresses_nothing() -> None:
    rows = boxes((0, 0, 10, 10), (4, 0, 14, 10), (8, 0, 18, 10))
    scores = np.array([0.9, 0.8, 0.7], np.float32)
    assert suppress(rows, scores, np.zeros(3), iou_threshold=0.4).tolist() == [0, 2]


def test_classes_leave_each_other_alone_unless_told_otherwise() -> None:
    rows, scores = boxes((0, 0, 10, 10), (0, 0, 10, 10)), np.array([0.9, 0.8], np.float32)
    assert suppress(rows, scores, np.array([0, 1]), iou_threshold=0.5).tolist() == [0, 1]
    assert suppress(rows, scores, np.array([0, 1]), iou_threshold=0.5, per_class=False).tolist() == [0]


def test_boxes_without_area_harm_nobody() -> None:
    rows = boxes((3, 3, 3, 3), (3, 3, 3, 3), (0, 0, 9, 9))
    assert suppress(rows, np.array([0.9, 0.8, 0.7], np.float32), np.zeros(3), iou_threshold=0.5).tolist() == [0, 1, 2]


def test_of_no_boxes_none_are_left() -> None:
    assert suppress(boxes(), np.zeros(0, np.float32), np.zeros(0), iou_threshold=0.5).tolist() == []


@given(st.integers(0, 2**32 - 1), st.integers(0, 60), st.sampled_from([0.0, 0.3, 0.5, 0.7, 1.0]), st.booleans())
@settings(deadline=None)
def test_suppression_is_the_greedy_definition(seed: int, count: int, limit: float, per_class: bool) -> None:
    rows, scores, ids = random_boxes(seed, count)
    kept = suppress(rows, scores, ids, iou_threshold=limit, per_class=per_class)
    assert kept.tolist() == suppress_by_hand(rows, scores, ids, limit, per_class)


def test_suppression_across_blocks_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, scores, ids = random_boxes(5, 300, spread=200)
    whole = suppress(rows, scores, ids, iou_threshold=0.3)
    monkeypatch.setattr(box_ops, "BLOCK", 7)
    assert suppress(rows, scores, ids, iou_threshold=0.3).tolist() == whole.tolist()


def test_only_the_best_are_looked_at() -> None:
    rows = boxes(*((x * 20, 0, x * 20 + 10, 10) for x in range(10)))
    scores = np.linspace(0.1, 1, 10, dtype=np.float32)
    assert suppress(rows, scores, np.zeros(10), iou_threshold=0.5, most=3).tolist() == [9, 8, 7]


@given(st.integers(0, 2**32 - 1), st.integers(0, 9), st.booleans())
@settings(deadline=None)
def test_those_that_are_enough_are_the_first_of_all(seed: int, keep: int, per_class: bool) -> None:
    rows, scores, ids = random_boxes(seed, 60)
    whole = suppress(rows, scores, ids, iou_threshold=0.3, per_class=per_class)
    some = suppress(rows, scores, ids, iou_threshold=0.3, per_class=per_class, keep=keep)
    assert some.tolist() == whole[:keep].tolist()


def test_a_box_outside_of_a_frame_has_no_area_left() -> None:
    cut = clip(boxes((-5, -5, 5, 5), (90, 10, 120, 20), (200, 0, 210, 9)), (0, 0, 100, 50))
    assert cut.tolist() == [[0, 0, 5, 5], [90, 10, 100, 20], [100, 0, 100, 9]]
    assert area(cut)[2] == 0


def test_centers_and_sizes_become_corners() -> None:
    assert from_centers(boxes((10, 20, 4, 6))).tolist() == [[8, 17, 12, 23]]
