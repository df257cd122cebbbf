"""From what a model said of a picture to its record, and to a picture of it."""

from __future__ import annotations

from typing import Any

from pixelwright.io.icc import to_srgb
from pixelwright.model import Model, Opened
from pixelwright.structures.raster import Raster


def record_of(opened: Opened, result: Any) -> dict[str, Any]:
    """What is known of the file, and the answer."""
    source = opened.raster.source
    record: dict[str, Any] = {"size_hw": list(source.upright_size_hw), "format": source.format}
    if source.orientation != 1:
        record |= {"orientation": source.orientation, "stored_size_hw": list(source.stored_size_hw)}
    warnings = list(opened.warnings)
    if source.pages > 1:
        warnings.append(f"only page {source.page + 1} of {source.pages} was read")
    if warnings:
        record["warnings"] = warnings
    return record | answer_of(result)


def answer_of(result: Any) -> dict[str, Any]:
    """The answer as plain data."""
    return {"output_size_hw": list(result.size_hw)} if isinstance(result, Raster) else result.to_dict()


def picture_of(model: Model, opened: Opened, result: Any) -> Raster:
    """The picture that a result is, or the source with the result painted on."""
    if isinstance(result, Raster):
        return result
    return Raster.of(model.task.draw(to_srgb(opened.raster.read()), result, model.bundle))
