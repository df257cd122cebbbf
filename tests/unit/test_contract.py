"""What tasks do alike: one graph is run for a batch, and its decoder answers for each picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bundles import brightness, levels, squares
from pixelwright.bundle import ModelBundle
from pixelwright.errors import RuntimeFailure
from pixelwright.io.exchange import from_numpy
from pixelwright.model import load
from pixelwright.runtimes.protocol import Graph
from pixelwright.structures.raster import Raster


@dataclass(frozen=True)
class FirstOnly:
    """A graph that forgets all of a batch but its first."""

    graph: Graph

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value[:1] for name, value in self.graph.run(feeds).items()}


@pytest.mark.parametrize("make", [brightness, squares, levels])
def test_a_network_has_to_answer_for_every_picture(make: Callable[..., ModelBundle], tmp_path: Path) -> None:
    model = load(make(tmp_path / "b").path)
    pictures = [from_numpy(np.full((20, 20, 3), value, np.uint8)) for value in (10, 120, 250)]
    prepared = [model.task.prepare(Raster.of(one), model.bundle) for one in pictures]
    graphs: Any = {"model": FirstOnly(model.graphs(1)["model"])}
    with pytest.raises(RuntimeFailure, match="gave 1 answers for a batch of 3 pictures"):
        model.task.predict(prepared, graphs, model.bundle, model.options)
