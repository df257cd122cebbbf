"""An enhanced picture is its own drawing."""

from __future__ import annotations

from typing import Any

from pixelwright.bundle import ModelBundle
from pixelwright.structures.image import Image
from pixelwright.structures.raster import Raster


def draw(image: Image, result: Raster, bundle: ModelBundle) -> Image:
    """Before and after beside each other is the report's business; here the result itself."""
    del image, bundle
    return result.read()


def rows(record: dict[str, Any]) -> list[dict[str, Any]]:
    """The size of the result, and where it is."""
    height, width = record["output_size_hw"]
    return [{"width": width, "height": height, "output": record.get("output", "")}]


def text(record: dict[str, Any]) -> str:
    """Where the picture is."""
    return str(record.get("output", ""))
