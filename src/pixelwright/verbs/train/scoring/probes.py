"""Probes: what a trained network takes, and inputs that belong to nobody to try its export on."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np

from pixelwright.interop.probe_picture import probe_picture
from pixelwright.io.exchange import from_numpy
from pixelwright.ops import batch
from pixelwright.runtimes.protocol import Array
from pixelwright.structures.spec import BundleSpec, InputSpec, TensorSpec

FREE_HW = ((61, 45), (45, 77))  # odd, and higher than wide as well as wider than high
FREE_STEPS = (9, 5)


def graph_input(spec: BundleSpec) -> TensorSpec:
    """What the graph takes: sides that do not change are as they are after padding."""
    multiple = spec.input.multiple_of
    entry = spec.graphs["model"].inputs[0]
    dims = [
        -(-dim // multiple) * multiple if isinstance(dim, int) and axis in "HW" else dim
        for axis, dim in zip(spec.input.layout, entry.dims, strict=True)
    ]
    return msgspec.structs.replace(entry, dims=dims, layout=spec.input.layout)


def probes(spec: InputSpec, entry: TensorSpec) -> list[dict[str, Array]]:
    """Two inputs, one picture or sequence each; of different, odd sizes where sizes are free."""
    if spec.is_sequence:
        random, (_, steps, features) = np.random.default_rng(0), entry.dims
        lengths = FREE_STEPS if isinstance(steps, str) else (steps, steps)
        return [{entry.name: random.standard_normal((1, one, int(features)), np.float32)} for one in lengths]
    sides = [entry.dims[spec.layout.index(side)] for side in "HW"]
    sizes = [free_hw if isinstance(sides[0], str) else (int(sides[0]), int(sides[1])) for free_hw in FREE_HW]
    plain = msgspec.structs.replace(spec, resize=None, crop_hw=None)
    pictures = [probe_picture(size_hw, number) for number, size_hw in enumerate(sizes)]
    return [{entry.name: batch.prepare(from_numpy(picture), plain).tensor[None]} for picture in pictures]


def together(feeds: Mapping[str, Array]) -> dict[str, Array]:
    """A batch of three, of which no two are alike."""
    return {name: np.concatenate((array, array / 2, -array)).astype(array.dtype) for name, array in feeds.items()}
