"""Frozen features: what pictures look like to something that is not trained here, as rows of a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pixelwright import hub
from pixelwright.data.dataset import Sample
from pixelwright.errors import ImageError, ShapeError
from pixelwright.io.icc import to_srgb
from pixelwright.model import load, usable_cores
from pixelwright.ops import color
from pixelwright.ops.appearance import describe

Row = npt.NDArray[np.float32]

# Of the models that may have been pulled: networks that have seen a thousand kinds of things, the better first.
GENERAL = ("mobilenet-v2-features", "mobilenet-v1-features")
PLAIN = "edges and colors"


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """A table of features.

    Attributes:
        rows: (N, D) float32.
        places: (N,) of which samples; those whose pictures cannot be read are not among them.
        source: What they are: the name of a model, or `edges and colors`.
    """

    rows: npt.NDArray[np.float32]
    places: npt.NDArray[np.intp]
    source: str


def features_of(
    samples: Sequence[Sample], *, source: str = "", on_done: Callable[[int], None] = lambda _: None
) -> Features:
    """Features of each picture that can be read.

    Args:
        samples: Pictures.
        source: A model that embeds, or `edges and colors`; empty for the best that is at hand without a download.
        on_done: Called with how many are done.

    Raises:
        UnknownName: There is no such model.
        UsageError: The model does not embed.
    """
    chosen = source or next((name for name in GENERAL if hub.pulled(name)), PLAIN)
    found = _described(samples) if chosen == PLAIN else _embedded(samples, chosen)
    places, rows = [], []
    for place, row in enumerate(found):
        if row is not None:
            places.append(place)
            rows.append(row)
        on_done(place + 1)
    table = np.stack(rows) if rows else np.zeros((0, 0), np.float32)
    return Features(table, np.array(places, np.intp), chosen)


def _embedded(samples: Sequence[Sample], name: str) -> Iterator[Row | None]:
    model = load(name, task="embed")
    for done in model.apply(samples, lambda _, result: result, open_source=lambda sample: sample.picture.open()):
        yield None if done.result is None else done.result.vector


def _described(samples: Sequence[Sample]) -> Iterator[Row | None]:
    with ThreadPoolExecutor(usable_cores()) as pool:
        yield from pool.map(_row, samples)


def _row(sample: Sample) -> Row | None:
    try:
        image = color.to_8_bit(color.to_rgb(to_srgb(color.flatten_alpha(sample.read()))))
    except (ImageError, ShapeError):
        return None
    return describe(image.pixels, image.white)
