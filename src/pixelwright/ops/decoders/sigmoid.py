"""Probabilities of classes that do not exclude each other, from logits."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwright.errors import NotFinite
from pixelwright.ops.decoders.decoder import Decoder, Outputs, axis_size, output_of
from pixelwright.structures.spec import Positive, TensorSpec


def sigmoid(outputs: Outputs, *, output: str, temperature: Positive = 1.0) -> npt.NDArray[np.float32]:
    """A probability for each class on its own (N, K): 1 / (1 + exp(−x / temperature)) of logits x (N, K).

    Raises:
        ShapeError: The output is not (N, K).
        NotFinite: A logit is NaN.
    """
    logits = output_of(outputs, output, 2, "(N, K) logits").astype(np.float64)
    if np.isnan(logits).any():
        raise NotFinite(
            f"output {output!r}: the model made values that are no numbers, so there are no scores. "
            "Try another runtime or precision (--runtime, --precision)."
        )
    return (0.5 * (1 + np.tanh(0.5 * logits / temperature))).astype(np.float32)  # exp would overflow


def _class_count(tensors: Mapping[str, TensorSpec], parameters: Mapping[str, Any]) -> int | None:
    return axis_size(tensors, parameters.get("output"), 1)


DECODER = Decoder("sigmoid", "scores", sigmoid, MappingProxyType({"output": 2}), _class_count)
