"""The instant baseline tells in seconds how far frozen features get."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pixelwright.data.opening import open_dataset
from pixelwright.data.splits import split
from pixelwright.io.images import write_image
from pixelwright.ops.appearance import FEATURES
from pixelwright.structures.image import Image
from pixelwright.verbs import baseline as module
from pixelwright.verbs.baseline import baseline
from pixelwright.verbs.features import features_of


@pytest.fixture(scope="module")
def stripes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes that differ by the direction of their stripes, and one file that is no picture."""
    root, rng = tmp_path_factory.mktemp("stripes"), np.random.default_rng(0)
    for name, across in (("lying", 0), ("upright", 1)):
        (root / name).mkdir()
        for number in range(30):
            wave = (np.sin(np.arange(24) * rng.uniform(0.6, 1.2) + rng.uniform(0, 6)) * 60 + 128)[:, None, None]
            pixels = np.repeat(wave, 24, 1) + rng.normal(0, 20, (24, 24, 1))
            pixels = pixels.transpose(1, 0, 2) if across else pixels
            write_image(Image(np.clip(pixels, 0, 255).astype(np.uint8).repeat(3, 2)), root / name / f"{number:02}.png")
    (root / "lying" / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return root


def test_classes_that_edges_tell_apart_are_told_apart(stripes: Path) -> None:
    found = baseline(split(open_dataset(stripes)), source=FEATURES)
    assert found is not None
    assert found.score.value > 0.9 > 0.6 > found.guess
    assert found.score.definition == "accuracy" and found.to_dict()["features"] == FEATURES
    assert "always saying the most frequent class" in str(found)


def test_no_more_pictures_are_looked_at_than_seconds_allow(stripes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_TRAIN", 20)
    found = baseline(split(open_dataset(stripes)), source=FEATURES)
    assert found is not None and found.trained_on <= 20


def test_pictures_with_several_classes_have_no_baseline(stripes: Path) -> None:
    splits = split(open_dataset(stripes))
    assert baseline(replace(splits, train=replace(splits.train, exclusive=False))) is None


def test_pictures_of_a_single_group_have_no_baseline(stripes: Path) -> None:
    splits = split(open_dataset(stripes))
    of_one = splits.train.only(replace(sample, group="patient 7") for sample in splits.train.samples)
    assert baseline(replace(splits, train=of_one), source=FEATURES) is None


def test_pictures_that_cannot_be_read_are_left_out(stripes: Path) -> None:
    samples = open_dataset(stripes).samples
    torn = [place for place, sample in enumerate(samples) if sample.id.endswith("torn.png")]
    done: list[int] = []
    found = features_of(samples, source=FEATURES, on_done=done.append)
    assert sorted({*range(len(samples))} - {*found.places.tolist()}) == torn
    assert len(found.rows) == len(samples) - 1 and done[-1] == len(samples)
