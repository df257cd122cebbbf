"""Boxes as distributions of the distances from a cell to the four sides: PicoDet and others of its kind.

Source: Li et al., Generalized Focal Loss, NeurIPS 2020, equation 5 (https://arxiv.org/abs/2006.04388); Yu et al.,
PP-PicoDet, 2021 (https://arxiv.org/abs/2111.00902).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any

import numpy as np
from msgspec import Meta

from pixelwright.errors import ShapeError
from pixelwright.ops.decoders.decoder import Candidates, Decoder, Outputs, axis_size
from pixelwright.ops.decoders.proposals import (
    Activation,
    Floats,
    OutputNames,
    PerBox,
    Strides,
    cells,
    check_batch,
    check_count,
    levels,
    numbers,
    pick,
    probabilities,
)
from pixelwright.structures.spec import TensorSpec

CellOffset = Annotated[float, Meta(ge=0, le=1)]


def picodet(  # noqa: PLR0913 (what a bundle writes is flat, and each is given by name)
    outputs: Outputs,
    *,
    scores: OutputNames,
    boxes: OutputNames,
    strides: Strides,
    input_hw: tuple[int, int],
    cell_offset: CellOffset = 0.5,
    activation: Activation = "none",
    per_box: PerBox = "best",
    threshold: float = 0.0,
) -> list[Candidates]:
    """Candidates of each image from scores (N, A, K) and logits of distances (N, A, 4 * bins), one pair a level.

    Distance to left, top, right, bottom = stride * sum of bin * softmax(logits); A = ceil(input / stride) cells, row by
    row.

    Args:
        outputs: The graph's outputs.
        scores: Those that hold the scores, level by level.
        boxes: Those that hold the distances, level by level.
        strides: Of each level.
        input_hw: Size of the tensor that went in.
        cell_offset: Where in a cell its center is.
        activation: What makes probabilities of the scores.
        per_box: Whether a box stands for its best class, or for each that reaches the threshold.
        threshold: Least score.

    Raises:
        ShapeError: The outputs have other shapes, or there are not as many of each.
        RuntimeFailure: They hold NaN, infinity, or scores that are no probabilities.
    """
    if not 0 < len(scores) == len(boxes) == len(strides):
        raise ShapeError(
            f"picodet: {len(scores)} scores, {len(boxes)} boxes, {len(strides)} strides. Give one a level."
        )
    parts: list[list[Candidates]] = []
    maps = levels(input_hw, tuple(strides))
    for score_name, box_name, stride, map_hw in zip(scores, boxes, strides, maps, strict=True):
        chances = probabilities(numbers(outputs, score_name, 3, "(N, A, K) scores"), score_name, activation)
        logits = numbers(outputs, box_name, 3, "(N, A, 4 * bins) distances")
        check_batch({score_name: chances, box_name: logits})
        for name, values in ((score_name, chances), (box_name, logits)):
            check_count(values.shape[1], map_hw[0] * map_hw[1], name, input_hw, f"cells of {stride} pixels")
        if logits.shape[2] % 4 or not logits.shape[2]:
            raise ShapeError(f"output {box_name!r}: expected (N, A, 4 * bins), got shape {logits.shape}.")
        centers = (cells(map_hw) + np.float32(cell_offset)) * np.float32(stride)
        level: list[Candidates] = []
        for one, spread in zip(chances, logits, strict=True):
            rows, class_ids, best = pick(one, threshold, per_box)
            level.append(Candidates(_boxes(centers[rows], spread[rows], stride), best, class_ids))
        parts.append(level)
    return [_together(levels_of_image) for levels_of_image in zip(*parts, strict=True)]


def _boxes(centers: Floats, logits: Floats, stride: int) -> Floats:
    shares = probabilities(logits.reshape(len(logits), 4, logits.shape[1] // 4), "boxes", "softmax")
    sides = shares @ np.arange(shares.shape[2], dtype=np.float32) * np.float32(stride)
    return np.concatenate((centers - sides[:, :2], centers + sides[:, 2:]), axis=1).astype(np.float32, copy=False)


def _together(parts: tuple[Candidates, ...]) -> Candidates:
    return Candidates(
        np.concatenate([one.boxes_xyxy for one in parts]),
        np.concatenate([one.scores for one in parts]),
        np.concatenate([one.class_ids for one in parts]),
    )


def _class_count(tensors: Mapping[str, TensorSpec], parameters: Mapping[str, Any]) -> int | None:
    names = parameters.get("scores") or [None]
    return axis_size(tensors, names[0], 2)


DECODER = Decoder("picodet", "candidates", picodet, MappingProxyType({"scores": 3, "boxes": 3}), _class_count)
