"""Class scores onto the picture and into a table."""

from __future__ import annotations

from typing import Any

from pixelwright.bundle import ModelBundle
from pixelwright.ops.draw import caption
from pixelwright.structures.image import Image
from pixelwright.structures.results import ClassScores

SHOWN_FROM = 0.0005


def draw(image: Image, result: ClassScores, bundle: ModelBundle) -> Image:
    """The picture (8-bit sRGB) with a strip below it that names the best classes."""
    del bundle
    return caption(image, [f"{row.label}  {row.score:.1%}" for row in result][:3] or [str(result)])


def rows(record: dict[str, Any]) -> list[dict[str, Any]]:
    """The best class and its score; none where no class passed the threshold."""
    return [{"label": best["label"], "score": best["score"]} for best in record["classes"][:1]]


def text(record: dict[str, Any]) -> str:
    """The classes with their scores, best first; those that would read 0.0 % are left out."""
    scores = ClassScores.from_dict(record)
    shown = [f"{row.label} {row.score:.1%}" for row in scores if row.score >= SHOWN_FROM]
    return ", ".join(shown or [str(scores)])
