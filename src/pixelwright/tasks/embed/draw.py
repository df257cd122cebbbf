"""An embedding under its picture and in a table."""

from __future__ import annotations

from typing import Any

from pixelwright.bundle import ModelBundle
from pixelwright.ops.draw import caption
from pixelwright.structures.image import Image
from pixelwright.structures.results import Embedding


def draw(image: Image, result: Embedding, bundle: ModelBundle) -> Image:
    """The picture (8-bit sRGB) with a strip below it that says what the vector is of."""
    del bundle
    return caption(image, [f"{len(result)} numbers", result.space])


def rows(record: dict[str, Any]) -> list[dict[str, Any]]:
    """How many numbers, and of which model. They themselves stand in the records and in the index, not in a table."""
    return [{"dimensions": len(record["embedding"]), "space": record["space"]}]


def text(record: dict[str, Any]) -> str:
    """How many numbers, and of which model."""
    return f"{len(record['embedding'])} numbers in {record['space']}"
