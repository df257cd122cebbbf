"""What belongs together is read from `groups.csv`, whatever the layout of the pictures is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pixelwright.data.dataset import Dataset
from pixelwright.data.layout import Hints
from pixelwright.data.opening import open_dataset
from pixelwright.errors import DataError
from pixelwright.io.images import write_image
from pixelwright.structures.image import Image


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("a/p1 x", "a/p1 y", "b/p2 x", "b/q"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write_image(Image(np.full((4, 4, 3), len(list(tmp_path.rglob("*"))), np.uint8)), tmp_path / f"{name}.png")
    return tmp_path


def _groups(dataset: Dataset) -> dict[str, str]:
    return {sample.id: sample.group for sample in dataset.samples}


def test_groups_are_those_of_the_table_and_pictures_it_does_not_name_are_told(root: Path) -> None:
    (root / "groups.csv").write_text("group;path\none;a/p1 x.png\none;a/p1 y.png\ntwo;b/p2 x.png\ngone;c.png\n")
    dataset = open_dataset(root)
    assert dataset.layout == "image-folder"
    assert _groups(dataset) == {"a/p1 x.png": "one", "a/p1 y.png": "one", "b/p2 x.png": "two", "b/q.png": ""}
    assert "2 groups by groups.csv" in dataset.remarks
    assert [fault.what for fault in dataset.faults] == ["does not name 1 of the pictures; each is a group of its own"]


def test_a_pattern_that_was_asked_for_wins_over_the_table(root: Path) -> None:
    (root / "groups.csv").write_text("path,group\na/p1 x.png,one\nb/q.png,three\n")
    found = _groups(open_dataset(root, hints=Hints(group=r"(p\d)")))
    assert found == {"a/p1 x.png": "p1", "a/p1 y.png": "p1", "b/p2 x.png": "p2", "b/q.png": "three"}


def test_a_table_without_groups_is_refused(root: Path) -> None:
    (root / "groups.csv").write_text("picture,patient\na/p1 x.png,one\n")
    with pytest.raises(DataError, match=r"groups\.csv: expected the columns path, group, got picture, patient"):
        open_dataset(root)
