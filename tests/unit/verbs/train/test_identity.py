"""A run knows whether its data are still what they were, truth included."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from datasets import picture
from pixelwright.data.layout import Hints
from pixelwright.data.opening import open_dataset
from pixelwright.data.splits import SplitOptions, split
from pixelwright.io.images import write_image
from pixelwright.structures.image import GRAY, Image
from pixelwright.verbs.train.samples.identity import identity_of

COUNT = 12


def write_mask(path: Path, value: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    ids = np.zeros((8, 8, 1), np.uint8)
    ids[2:5, 2:5] = value
    write_image(Image(ids, color=GRAY), path)


def write_table(root: Path, last: str) -> None:
    rows = [f"{number}.png,{number % 2}" for number in range(COUNT - 1)]
    (root / "labels.csv").write_text("\n".join(["path,label", *rows, f"{COUNT - 1}.png,{last}"]), encoding="utf-8")


def write_coco(root: Path, width: int) -> None:
    """Polygons of triangles, the last as wide as asked."""
    images = [{"id": one, "file_name": f"{one}.png", "width": 8, "height": 8} for one in range(COUNT)]
    widths = [4] * (COUNT - 1) + [width]
    of_all = {"category_id": 1, "bbox": [1, 1, 4, 4]}
    things = [
        {"id": one, "image_id": one, "segmentation": [[1, 1, 1 + wide, 1, 1, 5]]} | of_all
        for one, wide in enumerate(widths)
    ]
    file = {"images": images, "annotations": things, "categories": [{"id": 1, "name": "thing"}]}
    (root / "instances.json").write_text(json.dumps(file), encoding="utf-8")


def write_masks(root: Path, value: int) -> None:
    for number in range(COUNT):
        write_mask(root / "masks" / f"{number}.png", value if number == COUNT - 1 else 1)
    (root / "classes.txt").write_text("none\none\nother\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("write", "as_it_was", "changed", "folder"),
    [(write_table, "1", "0", "."), (write_coco, 4, 3, "."), (write_masks, 1, 2, "images")],
    ids=["classes", "polygons", "label maps"],
)
def test_another_truth_of_one_picture_is_another_identity(
    tmp_path: Path, write: object, as_it_was: object, changed: object, folder: str
) -> None:
    for number in range(COUNT):
        picture(tmp_path / folder / f"{number}.png", number)

    def identity(value: object) -> str:
        write(tmp_path, value)  # type: ignore[operator]
        return identity_of(split(open_dataset(tmp_path, hints=Hints()), SplitOptions(validation=0.2)))

    before = identity(as_it_was)
    assert identity(changed) != before
    assert identity(as_it_was) == before
