"""A graph made for batches of one size, as many published models are, taking batches of any size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pixelwright.runtimes.protocol import Array, Graph
from pixelwright.structures.spec import TensorSpec


def any_batch(graph: Graph) -> Graph:
    """The graph, taking any batch where it has one input, and that and all outputs have a batch of one fixed size."""
    sizes = {tensor.dims[0] if tensor.dims else None for tensor in (*graph.inputs, *graph.outputs)}
    size = sizes.pop()
    if len(graph.inputs) != 1 or sizes or not isinstance(size, int):
        return graph
    return FixedBatch(graph, size)


@dataclass(frozen=True, slots=True)
class FixedBatch:
    """Runs a batch part by part; the last part is filled up with its last entry, whose answers are dropped."""

    graph: Graph
    size: int

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """As the graph states them, fixed batch and all."""
        return self.graph.inputs

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """The same of what it makes."""
        return self.graph.outputs

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """All outputs by name (see `protocol.Graph.run`)."""
        name = self.graph.inputs[0].name
        batch = feeds.get(name)
        if batch is None or len(feeds) != 1 or not batch.ndim or len(batch) in (0, self.size):
            return self.graph.run(feeds)
        parts = []
        for start in range(0, len(batch), self.size):
            part = batch[start : start + self.size]
            missing = self.size - len(part)
            filled = np.concatenate((part, np.repeat(part[-1:], missing, axis=0))) if missing else part
            parts.append(self.graph.run({name: filled}))
        return {
            tensor.name: np.concatenate([part[tensor.name] for part in parts])[: len(batch)]
            for tensor in self.graph.outputs
        }
