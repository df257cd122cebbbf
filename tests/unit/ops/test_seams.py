"""A picture cut into windows gives each of its things once, with its whole box."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwright.errors import UsageError
from pixelwright.ops.seams import Things, merge, windows

LEAST_PX = 3  # of a thing that a window has to show before it is found there


def rectangles(seed: int, size_hw: tuple[int, int], count: int, least_px: int) -> np.ndarray:
    """Rectangles of whole pixels that do not touch each other."""
    random = np.random.default_rng(seed)
    found: list[np.ndarray] = []
    for _ in range(count):
        wide, high = random.integers(least_px, np.array(size_hw[::-1]), endpoint=True)
        left, top = random.integers(0, size_hw[1] - wide + 1), random.integers(0, size_hw[0] - high + 1)
        box = np.array([left, top, left + wide, top + high], np.float32)
        if all(box[0] > b[2] or b[0] > box[2] or box[1] > b[3] or b[1] > box[3] for b in found):
            found.append(box)
    return np.array(found)


def look(things: np.ndarray, frames: np.ndarray, least_px: float = LEAST_PX) -> tuple[np.ndarray, np.ndarray]:
    """What a network without fault finds in each window: the visible part of each thing; and in which window."""
    boxes, origins = [], []
    for number, frame in enumerate(frames):
        for thing in things:
            seen = np.concatenate((np.maximum(thing[:2], frame[:2]), np.minimum(thing[2:], frame[2:])))
            if (seen[2:] - seen[:2] >= least_px).all():
                boxes.append(seen)
                origins.append(number)
    return np.array(boxes, np.float32).reshape(-1, 4), np.array(origins, np.intp)


def frames_of(size_hw: tuple[int, int], side_px: int, overlap: float, *, whole: bool) -> np.ndarray:
    cuts = windows(size_hw, side_px=side_px, overlap=overlap)
    frames = [(one.left, one.top, one.left + one.width, one.top + one.height) for one in cuts]
    return np.array([*frames, (0, 0, size_hw[1], size_hw[0])] if whole else frames, np.float32)


def merged(boxes: np.ndarray, origins: np.ndarray, frames: np.ndarray, scores: np.ndarray | None = None) -> Things:
    scores = np.linspace(0.9, 0.5, len(boxes), dtype=np.float32) if scores is None else scores
    return merge(boxes, scores, np.zeros(len(boxes), np.int32), origins, frames, per_class=True)


def in_order(boxes: np.ndarray) -> list[list[float]]:
    return sorted(boxes.tolist())


@given(
    st.integers(0, 2**32 - 1),
    st.tuples(st.integers(10, 160), st.integers(10, 160)),
    st.integers(30, 90),
    st.sampled_from([0.1, 0.2, 0.37, 0.5]),
    st.booleans(),
)
@settings(deadline=None, max_examples=150)
def test_each_thing_is_found_once_with_its_whole_box(
    seed: int, size_hw: tuple[int, int], side_px: int, overlap: float, whole: bool
) -> None:
    things = rectangles(seed, size_hw, 12, LEAST_PX)
    frames = frames_of(size_hw, side_px, overlap, whole=whole)
    boxes, origins = look(things, frames)
    scores = np.random.default_rng(seed).uniform(0.3, 1, len(boxes)).astype(np.float32)
    assert in_order(merged(boxes, origins, frames, scores).boxes_xyxy) == in_order(things)


@given(st.integers(0, 2**32 - 1), st.sampled_from([64, 96]), st.sampled_from([0.25, 0.5]))
@settings(deadline=None, max_examples=25)
def test_boxes_that_are_a_little_off_do_no_harm(seed: int, side_px: int, overlap: float) -> None:
    things = rectangles(seed, (200, 260), 8, 24)
    frames = frames_of((200, 260), side_px, overlap, whole=False)
    exact, origins = look(things, frames, least_px=8)
    shaken = exact + np.random.default_rng(seed).uniform(-1, 1, exact.shape).astype(np.float32)
    own = frames[origins]
    boxes = np.concatenate((np.maximum(shaken[:, :2], own[:, :2]), np.minimum(shaken[:, 2:], own[:, 2:])), axis=1)
    found = merged(boxes, origins, frames)
    assert len(found.rows) == len(things)
    assert np.abs(np.array(in_order(np.rint(found.boxes_xyxy))) - np.array(in_order(things))).max() < 60


@given(
    st.integers(1, 300), st.integers(1, 300), st.integers(20, 200), st.floats(0.05, 0.9)
)  # fmt: skip
@settings(deadline=None)
def test_windows_cover_everything_and_share_what_was_asked(height: int, width: int, side: int, overlap: float) -> None:
    cuts = windows((height, width), side_px=side, overlap=overlap)
    covered = np.zeros((height, width), bool)
    for one in cuts:
        assert (one.height, one.width) == (min(side, height), min(side, width))
        covered[one.slices] = True
    assert covered.all()
    lefts = sorted({one.left for one in cuts})
    wide = cuts[0].width
    assert all(before + wide - after >= min(wide * overlap, wide - 1) - 1 for before, after in pairwise(lefts))


def test_a_small_thing_before_a_large_one_stays() -> None:
    frames = np.array([[0, 0, 100, 100], [80, 0, 180, 100]], np.float32)
    large_left, large_right, small = [20, 10, 100, 90], [80, 10, 170, 90], [84, 40, 96, 52]
    boxes = np.array([large_left, small, large_right, small], np.float32)
    found = merged(boxes, np.array([0, 0, 1, 1]), frames)
    assert in_order(found.boxes_xyxy) == [[20, 10, 170, 90], [84, 40, 96, 52]]
    assert sorted(map(sorted, found.pieces)) == [[0, 2], [1]]


def test_pieces_of_different_classes_are_different_things_unless_told_otherwise() -> None:
    frames = np.array([[0, 0, 100, 100], [80, 0, 180, 100]], np.float32)
    boxes = np.array([[20, 10, 100, 90], [80, 10, 170, 90]], np.float32)
    scores, ids, origins = np.array([0.6, 0.9], np.float32), np.array([0, 1]), np.array([0, 1])
    assert len(merge(boxes, scores, ids, origins, frames, per_class=True).rows) == 2
    found = merge(boxes, scores, ids, origins, frames, per_class=False)
    assert found.rows.tolist() == [1] and found.boxes_xyxy.tolist() == [[20, 10, 170, 90]]


def test_what_is_cut_at_the_edge_of_the_picture_is_whole() -> None:
    frames = np.array([[0, 0, 100, 100], [80, 0, 180, 100]], np.float32)
    boxes = np.array([[0, 0, 30, 30], [150, 70, 180, 100]], np.float32)
    assert in_order(merged(boxes, np.array([0, 1]), frames).boxes_xyxy) == in_order(boxes)


def test_nothing_found_gives_no_things() -> None:
    found = merged(np.zeros((0, 4), np.float32), np.zeros(0, np.intp), np.array([[0, 0, 9, 9]], np.float32))
    assert len(found.rows) == 0 and found.boxes_xyxy.shape == (0, 4)


@pytest.mark.parametrize("size_hw", [(1, 1), (1, 300), (301, 7)])
def test_thin_pictures_have_windows_too(size_hw: tuple[int, int]) -> None:
    cuts = windows(size_hw, side_px=100, overlap=0.2)
    assert cuts[0].height == min(100, size_hw[0])
    assert cuts[-1].left + cuts[-1].width == size_hw[1]


def test_more_windows_than_make_sense_are_refused() -> None:
    with pytest.raises(UsageError, match="tiles of 2 pixels cut 4000x3000 into 11993001 windows"):
        windows((3000, 4000), side_px=2, overlap=0.2)
