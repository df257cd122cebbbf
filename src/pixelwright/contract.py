"""Task: the contract where tasks and verbs meet. A verb asks the registry for a `Task` and knows no task by name."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pixelwright.bundle import ModelBundle
from pixelwright.runtimes.protocol import Graph
from pixelwright.structures.image import Image
from pixelwright.structures.raster import Raster

Graphs = Mapping[str, Graph]


@dataclass(frozen=True, slots=True)
class PredictOptions:
    """What a user may ask for at prediction time; a task lists in `Task.options` which of them it reads.

    Attributes:
        threshold: Least score of an answer; None takes the bundle's decision.
        classes: Only these labels; empty for all.
        top_k: So many answers at the most; None takes the task's own default.
        tile_px: Side of the tiles that large images are cut into, where the contract allows tiling.
    """

    threshold: float | None = None
    classes: tuple[str, ...] = ()
    top_k: int | None = None
    tile_px: int = 768


@dataclass(frozen=True, slots=True)
class Task:
    """One row of the hourglass: everything a verb needs to carry out a task on a bundle.

    Attributes:
        name: Registry name and command.
        summary: One line for `--help`.
        example: A command line that runs.
        default_model: Used where the user names none.
        options: Which fields of `PredictOptions` the task reads.
        makes_images: Whether a result is a `Raster`, to be written as a picture.
        check: `(bundle, options)`: refuse what cannot work before anything is read.
        prepare: `(raster, bundle)` to whatever `predict` takes; this is where an image is decoded.
        key: Prepared inputs of one key may share a batch; None where each goes alone.
        predict: `(batch, graphs, bundle, options)` to one result each: the whole of a task's inference.
            A result has `to_dict`, or is a `Raster` (an image, computed as it is read).
        draw: `(image, result)` to a picture of the result.
        columns: Headings of the task's table.
        text: A record to what a terminal shows of it.
        row: A result's plain data (`to_dict`, or `output_size_hw` of an image) to one row under these headings.
    """

    name: str
    summary: str
    example: str
    default_model: str
    options: frozenset[str]
    makes_images: bool
    check: Callable[[ModelBundle, PredictOptions], None]
    prepare: Callable[[Raster, ModelBundle], Any]
    key: Callable[[Any], Hashable] | None
    predict: Callable[[Sequence[Any], Graphs, ModelBundle, PredictOptions], Sequence[Any]]
    draw: Callable[[Image, Any], Image]
    columns: tuple[str, ...]
    row: Callable[[dict[str, Any]], dict[str, Any]]
    text: Callable[[dict[str, Any]], str]
