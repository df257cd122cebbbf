"""How pictures are made worse for a training: what the configuration says, and what the data allow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from pixelwright.data.dataset import Dataset
from pixelwright.data.layout import Hints
from pixelwright.data.opening import open_dataset
from pixelwright.errors import DataError, UnknownName, UsageError
from pixelwright.structures.degradation import Degradation
from pixelwright.verbs.train.planning.variation import degradation_of, policy_of, scale_of
from pixelwright.verbs.train.settings.config import AugmentConfig, DegradeConfig, TrainConfig

CLEAN = Dataset(Path("data"), "clean", "clean", (), ())


def config(preset: str = "denoise", **changes: object) -> TrainConfig:
    return TrainConfig(task="enhance", degrade=DegradeConfig(preset=preset, changes=changes))


def pairs(folder: Path, worse_hw: tuple[int, int], better_hw: tuple[int, int]) -> Dataset:
    for name, (height, width) in (("input", worse_hw), ("target", better_hw)):
        (folder / name).mkdir(parents=True)
        for number in range(3):
            PillowImage.fromarray(np.zeros((height, width, 3), np.uint8)).save(folder / name / f"{number}.png")
    return open_dataset(folder, hints=Hints(kinds=frozenset({"pair", "clean"})))


def test_a_preset_is_changed_by_name() -> None:
    found = degradation_of(config(gaussian_sigma=[0.0, 0.1], jpeg=0.5), CLEAN)
    assert found == replace(Degradation.named("denoise"), gaussian_sigma=(0.0, 0.1), jpeg=0.5)


def test_a_change_of_something_that_is_not_there_is_refused() -> None:
    with pytest.raises(UnknownName, match=r"there is no value of degrade\.changes named 'sigma'"):
        degradation_of(config(sigma=3), CLEAN)


def test_what_is_changed_of_varying_has_to_be_there_too() -> None:
    varied = TrainConfig(task="classify", augment=AugmentConfig("light", {"mirorr": 0.5}))
    with pytest.raises(UnknownName, match=r"no value of augment\.changes named 'mirorr'\. Did you mean 'mirror'"):
        policy_of(varied, replace(CLEAN, kind="classes"))


def test_a_value_of_another_type_is_refused() -> None:
    with pytest.raises(UsageError, match=r"degrade\.changes: .*gaussian_sigma"):
        degradation_of(config(gaussian_sigma="strong"), CLEAN)


def test_a_value_out_of_range_is_refused() -> None:
    with pytest.raises(UsageError, match=r"jpeg: expected 0\.\.1, got 2"):
        degradation_of(config(jpeg=2), CLEAN)


def test_an_unknown_preset_is_refused() -> None:
    with pytest.raises(UnknownName, match="super-resolve-x2"):
        degradation_of(config("super-resolve-x3"), CLEAN)


def test_data_that_have_worse_pictures_are_not_made_worse() -> None:
    data = replace(CLEAN, kind="pair")
    assert degradation_of(config(""), data) is None
    with pytest.raises(UsageError, match="is for clean pictures, and these data have more: pair"):
        degradation_of(config(), data)


@pytest.mark.parametrize(("better_hw", "scale"), [((12, 16), 1), ((36, 48), 3)])
def test_the_scale_of_pairs_is_that_of_the_first(tmp_path: Path, better_hw: tuple[int, int], scale: int) -> None:
    assert scale_of(pairs(tmp_path, (12, 16), better_hw)) == scale


def test_a_first_pair_that_cannot_be_read_ends_nothing(tmp_path: Path) -> None:
    data = pairs(tmp_path, (12, 16), (36, 48))
    data = data.only((replace(data.samples[0], truth=broken), *data.samples))
    assert scale_of(data) == 3


def broken() -> None:
    raise DataError("a.png: is truncated.")


def test_pairs_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="12"):
        scale_of(pairs(tmp_path, (12, 16), (30, 40)))


def test_other_data_have_no_scale() -> None:
    assert scale_of(CLEAN) == 1
