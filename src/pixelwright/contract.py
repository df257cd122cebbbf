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
        iou_threshold: Boxes that overlap a better one by more are dropped; None takes the bundle's own.
        tile_px: Side of the tiles that large images are cut into, where the task can; None is the task's choice.
        tile_overlap: Share of a tile's side that neighbors have in common, where each tile is answered by itself.
    """

    threshold: float | None = None
    classes: tuple[str, ...] = ()
    top_k: int | None = None
    iou_threshold: float | None = None
    tile_px: int | None = None
    tile_overlap: float = 0.2


@dataclass(frozen=True, slots=True)
class Task:
    """One row of the hourglass: everything a verb needs to carry out a task on a bundle.

    Attributes:
        name: Registry name and command.
        summary: One line for `--help`.
        example: A command line that runs.
        default_model: Used where the user names none.
        options: Which fields of `PredictOptions` the task reads.
        result: The type of its results, with `to_dict` and `from_dict`; `Raster` where it makes pictures.
        check: `(bundle, options)`: refuse what cannot work before anything is read.
        prepare: `(raster, bundle)` to whatever `predict` takes; this is where an image is decoded.
        key: Prepared inputs of one key may share a batch; None where each goes alone.
        predict: `(batch, graphs, bundle, options)` to one result each: the whole of a task's inference.
            A `Raster` is an image that is computed as it is read.
        draw: `(image, result, bundle)` to a picture of the result.
        columns: Headings of the task's table.
        rows: A record (`to_dict`, or `output_size_hw` of an image) to rows under these headings, perhaps none.
        text: A record to what a terminal shows of it.
    """

    name: str
    summary: str
    example: str
    default_model: str
    options: frozenset[str]
    result: type
    check: Callable[[ModelBundle, PredictOptions], None]
    prepare: Callable[[Raster, ModelBundle], Any]
    key: Callable[[Any], Hashable] | None
    predict: Callable[[Sequence[Any], Graphs, ModelBundle, PredictOptions], Sequence[Any]]
    draw: Callable[[Image, Any, ModelBundle], Image]
    columns: tuple[str, ...]
    rows: Callable[[dict[str, Any]], list[dict[str, Any]]]
    text: Callable[[dict[str, Any]], str]

    @property
    def makes_images(self) -> bool:
        """Whether a result is to be written as a picture."""
        return self.result is Raster
