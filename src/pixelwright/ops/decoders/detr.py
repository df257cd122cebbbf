"""DETR, RT-DETR and other transformers: each query answers with at most one thing, so nothing has to be suppressed.

Source: Carion et al., End-to-End Object Detection with Transformers, ECCV 2020 (https://arxiv.org/abs/2005.12872), the
last class being "no object"; Zhu et al., Deformable DETR, ICLR 2021 (https://arxiv.org/abs/2010.04159), and Zhao et
al., RT-DETR, CVPR 2024 (https://arxiv.org/abs/2304.08069), where each class has a sigmoid of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from pixelwright.errors import ShapeError
from pixelwright.ops.boxes import from_centers
from pixelwright.ops.decoders.decoder import Candidates, Decoder, Outputs, axis_size
from pixelwright.ops.decoders.proposals import check_last, in_pixels, numbers, pick, probabilities
from pixelwright.structures.spec import TensorSpec


def detr(
    outputs: Outputs,
    *,
    logits: str,
    boxes: str,
    input_hw: tuple[int, int],
    activation: Literal["softmax", "sigmoid"] = "softmax",
    threshold: float = 0.0,
) -> list[Candidates]:
    """Candidates of each image from logits (N, Q, classes) and boxes (N, Q, 4): center and size, relative.

    With `softmax` the last class is "no object", and a query stands for its best class. With `sigmoid` a query may
    stand for several, and the best Q pairs of query and class are taken.

    Raises:
        ShapeError: The outputs have other shapes.
        RuntimeFailure: They hold NaN or infinity.
    """
    values = numbers(outputs, logits, 3, "(N, Q, classes) logits")
    centers = numbers(outputs, boxes, 3, "(N, Q, 4) boxes")
    check_last(centers, boxes, 4, "(N, Q, 4) boxes")
    if values.shape[:2] != centers.shape[:2]:
        raise ShapeError(f"outputs {logits!r} and {boxes!r} differ: {values.shape} logits, {centers.shape} boxes.")
    chances = probabilities(values, logits, activation)
    if activation == "softmax":
        chances = chances[:, :, :-1]
    found = []
    for one, places in zip(chances, centers, strict=True):
        rows, class_ids, best = pick(one, threshold, "best" if activation == "softmax" else "all")
        order = np.argsort(-best, kind="stable")[: len(one)]
        corners = from_centers(in_pixels(places[rows[order]], "relative", input_hw))
        found.append(Candidates(corners, best[order], class_ids[order]))
    return found


def _class_count(tensors: Mapping[str, TensorSpec], parameters: Mapping[str, Any]) -> int | None:
    entries = axis_size(tensors, parameters.get("logits"), 2)
    return None if entries is None else entries - (parameters.get("activation", "softmax") == "softmax")


DECODER = Decoder("detr", "candidates", detr, MappingProxyType({"logits": 3, "boxes": 3}), _class_count)
