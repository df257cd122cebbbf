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
    assert [(fault.where, fault.what) for fault in dataset.faults] == [
        ("groups.csv line 5", "'c.png' is no picture of the data; 1 such in all"),
        ("groups.csv", "does not name 1 of the pictures; each is a group of its own"),
    ]


def test_paths_are_understood_as_those_of_other_tables_and_a_second_group_is_told(root: Path) -> None:
    (root / "groups.csv").write_text("path,group\n./a/p1 x.png,one\nb\\q.png,one\na/p1 x.png,two\n")
    dataset = open_dataset(root)
    assert {name for name, group in _groups(dataset).items() if group == "one"} == {"a/p1 x.png", "b/q.png"}
    assert dataset.faults[0].where == "groups.csv line 4"
    assert dataset.faults[0].what == "a second group for a/p1 x.png; the first one counts"


def test_the_table_may_lie_around_the_only_folder(root: Path) -> None:
    outer = root.parent / "outer"
    outer.mkdir()
    root.rename(outer / "inner")
    (outer / "groups.csv").write_text("path,group\ninner/a/p1 x.png,one\na/p1 y.png,one\n")
    dataset = open_dataset(outer)
    assert dataset.layout == "image-folder"
    assert _groups(dataset) == {"a/p1 x.png": "one", "a/p1 y.png": "one", "b/p2 x.png": "", "b/q.png": ""}


def test_a_table_of_labels_may_be_called_so(root: Path) -> None:
    (root / "groups.csv").write_text("path,label\na/p1 x.png,cat\nb/q.png,dog\n")
    dataset = open_dataset(root)
    assert (dataset.layout, dataset.labels, set(_groups(dataset).values())) == ("csv", ("cat", "dog"), {""})


def test_a_pattern_that_was_asked_for_wins_over_the_table(root: Path) -> None:
    (root / "groups.csv").write_text("path,group\na/p1 x.png,one\nb/q.png,three\n")
    found = _groups(open_dataset(root, hints=Hints(group=r"(p\d)")))
    assert found == {"a/p1 x.png": "p1", "a/p1 y.png": "p1", "b/p2 x.png": "p2", "b/q.png": "three"}


def test_a_table_without_groups_is_refused(root: Path) -> None:
    (root / "groups.csv").write_text("picture,patient\na/p1 x.png,one\n")
    with pytest.raises(DataError, match=r"the columns picture, patient, none of .* of groups `group`, beside `path`"):
        open_dataset(root)
