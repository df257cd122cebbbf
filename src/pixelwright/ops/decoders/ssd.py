"""SSD and other single-shot detectors: offsets to prior boxes that lie on grids.

Source: Liu et al., SSD: Single Shot MultiBox Detector, ECCV 2016, section 2.2 (https://arxiv.org/abs/1512.02325); the
variances are those of its Caffe implementation (https://github.com/weiliu89/caffe/tree/ssd, `bbox_util.cpp`).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal

import numpy as np
from msgspec import Meta

from pixelwright.errors import ShapeError
from pixelwright.ops.boxes import from_centers
from pixelwright.ops.decoders.decoder import Candidates, Decoder, Outputs, axis_size
from pixelwright.ops.decoders.proposals import (
    Activation,
    Background,
    Floats,
    PerBox,
    Strides,
    cells,
    check_batch,
    check_count,
    check_last,
    exp,
    levels,
    numbers,
    pick,
    probabilities,
)
from pixelwright.structures.spec import Positive, TensorSpec

SidePx = Annotated[float, Meta(gt=0, le=65_536)]
Ratio = Annotated[float, Meta(ge=0.01, le=100)]
# Not tuple[SidePx, SidePx]: msgspec 0.22 ends the process where that stands beside a bounded number.
PairPx = Annotated[tuple[SidePx, ...], Meta(min_length=2, max_length=2)]
Sizes = Annotated[
    tuple[Annotated[tuple[SidePx | PairPx, ...], Meta(min_length=1, max_length=64)], ...],
    Meta(min_length=1, max_length=16),
]
Ratios = Annotated[tuple[Annotated[tuple[Ratio, ...], Meta(min_length=1, max_length=64)], ...], Meta(max_length=16)]
Variances = tuple[Positive, Positive]
Centers = Literal["exact", "ceil"]


def ssd(  # noqa: PLR0913 (what a bundle writes is flat, and each is given by name)
    outputs: Outputs,
    *,
    boxes: str,
    scores: str,
    strides: Strides,
    sizes: Sizes,
    input_hw: tuple[int, int],
    ratios: Ratios = (),
    variances: Variances = (0.1, 0.2),
    centers: Centers = "exact",
    clip: bool = False,
    order: Literal["xywh", "yxhw"] = "xywh",
    background: Background = 1,
    activation: Activation = "none",
    per_box: PerBox = "best",
    threshold: float = 0.0,
) -> list[Candidates]:
    """Candidates of each image from offsets (N, A, 4) and scores (N, A, K).

    A = sum over the levels of rows * columns * priors in a cell; cells row by row, in each the sizes in their order
    (and for each size its ratios). Center = prior center + variance * t * prior size; size = prior size *
    exp(variance * t).

    Args:
        outputs: The graph's outputs.
        boxes: Which holds the offsets.
        scores: Which holds the scores.
        strides: Of each level, in pixels of the input; a map has ceil(input / stride) cells.
        sizes: For each level the priors of a cell in pixels: a side, or width and height.
        input_hw: Size of the tensor that went in.
        ratios: For each level the ratios of width to height that each size is taken in, at equal area.
        variances: Of centers and of sizes.
        centers: `exact`: (i + 0.5) * stride; `ceil`: (i + 0.5) / cells * input.
        clip: Whether centers and sizes of priors are cut to the input.
        order: Of the four offsets.
        background: So many of the first scores are no classes.
        activation: What makes probabilities of the scores.
        per_box: Whether a box stands for its best class, or for each that reaches the threshold.
        threshold: Least score.

    Raises:
        ShapeError: The outputs have other shapes than the priors.
        RuntimeFailure: They hold NaN, infinity, or scores that are no probabilities.
    """
    offsets = numbers(outputs, boxes, 3, "(N, A, 4) offsets")
    all_scores = numbers(outputs, scores, 3, "(N, A, K) scores")
    check_last(offsets, boxes, 4, "(N, A, 4) offsets")
    check_batch({boxes: offsets, scores: all_scores})
    shapes = _shapes(strides, sizes, ratios)
    maps = levels(input_hw, tuple(strides))
    count = sum(height * width * len(one) for (height, width), one in zip(maps, shapes, strict=True))
    check_count(offsets.shape[1], count, boxes, input_hw, "priors")
    check_count(all_scores.shape[1], count, scores, input_hw, "priors")
    priors = _priors(input_hw, maps, shapes, strides if centers == "exact" else None)
    if clip:
        priors = np.clip(priors, 0, np.array([*input_hw[::-1]] * 2, np.float32))
    if order == "yxhw":
        offsets = offsets[:, :, [1, 0, 3, 2]]
    chances = probabilities(all_scores, scores, activation)[:, :, background:]
    found = []
    for shifts, one in zip(offsets, chances, strict=True):
        rows, class_ids, best = pick(one, threshold, per_box)
        found.append(Candidates(_shifted(priors[rows], shifts[rows], variances), best, class_ids))
    return found


def _shapes(strides: Strides, sizes: Sizes, ratios: Ratios) -> list[Floats]:
    """Widths and heights (P, 2) of the priors in a cell, for each level.

    Raises:
        ShapeError: There are not as many levels everywhere.
    """
    if len(strides) != len(sizes) or (ratios and len(ratios) != len(sizes)):
        raise ShapeError(f"ssd: {len(strides)} strides, {len(sizes)} sizes, {len(ratios)} ratios. Give one a level.")
    shapes = []
    for level, given in enumerate(sizes):
        pairs = np.array([(side, side) if isinstance(side, int | float) else side for side in given], np.float32)
        roots = np.sqrt(np.array(ratios[level] if ratios else [1.0], np.float32))
        wide = np.stack((roots, 1 / roots), axis=1)
        shapes.append((pairs[:, None] * wide[None]).reshape(-1, 2))
    return shapes


def _priors(
    input_hw: tuple[int, int], maps: list[tuple[int, int]], shapes: list[Floats], strides: Strides | None
) -> Floats:
    """Centers and sizes (A, 4) in pixels of the input."""
    parts = []
    for level, (map_hw, sides) in enumerate(zip(maps, shapes, strict=True)):
        steps_xy = np.divide(input_hw[::-1], map_hw[::-1]) if strides is None else np.full(2, strides[level])
        middles = (cells(map_hw) + 0.5) * steps_xy.astype(np.float32)
        each = np.repeat(middles, len(sides), axis=0)
        parts.append(np.concatenate((each, np.tile(sides, (len(middles), 1))), axis=1))
    return np.concatenate(parts)


def _shifted(priors: Floats, shifts: Floats, variances: Variances) -> Floats:
    middles = priors[:, :2] + np.float32(variances[0]) * shifts[:, :2] * priors[:, 2:]
    sides = priors[:, 2:] * exp(np.float32(variances[1]) * shifts[:, 2:])
    return from_centers(np.concatenate((middles, sides), axis=1))


def _class_count(tensors: Mapping[str, TensorSpec], parameters: Mapping[str, Any]) -> int | None:
    entries = axis_size(tensors, parameters.get("scores"), 2)
    return None if entries is None else entries - parameters.get("background", 1)


DECODER = Decoder("ssd", "candidates", ssd, MappingProxyType({"boxes": 3, "scores": 3}), _class_count)
