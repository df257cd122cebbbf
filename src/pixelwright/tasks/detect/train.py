"""How detectors learn: what they see, and what is true of it after it was scaled and cut.

Pictures with boxes are scaled into one frame, as at prediction. Pictures with masks keep their size, since the things
in them (cells, grains) have one, and are learned from in random crops.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pixelwright.contract import Example, LossOptions, Training, kept
from pixelwright.data.dataset import Dataset
from pixelwright.errors import DataError, PixelwrightError, ShapeError, TrainingError
from pixelwright.models.architecture import Problem
from pixelwright.models.batch import Batch, stacked_pictures
from pixelwright.ops.batch import Placement
from pixelwright.ops.boxes import Boxes
from pixelwright.structures.image import Image
from pixelwright.structures.spec import InputSpec, Resize
from pixelwright.structures.targets import Annotations, Target

Arrays = Mapping[str, npt.NDArray[Any]]
Window = tuple[int, int, int, int]  # top, left, height, width

SIDE_STEP_PX = 32  # sides of the frame are multiples of it
SIDES_PX = (256, 768)  # of the frame's longer side
LEAST_THING_PX = 16  # two cells of a detector's finest grid: nineteen of twenty things shall be no smaller in the frame
SMALL_PERCENTILE = 5
LOOKED_AT = 100  # samples whose boxes are read to know how small things are
FILL = 114.0  # around a picture in its frame: neither dark nor bright
ON_A_THING = 0.5  # share of crops that are laid on a thing, so that sparse pictures teach more than their ground
LEAST_SEEN = 0.25  # of a box within the crop, or nothing is learned at it


def input_contract(dataset: Dataset, sizes_hw: Sequence[tuple[int, int]], channels: int) -> InputSpec:
    """Pictures as they are for things with masks; for boxes a frame in which few things are tiny.

    Raises:
        DataError: There are no pictures.
    """
    color = "gray" if channels == 1 else "rgb"
    if dataset.kind == "instances":
        return InputSpec(channels=color)
    if not sizes_hw:
        raise DataError(f"{dataset.root}: expected pictures to choose the input size by, got none.")
    frame = Resize(rule="letterbox", size_hw=_frame(dataset, sizes_hw), fill=FILL)
    return InputSpec(channels=color, resize=frame)


def _frame(dataset: Dataset, sizes_hw: Sequence[tuple[int, int]]) -> tuple[int, int]:
    longest = float(np.median([max(size) for size in sizes_hw]))
    side = min(max(longest * _needed_scale(dataset), SIDES_PX[0]), SIDES_PX[1], max(longest, SIDE_STEP_PX))
    heights, widths = np.array(sizes_hw, float).T
    # Square, unless all lie or all stand; then the least flat of them fits.
    high, wide = min(1.0, float((heights / widths).max())), min(1.0, float((widths / heights).max()))
    return _stepped(side * high), _stepped(side * wide)


def _needed_scale(dataset: Dataset) -> float:
    """By what pictures may be scaled down, at the most 1."""
    step = max(1, len(dataset) // LOOKED_AT)
    boxes: list[npt.NDArray[np.float32]] = []
    for sample in dataset.samples[::step]:
        with suppress(PixelwrightError):  # such are left out, and named, as soon as samples are read
            truth = sample.truth()
            boxes += [truth.boxes_xyxy] if isinstance(truth, Annotations) and len(truth) else []
    if not boxes:
        return 1.0
    sides = np.concatenate([(one[:, 2:] - one[:, :2]).min(axis=1) for one in boxes])
    return min(1.0, LEAST_THING_PX / float(np.percentile(sides, SMALL_PERCENTILE)))


def _stepped(side: float) -> int:
    return max(SIDE_STEP_PX, int(np.ceil(round(side, 6) / SIDE_STEP_PX)) * SIDE_STEP_PX)


def encode(image: Image, target: Target | None, problem: Problem, spec: InputSpec) -> Example:
    """The picture as its contract prepares it, and its things in pixels of that.

    Its arrays: `boxes` (M, 4) float32, `classes` (M,) int64, `ignored` (M,) bool; with masks `instances` (H, W), i + 1
    where row i is on top, smaller things above larger ones.

    Raises:
        ShapeError: What is true of it are no things, or they lack masks.
    """
    if not isinstance(target, Annotations):
        raise ShapeError(f"expected things with boxes, got {type(target).__name__}. Choose another task for this data.")
    if problem.masks and target.masks is None and len(target):
        raise ShapeError("expected a mask for each thing, got boxes alone. Add masks, or learn boxes.")
    prepared = kept(image, spec)
    place = prepared.placement
    arrays: dict[str, npt.NDArray[Any]] = {
        "boxes": _placed(target.boxes_xyxy.reshape(-1, 2), place).reshape(-1, 4),
        "classes": target.class_ids.astype(np.int64),
        "ignored": _ignored(target),
    }
    if problem.masks:
        arrays["instances"] = _painted(target, place, prepared.tensor.shape[:2])
    return Example(prepared.tensor, arrays, image.source.path)


def _placed(points_xy: npt.NDArray[np.float32], place: Placement) -> npt.NDArray[np.float32]:
    return ((points_xy - np.asarray(place.offset_xy)) / np.asarray(place.scale_xy)).astype(np.float32)


def _ignored(target: Annotations) -> npt.NDArray[np.bool_]:
    ignored = np.zeros(len(target), bool)
    for flags in (target.crowd, target.ignore):
        if flags is not None:
            ignored |= flags
    return ignored


def _painted(target: Annotations, place: Placement, size_hw: tuple[int, ...]) -> npt.NDArray[Any]:
    """The map of things (H, W), each sampled at the centers of the frame's pixels."""
    painted = np.zeros(size_hw, np.uint16 if len(target) < np.iinfo(np.uint16).max else np.int32)
    if target.masks is None:
        return painted
    axes = (np.arange(side) + 0.5 for side in size_hw)
    rows, columns = (
        np.floor(centers * scale + offset).astype(np.intp)
        for centers, scale, offset in zip(axes, place.scale_xy[::-1], place.offset_xy[::-1], strict=True)
    )
    seen_y, seen_x = (
        (places >= 0) & (places < side) for places, side in zip((rows, columns), target.masks.size_hw, strict=True)
    )
    inner = np.ix_(seen_y, seen_x)
    within = painted[inner]
    for row in np.argsort(-target.masks.areas, kind="stable"):
        within[target.masks[row][np.ix_(rows[seen_y], columns[seen_x])]] = row + 1
    painted[inner] = within
    return painted


def collate(examples: Sequence[Example], generator: np.random.Generator, problem: Problem) -> Batch:
    """Pictures of the problem's size, cut at random where they are larger, padded by their edge where smaller."""
    cuts = [_cut(one, _window(one, generator, problem.size_hw), problem.size_hw) for one in examples]
    columns = {name: [torch.from_numpy(arrays[name]) for _, arrays in cuts] for name in cuts[0][1]}
    return Batch(
        stacked_pictures([one for one, _ in cuts]),
        boxes_xyxy=columns["boxes"],
        box_classes=columns["classes"],
        box_ignored=columns["ignored"],
        instances=torch.stack(columns["instances"]) if "instances" in columns else None,
        ids=tuple(one.id for one in examples),
    )


def _window(example: Example, generator: np.random.Generator, size_hw: tuple[int, int]) -> Window:
    """Where to cut: anywhere, or so that a thing drawn by chance has its center in it."""
    height, width = example.pixels.shape[:2]
    sides = min(height, size_hw[0]), min(width, size_hw[1])
    room = height - sides[0], width - sides[1]
    if not any(room):
        return 0, 0, *sides
    low, high = np.zeros(2, np.int64), np.array(room)
    boxes: Boxes = example.target["boxes"]
    if len(boxes) and generator.random() < ON_A_THING:
        left, top, right, bottom = boxes[generator.integers(len(boxes))]
        center = np.clip([(top + bottom) / 2, (left + right) / 2], 0, (height - 1, width - 1)).astype(np.int64)
        low, high = np.clip(center - np.array(sides) + 1, 0, room), np.clip(center, 0, room)
    top, left = generator.integers(low, high + 1)
    return int(top), int(left), *sides


def _cut(example: Example, window: Window, size_hw: tuple[int, int]) -> tuple[npt.NDArray[Any], Arrays]:
    """What a window shows of a picture, and the things seen in it."""
    top, left, height, width = window
    place = np.s_[top : top + height, left : left + width]
    pixels = _extended(example.pixels[place], size_hw)
    arrays = dict(example.target)
    arrays["boxes"], seen = _clipped(arrays["boxes"], window)
    arrays["ignored"] = arrays["ignored"] | (seen < LEAST_SEEN)
    kept = seen > 0
    if "instances" in arrays:
        # The streaks that a thing at the border leaves there are no ground.
        instances = _extended(arrays["instances"][place], size_hw).astype(np.int32)
        kept = np.isin(np.arange(1, len(kept) + 1), instances)
        rows = np.concatenate(([0], np.cumsum(kept) * kept)).astype(np.int32)
        arrays["instances"] = rows[instances]
        arrays["ignored"] = example.target["ignored"]  # what is seen of a mask is true of the crop
    return pixels, {name: one if name == "instances" else one[kept] for name, one in arrays.items()}


def _extended(array: npt.NDArray[Any], size_hw: tuple[int, int]) -> npt.NDArray[Any]:
    """Padded at the bottom and right by its edge to a size."""
    below, beside = size_hw[0] - array.shape[0], size_hw[1] - array.shape[1]
    return np.pad(array, ((0, below), (0, beside), (0, 0))[: array.ndim], mode="edge") if below or beside else array


def _clipped(boxes: Boxes, window: Window) -> tuple[Boxes, npt.NDArray[np.float32]]:
    """Boxes in pixels of a window, cut to it, and which share of each is seen."""
    top, left, height, width = window
    shifted = boxes - np.array([left, top, left, top], np.float32)
    cut = np.clip(shifted, 0, np.array([width, height, width, height], np.float32))
    areas = [np.prod(np.maximum(one[:, 2:] - one[:, :2], 0), axis=1) for one in (cut, shifted)]
    # Of a box without area nothing is seen.
    return cut, np.divide(areas[0], areas[1], out=np.zeros_like(areas[0]), where=areas[1] > 0)


def loss(outputs: Mapping[str, Tensor], batch: Batch, problem: Problem, options: LossOptions) -> Mapping[str, Tensor]:
    """None: what a detector learns depends on how it says where things are, so each brings its own.

    Raises:
        TrainingError: Always.
    """
    del outputs, batch, options
    raise TrainingError(
        f"task {problem.task!r}: a detector's loss belongs to its network, and there is no other. Leave out --loss."
    )


TRAINING = Training(
    task="detect",
    kinds=frozenset({"boxes", "instances"}),
    architectures=("starconvex", "onestage"),
    input=input_contract,
    crops=True,
    encode=encode,
    collate=collate,
    loss=loss,
    flips=True,
)
