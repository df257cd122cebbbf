"""Captions fit their picture and leave it as it was."""

from __future__ import annotations

import numpy as np
import pytest

from pixelwright.ops import draw
from pixelwright.ops.draw import caption
from pixelwright.structures.image import GRAY, Image


@pytest.mark.parametrize("shape", [(28, 28, 1), (600, 800, 3), (1, 1, 3)])
def test_a_caption_adds_a_strip_below(shape: tuple[int, int, int]) -> None:
    image = Image(np.full(shape, 200, np.uint8), GRAY if shape[2] == 1 else Image(np.zeros((1, 1, 3), np.uint8)).color)
    made = caption(image, ["a label  99.9%", "a very long line " * 40])
    factor = made.size_hw[1] // shape[1]
    picture = made.pixels[: shape[0] * factor]
    assert (picture == 200).all()
    strip = made.pixels[shape[0] * factor :]
    assert strip.max() > 200 and strip.min() < 40  # light text on dark


def painted(size_hw: tuple[int, int] = (120, 300)) -> draw.Canvas:
    return draw.canvas(Image(np.full((*size_hw, 3), 90, np.uint8)))


@pytest.mark.parametrize(("count", "least"), [(8, 35), (21, 20), (80, 9), (256, 5)])
def test_colors_of_classes_can_be_told_apart(count: int, least: float) -> None:
    import cv2

    colors = np.array([[draw.color_of(number) for number in range(count)]], np.float32)
    lab = cv2.cvtColor(colors / 255, cv2.COLOR_RGB2LAB)[0]  # of CIE 1976, where a distance of 2.3 can just be seen
    apart = np.linalg.norm(lab[:, None] - lab[None], axis=2)
    assert apart[~np.eye(count, dtype=bool)].min() > least
    assert draw.color_of(count) == draw.color_of(count + 256)


@pytest.mark.parametrize("number", range(100))
def test_text_on_a_color_can_be_read(number: int) -> None:
    paper = draw.color_of(number)
    light = [draw._luminance(one) + 0.05 for one in (paper, draw.ink_on(paper))]
    assert max(light) / min(light) > 4.5  # WCAG 2.2, level AA


def test_painting_leaves_the_picture_itself_as_it_was() -> None:
    image = Image(np.full((300, 300, 3), 90, np.uint8))
    draw.box(draw.canvas(image), (10, 10, 50, 50), (255, 0, 0))
    assert (image.pixels == 90).all()


def test_a_box_is_drawn_inside_of_its_sides() -> None:
    on = painted()
    draw.box(on, (20, 30, 60, 70), (255, 0, 0))
    rows, columns = np.nonzero((on.pixels == (255, 0, 0)).all(axis=2))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (30, 69, 20, 59)
    assert (on.pixels[40:60, 30:50] == 90).all()


@pytest.mark.parametrize(
    "box", [(0, 0, 300, 120), (290, 110, 300, 120), (-50, -50, 900, 900), (7, 7, 7.2, 7.2), (298, 0, 299, 2)]
)
def test_a_tag_stays_inside_the_picture(box: tuple[float, float, float, float]) -> None:
    on = painted()
    draw.tags(on, [draw.Tag("a label 100%", box, (0, 200, 0))])
    green = (on.pixels == (0, 200, 0)).all(axis=2)
    stamp = draw._stamp("a label 100%", on.text_px)
    rows, columns = np.nonzero((on.pixels != 90).any(axis=2))
    assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == stamp.shape and green.mean() > 0.02


def test_tags_that_would_cover_each_other_are_placed_beside_each_other() -> None:
    on = painted()
    draw.tags(on, [draw.Tag("one", (100, 50, 180, 100), paint) for paint in ((200, 0, 0), (0, 200, 0), (0, 0, 200))])
    alone = painted()
    draw.tags(alone, [draw.Tag("one", (100, 50, 180, 100), (200, 0, 0))])
    expected = (alone.pixels == (200, 0, 0)).all(axis=2).sum()
    for paint in ((200, 0, 0), (0, 200, 0), (0, 0, 200)):
        assert (on.pixels == paint).all(axis=2).sum() == expected


def test_a_mask_tints_what_it_covers_and_nothing_far_from_it() -> None:
    on = painted()
    mask = np.zeros((40, 50), bool)
    mask[10:30, 10:40] = True
    draw.tint(on, mask, (20, 30), (255, 0, 0))
    changed = (on.pixels != 90).any(axis=2)
    assert changed[30:50, 40:70].all()
    changed[27:53, 37:73] = False
    assert not changed.any()
    assert on.pixels[40, 55].tolist() == [round(90 * 0.58 + 255 * 0.42), 52, 52]


def test_small_pictures_are_enlarged_and_everything_with_them() -> None:
    on = painted((28, 28))
    assert on.pixels.shape == (252, 252, 3) and on.factor == 9
    draw.box(on, (10, 10, 20, 20), (255, 0, 0))
    rows, _ = np.nonzero((on.pixels == (255, 0, 0)).all(axis=2))
    assert (rows.min(), rows.max()) == (90, 179)


def test_points_far_outside_of_the_picture_do_no_harm() -> None:
    on = painted()
    draw.line(on, (-1e12, 5), (1e12, 5), (255, 0, 0))
    draw.dot(on, (1e12, -1e12), (255, 0, 0))
    assert (on.pixels[4:6, 150] == (255, 0, 0)).all(axis=1).any()
