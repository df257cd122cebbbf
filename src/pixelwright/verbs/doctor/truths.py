"""What can be wrong with the truth of one sample."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol, runtime_checkable

import numpy as np

from pixelwright.data.dataset import Dataset, Fault, Sample
from pixelwright.data.things import TURNED
from pixelwright.structures.image import Image, Source
from pixelwright.structures.label_map import LabelMap
from pixelwright.structures.targets import Annotations, Classes, Target

SLACK_PX = 1.0  # that a box may reach out: tools round, and some count pixels from 1
TINY_PX = 2.0
SAME_IOU = 0.95


@dataclass(frozen=True, slots=True)
class Problem:
    """A kind of fault (as in `RULES`), and what was found."""

    name: str
    detail: str


@runtime_checkable
class _Stated(Protocol):
    """The truth of a layout that knows what its file states, also where that cannot be true."""

    @property
    def stated_hw(self) -> tuple[int, int] | None:
        """Rows and columns of the picture."""
        ...

    def faults(self, size_hw: tuple[int, int] | None = None) -> list[Fault]:
        """What is wrong with it in a picture of this size."""
        ...


# Which rule a fault of a layout falls under; any other one by whether something was lost.
_RULES: Mapping[str, str] = MappingProxyType(
    {
        "outside": "box-outside",
        "empty": "box-empty",
        "split": "split-empty",
        "alike": "labels-alike",
        "doubt": "label-doubt",
        "stop": "not-understood",
    }
)
OF_SAMPLES = ("outside", "empty", "thing")  # which each sample's truth tells, with the size of its picture


def problem_of(fault: Fault) -> Problem:
    """A fault that a layout found, as a problem."""
    return Problem(_RULES.get(fault.kind, "label-unusable" if fault.lost else "label-remark"), fault.what)


def stated_problems(sample: Sample, size_hw: tuple[int, int] | None, source: Source | None) -> list[Problem]:
    """What is wrong with the truth as its file states it."""
    truth = sample.truth
    if not isinstance(truth, _Stated):
        return []
    faults = truth.faults(size_hw)
    outside = [fault for fault in faults if fault.kind == "outside"]
    problems = [problem_of(fault) for fault in faults if fault not in outside]
    if size_hw is None or source is None or source.orientation < TURNED:
        return problems + [problem_of(fault) for fault in outside]
    as_stored = size_hw[1], size_hw[0]
    if truth.stated_hw == as_stored != size_hw:  # a square one has the same size either way
        return [*problems, Problem("box-turned", f"made for {_size(as_stored)}; upright it has {_size(size_hw)}")]
    # The other way round all would fit: they were drawn on the picture as it is stored.
    turned = not any(fault.kind == "outside" for fault in truth.faults(as_stored))
    return problems + [Problem("box-turned", one.what) if turned else problem_of(one) for one in outside]


def problems_of(target: Target | None, dataset: Dataset, size_hw: tuple[int, int] | None) -> Iterator[Problem]:
    """What is wrong with the truth of a sample as it was read.

    Args:
        target: What is said to be true.
        dataset: Names the classes, and says what is expected.
        size_hw: Of the upright picture; None where that could not be read.
    """
    if target is None:
        if dataset.kind != "clean":
            yield Problem("unlabeled", "there is no label")
    elif isinstance(target, Classes):
        if not target.ids and dataset.exclusive:
            yield Problem("unlabeled", "there is no class")
    elif isinstance(target, Annotations):
        yield from _problems_of_things(target, dataset, size_hw)
    elif isinstance(target, LabelMap):
        if size_hw is not None and target.size_hw != size_hw:
            yield Problem("mask-size", _sizes(target.size_hw, size_hw))
        if target.void_id is not None and (target.ids == target.void_id).all():
            yield Problem("map-void", "every pixel is void")
    elif isinstance(target, Image) and size_hw is not None:
        (height, width), (better_h, better_w) = size_hw, target.size_hw
        if better_h % height or better_w % width or better_h // height != better_w // width:
            yield Problem("mask-size", f"the better picture: {_sizes(target.size_hw, size_hw)}")


def _sizes(found_hw: tuple[int, int], expected_hw: tuple[int, int]) -> str:
    return f"{_size(found_hw)}, but the picture has {_size(expected_hw)}"


def _size(size_hw: tuple[int, int]) -> str:
    return f"{size_hw[1]}x{size_hw[0]}"


def _problems_of_things(target: Annotations, dataset: Dataset, size_hw: tuple[int, int] | None) -> Iterator[Problem]:
    if not len(target):
        yield Problem("background", "there is no thing in it")
    names = [dataset.labels[one] if one < len(dataset.labels) else str(one) for one in target.class_ids.tolist()]
    if size_hw is not None:
        if target.masks is not None and target.masks.size_hw != size_hw:
            yield Problem("mask-size", _sizes(target.masks.size_hw, size_hw))
        if target.keypoints is not None:
            at, seen = target.keypoints[..., :2], target.keypoints[..., 2] > 0
            beyond = ((at < -SLACK_PX) | (at > np.array(size_hw[::-1]) + SLACK_PX)).any(axis=-1) & seen
            for row, place in np.argwhere(beyond).tolist():
                x, y = at[row, place]
                yield Problem("keypoint-outside", f"{names[row]}: keypoint {place} at ({x:.0f}, {y:.0f})")
    sides = target.boxes_xyxy[:, 2:] - target.boxes_xyxy[:, :2]
    counted = np.ones(len(target), bool) if target.ignore is None else ~target.ignore
    for row in np.flatnonzero((sides.min(axis=1, initial=np.inf) < TINY_PX) & counted).tolist():
        yield Problem("box-tiny", f"{names[row]}: {sides[row, 0]:.1f}x{sides[row, 1]:.1f} pixels")
    yield from _twice(target, names)
    if target.masks is not None:
        for row, area in enumerate(target.masks.areas.tolist()):
            if not area:
                yield Problem("mask-empty", names[row])


def _twice(target: Annotations, names: list[str]) -> Iterator[Problem]:
    """Pairs of boxes of one class that cover each other; crowds may."""
    order = np.argsort(target.boxes_xyxy[:, 0], kind="stable")
    boxes, ids = target.boxes_xyxy[order].astype(np.float64), target.class_ids[order]
    single = np.ones(len(ids), bool) if target.crowd is None else ~target.crowd[order]
    for row in range(len(ids) - 1):
        # Sorted by their left sides: those that can cover each other lie together.
        reach = boxes[row, 0] + (1 - SAME_IOU) * (boxes[row, 2] - boxes[row, 0])
        last = int(np.searchsorted(boxes[:, 0], reach, side="right"))
        others = boxes[row + 1 : last]
        common = np.minimum(boxes[row, 2:], others[:, 2:]) - np.maximum(boxes[row, :2], others[:, :2])
        shared = common.clip(min=0).prod(axis=1)
        areas = (others[:, 2:] - others[:, :2]).prod(axis=1)
        iou = shared / (areas + (boxes[row, 2:] - boxes[row, :2]).prod() - shared)
        same = (iou > SAME_IOU) & (ids[row + 1 : last] == ids[row]) & single[row + 1 : last] & single[row]
        if same.any():
            left, top, right, bottom = boxes[row]
            yield Problem("box-twice", f"{names[order[row]]}: ({left:.0f}, {top:.0f}, {right:.0f}, {bottom:.0f})")
