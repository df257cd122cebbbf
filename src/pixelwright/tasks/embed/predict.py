"""Embedding from an image to a vector of unit length, by the bundle's contract."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from pixelwright import registry
from pixelwright.bundle import ModelBundle
from pixelwright.contract import Graphs, PredictOptions
from pixelwright.errors import BundleError
from pixelwright.io.icc import to_srgb
from pixelwright.ops import batch
from pixelwright.structures.raster import Raster
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


def prepare(raster: Raster, bundle: ModelBundle) -> batch.Prepared:
    """The tensor the graph takes; a JPEG is decoded no larger than the contract needs."""
    spec = bundle.spec.input
    image = raster.read(at_least_hw=batch.decode_hw(raster.size_hw, spec))
    return batch.prepare(to_srgb(image) if spec.color == "srgb" else image, spec)


def key(prepared: batch.Prepared) -> Hashable:
    """Tensors of one shape share a batch."""
    return prepared.tensor.shape


def predict(
    prepared: Sequence[batch.Prepared], graphs: Graphs, bundle: ModelBundle, options: PredictOptions
) -> list[Embedding]:
    """A vector for each prepared image."""
    del options
    spec = bundle.spec
    outputs = graphs["model"].run({spec.graphs["model"].inputs[0].name: batch.stack(prepared)})
    vectors = registry.get("decoder", spec.output.decoder).run(outputs, spec.output.parameters)
    space = bundle.identity
    return [Embedding(vector, space) for vector in vectors]

