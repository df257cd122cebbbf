"""Class probabilities from logits."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwright.errors import NotFinite
from pixelwright.ops.decoders.decoder import Decoder, Outputs, axis_size, output_of
from pixelwright.structures.spec import Positive, TensorSpec


def softmax(outputs: Outputs, *, output: str, temperature: Positive = 1.0) -> npt.NDArray[np.float32]:
    """Class probabilities (N, K) from logits (N, K), divided by the temperature first.

    Source: Guo et al., On Calibration of Modern Neural Networks, ICML 2017, equation 9 (the temperature).

    Raises:
        ShapeError: The output is not (N, K).
        NotFinite: The logits give no probabilities: one is NaN or infinity, or all are minus infinity.
    """
    logits = output_of(outputs, output, 2, "(N, K) logits")
    with np.errstate(over="ignore", invalid="ignore"):  # what comes of it is looked at below
        scaled = logits.astype(np.float64) / temperature
        scaled -= scaled.max(axis=1, keepdims=True)  # exp stays finite
        exponents = np.exp(scaled)
        scores = exponents / exponents.sum(axis=1, keepdims=True)
    if not np.isfinite(scores).all():
        raise NotFinite(
            f"output {output!r}: the model made values that are not finite, so there are no scores. "
            "Try another runtime or precision (--runtime, --precision)."
        )
    return scores.astype(np.float32)


def _class_count(tensors: Mapping[str, TensorSpec], parameters: Mapping[str, Any]) -> int | None:
    return axis_size(tensors, parameters.get("output"), 1)


DECODER = Decoder("softmax", "scores", softmax, MappingProxyType({"output": 2}), _class_count, exclusive=True)
