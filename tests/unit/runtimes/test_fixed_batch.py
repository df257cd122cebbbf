"""A batch of any size through a graph of a fixed one gives what each entry gives alone."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from pixelwright.runtimes.fixed_batch import any_batch
from pixelwright.runtimes.protocol import Array
from pixelwright.structures.spec import TensorSpec


class Doubler:
    """Doubles batches of one size, and counts them."""

    def __init__(self, *dims: int | str, inputs: int = 1) -> None:
        self.inputs = tuple(TensorSpec(f"x{number}", "float32", list(dims)) for number in range(inputs))
        self.outputs = (TensorSpec("y", "float32", list(dims)),)
        self.batches: list[int] = []

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        (batch,) = feeds.values()
        assert len(batch) == self.inputs[0].dims[0]
        self.batches.append(len(batch))
        return {"y": 2 * batch}


@pytest.mark.parametrize(("size", "count", "runs"), [(1, 3, 3), (4, 4, 1), (4, 6, 2), (4, 1, 1)])
def test_any_number_goes_through(size: int, count: int, runs: int) -> None:
    graph = Doubler(size, 2)
    batch = np.arange(2 * count, dtype=np.float32).reshape(count, 2)
    assert any_batch(graph).run({"x0": batch})["y"].tolist() == (2 * batch).tolist()
    assert graph.batches == [size] * runs


@pytest.mark.parametrize("graph", [Doubler("N", 2), Doubler(1, 2, inputs=2), Doubler()])
def test_what_is_free_or_has_more_inputs_stays_as_it_is(graph: Doubler) -> None:
    assert any_batch(graph) is graph
