"""Variation: how the pictures of a training are varied, by its configuration and by what the labels mean."""

from __future__ import annotations

from dataclasses import fields, replace

import msgspec

from pixelwright import registry
from pixelwright.data.augment.policy import TURNS, Policy, keypoint_swaps, without_forbidden
from pixelwright.data.dataset import Dataset
from pixelwright.errors import UsageError
from pixelwright.verbs.train.config import TrainConfig


def policy_of(config: TrainConfig, dataset: Dataset) -> tuple[Policy, tuple[str, ...]]:
    """The preset without what would make the truth untrue, and a sentence for each thing that was taken out.

    What the configuration changes of the preset by name stands, whatever the labels look like.

    Raises:
        UnknownName: There is no such preset.
        UsageError: There is no such limit, or a value is out of its range.
    """
    changes = config.augment.changes
    known = [one.name for one in fields(Policy)]
    if unknown := changes.keys() - set(known):
        raise UsageError(f"augment.changes: there is no {', '.join(sorted(unknown))}; there are: {', '.join(known)}.")
    start = replace(Policy.named(config.augment.preset), keypoint_swaps=keypoint_swaps(dataset.keypoints))
    policy, remarks = without_forbidden(start, dataset.kind, dataset.labels)
    if policy.turns and not registry.get("training", config.task).flips:
        policy = replace(policy, **dict.fromkeys(TURNS, 0.0))
        remarks = (*remarks, f"nothing is mirrored or turned: {config.task} is about directions")
    try:
        return msgspec.convert({**msgspec.to_builtins(policy), **changes}, Policy, strict=False), remarks
    except msgspec.ValidationError as err:
        raise UsageError(f"augment.changes: {err}.") from err
