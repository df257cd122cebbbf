"""From a PyTorch network to one ONNX file that answers as the network does; whoever writes one compares it at once.

`torch.onnx.export` does the work. What it writes beside the graph (stack traces with paths of this machine, names of
its own symbols) is taken out, so that the same network gives the same bytes anywhere.
"""

from __future__ import annotations

import copy
import json
import logging
import re
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import onnx
import torch
from torch import nn

from pixelwright.errors import ParityError, UnsupportedModel
from pixelwright.interop.pytorch_weights import pack
from pixelwright.io.atomic import whole_file
from pixelwright.runtimes.onnx import RUNTIME
from pixelwright.runtimes.parity import difference
from pixelwright.runtimes.protocol import Array, one_line
from pixelwright.runtimes.torch import TorchGraph
from pixelwright.structures.spec import TensorSpec

OPSET = 20
# Relative to the largest output. Convolutions, U-Nets and LSTMs were seen to agree to 4e-7; a wrong export is far off.
TOLERANCE = 1e-4

ORDERING = ("Concat", "Gather", "Reshape", "Unsqueeze")  # operators that compute nothing

Weights = Literal["f32", "packed"]
Feeds = Mapping[str, Array]


@dataclass(frozen=True, slots=True)
class Exported:
    """A network as written.

    Attributes:
        inputs: What the file takes.
        outputs: What it makes; sizes that follow from the inputs' are written as terms of them: `H//2`.
        size_bytes: Of the file.
        largest_difference: To PyTorch over all examples and outputs, relative to the largest value of an output.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    size_bytes: int
    largest_difference: float


def export_onnx(
    net: nn.Module,
    path: Path,
    inputs: Sequence[TensorSpec],
    outputs: Sequence[str],
    examples: Sequence[Feeds],
    *,
    weights: Weights = "f32",
    labels: Sequence[str] = (),
) -> Exported:
    """The network as one ONNX file (opset 20), in evaluation mode, compared with PyTorch on the examples.

    Args:
        net: As it is; a copy on the CPU is exported.
        path: Of the file, which is replaced.
        inputs: Names, dtypes and dimensions in the order of `net.forward`; a dimension with a name is free.
        outputs: Names in order.
        examples: Feeds by name; the first is traced, so no free side of it may be 1. Where sides are free some should
            be odd, and of other sizes than the first.
        weights: `f32` folds batch normalization into convolutions; `packed` leaves it to the runtime, and stores in
            16 or 8 bits what loses nothing by it (see `pytorch_weights`).
        labels: Written into the metadata.

    Raises:
        UnsupportedModel: PyTorch cannot export the network, or not with these dimensions free.
        ParityError: ONNX Runtime does not answer as PyTorch does; nothing was written.
    """
    plain = copy.deepcopy(net).cpu().eval().to(memory_format=torch.contiguous_format)  # pyright: ignore[reportCallIssue]
    model = _traced(plain, inputs, outputs, _twice(inputs, examples[0]), fold=weights == "f32")
    _strip(model)
    _name_sizes(model, inputs)
    if weights == "packed":
        pack(model)
    if labels:
        model.metadata_props.add(key="labels", value=json.dumps(list(labels)))
    onnx.checker.check_model(model, full_check=True)
    raw = model.SerializeToString(deterministic=True)
    with tempfile.TemporaryDirectory(prefix="pixelwright-") as place:
        aside = Path(place) / "model.onnx"
        aside.write_bytes(raw)
        graph = RUNTIME.open(aside, threads=1, device="cpu")
        reference = TorchGraph(plain, tuple(inputs), graph.outputs)
        largest = max(difference(reference.run(feeds), graph.run(feeds)) for feeds in examples)
    if not largest <= TOLERANCE:
        raise ParityError(
            f"{path}: in ONNX Runtime the exported {type(net).__name__} differs from PyTorch by {largest:.2g} of the "
            f"largest output, allowed is {TOLERANCE:.2g}. Do not use this export; change what PyTorch exports wrongly."
        )
    with whole_file(path) as file:
        file.write(raw)
    return Exported(tuple(inputs), _outputs(model, graph.outputs), len(raw), largest)


def _twice(inputs: Sequence[TensorSpec], feeds: Feeds) -> tuple[torch.Tensor, ...]:
    """The feeds in order, with everything twice where the batch is free: torch takes a size of one as a constant."""
    arrays = [feeds[tensor.name] for tensor in inputs]
    free = [bool(tensor.dims) and isinstance(tensor.dims[0], str) for tensor in inputs]
    return tuple(
        torch.tensor(np.concatenate((array, array)) if doubled else array)
        for array, doubled in zip(arrays, free, strict=True)
    )


def _traced(
    net: nn.Module,
    inputs: Sequence[TensorSpec],
    outputs: Sequence[str],
    sample: tuple[torch.Tensor, ...],
    *,
    fold: bool,
) -> onnx.ModelProto:
    from onnxscript import optimizer

    free = tuple(
        {axis: torch.export.Dim.DYNAMIC for axis, dim in enumerate(tensor.dims) if isinstance(dim, str)}
        for tensor in inputs
    )
    with _quiet():
        try:
            program = torch.onnx.export(
                copy.deepcopy(net),
                sample,
                dynamo=True,
                opset_version=OPSET,
                input_names=[tensor.name for tensor in inputs],
                output_names=list(outputs),
                dynamic_shapes=free,
                verbose=False,
                optimize=fold,
            )
        except Exception as err:  # torch.export raises dozens of kinds
            raise UnsupportedModel(_refused(net, inputs, err)) from err
        if program is None:  # torch returns one whenever dynamo is on
            raise UnsupportedModel(f"{type(net).__name__}: torch.onnx.export returned nothing.")
        if not fold:
            optimizer.inline(program.model)
        # By itself it leaves large weights as they are, and has the runtime put them into order at each opening.
        optimizer.fold_constants(program.model, should_fold=lambda node: node.op_type in ORDERING or None)
        optimizer.remove_unused_nodes(program.model)
        return program.model_proto


def _refused(net: nn.Module, inputs: Sequence[TensorSpec], err: BaseException) -> str:
    cause: BaseException = err
    while cause.__cause__ is not None:
        cause = cause.__cause__
    free = ", ".join(f"{tensor.name} {tensor.dims}" for tensor in inputs)
    said = one_line(Exception(re.sub(r"\x1b\[[0-9;]*m", "", str(cause))))
    return f"{type(net).__name__}: PyTorch cannot export it for {free}: {said}"


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what torch says of itself: that torchvision is missing, and its own use of deprecated parts."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _strip(model: onnx.ModelProto) -> None:
    """Takes out, in place, what torch notes beside the graph."""
    model.doc_string, model.producer_name, model.producer_version = "", "pixelwright", ""
    del model.metadata_props[:]
    parts: list[Any] = [model.graph, *model.functions]
    for graph in parts:
        graph.doc_string = ""
        del graph.metadata_props[:]
        for node in graph.node:
            node.doc_string = ""
            del node.metadata_props[:]
            parts.extend(part.g for part in node.attribute if part.type == onnx.AttributeProto.GRAPH)
        values = [*graph.value_info]
        if isinstance(graph, onnx.GraphProto):
            values += [*graph.input, *graph.output, *graph.initializer]
            # Shapes of intermediate results bring torch's symbols along, and no runtime needs them.
            del graph.value_info[:]
        for value in values:
            value.doc_string = ""
            del value.metadata_props[:]
    model.graph.name = "network"


def _name_sizes(model: onnx.ModelProto, inputs: Sequence[TensorSpec]) -> None:
    """Gives the free sizes our names in place of torch's symbols (`s77`), also in terms of them (`(s53//2)`)."""
    names: dict[str, str] = {}
    for value, tensor in zip(model.graph.input, inputs, strict=True):
        for dim, name in zip(value.type.tensor_type.shape.dim, tensor.dims, strict=True):
            if not isinstance(name, str):
                continue
            if not dim.dim_param:
                raise UnsupportedModel(f"input {tensor.name!r}: {name} is not free, the network takes {dim.dim_value}.")
            names[dim.dim_param] = name
    for value in (*model.graph.input, *model.graph.output):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param:
                dim.dim_param = re.sub(r"\bs\d+\b", lambda found: names.get(found[0], found[0]), dim.dim_param)


def _outputs(model: onnx.ModelProto, seen: Sequence[TensorSpec]) -> tuple[TensorSpec, ...]:
    """The outputs as ONNX Runtime sees them, with free sizes as the file names them."""
    found = []
    for value, tensor in zip(model.graph.output, seen, strict=True):
        dims = [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        found.append(msgspec.structs.replace(tensor, dims=dims))
    return tuple(found)
