"""Keypoints that a graph has computed to the end, as MoveNet gives them.

Source: Votel and Li, Next-Generation Pose Detection with MoveNet and TensorFlow.js, 2021
(https://blog.tensorflow.org/2021/05/next-generation-pose-detection-with-movenet-and-tensorflowjs.html); the layout of
the output is that of its model card: rows of y, x, score, relative to the input.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from pixelwright.ops.decoders.decoder import Candidates, Decoder, Outputs
from pixelwright.ops.decoders.proposals import Floats, Unit, check_last, in_pixels, numbers, probabilities
from pixelwright.structures.spec import Probability, TensorSpec


def keypoints(
    outputs: Outputs,
    *,
    output: str,
    input_hw: tuple[int, int],
    order: Literal["yxs", "xys"] = "yxs",
    unit: Unit = "relative",
    certain: Probability = 0.2,
    threshold: float = 0.0,
) -> list[Candidates]:
    """Candidates of each image from (N, things, K, 3), all of one class.

    Args:
        outputs: The graph's outputs.
        output: Which of them.
        input_hw: Size of the tensor that went in.
        order: Of the three numbers: x, y and score.
        unit: Of x and y: parts of the input's sides, or its pixels.
        certain: Least score of a keypoint that counts for the box.
        threshold: Least score of a thing.

    Raises:
        ShapeError: The output has another shape.
        RuntimeFailure: It holds NaN, infinity, or scores that are no probabilities.
    """
    table = numbers(outputs, output, 4, "(N, things, K, 3)")
    check_last(table, output, 3, "(N, things, K, 3)")
    places = in_pixels(table[:, :, :, [1, 0] if order == "yxs" else [0, 1]], unit, input_hw)
    points = np.concatenate((places, probabilities(table[:, :, :, 2:], output)), axis=3)
    return [things_of(one, certain, threshold) for one in points]


def things_of(points: Floats, certain: float, threshold: float) -> Candidates:
    """Things (M, K, 3): the score is the mean of the keypoints' scores, the box is the bounds of the certain ones.

    A thing without a certain keypoint is left out.
    """
    sure = points[:, :, 2] >= certain
    scores = points[:, :, 2].mean(axis=1)
    rows = np.flatnonzero(sure.any(axis=1) & (scores >= threshold))
    points, sure = points[rows], sure[rows][:, :, None]
    low = np.where(sure, points[:, :, :2], np.inf).min(axis=1, initial=np.inf)
    high = np.where(sure, points[:, :, :2], -np.inf).max(axis=1, initial=-np.inf)
    boxes = np.concatenate((low, high), axis=1).astype(np.float32)
    return Candidates(boxes, scores[rows], np.zeros(len(rows), np.int32), points)


def one_class(tensors: Mapping[str, TensorSpec], parameters: Mapping[str, Any]) -> int:
    """Decoders of keypoints know one class."""
    del tensors, parameters
    return 1


DECODER = Decoder("keypoints", "candidates", keypoints, MappingProxyType({"output": 4}), one_class)
