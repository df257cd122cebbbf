"""The contact sheet of varied pictures: which pictures are on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pixelwright.data.augment.policy import Policy
from pixelwright.data.opening import open_dataset
from pixelwright.errors import ImageError
from trainings import write_gray

torch = pytest.importorskip("torch")

from pixelwright.data.augment.sheet import preview  # noqa: E402


def test_six_pictures_are_shown_and_none_twice_or_that_cannot_be_used(tmp_path: Path) -> None:
    write_gray(tmp_path, [f"{label}/{number:02}.png" for label in "ab" for number in range(8)])
    dataset = open_dataset(tmp_path)
    broken = {sample.id for sample in (*dataset.samples[:3], dataset.samples[9])}
    for name in broken:
        (tmp_path / name).write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(ImageError):
        preview(dataset, Policy(), variants=0)
    asked: list[str] = []

    def usable(sample: object) -> bool:
        asked.append(sample.id)  # type: ignore[attr-defined]
        return asked[-1] not in broken

    sheet = preview(dataset, Policy(), usable=usable, variants=0)
    assert sheet.size_hw == (8 + 6 * 254, 8 + 232)
    shown = [dataset.samples[place].id for place in (3, 4, 6, 8, 10, 12)]
    assert [name for name in asked if name not in broken] == shown
