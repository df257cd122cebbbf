"""Keypoints as the highest places of maps, one map each.

Source: Xiao et al., Simple Baselines for Human Pose Estimation and Tracking, ECCV 2018, section 3
(https://arxiv.org/abs/1804.06208): the place is shifted a quarter of a cell towards the higher neighbor. Which pixel a
cell stands for: `lib/dataset/JointsDataset.py` of its implementation (MIT), by which HRNet was trained as well
(https://github.com/microsoft/human-pose-estimation.pytorch); Huang et al., The Devil is in the Details, CVPR 2020,
section 3 (https://arxiv.org/abs/1911.07524).
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pixelwright.errors import ShapeError
from pixelwright.ops.decoders.decoder import Candidates, Decoder, Outputs
from pixelwright.ops.decoders.keypoints import one_class, things_of
from pixelwright.ops.decoders.proposals import Floats, numbers, probabilities
from pixelwright.structures.spec import Probability

Centers = Literal["pixels", "corners", "patches"]

SHIFT = 0.25


def heatmap(
    outputs: Outputs,
    *,
    output: str,
    input_hw: tuple[int, int],
    activation: Literal["none", "sigmoid"] = "none",
    centers: Centers = "pixels",
    certain: Probability = 0.2,
    threshold: float = 0.0,
) -> list[Candidates]:
    """One thing for each image from (N, K, h, w): a map over the whole input for each keypoint.

    The score of a keypoint is the highest value of its map, cut to 0..1, as maps learned by regression may go beyond.

    Args:
        outputs: The graph's outputs.
        output: Which of them.
        input_hw: Size of the tensor that went in.
        activation: What makes probabilities of the maps.
        centers: Where the center of cell i lies: `pixels`, on that of pixel i * stride, as Simple Baselines, HRNet and
            most of their kind are trained; `corners`, the outer cells on the outer pixels (unbiased data processing,
            ViTPose); `patches`, in the middle of the cell's patch.
        certain: Least score of a keypoint that counts for the box.
        threshold: Least score of a thing, which is the mean of its keypoints'.

    Raises:
        ShapeError: The output has another shape.
        RuntimeFailure: It holds NaN or infinity.
    """
    maps = numbers(outputs, output, 4, "(N, K, h, w) maps")
    if not maps.shape[1]:
        raise ShapeError(f"output {output!r}: expected (N, K, h, w) maps, got shape {maps.shape}.")
    if activation == "sigmoid":
        maps = probabilities(maps, output, "sigmoid")
    return [things_of(_peaks(one, input_hw, centers)[None], certain, threshold) for one in maps]


def _peaks(maps: Floats, input_hw: tuple[int, int], centers: Centers) -> Floats:
    """x, y and score (K, 3) of the highest cell of each map, in pixels of the input."""
    height, width = maps.shape[1:]
    rows, columns = np.divmod(maps.reshape(len(maps), -1).argmax(axis=1), width)
    every = np.arange(len(maps))
    beside = np.pad(maps, ((0, 0), (1, 1), (1, 1)), mode="edge")
    right = np.sign(beside[every, rows + 1, columns + 2] - beside[every, rows + 1, columns])
    down = np.sign(beside[every, rows + 2, columns + 1] - beside[every, rows, columns + 1])
    # At an edge there is a neighbor on one side only, and nothing to compare it with.
    right[(columns == 0) | (columns == width - 1)] = 0
    down[(rows == 0) | (rows == height - 1)] = 0
    x = _places(columns + SHIFT * right, width, input_hw[1], centers)
    y = _places(rows + SHIFT * down, height, input_hw[0], centers)
    scores = np.clip(maps[every, rows, columns], 0, 1)
    return np.stack((x, y, scores), axis=1).astype(np.float32)


def _places(cells: npt.NDArray[Any], count: int, side: int, centers: Centers) -> npt.NDArray[Any]:
    """Cells along an axis, counted from 0, in pixels of the input, of which the first has its center at 0.5."""
    match centers:
        case "pixels":
            return cells * (side / count) + 0.5
        case "corners":
            return cells * ((side - 1) / max(count - 1, 1)) + 0.5
        case "patches":
            return (cells + 0.5) * (side / count)


DECODER = Decoder("heatmap", "candidates", heatmap, MappingProxyType({"output": 4}), one_class)
