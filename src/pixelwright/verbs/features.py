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
from pixelwright.ops import color, resample
from pixelwright.ops.appearance import FEATURES, THUMB_PX, TINT_PX, describe
from pixelwright.structures.image import Image

Row = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]

# Of the models that may have been pulled: networks that have seen a thousand kinds of things, the better first.
GENERAL = ("mobilenet-v2-features", "mobilenet-v1-features")


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """A table of features.

    Attributes:
        rows: (N, D) float32.
        places: (N,) of which samples; those whose pictures cannot be read are not among them.
        source: What they are: the name of a model, or `small copies and edges`.
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
        source: A model that embeds, or `small copies and edges`; empty for the best that is at hand without a download.
        on_done: Called with how many are done.

    Raises:
        UnknownName: There is no such model.
        UsageError: The model does not embed.
    """
    chosen = source or next((name for name in GENERAL if hub.pulled(name)), FEATURES)
    found = _described(samples) if chosen == FEATURES else _embedded(samples, chosen)
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
        for copies in pool.map(_copies, samples):
            yield None if copies is None else describe(copies[0][None], copies[1][None])[0]


def _copies(sample: Sample) -> tuple[Bytes, Bytes] | None:
    try:
        return small_copies(sample.read())
    except (ImageError, ShapeError):
        return None


def small_copies(image: Image) -> tuple[Bytes, Bytes]:
    """The picture in small, gray and in color, stretched to squares."""
    if image.color.is_rgb or image.color.is_gray:
        shown = color.to_rgb(color.to_8_bit(color.flatten_alpha(to_srgb(image))))
        gray = color.to_gray(shown).pixels
        return _small(gray, THUMB_PX)[:, :, 0], _small(shown.pixels, TINT_PX)
    values = image.pixels.astype(np.float32).mean(axis=2, keepdims=True) * (255 / image.white)
    gray = np.clip(values, 0, 255).astype(np.uint8)
    return _small(gray, THUMB_PX)[:, :, 0], _small(gray.repeat(3, axis=2), TINT_PX)


def _small(pixels: Bytes, side_px: int) -> Bytes:
    return resample.resize(np.ascontiguousarray(pixels), (side_px, side_px), kernel="box")
