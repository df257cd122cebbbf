"""How better pictures are learned: from pairs, or from clean pictures that are made worse as they are needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from pixelwright.contract import Example, LossOptions, Training
from pixelwright.data.augment.degrade import degrade
from pixelwright.data.dataset import Dataset
from pixelwright.errors import DataError, ShapeError
from pixelwright.models.architecture import Problem
from pixelwright.models.batch import Batch
from pixelwright.models.losses import VALUE_LOSSES, value_loss
from pixelwright.ops import color
from pixelwright.structures.degradation import Degradation
from pixelwright.structures.image import Image, white_of
from pixelwright.structures.spec import InputSpec
from pixelwright.structures.targets import Target

Pixels = npt.NDArray[Any]

CLEAN = "clean"
# Batches of clean pictures are also shown smaller: their own noise and blur shrink with them, and details get finer.
SCALES = (1.0, 0.85, 0.72, 0.6)
# Around a crop while it is made worse: the downscaling kernel reaches 4 px, and JPEG's grid may begin anywhere.
MARGIN_PX = 8
LEAST_MARGIN_PX = 4


def input_of(dataset: Dataset, sizes_hw: Sequence[tuple[int, int]], channels: int) -> InputSpec:
    """Pictures as they are: their own size, depth and gamut, alpha kept beside."""
    del dataset, sizes_hw
    return InputSpec(
        color="as-is",
        channels="gray" if channels == 1 else "rgb",
        depth="keep",
        gray="expand",
        alpha="keep",
        extra_channels="each",
    )


def encode(image: Image, target: Target | None, problem: Problem, spec: InputSpec) -> Example:
    """The picture with its own depth, and of a pair the better one, `clean`: (sH, sW, C) of its own depth.

    Raises:
        DataError: There is neither a better picture nor a way to make a worse one.
        ShapeError: The better picture is not `scale` times as large.
    """
    path, (height, width), scale = image.source.path, image.size_hw, problem.scale
    if problem.degradation is not None:
        return Example(_pixels(image, spec), {}, path)
    if not isinstance(target, Image):
        raise DataError(
            f"{path}: expected a better picture of the same, got {type(target).__name__}. Choose another task."
        )
    if target.size_hw != (height * scale, width * scale):
        raise ShapeError(
            f"{path}: has {height} rows and {width} columns, and its better picture {target.size_hw[0]} and "
            f"{target.size_hw[1]}; expected {scale} times as many. Cut both to the same part of the scene."
        )
    return Example(_pixels(image, spec), {CLEAN: _pixels(target, spec)}, path)


def _pixels(image: Image, spec: InputSpec) -> Pixels:
    """(H, W, C) in the input's channels; where white is not that of the dtype, float32 with white at 1."""
    color.check_finite(image)
    fitting = color.to_gray(image) if spec.channels == "gray" else color.to_rgb(image)
    if fitting.white != white_of(fitting.pixels.dtype) or fitting.pixels.dtype.kind == "f":
        return color.to_float(fitting)
    return fitting.pixels


def collate(examples: Sequence[Example], generator: np.random.Generator, problem: Problem) -> Batch:
    """A crop of each picture, and the same part of the better one, which is as large as the problem's scale says.

    Clean pictures are cut and made worse: all of a batch at once. What is smaller than a crop goes on as its mirror
    image.
    """
    ids = tuple(example.id for example in examples)
    if problem.degradation is None:
        pairs = [_cut_pair(example, generator, problem) for example in examples]
        return Batch(_stacked([worse for worse, _ in pairs]), clean=_stacked([clean for _, clean in pairs]), ids=ids)
    scale, (height, width) = problem.scale, problem.size_hw
    frame = scale * (height + 2 * MARGIN_PX), scale * (width + 2 * MARGIN_PX)
    clean = _clean_crops([example.pixels for example in examples], generator, frame)
    worse = degrade(clean, problem.degradation, torch.Generator().manual_seed(int(generator.integers(2**63))))
    top, left = generator.integers(LEAST_MARGIN_PX, 2 * MARGIN_PX - LEAST_MARGIN_PX + 1, 2).tolist()
    inner = worse[:, :, top : top + height, left : left + width]
    outer = clean[:, :, scale * top : scale * (top + height), scale * left : scale * (left + width)]
    return Batch(inner.contiguous(), clean=outer.contiguous(), ids=ids)


def _cut_pair(example: Example, generator: np.random.Generator, problem: Problem) -> tuple[Pixels, Pixels]:
    scale, sides = problem.scale, problem.size_hw
    starts = _starts(example.pixels, sides, generator)
    enlarged = [scale * start for start in starts], [scale * side for side in sides]
    return _window(example.pixels, starts, sides), _window(example.target[CLEAN], *enlarged)


def _clean_crops(pictures: Sequence[Pixels], generator: np.random.Generator, size_hw: tuple[int, int]) -> Tensor:
    """A part of each clean picture (N, C, H, W), at times made smaller; of the size asked for."""
    rooms = [count / side for one in pictures for count, side in zip(one.shape, size_hw, strict=False)]
    fitting = [scale for scale in SCALES if scale * min(rooms) >= 1] or [1.0]
    scale = fitting[int(generator.integers(len(fitting)))]
    sides = [round(side / scale) for side in size_hw]
    cuts = [_window(one, _starts(one, sides, generator), sides) for one in pictures]
    if scale == 1:
        return _stacked(cuts)
    if any(cut.dtype != np.uint8 for cut in cuts):
        return functional.interpolate(_stacked(cuts), size=size_hw, mode="bicubic", antialias=True).clamp(0, 1)
    # Of bytes torch has this kernel several times as fast as of floats.
    levels = torch.from_numpy(np.stack(cuts)).permute(0, 3, 1, 2)
    return functional.interpolate(levels, size=size_hw, mode="bicubic", antialias=True).float() / 255


def _starts(pixels: Pixels, sides: Sequence[int], generator: np.random.Generator) -> list[int]:
    """Where a window of these sides begins, evenly among all places where it fits."""
    return [int(generator.integers(max(count - side, 0) + 1)) for count, side in zip(pixels.shape, sides, strict=False)]


def _window(pixels: Pixels, starts: Sequence[int], sides: Sequence[int]) -> Pixels:
    """A part of a picture; what it lacks at the bottom and right is mirrored."""
    rows, columns = (slice(start, start + side) for start, side in zip(starts, sides, strict=True))
    cut = pixels[rows, columns]
    below, right = sides[0] - cut.shape[0], sides[1] - cut.shape[1]
    return np.pad(cut, ((0, below), (0, right), (0, 0)), mode="symmetric") if below or right else cut


def _stacked(cuts: Sequence[Pixels]) -> Tensor:
    """(N, C, H, W) float32 with white at 1, of pictures of any depth."""
    planes = [cut.astype(np.float32) / np.float32(white_of(cut.dtype)) for cut in cuts]
    return torch.from_numpy(np.stack(planes)).permute(0, 3, 1, 2)


def loss(outputs: Mapping[str, Tensor], batch: Batch, problem: Problem, options: LossOptions) -> dict[str, Tensor]:
    """Charbonnier's smooth absolute error to the better pictures, or whatever loss is named.

    Raises:
        DataError: The batch has no better pictures.
        UnknownName: There is no such loss.
    """
    del problem
    if batch.clean is None:
        raise DataError("enhance: the batch has no better pictures.")
    name, (restored,) = options.name or "charbonnier", outputs.values()
    height, width = batch.clean.shape[2:]  # the network was given more where it wants multiples of a number
    return {name: value_loss(name)(restored[:, :, :height, :width].float(), batch.clean)}


def trial(image: Image, target: Target | None, problem: Problem, number: int) -> tuple[Image, Target | None]:
    """What is validated on: a pair as it is; a clean picture made worse, the same way for the same number.

    Always something is done to it, since a picture that was left alone says nothing of what was learned. It is rounded
    to the depth of the file, as if it had been stored.
    """
    if problem.degradation is None:
        return image, target
    step = problem.degradation.downscale
    height, width = (side // step * step for side in image.size_hw)
    if not height or not width:
        raise ShapeError(f"{image.source.path}: is smaller than the {step}x{step} pixels that become one.")
    clean = image.replace(pixels=image.pixels[:height, :width], alpha=None)
    planes = torch.from_numpy(color.to_float(clean)).permute(2, 0, 1)[None]
    worse = degrade(planes, _without_intact(problem.degradation), torch.Generator().manual_seed(number))
    values = worse[0].permute(1, 2, 0).numpy()
    return clean.replace(pixels=color.from_float(values, image.pixels.dtype, image.white)), clean


def _without_intact(degradation: Degradation) -> Degradation:
    noisy = degradation.gaussian + degradation.sensor
    gaussian = degradation.gaussian / noisy if noisy else 0.0
    jpeg = 1.0 if degradation.jpeg and not noisy else degradation.jpeg
    return replace(degradation, gaussian=gaussian, sensor=1 - gaussian if noisy else 0.0, jpeg=jpeg)


TRAINING = Training(
    task="enhance",
    kinds=frozenset({"pair", "clean"}),
    architectures=("resunet", "span"),
    input=input_of,
    crops=True,
    encode=encode,
    collate=collate,
    loss=loss,
    flips=True,
    losses=tuple(VALUE_LOSSES),
    trial=trial,
)
