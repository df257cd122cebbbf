"""Regression from an image to named numbers, by the bundle's contract."""

from __future__ import annotations

from collections.abc import Sequence

from pixelwright import registry
from pixelwright.bundle import ModelBundle
from pixelwright.contract import Graphs, PredictOptions, answers
from pixelwright.errors import BundleError
from pixelwright.ops import batch
from pixelwright.structures.results import NamedValues


def check(bundle: ModelBundle, options: PredictOptions) -> None:
    """Refuse a bundle that makes no values.

    Raises:
        BundleError: Its decoder makes something else.
    """
    del options
    output = bundle.spec.output
    if registry.get("decoder", output.decoder).makes != "values":
        raise BundleError(bundle.path, f"decoder {output.decoder!r} gives no values.")


def predict(
    prepared: Sequence[batch.Prepared], graphs: Graphs, bundle: ModelBundle, options: PredictOptions
) -> list[NamedValues]:
    """The values for each prepared image."""
    del options
    names = tuple(bundle.spec.output.labels)
    return [NamedValues(row, names) for row in answers(batch.stack(prepared), graphs, bundle)]
