"""From a graph's raw outputs to numbers with a meaning: pure functions that a bundle names.

A decoder takes the outputs by name and, as keyword arguments, the parameters written in the bundle. A converted model
therefore needs data, not code.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from msgspec import Meta

from pixelwright.errors import RuntimeFailure, ShapeError
from pixelwright.structures.spec import Positive

Outputs = Mapping[str, npt.NDArray[Any]]

Scale = Annotated[int, Meta(ge=1, le=16)]


def softmax(outputs: Outputs, *, output: str, temperature: Positive = 1.0) -> npt.NDArray[np.float32]:
    """Class probabilities (N, K) from logits (N, K), divided by the temperature first.

    Source: Guo et al., On Calibration of Modern Neural Networks, ICML 2017, equation 9 (the temperature).

    Raises:
        ShapeError: The output is not (N, K).
        RuntimeFailure: The logits give no probabilities: one is NaN or infinity, or all are minus infinity.
    """
    logits = outputs[output]
    if logits.ndim != 2:
        raise ShapeError(f"output {output!r}: expected (N, K) logits, got shape {logits.shape}.")
    with np.errstate(over="ignore", invalid="ignore"):  # what comes of it is looked at below
        scaled = logits.astype(np.float64) / temperature
        scaled -= scaled.max(axis=1, keepdims=True)  # exp stays finite
        exponents = np.exp(scaled)
        scores = exponents / exponents.sum(axis=1, keepdims=True)
    if not np.isfinite(scores).all():
        raise RuntimeFailure(
            f"output {output!r}: the model made values that are not finite, so there are no scores. "
            "Try another runtime or precision (--runtime, --precision)."
        )
    return scores.astype(np.float32)


def image(outputs: Outputs, *, output: str, scale: Scale = 1, white: Positive = 1.0) -> npt.NDArray[np.float32]:
    """Images (N, H, W, C) with full white at 1.0, from a graph that makes (N, C, H, W) with white at `white`.

    Args:
        outputs: The graph's outputs.
        output: Which of them.
        scale: How much larger than the input the image is, 1 to 16; the caller maps windows by it.
        white: The value of full white in the graph's output.

    Raises:
        ShapeError: The output is not (N, C, H, W).
    """
    planes = outputs[output]
    if planes.ndim != 4:
        raise ShapeError(f"output {output!r}: expected (N, C, H, W), got shape {planes.shape}. Scale {scale}.")
    return planes.transpose(0, 2, 3, 1).astype(np.float32) / np.float32(white)
