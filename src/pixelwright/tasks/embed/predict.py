"""Embedding from an image to a vector of unit length, by the bundle's contract."""

from __future__ import annotations

from collections.abc import Sequence

from pixelwright import registry
from pixelwright.bundle import ModelBundle
from pixelwright.contract import Graphs, PredictOptions, answers
from pixelwright.errors import BundleError
from pixelwright.ops import batch
from pixelwright.structures.results import Embedding


def check(bundle: ModelBundle, options: PredictOptions) -> None:
    """Refuse a bundle that makes no vectors.

    Raises:
        BundleError: Its decoder makes something else.
    """
    del options
    name = bundle.spec.output.decoder
    if registry.get("decoder", name).makes != "vectors":
        raise BundleError(bundle.path, f"decoder {name!r} makes no vectors; embed needs 'embedding'.")


def predict(
    prepared: Sequence[batch.Prepared], graphs: Graphs, bundle: ModelBundle, options: PredictOptions
) -> list[Embedding]:
    """A vector for each prepared image."""
    del options
    vectors = answers(batch.stack(prepared), graphs, bundle)
    space = bundle.identity
    return [Embedding(vector, space) for vector in vectors]
