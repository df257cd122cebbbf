"""What a runtime is: it opens a model file and runs its graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from pixelwright.errors import RuntimeFailure
from pixelwright.structures.spec import Precision, TensorSpec

Array = npt.NDArray[Any]

DTYPES: tuple[str, ...] = ("uint8", "int8", "int32", "int64", "float16", "float32")


class Graph(Protocol):
    """An opened network. `run` may be called from several threads at once."""

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """What the graph takes, as the runtime sees it."""
        ...

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """What it makes."""
        ...

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """All outputs by name, as arrays of the caller's own.

        Raises:
            RuntimeFailure: A feed is missing, unknown, of another dtype or shape, or the graph fails on it.
        """
        ...


class Runtime(Protocol):
    """A way to run graphs; registered under its name."""

    @property
    def name(self) -> str:
        """The registry name."""
        ...

    @property
    def precisions(self) -> tuple[Precision, ...]:
        """In which arithmetic it can run a float32 graph, the most exact first."""
        ...

    def available(self, precision: Precision = "f32") -> str | None:
        """None where it can be used here at a precision, else why not and what to install, without a full stop."""
        ...

    def version(self) -> str:
        """The version of the library behind it."""
        ...

    def open(self, path: Path, *, precision: Precision = "f32", threads: int = 0, device: str = "auto") -> Graph:
        """The graph of a model file.

        Args:
            path: An ONNX file.
            precision: One of `precisions`.
            threads: Cores that one `run` uses; 0 for all. Runs called at the same time go in parallel.
            device: `auto`, `cpu`, `cuda` or `cuda:N`.

        Raises:
            RuntimeFailure: The file cannot be opened, or the precision or device is not to be had.
        """
        ...


def check_feeds(inputs: Sequence[TensorSpec], feeds: Mapping[str, Array]) -> dict[str, Array]:
    """The feeds, contiguous, if they are what a graph takes.

    Raises:
        RuntimeFailure: Naming every feed that is missing, unknown, or of another dtype or shape.
    """
    faults = [f"{name!r} is no input; there are {[i.name for i in inputs]}" for name in feeds.keys() - _names(inputs)]
    for tensor in inputs:
        if tensor.name not in feeds:
            faults.append(f"{tensor.name!r} is missing")
        elif fault := _feed_fault(tensor, feeds[tensor.name]):
            faults.append(f"{tensor.name!r}: {fault}")
    if faults:
        raise RuntimeFailure(f"feeds: {'; '.join(faults)}. Feed what the graph takes.")
    return {tensor.name: np.ascontiguousarray(feeds[tensor.name]) for tensor in inputs}


def _names(tensors: Sequence[TensorSpec]) -> set[str]:
    return {tensor.name for tensor in tensors}


def _feed_fault(tensor: TensorSpec, array: Array) -> str | None:
    if array.dtype != tensor.dtype:
        return f"expected {tensor.dtype}, got {array.dtype}"
    fits = array.ndim == len(tensor.dims) and all(
        isinstance(dim, str) or dim == size for dim, size in zip(tensor.dims, array.shape, strict=True)
    )
    return None if fits else f"expected shape {shape_text(tensor)}, got {array.shape}"


def one_line(err: Exception) -> str:
    """What a library says of its failure, without line breaks and not at length."""
    return " ".join(str(err).split())[:400]


def shape_text(tensor: TensorSpec) -> str:
    """Dimensions as in `(N, 3, H, W)`."""
    return f"({', '.join(map(str, tensor.dims))})"
