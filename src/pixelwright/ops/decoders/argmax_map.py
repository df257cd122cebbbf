"""The class of each pixel, from a map of scores or of classes that were chosen already."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pixelwright.errors import NotFinite, RuntimeFailure, ShapeError
from pixelwright.ops import maps
from pixelwright.ops.decoders.decoder import ANY_RANK, Array, Decoder, Outputs, axis_size, output_of
from pixelwright.structures.spec import Probability, TensorSpec

Layout = Literal["NCHW", "NHWC", "ids"]
Values = Literal["logits", "probabilities"]

CLASS_AXIS: Mapping[str, int] = MappingProxyType({"NCHW": 1, "NHWC": 3})
HALF = 0.5
YES_OR_NO = 2  # classes between which a threshold decides
HIGHEST_ID = 65_535
LARGEST_SCORE = 1e30  # infinities are cut down to this, so that interpolation makes no NaN of them


def argmax_map(
    outputs: Outputs,
    *,
    output: str,
    layout: Layout = "NCHW",
    values: Values = "logits",
    align_corners: bool = False,
    threshold: Probability | None = None,
    grids: Sequence[maps.Grid] | None = None,
) -> maps.Ids | list[maps.Ids]:
    """The class of each pixel as the smallest unsigned integer that holds them all: (N, H, W), or one map a grid.

    One class alone is a map of yes and no: 1 where its probability reaches the threshold (0.5 if there is none). So are
    two classes with a threshold, which the second has to reach.

    Source: Long, Shelhamer and Darrell, Fully Convolutional Networks for Semantic Segmentation, CVPR 2015, section 3.3
    (scores are enlarged bilinearly before a class is chosen).

    Args:
        outputs: The graph's outputs.
        output: Which of them.
        layout: Scores (N, C, H, W) or (N, H, W, C), or `ids`: (N, H, W) or (N, H, W, 1) whole numbers.
        values: What scores are; it matters only for the threshold.
        align_corners: The map's outer cells lie on the outer pixels of the tensor; else each is in the middle of its
            patch.
        threshold: Least probability of yes; not read where there are more than two classes.
        grids: For each image the places at which its classes are wanted; None for every cell. Whoever asks counts the
            answers: a network may make fewer.

    Raises:
        ShapeError: The output has another shape.
        NotFinite: Scores are NaN.
        RuntimeFailure: ids are no whole numbers from 0 to 65535.
    """
    if layout == "ids":
        ids = _ids(outputs[output], output)
        return ids if grids is None else [maps.ids_at(one, grid) for one, grid in zip(ids, grids, strict=False)]
    scores = _scores(outputs, output, layout)
    if scores.shape[1] == YES_OR_NO and threshold is not None:
        # Softmax of two logits is the sigmoid of their difference.
        scores = scores[:, 1:] - scores[:, :1] if values == "logits" else scores[:, 1:]
    cut = _cut(HALF if threshold is None else threshold, values)
    if grids is None:
        return np.stack([maps.best_classes(one, cut=cut) for one in scores])
    placed = (replace(grid, align_corners=align_corners) for grid in grids)
    return [maps.classes_at(one, grid, cut=cut) for one, grid in zip(scores, placed, strict=False)]


def _scores(outputs: Outputs, output: str, layout: str) -> npt.NDArray[np.float32]:
    """Scores (N, C, H, W) as float32, without NaN; infinities are cut down."""
    scores = output_of(outputs, output, 4, f"({', '.join(layout)}) scores").astype(np.float32)
    if np.isnan(scores).any():
        raise NotFinite(
            f"output {output!r}: the model made values that are no numbers, so no pixel has a class. "
            "Try another runtime or precision (--runtime, --precision)."
        )
    planes = scores if layout == "NCHW" else scores.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(np.clip(planes, -LARGEST_SCORE, LARGEST_SCORE))


def _ids(array: Array, output: str) -> maps.Ids:
    flat = array[..., 0] if array.ndim == 4 and array.shape[3] == 1 else array
    if flat.ndim != 3:
        raise ShapeError(f"output {output!r}: expected (N, H, W) or (N, H, W, 1) ids, got shape {array.shape}.")
    whole = np.isfinite(flat).all() and (flat.dtype.kind in "iub" or bool((flat == np.rint(flat)).all()))
    if not whole or (flat.size and not 0 <= flat.min() <= flat.max() <= HIGHEST_ID):
        raise RuntimeFailure(
            f"output {output!r}: expected ids of classes, whole numbers from 0 to {HIGHEST_ID}, and the model made "
            "others. Correct the layout in the bundle's contract, or try another runtime (--runtime)."
        )
    return flat.astype(maps.smallest_dtype(int(flat.max(initial=0)) + 1))


def _cut(threshold: float, values: str) -> float:
    """The score that stands for a probability."""
    if values == "probabilities":
        return threshold
    if not 0 < threshold < 1:
        return math.inf if threshold >= 1 else -math.inf
    return math.log(threshold / (1 - threshold))


def _class_count(tensors: Mapping[str, TensorSpec], parameters: Mapping[str, Any]) -> int | None:
    axis = CLASS_AXIS.get(parameters.get("layout", "NCHW"))
    count = None if axis is None else axis_size(tensors, parameters.get("output"), axis)
    return 2 if count == 1 else count


DECODER = Decoder("argmax-map", "labels", argmax_map, MappingProxyType({"output": ANY_RANK}), _class_count)
