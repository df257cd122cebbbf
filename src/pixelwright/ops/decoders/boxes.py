"""Boxes that a graph has computed to the end, with the scores of every class."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from pixelwright.errors import ShapeError
from pixelwright.ops.boxes import from_centers
from pixelwright.ops.decoders.decoder import Candidates, Decoder, Outputs, axis_size
from pixelwright.ops.decoders.proposals import (
    Activation,
    Background,
    Floats,
    PerBox,
    Unit,
    check_last,
    in_pixels,
    numbers,
    pick,
    probabilities,
)
from pixelwright.structures.spec import TensorSpec

BoxFormat = Literal["xyxy", "yxyx", "cxcywh", "xywh"]


def boxes(  # noqa: PLR0913 (what a bundle writes is flat, and each is given by name)
    outputs: Outputs,
    *,
    boxes: str,
    scores: str,
    input_hw: tuple[int, int],
    threshold: float = 0.0,
    unit: Unit = "relative",
    format: BoxFormat = "xyxy",  # noqa: A002 (a name in bundles)
    background: Background = 0,
    activation: Activation = "none",
    per_box: PerBox = "best",
) -> list[Candidates]:
    """Candidates of each image from boxes (N, A, 4) and scores (N, A, K).

    Args:
        outputs: The graph's outputs.
        boxes: Which holds the boxes.
        scores: Which holds the scores.
        input_hw: Size of the tensor that went in.
        threshold: Least score.
        unit: Of the boxes: parts of the input's sides, or its pixels.
        format: Order of the four numbers; `cxcywh` begins with the center, `xywh` with the top-left corner.
        background: So many of the first scores are no classes.
        activation: What makes probabilities of the scores.
        per_box: Whether a box stands for its best class, or for each that reaches the threshold.

    Raises:
        ShapeError: The outputs have other shapes.
        RuntimeFailure: They hold NaN, infinity, or scores that are no probabilities.
    """
    all_boxes = numbers(outputs, boxes, 3, "(N, A, 4) boxes")
    all_scores = numbers(outputs, scores, 3, "(N, A, K) scores")
    check_last(all_boxes, boxes, 4, "(N, A, 4) boxes")
    if all_boxes.shape[:2] != all_scores.shape[:2]:
        raise ShapeError(
            f"outputs {boxes!r} and {scores!r} differ: {all_boxes.shape} boxes, {all_scores.shape} scores."
        )
    chances = probabilities(all_scores, scores, activation)[:, :, background:]
    found = []
    for corners, one in zip(all_boxes, chances, strict=True):
        rows, class_ids, best = pick(one, threshold, per_box)
        found.append(Candidates(in_pixels(corners_of(corners[rows], format), unit, input_hw), best, class_ids))
    return found


def corners_of(values: Floats, order: BoxFormat) -> Floats:
    """Boxes (A, 4) in some order as left, top, right, bottom."""
    if order == "cxcywh":
        return from_centers(values)
    if order == "xywh":
        return np.concatenate((values[:, :2], values[:, :2] + values[:, 2:]), axis=1)
    return values[:, [1, 0, 3, 2]] if order == "yxyx" else values


def _class_count(tensors: Mapping[str, TensorSpec], parameters: Mapping[str, Any]) -> int | None:
    entries = axis_size(tensors, parameters.get("scores"), 2)
    return None if entries is None else entries - parameters.get("background", 0)


DECODER = Decoder("boxes", "candidates", boxes, MappingProxyType({"boxes": 3, "scores": 3}), _class_count)
