"""What decoders of detectors share: outputs that are checked, activations, grids, and the cut by score."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from msgspec import Meta

from pixelwright.errors import NotFinite, RuntimeFailure, ShapeError
from pixelwright.ops.decoders.decoder import Outputs, output_of

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.intp]

Activation = Literal["none", "sigmoid", "softmax"]
PerBox = Literal["best", "all"]
Unit = Literal["relative", "pixels"]
Stride = Annotated[int, Meta(ge=1, le=4_096)]
Strides = Annotated[tuple[Stride, ...], Meta(max_length=16)]
OutputName = Annotated[str, Meta(min_length=1, max_length=500)]
OutputNames = Annotated[tuple[OutputName, ...], Meta(max_length=16)]
Background = Annotated[int, Meta(ge=0, le=100)]

MAPS = 4  # dimensions of maps
SLACK = 1e-3  # a probability may be that far outside 0..1 by rounding
LARGEST = 1e20  # values are cut down to this: far beyond every picture, and no product of it with a parameter overflows
MOST_EXPONENT = 30.0  # exp of it is beyond every picture and still far from infinity


def numbers(outputs: Outputs, name: str, rank: int, what: str) -> Floats:
    """An output as float32, of the rank its meaning needs, no value beyond `LARGEST`.

    Raises:
        ShapeError: It has another number of dimensions, or maps of no size.
        NotFinite: It holds NaN or infinity.
    """
    array = output_of(outputs, name, rank, what).astype(np.float32, copy=False)
    if rank == MAPS and 0 in (len(array), *array.shape[2:]):
        raise ShapeError(f"output {name!r}: expected {what}, got shape {array.shape}.")
    low, high = float(array.min(initial=0)), float(array.max(initial=0))
    if not (math.isfinite(low) and math.isfinite(high)):
        raise NotFinite(
            f"output {name!r}: the model made values that are not finite, so nothing can be found by them. "
            "Try another runtime or precision (--runtime, --precision)."
        )
    return array if -LARGEST <= low <= high <= LARGEST else np.clip(array, -LARGEST, LARGEST)


def check_batch(arrays: Mapping[str, Floats]) -> None:
    """Refuse outputs, by name, of different numbers of images.

    Raises:
        ShapeError: Naming them.
    """
    if len({len(array) for array in arrays.values()}) > 1:
        shapes = ", ".join(f"{name!r} {array.shape}" for name, array in arrays.items())
        raise ShapeError(f"outputs for different numbers of images: {shapes}. Correct the decoder's parameters.")


def check_last(array: Floats, name: str, size: int, what: str) -> None:
    """Refuse an output whose last axis has another length than its meaning needs.

    Raises:
        ShapeError: Saying which.
    """
    if array.shape[-1] != size:
        raise ShapeError(f"output {name!r}: expected {what}, got shape {array.shape}.")


def probabilities(values: Floats, name: str, activation: Activation = "none") -> Floats:
    """Scores 0..1 of an output, activated along its last axis.

    Raises:
        RuntimeFailure: Without an activation they are no probabilities.
    """
    if activation == "sigmoid":
        return sigmoid(values)
    if activation == "softmax":
        exponents = np.exp(values - values.max(axis=-1, keepdims=True, initial=-np.inf))
        return exponents / exponents.sum(axis=-1, keepdims=True)
    low, high = values.min(initial=0), values.max(initial=0)
    if low < -SLACK or high > 1 + SLACK:
        raise RuntimeFailure(
            f"output {name!r}: expected scores between 0 and 1, got {low:.3g} to {high:.3g}. "
            "Name the activation, or the output after it."
        )
    return np.clip(values, 0, 1).astype(np.float32, copy=False)


def sigmoid(values: Floats) -> Floats:
    """1 / (1 + exp(-x)), for every finite x."""
    with np.errstate(over="ignore"):
        return np.divide(1, 1 + np.exp(-values), dtype=np.float32)


def exp(values: Floats) -> Floats:
    """The exponential, which stays finite whatever a network says."""
    return np.exp(np.minimum(values, np.float32(MOST_EXPONENT)))


def pick(scores: Floats, threshold: float, per_box: PerBox = "best") -> tuple[Rows, npt.NDArray[np.int32], Floats]:
    """Rows of scores (A, K) that reach a threshold, with class and score: each in its best class, or in all."""
    if not scores.shape[1]:
        raise ShapeError("scores: there is no class beside the background. Correct the decoder's parameters.")
    if per_box == "all":
        rows, ids = np.nonzero(scores >= threshold)
        return rows, ids.astype(np.int32), scores[rows, ids]
    best = scores.max(axis=1)
    rows = np.flatnonzero(best >= threshold)
    return rows, scores[rows].argmax(axis=1).astype(np.int32), best[rows]


def in_pixels(values: Floats, unit: Unit, input_hw: tuple[int, int]) -> Floats:
    """Values (..., 2n) that alternate x and y, in pixels of the tensor."""
    if unit == "pixels":
        return values
    height, width = input_hw
    return values * np.array([width, height] * (values.shape[-1] // 2), np.float32)


def cells(size_hw: tuple[int, int]) -> Floats:
    """Column and row of each cell of a map (H * W, 2), row by row."""
    rows, columns = np.divmod(np.arange(size_hw[0] * size_hw[1]), size_hw[1])
    return np.stack((columns, rows), axis=1).astype(np.float32)


def levels(input_hw: tuple[int, int], strides: tuple[int, ...]) -> list[tuple[int, int]]:
    """Size of each map: the input divided by its stride, rounded up."""
    return [(-(-input_hw[0] // stride), -(-input_hw[1] // stride)) for stride in strides]


def check_count(found: int, expected: int, name: str, input_hw: tuple[int, int], what: str) -> None:
    """Refuse an output that has another number of boxes than its grid, before that is made.

    Raises:
        ShapeError: Naming both.
    """
    if found != expected:
        raise ShapeError(
            f"output {name!r}: {found} boxes, but an input of {input_hw[1]}x{input_hw[0]} has {expected} {what}. "
            "Correct the decoder's parameters."
        )
