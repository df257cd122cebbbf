"""Detections on their picture: a few with tags, a crowd without."""

from __future__ import annotations

import numpy as np
import pytest

from pixelwright import load
from pixelwright.bundle import ModelBundle
from pixelwright.ops import draw as paint
from pixelwright.structures.detections import Detections
from pixelwright.structures.image import Image
from pixelwright.structures.masks import Masks
from pixelwright.tasks.detect.draw import draw

SIDE, STEP, THING = 400, 20, 10


@pytest.fixture(scope="module")
def bundle() -> ModelBundle:
    """Of a detector without keypoints."""
    return load("nuclei").bundle


def things(count: int, *, masks: bool) -> Detections:
    """Squares in rows, all of one class."""
    places = [(x, y) for y in range(30, SIDE - STEP, STEP) for x in range(5, SIDE - STEP, STEP)][:count]
    boxes = np.array([(x, y, x + THING, y + THING) for x, y in places], np.float32)
    shapes = np.zeros((count, SIDE, SIDE), bool)
    for shape, (x, y) in zip(shapes, places, strict=True):
        shape[y : y + THING, x : x + THING] = True
    return Detections(
        boxes_xyxy=boxes,
        scores=np.full(count, 0.9, np.float32),
        class_ids=np.zeros(count, np.int32),
        labels=("nucleus",) * count,
        masks=Masks.of(list(shapes), (SIDE, SIDE)) if masks else None,
    )


def changed(count: int, bundle: ModelBundle, *, masks: bool) -> tuple[np.ndarray, np.ndarray]:
    """The picture that is drawn, and which of its pixels are no longer black."""
    made = draw(Image(np.zeros((SIDE, SIDE, 3), np.uint8)), things(count, masks=masks), bundle).pixels
    return made, made.any(axis=2)


def test_a_few_things_have_tags_beside_them_and_the_color_of_their_class(bundle: ModelBundle) -> None:
    made, painted = changed(2, bundle, masks=True)
    assert painted[:30].any()  # above the boxes there is nothing but tags
    assert (made[30, 5] == paint.color_of(0)).all() and (made[30, 25] == paint.color_of(0)).all()


def test_of_a_crowd_with_masks_each_thing_has_its_own_color_and_nothing_is_hidden(bundle: ModelBundle) -> None:
    count = 200
    made, painted = changed(count, bundle, masks=True)
    where = things(count, masks=True).masks
    assert where is not None
    assert not painted[~np.any([where[row] for row in range(count)], axis=0)].any()
    middles = {tuple(made[y + 5, x + 5]) for x, y, _, _ in things(count, masks=True).boxes_xyxy[:20].astype(int)}
    assert len(middles) == 20


def test_of_a_crowd_of_boxes_the_outlines_stay(bundle: ModelBundle) -> None:
    _, painted = changed(200, bundle, masks=False)
    assert not painted[:30].any() and painted[30, 5:15].all() and not painted[35, 10]
