"""Task: the contract where tasks and verbs meet. A verb asks the registry for a `Task` and knows no task by name.

Below it stands what most tasks do alike, each for those that need it: prepare a picture, run one graph, decode.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy.typing as npt

from pixelwright import registry
from pixelwright.bundle import ModelBundle
from pixelwright.errors import RuntimeFailure, UsageError
from pixelwright.io.icc import to_srgb
from pixelwright.ops import batch, maps
from pixelwright.runtimes.protocol import Graph
from pixelwright.structures.image import Image
from pixelwright.structures.raster import Raster
from pixelwright.structures.spec import InputSpec

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

    Raises:
        UsageError: A share is not from 0 to 1, a number is not whole or below 1, or `classes` is one text.
    """

    threshold: float | None = None
    classes: tuple[str, ...] = ()
    top_k: int | None = None
    iou_threshold: float | None = None
    tile_px: int | None = None
    tile_overlap: float = 0.2

    def __post_init__(self) -> None:
        shares = {"tile_overlap": self.tile_overlap} | {
            name: getattr(self, name) for name in ("threshold", "iou_threshold") if getattr(self, name) is not None
        }
        counts = {name: getattr(self, name) for name in ("top_k", "tile_px")}
        faults = [
            *(f"{name}: expected a number from 0 to 1, got {one!r}" for name, one in shares.items() if not _share(one)),
            *(
                f"{name}: expected a whole number from 1 up, got {one!r}"
                for name, one in counts.items()
                if not _count(one)
            ),
        ]
        if isinstance(self.classes, str):
            faults.append(f"classes: expected a tuple of labels, got a text; write ({self.classes!r},)")
        if faults:
            raise UsageError(f"{'; '.join(faults)}.")


def _share(value: Any) -> bool:
    return isinstance(value, Real) and 0 <= float(value) <= 1


def _count(value: Any) -> bool:
    return value is None or (isinstance(value, Integral) and int(value) >= 1)


@dataclass(frozen=True, slots=True)
class Task:
    """One row of the hourglass: everything a verb needs to carry out a task on a bundle.

    Attributes:
        name: Registry name and command.
        summary: One line for `--help`.
        example: A command line that runs.
        default_model: Used where the user names none; empty where one has to be named.
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


def prepare(raster: Raster, bundle: ModelBundle) -> batch.Prepared:
    """A whole picture as the tensor the graph takes; a JPEG is decoded no larger than the contract needs."""
    spec = bundle.spec.input
    return prepare_image(raster.read(at_least_hw=batch.decode_hw(raster.size_hw, spec)), spec)


def prepare_image(image: Image, spec: InputSpec) -> batch.Prepared:
    """A decoded picture as the tensor its contract describes, converted to sRGB where that says so."""
    return batch.prepare(to_srgb(image) if spec.color == "srgb" else image, spec)


def shape_of(prepared: batch.Prepared) -> Hashable:
    """The key of what `prepare` makes: tensors of one shape share a batch."""
    return prepared.tensor.shape


def answers(
    tensors: npt.NDArray[Any],
    graphs: Graphs,
    bundle: ModelBundle,
    *,
    threshold: float | None = None,
    grids: Sequence[maps.Grid] | None = None,
) -> Any:
    """What the bundle's decoder makes of the outputs for a batch: an entry for each of its pictures.

    Args:
        tensors: The batch, as the input contract describes it.
        graphs: Of which `model` is run.
        bundle: The contract.
        threshold: The least score of any class, for decoders that drop others early.
        grids: For each picture the places at which its labels are wanted, for decoders that look there alone.

    Raises:
        RuntimeFailure: The network answered for another number of pictures.
    """
    spec = bundle.spec
    outputs = graphs["model"].run({spec.graphs["model"].inputs[0].name: tensors})
    made = registry.get("decoder", spec.output.decoder).run(
        outputs,
        spec.output.parameters,
        input_hw=batch.sides(tensors.shape, spec.input),
        temperature=spec.decision.temperature,
        threshold=threshold,
        grids=grids,
    )
    if len(made) != len(tensors):
        raise RuntimeFailure(
            f"model {spec.name} gave {len(made)} answers for a batch of {len(tensors)} pictures. Its contract has the "
            "batch in a wrong place, or leaves it open where it is fixed."
        )
    return made
