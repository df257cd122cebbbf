"""Class scores onto the picture and into a table."""

from __future__ import annotations

from typing import Any

from pixelwright.ops.draw import caption
from pixelwright.structures.image import Image
from pixelwright.structures.results import ClassScores


def draw(image: Image, result: ClassScores) -> Image:
    """The picture (8-bit sRGB) with a strip below it that names the best classes."""
    return caption(image, [f"{row.label}  {row.score:.1%}" for row in result][:3] or [str(result)])


def columns(result: ClassScores) -> dict[str, Any]:
    """One row: the best class and its score."""
    best = result.top
    return {"label": best.label if best else "", "score": round(best.score, 6) if best else ""}
