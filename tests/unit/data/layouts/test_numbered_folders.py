"""Labels that are given are the names of folders that are called after numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pixelwright.data.layout import Hints
from pixelwright.data.opening import open_dataset
from pixelwright.io.images import write_image
from pixelwright.structures.image import Image
from pixelwright.structures.targets import Classes


def folders(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).mkdir()
        write_image(Image(np.zeros((4, 4, 3), np.uint8)), root / name / "a.png")
    return root


def test_the_number_of_a_folder_says_which_label_it_is(tmp_path: Path) -> None:
    found = open_dataset(folders(tmp_path, "00", "02"), hints=Hints(labels=("stop", "yield", "go")))
    assert found.labels == ("stop", "yield", "go")
    assert [(sample.id, sample.truth()) for sample in found.samples] == [
        ("00/a.png", Classes((0,))),
        ("02/a.png", Classes((2,))),
    ]
    assert any("folders' numbers" in remark for remark in found.remarks)


def test_a_folder_that_is_called_as_a_label_is_that_label(tmp_path: Path) -> None:
    found = open_dataset(folders(tmp_path, "1", "2"), hints=Hints(labels=("2", "1")))
    assert [sample.truth() for sample in found.samples] == [Classes((1,)), Classes((0,))]
