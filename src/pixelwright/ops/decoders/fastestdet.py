"""FastestDet: one cell, one box.

Source: https://github.com/dog-qiuqiu/FastestDet (BSD-3-Clause), its README and `utils/tool.py` for the formulas.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from pixelwright.errors import ShapeError
from pixelwright.ops.boxes import from_centers
from pixelwright.ops.decoders.decoder import Candidates, Decoder, Outputs, axis_size
from pixelwright.ops.decoders.proposals import cells, in_pixels, numbers, pick, probabilities, sigmoid
from pixelwright.structures.spec import TensorSpec

OBJECT_POWER, CLASS_POWER = 0.6, 0.4
BOX_CHANNELS = 5  # objectness and four of the box


def fastestdet(outputs: Outputs, *, output: str, input_hw: tuple[int, int], threshold: float = 0.0) -> list[Candidates]:
    """Candidates of each image from (N, 5 + K, H, W): objectness, box, class probabilities.

    Score = objectness^0.6 * best class^0.4; center = (cell + tanh(c)) / cells, sides = sigmoid(c), as parts of the
    input.

    Raises:
        ShapeError: The output has another shape.
        RuntimeFailure: It holds NaN, infinity, or scores that are no probabilities.
    """
    maps = numbers(outputs, output, 4, "(N, 5 + K, H, W)")
    if maps.shape[1] <= BOX_CHANNELS:
        raise ShapeError(f"output {output!r}: expected (N, 5 + K, H, W), got shape {maps.shape}.")
    rows_hw = maps.shape[2:]
    table = maps.reshape(*maps.shape[:2], -1).transpose(0, 2, 1)  # (N, cells, channels)
    places, sizes_wh = cells((rows_hw[0], rows_hw[1])), np.array(rows_hw[::-1], np.float32)
    chances = probabilities(table[:, :, :1], output) ** OBJECT_POWER
    chances = chances * probabilities(table[:, :, BOX_CHANNELS:], output) ** CLASS_POWER
    found = []
    for one, scores in zip(table, chances, strict=True):
        rows, class_ids, best = pick(scores, threshold)
        middles = (places[rows] + np.tanh(one[rows, 1:3])) / sizes_wh
        sides = sigmoid(one[rows, 3:5])
        boxes = in_pixels(from_centers(np.concatenate((middles, sides), axis=1)), "relative", input_hw)
        found.append(Candidates(boxes, best, class_ids))
    return found


def _class_count(tensors: Mapping[str, TensorSpec], parameters: Mapping[str, Any]) -> int | None:
    channels = axis_size(tensors, parameters.get("output"), 1)
    return None if channels is None else channels - BOX_CHANNELS


DECODER = Decoder("fastestdet", "candidates", fastestdet, MappingProxyType({"output": 4}), _class_count)
