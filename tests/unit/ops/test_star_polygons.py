"""Star-convex polygons: masks from a middle and distances, apart where they touch."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

from pixelwright.errors import RuntimeFailure, ShapeError
from pixelwright.ops.decoders.decoder import Candidates
from pixelwright.ops.decoders.star_polygons import star_polygons

SIDE = 32  # of the input, in pixels; places are of two pixels
RAYS = 32

# A thing: row and column of its place, radius in pixels, score, and class.
Thing = tuple[int, int, float, float, int]


def maps(things: list[Thing], labels: int = 1) -> dict[str, npt.NDArray[np.float32]]:
    """What a network that is sure of everything would give."""
    objects = np.full((1, labels, SIDE // 2, SIDE // 2), -20, np.float32)
    rays = np.zeros((1, RAYS, SIDE // 2, SIDE // 2), np.float32)
    for row, column, radius, score, label in things:
        objects[0, label, row, column] = math.log(score / (1 - score))
        rays[0, :, row, column] = math.log(radius / 2)
    return {"objects": objects, "rays": rays}


def decode(things: list[Thing], labels: int = 1, **options: float) -> Candidates:
    (found,) = star_polygons(maps(things, labels), objects="objects", rays="rays", input_hw=(SIDE, SIDE), **options)
    return found


def masks(found: Candidates) -> list[npt.NDArray[np.bool_]]:
    assert found.mask_parts is not None
    whole = []
    for part in found.mask_parts(np.arange(len(found.scores))):
        mask = np.zeros((SIDE, SIDE), bool)
        rows, columns = part.logits.shape
        mask[part.top : part.top + rows, part.left : part.left + columns] = part.logits > 0
        whole.append(mask)
    return whole


def disc(row: int, column: int, radius: float) -> npt.NDArray[np.bool_]:
    """Pixels whose centers lie in a disc around the middle pixel of a place."""
    y, x = np.mgrid[:SIDE, :SIDE] - np.array([2 * row + 1, 2 * column + 1])[:, None, None]
    return np.hypot(x, y) < radius


def overlap(one: npt.NDArray[np.bool_], other: npt.NDArray[np.bool_]) -> float:
    return np.count_nonzero(one & other) / np.count_nonzero(one | other)


def test_equal_distances_are_a_disc_around_the_middle_pixel_of_the_place() -> None:
    found = decode([(7, 8, 6.5, 0.9, 0)])
    assert found.scores.tolist() == pytest.approx([0.9])
    assert found.boxes_xyxy.tolist() == [[11, 9, 24, 22]]  # pixel (17, 15) and six on each side of it
    assert np.array_equal(masks(found)[0], disc(7, 8, 6.45))  # 32 corners lie on the circle, its edges just within


def test_longer_rays_to_the_right_and_below_lead_there() -> None:
    outputs = maps([(8, 8, 4.5, 0.9, 0)])
    outputs["rays"][0, 0, 8, 8] = math.log(10.5 / 2)  # the first ray goes along x
    outputs["rays"][0, RAYS // 4, 8, 8] = math.log(7.5 / 2)  # a quarter on: down
    (found,) = star_polygons(outputs, objects="objects", rays="rays", input_hw=(SIDE, SIDE))
    assert found.boxes_xyxy.tolist() == [[13, 13, 28, 25]]


def test_touching_things_have_no_pixel_in_common() -> None:
    found = decode([(8, 5, 7.5, 0.9, 0), (8, 10, 7.5, 0.8, 0)])  # ten pixels apart, radius 7.5
    better, other = masks(found)
    assert not (better & other).any()
    assert overlap(better, disc(8, 5, 7.5)) > 0.95
    assert np.array_equal(other, other & ~better) and overlap(other, disc(8, 10, 7.5) & ~better) > 0.95


def test_a_second_answer_for_the_same_thing_goes() -> None:
    found = decode([(8, 8, 8.0, 0.8, 0), (8, 10, 7.0, 0.9, 0)])
    assert found.scores.tolist() == pytest.approx([0.9])


def test_how_much_may_be_taken_already_is_a_parameter() -> None:
    things = [(8, 6, 6.5, 0.9, 0), (8, 10, 6.5, 0.8, 0)]  # eight pixels apart: 27 % of each in common
    assert len(decode(things, overlap=0.3).scores) == 2
    assert len(decode(things, overlap=0.2).scores) == 1


def test_a_thing_whose_middle_is_a_better_ones_goes() -> None:
    assert len(decode([(8, 6, 8.0, 0.9, 0), (8, 9, 12.0, 0.8, 0)], overlap=1.0).scores) == 1


def test_of_large_things_everywhere_the_best_is_left() -> None:
    random, side = np.random.default_rng(6), 128
    outputs = {
        "o": random.normal(size=(1, 1, side // 2, side // 2)).astype(np.float32),
        "r": np.full((1, RAYS, side // 2, side // 2), 9, np.float32),  # thousands of pixels
    }
    (found,) = star_polygons(outputs, objects="o", rays="r", input_hw=(side, side))
    assert len(found.scores) == 1


def test_middles_in_the_padding_of_an_odd_size_do_no_harm() -> None:
    outputs = {"o": np.full((1, 1, 4, 4), -9, np.float32), "r": np.full((1, RAYS, 4, 4), 0.5, np.float32)}
    outputs["o"][0, 0, 3, 3] = 2  # at pixel (7, 7) of a picture of 7 by 7, so at its last
    (found,) = star_polygons(outputs, objects="o", rays="r", input_hw=(7, 7))
    assert found.boxes_xyxy.tolist() == [[3, 3, 7, 7]]


def test_places_beside_a_better_one_are_not_looked_at() -> None:
    assert len(decode([(8, 8, 2.0, 0.9, 0), (8, 9, 2.0, 0.8, 0), (7, 7, 2.0, 0.7, 0)], overlap=1).scores) == 1


def test_what_lies_beyond_the_picture_is_cut_off() -> None:
    found = decode([(0, 0, 6.5, 0.9, 0)])
    assert found.boxes_xyxy.tolist() == [[0, 0, 8, 8]]
    assert np.array_equal(masks(found)[0], disc(0, 0, 6.45))


def test_a_thing_smaller_than_a_pixel_is_that_pixel() -> None:
    assert decode([(3, 4, 0.2, 0.9, 0)]).boxes_xyxy.tolist() == [[9, 7, 10, 8]]


def test_a_thing_is_of_its_likeliest_class() -> None:
    outputs = maps([(4, 4, 4.0, 0.6, 0), (4, 4, 4.0, 0.7, 2), (12, 12, 4.0, 0.5, 1)], labels=3)
    (found,) = star_polygons(outputs, objects="objects", rays="rays", input_hw=(SIDE, SIDE))
    assert found.class_ids.tolist() == [2, 1] and found.scores.tolist() == pytest.approx([0.7, 0.5])


def test_a_threshold_of_one_finds_nothing() -> None:
    found = decode([(8, 8, 6.5, 0.9, 0)], threshold=1.0)
    assert found.boxes_xyxy.shape == (0, 4) and masks(found) == []


def test_what_a_better_thing_takes_does_not_depend_on_the_threshold() -> None:
    things = [(8, 5, 7.5, 0.9, 0), (8, 10, 7.5, 0.8, 0), (3, 8, 5.0, 0.3, 0)]
    every, some = masks(decode(things)), masks(decode(things, threshold=0.5))
    assert len(every) == 3 and len(some) == 2
    assert all(np.array_equal(one, other) for one, other in zip(some, every, strict=False))


def test_distances_beyond_measure_end_at_the_picture() -> None:
    outputs = maps([(8, 8, 4.0, 0.9, 0)])
    outputs["rays"][:] = 1e20
    (found,) = star_polygons(outputs, objects="objects", rays="rays", input_hw=(SIDE, SIDE))
    assert found.boxes_xyxy.tolist() == [[0, 0, SIDE, SIDE]]


@pytest.mark.parametrize("rays_shape", [(1, 2, 16, 16), (1, 32, 8, 16), (2, 32, 16, 16)])
def test_maps_that_do_not_fit_are_refused(rays_shape: tuple[int, ...]) -> None:
    outputs = {"objects": np.zeros((1, 1, 16, 16), np.float32), "rays": np.zeros(rays_shape, np.float32)}
    with pytest.raises(ShapeError, match="rays"):
        star_polygons(outputs, objects="objects", rays="rays", input_hw=(SIDE, SIDE))


def test_nan_is_refused() -> None:
    outputs = maps([])
    outputs["rays"][0, 0, 0, 0] = np.nan
    with pytest.raises(RuntimeFailure, match="not finite"):
        star_polygons(outputs, objects="objects", rays="rays", input_hw=(SIDE, SIDE))


def test_a_thousand_things_are_found_with_little_memory() -> None:
    side, every = 1024, 16  # 32 by 32 discs, 32 pixels apart
    objects = np.full((1, 1, side // 2, side // 2), -20, np.float32)
    rays = np.full((1, RAYS, side // 2, side // 2), math.log(10 / 2), np.float32)
    objects[0, 0, 8::every, 8::every] = 2
    (found,) = star_polygons({"o": objects, "r": rays}, objects="o", rays="r", input_hw=(side, side))
    assert len(found.scores) == 1024 and found.mask_parts is not None
    assert sum(part.logits.size for part in found.mask_parts(np.arange(1024))) < 1024 * 21 * 21 + 1
