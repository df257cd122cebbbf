"""How label maps are learned: from random crops at random scales, with what is not known left out of the loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from pixelwright.contract import Example, LossOptions, Training, kept
from pixelwright.data.dataset import Dataset
from pixelwright.errors import DataError, ShapeError
from pixelwright.models.architecture import Problem
from pixelwright.models.batch import VOID, Batch, stacked_pictures
from pixelwright.models.losses import CLASS_LOSSES, class_loss
from pixelwright.ops import resample
from pixelwright.ops.batch import Placement
from pixelwright.structures.image import Image
from pixelwright.structures.label_map import LabelMap
from pixelwright.structures.spec import InputSpec, Resize
from pixelwright.structures.targets import Target

Pixels = npt.NDArray[Any]

# Pictures whose shorter sides differ by more have no scale in common (photos from anywhere); they are given one.
SAME_SCALE = 1.25
LARGEST_PX = 512  # of the shorter side, where pictures are given a common one
ROUND_PX = 32
# A crop shows the picture at half to twice its size, evenly in the logarithm (Chen et al., "Rethinking Atrous
# Convolution for Semantic Image Segmentation", https://arxiv.org/abs/1706.05587, section 4.1).
SCALES = (0.5, 2.0)


def input_of(dataset: Dataset, sizes_hw: Sequence[tuple[int, int]], channels: int) -> InputSpec:
    """Pictures as they are where they have about one size, as those of one camera or microscope have; else scaled.

    Then the shorter side is the median of the pictures' shorter sides, 512 at the most.

    Raises:
        DataError: There are no pictures.
    """
    if not sizes_hw:
        raise DataError(f"{dataset.root}: expected pictures to choose the input by, got none.")
    color = "gray" if channels == 1 else "rgb"
    shorter = [min(size) for size in sizes_hw]
    if max(shorter) <= SAME_SCALE * min(shorter):
        return InputSpec(channels=color)
    side = int(max(min(round(median(shorter) / ROUND_PX) * ROUND_PX, LARGEST_PX), ROUND_PX))
    return InputSpec(channels=color, resize=Resize(rule="shorter", size_hw=(side, side)))


def encode(image: Image, target: Target | None, problem: Problem, spec: InputSpec) -> Example:
    """The picture as its contract prepares it, and `map`: (H, W) int16 or int32 ids of the problem's labels, or `VOID`.

    Raises:
        DataError: What is true of the picture is no label map, or has a class without a label.
        ShapeError: The map is of another size than the picture.
    """
    path = image.source.path
    if not isinstance(target, LabelMap):
        raise DataError(
            f"{path}: expected a label map, got {type(target).__name__}. Choose another task for this data."
        )
    if target.size_hw != image.size_hw:
        raise ShapeError(
            f"{path}: the picture has {image.size_hw[0]} rows and {image.size_hw[1]} columns, its label map "
            f"{target.size_hw[0]} and {target.size_hw[1]}. Each pixel needs its class: correct the map."
        )
    ids = target.ids.astype(np.int16 if len(problem.labels) <= np.iinfo(np.int16).max else np.int32)
    unknown = np.zeros(ids.shape, bool) if target.void_id is None else target.ids == target.void_id
    highest = int(ids.max(initial=-1, where=~unknown))
    if highest >= len(problem.labels):
        raise DataError(f"{path}: its map has class {highest}, and there are {len(problem.labels)} labels. Name void.")
    ids[unknown] = VOID
    prepared = kept(image, spec)
    if prepared.tensor.shape[:2] != image.size_hw:
        ids = _sampled(ids, prepared.tensor.shape[:2], prepared.placement)
    return Example(prepared.tensor, {"map": ids}, path)


def _sampled(ids: Pixels, size_hw: tuple[int, ...], place: Placement) -> Pixels:
    """The ids at the centers of the prepared picture's pixels."""
    rows, columns = (
        np.clip(np.floor((np.arange(side) + 0.5) * scale + offset), 0, count - 1).astype(np.intp)
        for side, count, scale, offset in zip(
            size_hw, ids.shape, place.scale_xy[::-1], place.offset_xy[::-1], strict=True
        )
    )
    return ids[rows][:, columns]


def collate(examples: Sequence[Example], generator: np.random.Generator, problem: Problem) -> Batch:
    """A crop of each picture with its map, at a random scale; where the picture ends, its edge goes on and is void."""
    cuts = [_cut(example, generator, problem.size_hw) for example in examples]
    images = stacked_pictures([pixels for pixels, _ in cuts])
    maps = torch.from_numpy(np.stack([ids for _, ids in cuts])).long()
    return Batch(images, maps=maps, ids=tuple(example.id for example in examples))


def _cut(example: Example, generator: np.random.Generator, size_hw: tuple[int, int]) -> tuple[Pixels, Pixels]:
    scale = float(np.exp(generator.uniform(*np.log(SCALES))))
    pixels, ids = example.pixels, example.target["map"]
    inner, frame = [], []
    for side, count in zip(size_hw, ids.shape, strict=True):
        wanted = max(round(side / scale), 1)
        start = int(generator.integers(min(0, count - wanted), max(0, count - wanted) + 1))
        inner.append(slice(max(start, 0), min(start + wanted, count)))
        frame.append((max(-start, 0), max(start + wanted - count, 0)))
    seen, known = pixels[tuple(inner)], ids[tuple(inner)]
    if any(map(any, frame)):
        seen = np.pad(seen, (*frame, (0, 0)), mode="edge")
        known = np.pad(known, frame, constant_values=VOID)
    whole = Placement((known.shape[1] / size_hw[1], known.shape[0] / size_hw[0]), (0.0, 0.0))
    return resample.resize(seen, size_hw, antialias=scale < 1), _sampled(known, size_hw, whole)


def loss(outputs: Mapping[str, Tensor], batch: Batch, problem: Problem, options: LossOptions) -> dict[str, Tensor]:
    """Cross-entropy of the pixels whose class is known, or whatever loss is named; 0 where no class is known.

    Logits that are coarser than the map are held against the shares of the classes in each of their cells, which is the
    cross-entropy of all pixels for as much of the work as there are cells; for other losses, and with smoothed labels,
    they are enlarged bilinearly, as at prediction.

    Raises:
        DataError: The batch has no maps.
        UnknownName: There is no such loss.
    """
    del problem
    if batch.maps is None:
        raise DataError("segment: the batch has no label maps.")
    name, (logits,) = options.name or "cross-entropy", outputs.values()
    logits = logits.float()
    # Pictures are padded to what the network needs, maps are not; a cell is as large as divides the padded sides.
    cell = -(-batch.maps.shape[1] // logits.shape[2])
    below, right = (cell * logits.shape[axis + 1] - batch.maps.shape[axis] for axis in (1, 2))
    maps = functional.pad(batch.maps, (0, right, 0, below), value=VOID)
    if cell > 1 and name == "cross-entropy" and not options.label_smoothing:
        truth = shares(maps, cell, logits.shape[1])
    else:
        truth = maps
        if cell > 1:
            logits = functional.interpolate(logits, size=maps.shape[1:], mode="bilinear")
    return {name: class_loss(name)(logits, truth, options.class_weights, options.label_smoothing)}


def shares(maps: Tensor, cell: int, classes: int) -> Tensor:
    """How much of each cell every class has: (N, K, H / cell, W / cell) float32, 1 in sum where nothing is void."""
    count, height, width = maps.shape
    found = torch.zeros((count, classes, height // cell, width // cell), device=maps.device)
    for row in range(cell):
        for column in range(cell):
            ids = maps[:, row::cell, column::cell].unsqueeze(1)
            known = (ids != VOID).to(found.dtype) / cell**2
            found.scatter_add_(1, ids.clamp(min=0), known)
    return found


def amounts(example: Example, problem: Problem) -> npt.NDArray[np.float64]:
    """The share of the picture's pixels that each class has (K,)."""
    ids = example.target["map"]
    return np.bincount(ids[ids != VOID], minlength=len(problem.labels)) / ids.size


TRAINING = Training(
    task="segment",
    kinds=frozenset({"map"}),
    architectures=("unet", "swiftnet"),
    input=input_of,
    crops=True,
    encode=encode,
    collate=collate,
    loss=loss,
    flips=True,
    losses=tuple(CLASS_LOSSES),
    amounts=amounts,
)
