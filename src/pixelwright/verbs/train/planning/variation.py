"""Variation: how the pictures of a training are varied and made worse, by its configuration and by what they are of."""

from __future__ import annotations

from dataclasses import replace

from pixelwright import registry
from pixelwright.data.augment.policy import TURNS, Policy, suited
from pixelwright.data.dataset import Dataset
from pixelwright.errors import DataError, UsageError
from pixelwright.structures.degradation import Degradation
from pixelwright.structures.image import Image
from pixelwright.verbs.train.samples.sound import can_be_used
from pixelwright.verbs.train.settings.config import TrainConfig
from pixelwright.verbs.train.settings.wording import with_changes


def policy_of(config: TrainConfig, dataset: Dataset) -> tuple[Policy, tuple[str, ...]]:
    """The preset without what would make the truth untrue, and a sentence for each thing that was taken out.

    What the configuration changes of the preset by name stands, whatever the labels look like.

    Raises:
        UnknownName: There is no such preset or limit.
        UsageError: A value is out of its range.
    """
    policy, remarks = suited(Policy.named(config.augment.preset), dataset)
    if policy.turns and not registry.get("training", config.task).flips:
        policy = replace(policy, **dict.fromkeys(TURNS, 0.0))
        remarks = (*remarks, f"nothing is mirrored or turned: {config.task} is about directions")
    return with_changes(policy, config.augment.changes, "augment.changes"), remarks


def degradation_of(config: TrainConfig, dataset: Dataset) -> Degradation | None:
    """How clean pictures are made worse: the preset with its changes; None where the data has the worse ones too.

    Raises:
        UnknownName: There is no such preset or limit.
        UsageError: A value is out of its range, or there is nothing to be made worse.
    """
    asked = config.degrade
    if dataset.kind != "clean":
        if asked.preset or asked.changes:
            raise UsageError(f"degrade: is for clean pictures, and these data have more: {dataset.kind}. Leave it out.")
        return None
    return with_changes(Degradation.named(asked.preset), asked.changes, "degrade.changes")


def scale_of(dataset: Dataset) -> int:
    """How many times larger the better pictures of pairs are, by the first pair that can be read; 1 for other data.

    Raises:
        DataError: By no whole number.
    """
    if dataset.kind != "pair":
        return 1
    sample = next(filter(can_be_used, dataset.samples), dataset.samples[0])  # others are left out, and named, later
    better = sample.truth()
    with sample.picture.open() as raster:
        height, width = raster.size_hw
    if not isinstance(better, Image):
        raise DataError(f"{sample.id}: expected a better picture of the same, got {type(better).__name__}.")
    scale = max(round(better.size_hw[0] / height), 1)
    if better.size_hw != (height * scale, width * scale):
        raise DataError(
            f"{sample.id}: has {height} rows and {width} columns, and its better picture {better.size_hw[0]} and "
            f"{better.size_hw[1]}. Expected the same number, or a whole multiple."
        )
    return scale
