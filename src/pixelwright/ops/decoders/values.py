"""Numbers that belong to a whole picture, in their own units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwright.errors import NotFinite, ShapeError
from pixelwright.ops.decoders.decoder import Decoder, Outputs, axis_size, output_of
from pixelwright.structures.spec import Finite, Positive, TensorSpec


def values(
    outputs: Outputs, *, output: str, mean: Sequence[Finite] = (), std: Sequence[Positive] = ()
) -> npt.NDArray[np.float32]:
    """Numbers (N, V) as x · std + mean of what the network says (N, V), which learned them standardized.

    Raises:
        ShapeError: The output is not (N, V), or V is not the number of means and deviations.
        NotFinite: A number is not finite.
    """
    made = output_of(outputs, output, 2, "(N, V) numbers").astype(np.float64)
    for name, given in (("mean", mean), ("std", std)):
        if given and len(given) != made.shape[1]:
            raise ShapeError(f"output {output!r}: {made.shape[1]} numbers, but {name} has {len(given)}.")
    answered = made * np.asarray(std or 1.0) + np.asarray(mean or 0.0)
    if not np.isfinite(answered).all():
        raise NotFinite(
            f"output {output!r}: the model made values that are not finite. "
            "Try another runtime or precision (--runtime, --precision)."
        )
    return answered.astype(np.float32)


def _value_count(tensors: Mapping[str, TensorSpec], parameters: Mapping[str, Any]) -> int | None:
    return axis_size(tensors, parameters.get("output"), 1)


DECODER = Decoder("values", "values", values, MappingProxyType({"output": 2}), _value_count)
