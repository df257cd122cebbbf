"""Masks that number things."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as of

from datasets import mask, picture
from found import SIZE_HW, things
from pixelwright.data import masks as export
from pixelwright.data.layout import Hints
from pixelwright.data.layouts.instance_masks import things_of
from pixelwright.data.opening import open_dataset
from pixelwright.errors import DataError
from pixelwright.structures.targets import Annotations


@given(of.arrays(np.uint16, of.array_shapes(min_dims=2, max_dims=2, max_side=9), elements={"max_value": 5}))
@settings(deadline=None)
def test_each_number_is_a_thing_with_its_mask_and_box(ids: np.ndarray) -> None:
    found = things_of(ids)
    wanted = [number for number in np.unique(ids) if number]
    assert len(found) == len(wanted)
    assert found.masks is not None and found.areas is not None
    for row, number in enumerate(wanted):
        inside = ids == number
        rows, columns = np.nonzero(inside)
        assert np.array_equal(found.masks[row], inside)
        assert found.areas[row] == inside.sum()
        assert found.boxes_xyxy[row].tolist() == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


def test_more_than_255_things_need_16_bits_and_are_all_read(tmp_path: Path) -> None:
    ids = np.zeros((40, 40), np.uint16)
    ids[::2, ::2] = np.arange(1, 401).reshape(20, 20)
    picture(tmp_path / "images" / "a.png", 0, (40, 40))
    mask(tmp_path / "labels" / "a.png", ids)
    dataset = open_dataset(tmp_path)
    assert dataset.layout == "instance-masks"
    assert len(dataset.samples[0].truth()) == 400  # type: ignore[arg-type]


def test_the_class_has_the_name_that_is_given(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "a.png")
    mask(tmp_path / "labels" / "a.png", np.eye(8, 12, dtype=np.uint8))
    hints = Hints(kinds=frozenset({"instances"}), labels=("nucleus",))
    assert open_dataset(tmp_path, layout="instance-masks", hints=hints).labels == ("nucleus",)
    with pytest.raises(DataError, match=r"one class, but 2 labels"):
        open_dataset(tmp_path, layout="instance-masks", hints=Hints(labels=("a", "b")))


def test_a_mask_of_another_size_is_an_error_when_read(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "a.png")
    mask(tmp_path / "labels" / "a.png", np.ones((3, 3), np.uint8))
    dataset = open_dataset(tmp_path, layout="instance-masks")
    with pytest.raises(DataError, match=r"the mask has 3x3 pixels, the picture 12x8"):
        dataset.samples[0].truth()


def test_what_is_exported_comes_back(tmp_path: Path) -> None:
    result = things()
    picture(tmp_path / "images" / "a.png", 0, SIZE_HW)
    mask(tmp_path / "labels" / "a.png", export.instances(result, SIZE_HW))
    target = open_dataset(tmp_path, layout="instance-masks").samples[0].truth()
    assert isinstance(target, Annotations)
    assert target.masks is not None and result.masks is not None
    assert np.array_equal(target.masks[0], result.masks[0])
    assert np.array_equal(target.masks[1], result.masks[1] & ~result.masks[0])  # the better one is on top
