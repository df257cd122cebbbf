"""Index PNGs hold the very ids, in VOC's colors where they fit into a byte."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image as PillowImage

from found import LABELS, SIZE_HW, boxes, found, record, regions, things
from pixelwright.data import masks
from pixelwright.structures.detections import Detections
from pixelwright.structures.label_map import LabelMap
from pixelwright.structures.masks import Masks


def read(path: Path) -> tuple[np.ndarray, str]:
    with PillowImage.open(path) as picture:
        return np.asarray(picture), picture.mode


def test_a_label_map_comes_back_with_void(tmp_path: Path) -> None:
    masks.write(found([record(0, "sub/a.jpg", regions())], LabelMap), tmp_path)
    ids, mode = read(tmp_path / "masks/classes/sub/a.png")
    assert np.array_equal(ids, regions().ids) and mode == "P"
    assert (tmp_path / "masks/labels.txt").read_text().splitlines() == ["cat", "dog & <fox>", 'the "third"']
    assert not (tmp_path / "masks/instances").exists()


def test_things_are_numbered_and_the_better_one_is_on_top(tmp_path: Path) -> None:
    masks.write(found([record(0, "a.jpg", things())], Detections), tmp_path)
    first, second = things().masks or ()
    numbers, _ = read(tmp_path / "masks/instances/a.png")
    assert np.array_equal(numbers == 1, first) and np.array_equal(numbers == 2, second & ~first)
    assert np.array_equal(read(tmp_path / "masks/classes/a.png")[0], numbers)  # classes 0 and 1, from 1 on
    assert (tmp_path / "masks/labels.txt").read_text().startswith("background\ncat\n")


def test_a_thing_without_a_mask_fills_its_box() -> None:
    numbers = masks.instances(boxes((-5, 1.4, 2, 3.6), (50, 50, 60, 60)), SIZE_HW)
    expected = np.zeros(SIZE_HW, np.uint8)
    expected[1:4, :2] = 1
    assert np.array_equal(numbers, expected)


def test_many_classes_or_things_take_16_bits(tmp_path: Path) -> None:
    labels = tuple(map(str, range(300)))
    wide = LabelMap(np.full((2, 3), 299, np.uint16), labels)
    masks.write(found([record(0, "a.png", wide), record(1, "b.png", regions())], LabelMap, labels=labels), tmp_path)
    for name, value in (("a", 299), ("b", 2)):
        ids, mode = read(tmp_path / f"masks/classes/{name}.png")
        assert ids.dtype == np.uint16 and ids.max() in (value, 255) and mode.startswith("I;16")
    many = boxes(*[(0, 0, 1, 1)] * 300, scores=[0.5] * 300)
    assert masks.instances(many, (1, 2)).tolist() == [[1, 0]]
    apart = boxes(*[(x, 0, x + 1, 1) for x in range(300)], scores=[0.5] * 300)
    assert masks.instances(apart, (1, 300)).tolist() == [list(range(1, 301))]


def test_the_palette_is_the_one_of_voc() -> None:
    # Published with the data set: background, aeroplane, bicycle, bird, ..., tv monitor, void.
    colors = masks.palette()
    assert colors[[0, 1, 2, 3, 4, 8, 20]].tolist() == [
        [0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0], [0, 0, 128], [64, 0, 0], [0, 64, 128],
    ]  # fmt: skip
    assert colors[255].tolist() == [224, 224, 192] and len(np.unique(colors, axis=0)) == 256
    assert len(LABELS) == 3


@given(arrays(bool, st.tuples(st.integers(1, 4), st.integers(1, 9), st.integers(1, 9))))
def test_masks_are_painted_from_their_runs(inside: np.ndarray) -> None:
    count, *sides = inside.shape
    size_hw = (sides[0], sides[1])
    result = boxes(*[(0, 0, 1, 1)] * count, scores=[0.5] * count, masks=Masks.of(list(inside), size_hw))
    best_first = np.concatenate((inside, np.ones((1, *size_hw), bool))).argmax(axis=0)
    assert np.array_equal(masks.instances(result, size_hw), np.where(best_first < count, best_first + 1, 0))


def test_void_beyond_a_byte_makes_every_picture_one_of_16_bits(tmp_path: Path) -> None:
    labels = tuple(map(str, range(256)))
    maps = [LabelMap(np.full((2, 3), value, np.uint16), labels, void_id=256) for value in (0, 256)]
    rows = [record(index, f"{index}.png", one) for index, one in enumerate(maps)]
    masks.write(found(rows, LabelMap, labels=labels), tmp_path)
    assert [read(tmp_path / f"masks/classes/{index}.png")[0].dtype for index in (0, 1)] == [np.uint16] * 2
