"""How classes of whole pictures and of sequences are learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pixelwright.contract import Example, LossOptions, Training, whole_input, whole_pixels
from pixelwright.errors import DataError
from pixelwright.models.architecture import Problem
from pixelwright.models.batch import Batch, filled_sequences, stacked_pictures
from pixelwright.models.losses import CLASS_LOSSES, class_loss
from pixelwright.structures.image import Image
from pixelwright.structures.spec import InputSpec
from pixelwright.structures.targets import Classes, Target


def encode(image: Image, target: Target | None, problem: Problem, spec: InputSpec) -> Example:
    """A picture as its contract prepares it, or a sequence as it is; and the weights (K,) of its classes, 0 or 1.

    Raises:
        DataError: There is no class, or one the labels do not have.
        ShapeError: A sequence has another number of features, or numbers that are not finite.
    """
    if not isinstance(target, Classes):
        raise DataError(f"{image.source.path}: expected classes, got {type(target).__name__}.")
    if target.ids and target.ids[-1] >= len(problem.labels):
        raise DataError(f"{image.source.path}: class {target.ids[-1]}, and there are {len(problem.labels)} labels.")
    weights = np.zeros(len(problem.labels), np.float32)
    weights[list(target.ids)] = 1
    return Example(whole_pixels(image, problem, spec), {"classes": weights}, image.source.path)


def collate(examples: Sequence[Example], generator: np.random.Generator, problem: Problem) -> Batch:
    """Pictures of one size, or sequences filled up with zeros to the longest of them."""
    del generator
    classes = torch.from_numpy(np.stack([example.target["classes"] for example in examples]))
    ids = tuple(example.id for example in examples)
    pixels = [example.pixels for example in examples]
    if problem.sequence:
        steps, lengths = filled_sequences(pixels)
        return Batch(steps, lengths, classes=classes, ids=ids)
    return Batch(stacked_pictures(pixels), classes=classes, ids=ids)


def loss(outputs: Mapping[str, Tensor], batch: Batch, problem: Problem, options: LossOptions) -> dict[str, Tensor]:
    """Cross-entropy where classes exclude each other, else binary cross-entropy; or whatever loss is named."""
    assigned = batch.classes
    if assigned is None:
        raise DataError("classify: the batch has no classes.")
    name = options.name or ("cross-entropy" if problem.exclusive else "bce")
    return {name: class_loss(name)(outputs["logits"], assigned, options.class_weights, options.label_smoothing)}


def amounts(example: Example, problem: Problem) -> npt.NDArray[np.float64]:
    """Which classes there are (K,), 0 or 1."""
    del problem
    return example.target["classes"].astype(np.float64)


TRAINING = Training(
    task="classify",
    kinds=frozenset({"classes"}),
    architectures=("residual", "efficient", "lstm"),
    input=whole_input,
    crops=False,
    encode=encode,
    collate=collate,
    loss=loss,
    flips=True,
    losses=tuple(CLASS_LOSSES),
    amounts=amounts,
)
