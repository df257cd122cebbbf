"""Which sizes a network is free in: tried, and compared with runs of the network as it came. Runs in the sandbox."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import shape_inference

from pixelwright.errors import RuntimeFailure
from pixelwright.interop import onnx_graph
from pixelwright.interop.onnx_run import EXACT, Conversion, Trial
from pixelwright.runtimes.parity import difference
from pixelwright.runtimes.protocol import Array

Dims = list[int | str]
Shapes = list[dict[str, tuple[int, ...]]]  # of the outputs, one entry a run

# Rows and columns to try where a file leaves them open: small ones first, then what networks are usually made for.
TRIED_HW = ((64, 96), (224, 224), (256, 320), (512, 512), (640, 640))
STRIDE = 64  # a multiple of every usual one
NAMES: Mapping[str, str] = {"N": "batch", "H": "height", "W": "width"}
# What makes results whose size depends on values: no number of runs shows that one is constant.
DATA_DEPENDENT = frozenset({"NonZero", "NonMaxSuppression", "Unique", "Compress", "Loop", "Scan", "If", "SequenceAt"})


@dataclass(frozen=True, slots=True)
class Sizes:
    """The sizes of the picture that a network takes.

    Attributes:
        dims: Of the first input, as the file states them.
        layout: `NCHW` or `NHWC`; empty where the network does not take one picture.
        tried: Numbers for all of `dims` on which the network runs.
    """

    dims: tuple[int | str, ...]
    layout: str
    tried: tuple[int, ...]

    @property
    def hw_axes(self) -> tuple[int, int]:
        """Where rows and columns are."""
        return self.layout.index("H"), self.layout.index("W")

    @property
    def stated_hw(self) -> tuple[int, int] | None:
        """Rows and columns that the file states."""
        rows, columns = (self.dims[axis] for axis in self.hw_axes) if self.layout else ("", "")
        return (rows, columns) if isinstance(rows, int) and isinstance(columns, int) else None

    def feeds(self, model: onnx.ModelProto) -> dict[str, Array]:
        """Values for all inputs."""
        first, *others = model.graph.input
        named = {name: size for name, size in zip(self.dims, self.tried, strict=True) if isinstance(name, str)}
        more = {info.name: onnx_graph.make_feed(info, onnx_graph.feed_shape(info, named)) for info in others}
        return {first.name: onnx_graph.make_feed(first, self.tried), **more}


def find(model: onnx.ModelProto, trial: Trial, path: str) -> Sizes:
    """Sizes on which the network runs.

    Raises:
        RuntimeFailure: There are none.
    """
    dims = tuple(onnx_graph.dims_of(model.graph.input[0]))
    layout = _layout(dims) if len(model.graph.input) == 1 else ""
    fault: RuntimeFailure | None = None
    for tried in _tried(dims, layout):
        sizes = Sizes(dims, layout, tried)
        try:
            trial.run(model, sizes.feeds(model))
        except RuntimeFailure as err:
            fault = err
        else:
            return sizes
    raise RuntimeFailure(f"{path}: cannot be run. {fault}") from fault


def _layout(dims: Sequence[int | str]) -> str:
    if len(dims) != 4:
        return ""
    colors = (1, 3)
    return "NCHW" if dims[1] in colors else "NHWC" if dims[3] in colors else ""


def _tried(dims: Sequence[int | str], layout: str) -> Iterator[tuple[int, ...]]:
    wide = [axis for axis, dim in enumerate(dims) if axis and isinstance(dim, str)]
    rows = layout.find("H") if layout else 2
    for height, width in TRIED_HW if wide else TRIED_HW[:1]:
        chosen = {axis: height if axis == rows else width for axis in wide}
        yield tuple(dim if isinstance(dim, int) else chosen.get(axis, 1) for axis, dim in enumerate(dims))


def free(state: Conversion, sizes: Sizes) -> Shapes:
    """Make batch, rows and columns free where the network allows it; the shapes of its outputs in each run."""
    shapes = [_shapes(state.expected)]
    if not sizes.layout:
        said = f"{len(state.model.graph.input)} inputs" if len(state.model.graph.input) > 1 else f"{list(sizes.dims)}"
        state.notes.append(
            f"The network does not take one picture ({said}), so its sizes stay as the file states them."
        )
        return shapes
    dims: Dims = list(sizes.dims)
    dims[0] = _free_batch(state, sizes, shapes)
    for axis in sizes.hw_axes:
        if isinstance(dims[axis], str):
            dims[axis] = NAMES[sizes.layout[axis]]
    state.model = onnx_graph.with_dims(state.model, dims)
    _free_size(state, sizes, dims, shapes)
    return shapes


def _free_batch(state: Conversion, sizes: Sizes, shapes: Shapes) -> int | str:
    info, batch = state.model.graph.input[0], sizes.tried[0]
    rows = onnx_graph.make_feed(info, (2 * batch, *sizes.tried[1:]), seed=1)
    parts = [state.trial.run(state.model, {info.name: part}) for part in np.split(rows, 2)]
    dims: Dims = [NAMES["N"], *sizes.dims[1:]]
    symbolic = onnx_graph.with_dims(state.model, dims)
    for candidate in (symbolic, onnx_graph.with_free_reshapes(symbolic, batch)):
        try:
            expected = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
            together = state.trial.run(candidate, {info.name: rows})
            one = state.trial.run(candidate, {info.name: rows[:1]})
            first = {name: array[: len(array) // (2 * batch)] for name, array in expected.items()}
        except (RuntimeFailure, ValueError):  # an output of no dimensions cannot be joined
            continue
        if difference(expected, together) <= EXACT and difference(first, one) <= EXACT:
            state.model = candidate
            shapes.append(_shapes(together))
            return NAMES["N"]
    state.notes.append(f"The network takes exactly {batch} picture{'s' if batch > 1 else ''} at a time.")
    return batch


def _free_size(state: Conversion, sizes: Sizes, dims: Dims, shapes: Shapes) -> None:
    info, (rows, columns) = state.model.graph.input[0], sizes.hw_axes
    larger = list(sizes.tried)
    for axis, more in ((rows, 0), (columns, 1)):  # at least twice the size: a pooling of all of it then comes out twice
        larger[axis] += STRIDE * (-(-larger[axis] // STRIDE) + more)
    open_dims = [NAMES[axis] if axis in "HW" else dim for axis, dim in zip(sizes.layout, dims, strict=True)]
    candidate = onnx_graph.with_dims(state.model, open_dims)
    stated_open = all(isinstance(dims[axis], str) for axis in (rows, columns))
    try:
        as_before = difference(state.expected, state.trial.run(candidate, state.feeds)) <= EXACT
        made = state.trial.run(candidate, {info.name: onnx_graph.make_feed(info, larger)})
    except RuntimeFailure:
        as_before, made = False, {}
    grown = as_before and all(_follows(shapes[0][name], array) for name, array in made.items())
    if made and (stated_open or (grown and not onnx_graph.has_quantized_steps(state.model))):
        state.model = candidate
        shapes.append(_shapes(made))
    elif not stated_open:
        size = f"{sizes.tried[columns]}x{sizes.tried[rows]}"
        state.notes.append(f"The network takes pictures of {size} only.")


def _follows(before: tuple[int, ...], after: Array) -> bool:
    """Whether an output at a larger size is what it should be: maps and rows grow, scores do not."""
    if len(before) != after.ndim or (after.dtype.kind == "f" and not np.isfinite(after).all()):
        return False
    return (before == after.shape) if len(before) <= 2 else (before != after.shape and before[0] == after.shape[0])


def state_outputs(model: onnx.ModelProto, shapes: Shapes) -> None:
    """State the dimensions of the outputs: a number where no run showed another one."""
    bare = {kind for node in onnx_graph.all_nodes(model.graph) if (kind := node.op_type) in DATA_DEPENDENT}
    certain = _inferred(model) if bare else {}
    free_batch = len(model.graph.input) == 1 and onnx_graph.dims_of(model.graph.input[0])[0] == NAMES["N"]
    for number, info in enumerate(model.graph.output):
        seen = [run[info.name] for run in shapes]
        dims: Dims = []
        for axis, lengths in enumerate(zip(*seen, strict=True)):
            constant = len(set(lengths)) == 1 and (not bare or certain.get(info.name, {}).get(axis))
            name = NAMES["N"] if axis == 0 and free_batch else f"out{number}_d{axis}"
            dims.append(lengths[0] if constant else name)
        onnx_graph.set_dims(info, dims)


def _inferred(model: onnx.ModelProto) -> dict[str, dict[int, int]]:
    inferred = shape_inference.infer_shapes(model, data_prop=True)
    return {
        info.name: {axis: dim for axis, dim in enumerate(onnx_graph.dims_of(info)) if isinstance(dim, int)}
        for info in inferred.graph.output
    }


def _shapes(outputs: Mapping[str, Array]) -> dict[str, tuple[int, ...]]:
    return {name: array.shape for name, array in outputs.items()}
