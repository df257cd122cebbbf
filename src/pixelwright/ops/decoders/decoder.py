"""Decoder: the record that puts a pure function into the registry, and the call that gives it what it asks for.

A decoder takes the outputs by name and, as keyword arguments, the parameters written in the bundle. A converted model
therefore needs data, not code. What only the moment knows comes under the names in `AT_RUN_TIME`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from inspect import signature
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pixelwright.errors import ShapeError
from pixelwright.ops.masks import Part
from pixelwright.structures.spec import TensorSpec

Array = npt.NDArray[Any]
Outputs = Mapping[str, Array]

# Arguments a decoder may have beside the bundle's parameters:
#   temperature: of the bundle's decision
#   input_hw: rows and columns of the tensor that went into the graph
#   threshold: the least score of any class, so that what nobody wants is dropped early
#   grids: for each image, at which places of the tensor (`ops.maps.Grid`) the labels are wanted
AT_RUN_TIME = frozenset({"temperature", "input_hw", "threshold", "grids"})

ANY_RANK = 0  # of an output whose dimensions the decoder itself looks at

Makes = Literal["scores", "candidates", "labels", "vectors", "values", "images", "tensors"]


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Things that a network proposes in one image, before thresholds and suppression, in any order.

    Attributes:
        boxes_xyxy: (M, 4) float32 in pixels of the tensor that went in; they may reach outside.
        scores: (M,) float32, 0..1.
        class_ids: (M,) int32.
        keypoints: (M, K, 3) float32: x, y in pixels of the tensor, score; or None.
        mask_logits: A function from rows (P,) to (P, h, w) float32 over the whole tensor at any scale, positive
            inside; or None. It is a function since only the rows that survive are worth computing.
        mask_parts: The same for masks that are known in parts of the tensor alone, one after the other: a thousand
            small things have no room as maps over all of it.
    """

    boxes_xyxy: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    class_ids: npt.NDArray[np.int32]
    keypoints: npt.NDArray[np.float32] | None = None
    mask_logits: Callable[[npt.NDArray[np.intp]], npt.NDArray[np.float32]] | None = None
    mask_parts: Callable[[npt.NDArray[np.intp]], Iterable[Part]] | None = None


def no_class_count(tensors: Mapping[str, TensorSpec], parameters: Mapping[str, Any]) -> int | None:
    """For decoders that do not tell how many classes there are."""
    del tensors, parameters
    return None


@dataclass(frozen=True, slots=True)
class Decoder:
    """The registry's row.

    Attributes:
        name: Registry name.
        makes: `scores` (N, K); a list of `Candidates`; `labels` (N, H, W) unsigned integers, or one map (H, W) for
            each of `grids`; `vectors` (N, D) of unit length; `values` (N, V) in their own units; `images` (N, H, W, C)
            with white at 1; or `tensors`, the outputs as they are.
        decode: `(outputs, **parameters)`.
        ranks: For each parameter that names an output, or outputs in a list: how many dimensions each has, or
            `ANY_RANK`.
        class_count: `(outputs' tensors by name, parameters)` to how many classes the outputs have, None where the
            graph leaves it open: there must be a label for each.
        exclusive: Whether its scores are of classes of which each picture has one.
    """

    name: str
    makes: Makes
    decode: Callable[..., Any]
    ranks: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    class_count: Callable[[Mapping[str, TensorSpec], Mapping[str, Any]], int | None] = no_class_count
    exclusive: bool = False

    @property
    def asks_for(self) -> frozenset[str]:
        """Which of `AT_RUN_TIME` it takes."""
        return AT_RUN_TIME & set(signature(self.decode).parameters)

    def run(self, outputs: Outputs, parameters: Mapping[str, Any], **moment: Any) -> Any:
        """What the outputs mean, given the bundle's parameters and those of the moment that it asks for."""
        asked = self.asks_for
        return self.decode(outputs, **parameters, **{name: value for name, value in moment.items() if name in asked})


def axis_size(tensors: Mapping[str, TensorSpec], name: Any, axis: int) -> int | None:
    """How long an axis of an output is; None where the output is unknown or the graph leaves it open."""
    tensor = tensors.get(str(name))
    if tensor is None or not -len(tensor.dims) <= axis < len(tensor.dims):
        return None
    size = tensor.dims[axis]
    return size if isinstance(size, int) else None


def output_of(outputs: Outputs, name: str, rank: int, what: str) -> Array:
    """An output by name, if it has the rank that its meaning needs.

    Args:
        outputs: The graph's.
        name: Which.
        rank: How many dimensions.
        what: Their names, for the sentence: `(N, K) logits`.

    Raises:
        ShapeError: It is not there, or has another number of dimensions.
    """
    if name not in outputs:
        known = ", ".join(map(repr, sorted(outputs)))
        raise ShapeError(f"there is no output {name!r}; there are {known}. Correct the decoder's parameters.")
    array = outputs[name]
    if array.ndim != rank:
        raise ShapeError(f"output {name!r}: expected {what}, got shape {array.shape}.")
    return array
