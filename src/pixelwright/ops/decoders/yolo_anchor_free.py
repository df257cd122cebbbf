"""YOLO without anchor boxes: YOLOv8, v9 and v11 with masks or keypoints; YOLOX, and rows with objectness.

Source: the outputs of https://github.com/ultralytics/ultralytics as its documentation describes them; for the grid
Ge et al., YOLOX: Exceeding YOLO Series in 2021, section 2.1 (https://arxiv.org/abs/2107.08430); for the masks
Bolya et al., YOLACT, ICCV 2019, equation 1 (https://arxiv.org/abs/1904.02689).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Annotated, Any, Literal

import numpy as np
from msgspec import Meta

from pixelwright.errors import ShapeError
from pixelwright.ops.boxes import from_centers
from pixelwright.ops.decoders.decoder import Candidates, Decoder, Outputs, axis_size
from pixelwright.ops.decoders.proposals import (
    Activation,
    Floats,
    PerBox,
    Rows,
    Strides,
    Unit,
    cells,
    check_batch,
    check_count,
    exp,
    in_pixels,
    levels,
    numbers,
    pick,
    probabilities,
)
from pixelwright.structures.spec import TensorSpec

Layout = Literal["channels", "rows"]
KeypointCount = Annotated[int, Meta(ge=0, le=1_000)]

BOX = 4  # center x, center y, width, height


def yolo_anchor_free(  # noqa: PLR0913 (what a bundle writes is flat, and each is given by name)
    outputs: Outputs,
    *,
    output: str,
    input_hw: tuple[int, int],
    layout: Layout = "channels",
    objectness: bool = False,
    strides: Strides = (),
    unit: Unit = "pixels",
    activation: Activation = "none",
    prototypes: str | None = None,
    keypoints: KeypointCount = 0,
    per_box: PerBox = "best",
    threshold: float = 0.0,
) -> list[Candidates]:
    """Candidates of each image from a table of A boxes: 4 of the box, objectness, K classes, then masks or keypoints.

    Args:
        outputs: The graph's outputs.
        output: Which holds the table.
        input_hw: Size of the tensor that went in.
        layout: `channels`: (N, values, A); `rows`: (N, A, values).
        objectness: Whether a value after the box says that there is anything; scores are multiplied by it.
        strides: Of the grids, where the boxes are raw: center = (cell + t) * stride, size = exp(t) * stride. Empty
            where they are decoded.
        unit: Of decoded boxes and keypoints: parts of the input's sides, or its pixels.
        activation: What makes probabilities of the scores.
        prototypes: Which output holds prototypes (N, M, h, w) of masks; then the last M values are their weights.
        keypoints: So many of x, y, score at the end.
        per_box: Whether a box stands for its best class, or for each that reaches the threshold.
        threshold: Least score.

    Raises:
        ShapeError: The outputs have other shapes.
        RuntimeFailure: They hold NaN, infinity, or scores that are no probabilities.
    """
    table = numbers(outputs, output, 3, "a table of boxes with three dimensions")
    if layout == "channels":
        table = table.transpose(0, 2, 1)
    bases = None if prototypes is None else numbers(outputs, prototypes, 4, "(N, M, h, w) prototypes")
    weights = 0 if bases is None else bases.shape[1]
    if bases is not None and prototypes is not None:
        check_batch({output: table, prototypes: bases})
    first = BOX + objectness
    last = table.shape[2] - weights - 3 * keypoints
    if last <= first:
        raise ShapeError(f"output {output!r}: {table.shape[2]} values a box leave none for classes. Check the layout.")
    scores = probabilities(table[:, :, first:last], output, activation)
    if objectness:
        scores = scores * probabilities(table[:, :, BOX:first], output, "sigmoid" if activation != "none" else "none")
    centers = _centers(table[:, :, :BOX], output, input_hw, strides, unit)
    found = []
    for image, one in enumerate(scores):
        rows, class_ids, best = pick(one, threshold, per_box)
        rest = table[image, rows, last:]
        points = _points(rest[:, weights:], input_hw, unit, output) if keypoints else None
        masks = None if bases is None else partial(_masks, rest[:, :weights], bases[image])
        found.append(Candidates(from_centers(centers[image, rows]), best, class_ids, points, masks))
    return found


def _centers(boxes: Floats, output: str, input_hw: tuple[int, int], strides: Strides, unit: Unit) -> Floats:
    """Centers and sizes (N, A, 4) in pixels of the input."""
    if not strides:
        return in_pixels(boxes, unit, input_hw)
    maps = levels(input_hw, tuple(strides))
    check_count(boxes.shape[1], sum(height * width for height, width in maps), output, input_hw, "cells")
    places = np.concatenate([cells(one) for one in maps])
    steps = np.repeat(np.array(strides, np.float32), [height * width for height, width in maps])[:, None]
    middles, sides = (boxes[:, :, :2] + places) * steps, exp(boxes[:, :, 2:]) * steps
    return np.concatenate((middles, sides), axis=2)


def _points(values: Floats, input_hw: tuple[int, int], unit: Unit, output: str) -> Floats:
    points = values.reshape(len(values), values.shape[1] // 3, 3)
    places = in_pixels(points[:, :, :2], unit, input_hw)
    return np.concatenate((places, probabilities(points[:, :, 2:], output)), axis=2)


def _masks(weights: Floats, bases: Floats, rows: Rows) -> Floats:
    """Logits of the masks of some rows: prototypes, each with its weight, summed."""
    return np.tensordot(weights[rows], bases, axes=1)


def _class_count(tensors: Mapping[str, TensorSpec], parameters: Mapping[str, Any]) -> int | None:
    values = axis_size(tensors, parameters.get("output"), 2 if parameters.get("layout") == "rows" else 1)
    weights = axis_size(tensors, parameters["prototypes"], 1) if parameters.get("prototypes") else 0
    if values is None or weights is None:
        return None
    return values - BOX - bool(parameters.get("objectness")) - weights - 3 * int(parameters.get("keypoints", 0))


DECODER = Decoder(
    "yolo-anchor-free", "candidates", yolo_anchor_free, MappingProxyType({"output": 3, "prototypes": 4}), _class_count
)
