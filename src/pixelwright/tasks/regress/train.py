"""How numbers of whole pictures and of sequences are learned: standardized, so that each counts alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from pixelwright.contract import Example, LossOptions, Training, whole_input, whole_pixels
from pixelwright.errors import DataError
from pixelwright.models.architecture import Problem
from pixelwright.models.batch import Batch, filled_sequences, stacked_pictures
from pixelwright.models.losses import VALUE_LOSSES, value_loss
from pixelwright.structures.image import Image
from pixelwright.structures.spec import InputSpec
from pixelwright.structures.targets import Target, Values


def encode(image: Image, target: Target | None, problem: Problem, spec: InputSpec) -> Example:
    """A picture as its contract prepares it, or a sequence as it is; and its values (V,), (v - mean) / std.

    Raises:
        DataError: There are no values, or another number of them than names.
        ShapeError: As `whole_pixels`.
    """
    if not isinstance(target, Values):
        raise DataError(f"{image.source.path}: expected values, got {type(target).__name__}.")
    if len(target.values) != len(problem.labels):
        raise DataError(f"{image.source.path}: {len(target.values)} values, and there are {len(problem.labels)} names.")
    means, deviations = np.transpose(problem.mean_std)
    values = ((np.asarray(target.values) - means) / deviations).astype(np.float32)
    return Example(whole_pixels(image, problem, spec), {"values": values}, image.source.path)


def collate(examples: Sequence[Example], generator: np.random.Generator, problem: Problem) -> Batch:
    """Pictures of one size, or sequences filled up with zeros to the longest of them."""
    del generator
    values = torch.from_numpy(np.stack([example.target["values"] for example in examples]))
    pixels, ids = [example.pixels for example in examples], tuple(example.id for example in examples)
    if problem.sequence:
        steps, lengths = filled_sequences(pixels)
        return Batch(steps, lengths, values=values, ids=ids)
    return Batch(stacked_pictures(pixels), values=values, ids=ids)


def loss(outputs: Mapping[str, Tensor], batch: Batch, problem: Problem, options: LossOptions) -> dict[str, Tensor]:
    """The mean squared error of standardized values, or whatever loss is named."""
    if batch.values is None:
        raise DataError("regress: the batch has no values.")
    name = options.name or "mse"
    return {name: value_loss(name)(outputs["logits"], batch.values)}


TRAINING = Training(
    task="regress",
    kinds=frozenset({"values"}),
    architectures=("residual", "efficient", "lstm"),
    input=whole_input,
    crops=False,
    encode=encode,
    collate=collate,
    loss=loss,
    flips=False,  # an angle changes its sign in a mirror; who knows better says so in the policy
    losses=tuple(VALUE_LOSSES),
)
