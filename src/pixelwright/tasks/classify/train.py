"""How classes of whole pictures and of sequences are learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pixelwright.contract import Example, LossOptions, Training, kept
from pixelwright.data.dataset import Dataset
from pixelwright.errors import DataError, ShapeError
from pixelwright.models.architecture import Problem
from pixelwright.models.batch import Batch
from pixelwright.models.losses import class_loss
from pixelwright.structures.image import Image, white_of
from pixelwright.structures.spec import InputSpec, Resize
from pixelwright.structures.targets import Classes, Target

# Photos are seen at no more than this: twice the rows and columns cost four times the time.
LARGEST_PX = 160
ROUND_PX = 16  # networks halve their maps four times and more


def input_of(dataset: Dataset, sizes_hw: Sequence[tuple[int, int]], channels: int) -> InputSpec:
    """All pictures in one size: their own where they have one in common and it is small, else a square.

    Sequences stay as they are.
    """
    if dataset.sequence:
        return InputSpec(color="as-is", channels="gray", depth="keep", layout="NTF")
    return InputSpec(
        channels="gray" if channels == 1 else "rgb",
        resize=Resize(rule="stretch", size_hw=_common_size(sizes_hw)),
    )


def _common_size(sizes_hw: Sequence[tuple[int, int]]) -> tuple[int, int]:
    first = sizes_hw[0]
    if all(size == first for size in sizes_hw) and max(first) <= LARGEST_PX:
        return first
    shorter = median(min(size) for size in sizes_hw)
    side = int(max(min(round(shorter / ROUND_PX) * ROUND_PX, LARGEST_PX), 2 * ROUND_PX))
    return side, side


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
    pixels = _steps(image, problem) if problem.sequence else kept(image, spec).tensor
    return Example(pixels, {"classes": weights}, image.source.path)


def _steps(image: Image, problem: Problem) -> npt.NDArray[np.float32]:
    """A sequence (T, F, 1)."""
    if image.size_hw[1] != problem.size_hw[1]:
        raise ShapeError(f"{image.source.path}: expected {problem.size_hw[1]} features a step, got {image.size_hw[1]}.")
    if not np.isfinite(image.pixels).all():
        raise ShapeError(f"{image.source.path}: holds NaN or infinity.")
    return image.pixels.astype(np.float32)


def collate(examples: Sequence[Example], generator: np.random.Generator, problem: Problem) -> Batch:
    """Pictures of one size, or sequences filled up with zeros to the longest of them."""
    del generator
    classes = torch.from_numpy(np.stack([example.target["classes"] for example in examples]))
    ids = tuple(example.id for example in examples)
    if problem.sequence:
        lengths = np.array([len(example.pixels) for example in examples], np.int64)
        steps = np.zeros((len(examples), lengths.max(), problem.size_hw[1]), np.float32)
        for row, example in zip(steps, examples, strict=True):
            row[: len(example.pixels)] = example.pixels[:, :, 0]
        return Batch(torch.from_numpy(steps), torch.from_numpy(lengths), classes=classes, ids=ids)
    stacked = np.stack([example.pixels for example in examples])
    images = torch.from_numpy(stacked).permute(0, 3, 1, 2).float() / white_of(stacked.dtype)
    return Batch(images, classes=classes, ids=ids)


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
    input=input_of,
    crops=False,
    encode=encode,
    collate=collate,
    loss=loss,
    flips=True,
    amounts=amounts,
)
