"""A vector of unit length for each image."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from pixelwright.errors import NotFinite, RuntimeFailure, ShapeError
from pixelwright.ops.decoders.decoder import ANY_RANK, Decoder, Outputs


def embedding(outputs: Outputs, *, output: str) -> npt.NDArray[np.float32]:
    """Vectors (N, D) of unit length, from (N, D), or from maps of one cell: (N, D, 1, 1) or (N, 1, 1, D).

    Source: Schroff, Kalenichenko and Philbin, FaceNet, CVPR 2015, section 3.1 (embeddings live on the unit sphere).

    Raises:
        ShapeError: The output has another shape.
        NotFinite: A vector has values that are not finite.
        RuntimeFailure: A vector has no direction: its values are all zero.
    """
    array = outputs[output]
    one_cell = array.ndim == 4 and (array.shape[2:] == (1, 1) or array.shape[1:3] == (1, 1))
    if not (array.ndim == 2 or one_cell) or not array.size:
        raise ShapeError(f"output {output!r}: expected (N, D) or maps of one cell, got shape {array.shape}.")
    vectors = array.reshape(len(array), -1).astype(np.float64)
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    finite = bool(np.isfinite(largest).all())
    if not (finite and largest.all()):
        kind, what = (RuntimeFailure, "zeros") if finite else (NotFinite, "values that are not finite")
        raise kind(
            f"output {output!r}: the model made a vector of {what}, which has no direction. Try another runtime or "
            "precision (--runtime, --precision)."
        )
    vectors /= largest  # the squares below neither overflow nor vanish
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


DECODER = Decoder("embedding", "vectors", embedding, MappingProxyType({"output": ANY_RANK}))
