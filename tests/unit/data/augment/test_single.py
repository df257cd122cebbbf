"""One picture is varied in its own depth, and masks that cover each other stay apart."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from pixelwright.data.augment.policy import PRESETS, Policy
from pixelwright.data.augment.single import vary
from pixelwright.errors import ShapeError
from pixelwright.structures.image import GRAY, Image
from pixelwright.structures.label_map import LabelMap
from pixelwright.structures.masks import Masks
from pixelwright.structures.targets import Annotations, Classes

RNG = np.random.default_rng(0)


def things() -> Annotations:
    """Two masks that share a corner."""
    masks = np.zeros((2, 20, 30), bool)
    masks[0, 2:12, 3:15] = True
    masks[1, 8:18, 10:25] = True
    boxes = np.array([[3, 2, 15, 12], [10, 8, 25, 18]], np.float32)
    return Annotations(boxes, np.array([4, 1], np.int32), Masks.of(masks, (20, 30)))


@pytest.mark.parametrize(("dtype", "white"), [(np.uint8, 255.0), (np.uint16, 65535.0), (np.uint16, 4095.0)])
def test_nothing_changes_without_a_policy(dtype: type, white: float) -> None:
    pixels = RNG.integers(0, int(white) + 1, (9, 7, 1)).astype(dtype)
    after, target = vary(Image(pixels, GRAY, white=white), Classes((1,)), Policy(), 0)
    assert (after.pixels == pixels).all()
    assert (after.pixels.dtype, after.white, target) == (pixels.dtype, white, Classes((1,)))


def test_sixteen_bits_stay_finer_than_eight() -> None:
    pixels = np.linspace(0, 65535, 400).reshape(20, 20, 1).astype(np.uint16)
    after, _ = vary(Image(pixels, GRAY), None, Policy(brightness=0.1), 1)
    assert after.pixels.dtype == np.uint16
    assert len(np.unique(after.pixels)) > 256


def test_masks_that_cover_each_other_move_whole() -> None:
    image = Image(np.zeros((20, 30, 3), np.uint8))
    _, after = vary(image, things(), Policy(mirror=1.0), 0)
    assert isinstance(after, Annotations)
    assert after.masks is not None
    before = things().masks
    assert before is not None
    assert (np.stack(list(after.masks)) == np.stack(list(before))[:, :, ::-1]).all()
    assert after.boxes_xyxy.tolist() == [[15, 2, 27, 12], [5, 8, 20, 18]]
    assert after.class_ids.tolist() == [4, 1]


def test_a_thing_that_has_left_takes_its_columns_with_it() -> None:
    truth = things()
    crowd = np.array([True, False])
    keypoints = np.array([[[4, 3, 2]], [[12, 9, 1]]], np.float32)
    truth = Annotations(truth.boxes_xyxy, truth.class_ids, truth.masks, keypoints, crowd)
    image = Image(np.zeros((20, 30, 3), np.uint8))
    seen = set()
    for seed in range(40):
        _, after = vary(image, truth, Policy(shift=0.8), seed)
        assert isinstance(after, Annotations)
        assert after.masks is not None
        assert after.crowd is not None
        assert after.keypoints is not None
        assert after.crowd.tolist() == [one == 4 for one in after.class_ids.tolist()]
        for mask, box in zip(after.masks, after.boxes_xyxy.tolist(), strict=True):
            rows, columns = np.nonzero(mask)
            assert box == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        seen.add(len(after))
    assert seen == {0, 1, 2}


def test_maps_are_void_where_nothing_is_known() -> None:
    ids = np.ones((20, 30), np.uint8)
    _, after = vary(Image(np.zeros((20, 30, 3), np.uint8)), LabelMap(ids, ("a", "b")), Policy(shift=0.5), 3)
    assert isinstance(after, LabelMap)
    assert after.void_id == 255
    assert set(np.unique(after.ids)) == {1, 255}


def test_the_better_picture_moves_along_in_its_own_depth() -> None:
    worse = RNG.integers(0, 256, (8, 10, 3)).astype(np.uint8)
    better = RNG.integers(0, 65536, (16, 20, 3)).astype(np.uint16)
    after, target = vary(Image(worse), Image(better), Policy(mirror=1.0), 0)
    assert isinstance(target, Image)
    assert (after.pixels == worse[:, ::-1]).all()
    assert (target.pixels == better[:, ::-1]).all()


def test_alpha_moves_and_keeps_its_values() -> None:
    pixels, alpha = RNG.integers(0, 256, (8, 10, 3)).astype(np.uint8), RNG.integers(0, 256, (8, 10)).astype(np.uint8)
    after, _ = vary(Image(pixels, alpha=alpha), None, Policy(mirror=1.0, brightness=0.5), 0)
    assert after.alpha is not None
    assert (after.alpha == alpha[:, ::-1]).all()


def test_one_seed_gives_one_variant_and_another_another() -> None:
    image = Image(RNG.integers(0, 256, (32, 32, 3)).astype(np.uint8))
    one, again, other = (vary(image, None, PRESETS["strong"], seed)[0].pixels for seed in (1, 1, 2))
    assert (one == again).all()
    assert (one != other).any()


def test_no_thing_at_all_is_varied_too() -> None:
    nothing = Annotations(np.zeros((0, 4), np.float32), np.zeros(0, np.int32), Masks((20, 30), ()))
    _, after = vary(Image(np.zeros((20, 30, 3), np.uint8)), nothing, PRESETS["strong"], 0)
    assert isinstance(after, Annotations)
    assert len(after) == 0


def test_masks_go_on_where_the_edge_is_drawn_out_and_not_where_it_is_mirrored() -> None:
    pixels, mask = np.zeros((40, 40, 1), np.uint8), np.zeros((40, 40), bool)
    mask[10:30, :10] = True
    pixels[mask] = 255
    truth = Annotations(np.array([[0, 10, 10, 30]], np.float32), np.zeros(1, np.int32), Masks.of([mask], mask.shape))
    for seed in range(20):
        shown, after = vary(Image(pixels, GRAY), truth, Policy(shift=0.5), seed)
        assert isinstance(after, Annotations) and after.masks is not None
        painted = np.any([*after.masks, np.zeros((40, 40), bool)], axis=0)
        assert np.mean(painted != (shown.pixels[:, :, 0] > 127)) < 0.03
        _, after = vary(Image(pixels, GRAY), truth, Policy(shift=0.5, outside="reflect"), seed)
        assert isinstance(after, Annotations)
        assert all(box[2] - box[0] <= 10 for box in after.boxes_xyxy)


def test_three_masks_over_each_other_stay_apart() -> None:
    masks = RNG.random((5, 12, 14)) < 0.6
    columns = np.tile(np.array([0, 0, 14, 12], np.float32), (5, 1)), np.arange(5, dtype=np.int32)
    image = Image(np.zeros((12, 14, 3), np.uint8))
    _, after = vary(image, Annotations(*columns, Masks.of(list(masks), (12, 14))), Policy(mirror=1.0), 0)
    assert isinstance(after, Annotations) and after.masks is not None
    assert (np.stack(list(after.masks)) == masks[:, :, ::-1]).all()


def test_many_masks_are_not_in_memory_at_once() -> None:
    sides = (300, 300)
    runs = tuple(np.array([one, 300, 300 * 300 - 300 - one], np.uint32) for one in range(0, 300 * 150, 150))
    boxes = np.tile(np.array([0, 0, 300, 300], np.float32), (300, 1))
    truth = Annotations(boxes, np.zeros(300, np.int32), Masks(sides, runs))
    tracemalloc.start()
    vary(Image(np.zeros((*sides, 1), np.uint8), GRAY), truth, Policy(), 0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 300 * 300 * 300 / 2  # half of what they are


def test_stated_areas_stay_the_same_part_of_their_boxes() -> None:
    boxes = np.array([[2, 4, 12, 8], [10, 10, 30, 20]], np.float32)
    truth = Annotations(boxes, np.zeros(2, np.int32), areas=np.array([30, 50], np.float32))
    image = Image(np.zeros((20, 30, 3), np.uint8))
    _, mirrored = vary(image, truth, Policy(mirror=1.0), 0)
    assert isinstance(mirrored, Annotations) and mirrored.areas is not None
    assert mirrored.areas.tolist() == [30, 50]
    _, moved = vary(image, truth, Policy(scale=0.5, least_left=0.0), 4)
    assert isinstance(moved, Annotations) and moved.areas is not None
    sides = moved.boxes_xyxy[:, 2:] - moved.boxes_xyxy[:, :2]
    assert moved.areas / sides.prod(axis=1) == pytest.approx([0.75, 0.25])


def test_a_map_of_256_classes_without_void_is_refused_where_something_is_void() -> None:
    labels = tuple(map(str, range(300)))
    ids = np.full((20, 30), 255, np.uint16)
    with pytest.raises(ShapeError, match="300 classes"):
        vary(Image(np.zeros((20, 30, 3), np.uint8)), LabelMap(ids, labels), Policy(shift=0.5), 3)
