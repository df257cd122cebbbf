"""CenterNet: things as peaks of a map.

Source: Zhou et al., Objects as Points, 2019, section 4 "From points to bounding boxes" (https://arxiv.org/abs/1904.07850).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pixelwright.errors import ShapeError
from pixelwright.ops.boxes import from_centers
from pixelwright.ops.decoders.decoder import Candidates, Decoder, Outputs, axis_size
from pixelwright.ops.decoders.proposals import Floats, Stride, numbers, probabilities
from pixelwright.structures.spec import TensorSpec

Places = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.intp]]

WITHOUT_OFFSET = 0.5  # the middle of the cell


def centernet(  # noqa: PLR0913 (what a bundle writes is flat, and each is given by name)
    outputs: Outputs,
    *,
    heatmap: str,
    size: str,
    offset: str | None = None,
    stride: Stride = 4,
    size_unit: Literal["cells", "pixels"] = "cells",
    activation: Literal["none", "sigmoid"] = "none",
    threshold: float = 0.0,
) -> list[Candidates]:
    """Candidates of each image from a heatmap (N, K, h, w): every cell that is no less than its eight neighbors.

    Args:
        outputs: The graph's outputs.
        heatmap: Which holds the heatmap.
        size: Which holds width and height (N, 2, h, w).
        offset: Which holds x and y of the center within its cell (N, 2, h, w); without it centers are those of cells.
        stride: Pixels of the input a cell.
        size_unit: Of width and height.
        activation: What makes probabilities of the heatmap.
        threshold: Least score.

    Raises:
        ShapeError: The outputs have other shapes.
        RuntimeFailure: They hold NaN, infinity, or scores that are no probabilities.
    """
    scores = probabilities(numbers(outputs, heatmap, 4, "(N, K, h, w) heatmap"), heatmap, activation)
    sizes = numbers(outputs, size, 4, "(N, 2, h, w) sizes")
    shifts = np.full_like(sizes, WITHOUT_OFFSET) if offset is None else numbers(outputs, offset, 4, "(N, 2, h, w)")
    expected = (scores.shape[0], 2, *scores.shape[2:])
    for name, values in ((size, sizes), (offset, shifts)):
        if values.shape != expected:
            raise ShapeError(f"output {name!r}: expected {expected}, got shape {values.shape}.")
    found = []
    for one, sides, within in zip(scores, sizes, shifts, strict=True):
        class_ids, rows, columns = _peaks(one, threshold)
        middles = np.stack((columns, rows), axis=1) + within[:, rows, columns].T
        wide = sides[:, rows, columns].T * np.float32(stride if size_unit == "cells" else 1)
        boxes = from_centers(np.concatenate((middles * stride, wide), axis=1).astype(np.float32))
        found.append(Candidates(boxes, one[class_ids, rows, columns], class_ids.astype(np.int32)))
    return found


def _peaks(scores: Floats, threshold: float) -> Places:
    """Class, row and column of the cells (K, h, w) that reach the threshold and are no less than their neighbors."""
    class_ids, rows, columns = np.nonzero(scores >= threshold)
    around = np.pad(scores, ((0, 0), (1, 1), (1, 1)), constant_values=-1)
    here, peak = scores[class_ids, rows, columns], np.ones(len(rows), bool)
    for down in range(3):
        for right in range(3):
            peak &= here >= around[class_ids, rows + down, columns + right]
    return class_ids[peak], rows[peak], columns[peak]


def _class_count(tensors: Mapping[str, TensorSpec], parameters: Mapping[str, Any]) -> int | None:
    return axis_size(tensors, parameters.get("heatmap"), 1)


DECODER = Decoder(
    "centernet", "candidates", centernet, MappingProxyType({"heatmap": 4, "size": 4, "offset": 4}), _class_count
)
