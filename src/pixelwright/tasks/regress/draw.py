"""Values onto the picture and into a table."""

from __future__ import annotations

from typing import Any

from pixelwright.bundle import ModelBundle
from pixelwright.ops.draw import caption
from pixelwright.structures.image import Image
from pixelwright.structures.results import NamedValues

SHOWN = 6


def draw(image: Image, result: NamedValues, bundle: ModelBundle) -> Image:
    """The picture (8-bit sRGB) with a strip below it that names the first values."""
    del bundle
    lines = [f"{name}  {value:g}" for name, value in zip(result.names, result.values.tolist(), strict=True)]
    return caption(image, lines[:SHOWN])


def rows(record: dict[str, Any]) -> list[dict[str, Any]]:
    """Each value with its name."""
    return record["values"]


def text(record: dict[str, Any]) -> str:
    """All values with their names."""
    return str(NamedValues.from_dict(record))
