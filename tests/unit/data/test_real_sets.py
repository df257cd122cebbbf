"""The real sets, opened where they lie, hold what their descriptions say."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pixelwright.data.dataset import Dataset
from pixelwright.data.layout import Hints
from pixelwright.data.opening import open_dataset
from pixelwright.data.splits import SplitOptions, split
from pixelwright.structures.targets import Annotations, Classes

pytestmark = pytest.mark.shared


@pytest.fixture
def opened(shared: Path) -> Any:
    def open_one(name: str, **hints: Any) -> Dataset:
        return open_dataset(shared / "data" / name, hints=Hints(**hints))

    return open_one


def splits(dataset: Dataset) -> dict[str, int]:
    return dict(Counter(sample.split for sample in dataset.samples))


def classes(dataset: Dataset, part: str = "") -> dict[str, int]:
    counts: Counter[str] = Counter()
    for sample in dataset.samples:
        target = sample.truth()
        ids = target.class_ids if isinstance(target, Annotations) else target.ids if isinstance(target, Classes) else ()
        if part in ("", sample.split):
            counts.update(dataset.labels[one] for one in ids)
    return dict(counts)


def test_blood_cells(opened: Any) -> None:
    dataset = opened("bccd")
    assert (dataset.layout, splits(dataset)) == ("voc", {"train": 205, "validation": 87})
    assert classes(dataset) == {"RBC": 3350, "WBC": 301, "Platelets": 292}
    assert not dataset.faults


def test_roads(opened: Any) -> None:
    names = ("sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "pedestrian", "bicyclist")
    dataset = opened("camvid", labels=names, void_id=11)
    assert (dataset.layout, splits(dataset)) == ("masks", {"train": 367, "validation": 101})
    target: Any = dataset.samples[0].truth()
    assert (target.size_hw, target.void_id) == ((360, 480), 11)
    assert max(target.shares, key=target.shares.get) in ("road", "sky", "building")


def test_clothing(opened: Any) -> None:
    dataset = opened("clothing-small")
    assert (dataset.layout, splits(dataset)) == ("image-folder", {"train": 3068, "validation": 341})
    counts = classes(dataset, "train")
    assert (len(counts), max(counts.values()), counts["t-shirt"], counts["skirt"]) == (10, 795, 795, 112)


def test_signs_by_track(opened: Any) -> None:
    dataset = opened("gtsrb-small", kinds=frozenset({"classes"}), group=r"(\d+/\d+)_")
    assert (dataset.layout, len(dataset), len(dataset.labels)) == ("csv", 6534, 43)
    tracks: dict[str, set[str]] = {}
    parts = split(dataset)
    for name in ("train", "calibration", "validation"):
        for sample in getattr(parts, name).samples:
            tracks.setdefault(sample.group, set()).add(name)
    assert all(len(found) == 1 for found in tracks.values())
    assert not parts.faults  # each class is in train and in validation


def test_signs_with_boxes(opened: Any) -> None:
    dataset = opened("gtsrb-small", kinds=frozenset({"boxes"}))
    assert (dataset.kind, len(dataset), len(dataset.faults)) == ("boxes", 6534, 0)


def test_nuclei(opened: Any) -> None:
    dataset = opened("nuclei-dsb2018")
    assert (dataset.layout, len(dataset)) == ("instance-masks", 547)


@pytest.mark.slow
def test_every_nucleus_is_found(opened: Any) -> None:
    assert sum(classes(opened("nuclei-dsb2018")).values()) == 23950


def test_chest_xrays_and_their_known_duplicates(opened: Any) -> None:
    dataset = opened("pneumoniamnist")
    assert classes(dataset, "train") == {"0": 1214, "1": 3494}
    assert classes(dataset, "validation") == {"0": 135, "1": 389}
    assert len(split(dataset, SplitOptions()).faults) == 8


@pytest.mark.parametrize(
    ("name", "counts"), [("mnist", {"train": 20000, "test": 10000}), ("fashion-mnist", {"train": 60000})]
)
def test_digits_and_fashion(opened: Any, name: str, counts: dict[str, int]) -> None:
    dataset = opened(name)
    assert (dataset.layout, splits(dataset)) == ("idx", counts)
    assert dataset.samples[0].read().size_hw == (28, 28)


def test_retinal_vessels(opened: Any) -> None:
    dataset = opened("chase-db1")
    assert (dataset.layout, len(dataset), len(dataset.labels)) == ("masks", 20, 2)
    target: Any = dataset.samples[0].truth()
    assert target.size_hw == (960, 999)


def test_a_part_of_coco(opened: Any) -> None:
    boxes = opened("coco128-train")
    assert (boxes.layout, boxes.kind, len(boxes), len(boxes.labels)) == ("yolo", "boxes", 128, 80)
    things = opened("coco128-train", kinds=frozenset({"instances"}))
    assert (things.layout, len(things), things.labels[0]) == ("yolo", 100, "person")
    assert opened("coco128-train", kinds=frozenset({"map"})).layout == "masks"


def test_photographs_without_labels(opened: Any) -> None:
    assert (opened("photos-train").layout, len(opened("photos-train"))) == ("clean", 172)
    assert splits(opened("bsd130")) == {"train": 100, "test": 30}


def test_faces(opened: Any) -> None:
    dataset = opened("orl-faces")
    assert (dataset.layout, len(dataset), len(dataset.labels)) == ("image-folder", 300, 30)
