"""Class probabilities that a graph has made itself."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pixelwright.errors import ShapeError
from pixelwright.ops.decoders.decoder import Decoder, Outputs, axis_size
from pixelwright.ops.decoders.proposals import Background, Floats, numbers, probabilities
from pixelwright.structures.spec import TensorSpec


def scores(outputs: Outputs, *, output: str, background: Background = 0) -> Floats:
    """Class probabilities (N, K) as they are; the first `background` entries are no classes.

    Raises:
        ShapeError: The output is not (N, K), or holds nothing but background.
        RuntimeFailure: The values are no probabilities.
    """
    values = numbers(outputs, output, 2, "(N, K) probabilities")
    if values.shape[1] <= background:
        raise ShapeError(f"output {output!r}: {values.shape[1]} entries, of which {background} are background.")
    return probabilities(values[:, background:], output)


def _class_count(tensors: Mapping[str, TensorSpec], parameters: Mapping[str, Any]) -> int | None:
    entries = axis_size(tensors, parameters.get("output"), 1)
    return None if entries is None else entries - parameters.get("background", 0)


DECODER = Decoder("scores", "scores", scores, MappingProxyType({"output": 2}), _class_count)
