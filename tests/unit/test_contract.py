"""What a user may ask for, and what tasks do alike: a graph runs for a batch, and its decoder answers for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bundles import brightness, levels, squares
from pixelwright.bundle import ModelBundle
from pixelwright.contract import PredictOptions
from pixelwright.errors import RuntimeFailure, UsageError
from pixelwright.io.exchange import from_numpy
from pixelwright.model import load
from pixelwright.runtimes.protocol import Graph
from pixelwright.structures.raster import Raster


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"threshold": 2}, "threshold: expected a number from 0 to 1, got 2"),
        ({"threshold": float("nan")}, "threshold: expected a number from 0 to 1, got nan"),
        ({"iou_threshold": "0.5"}, "iou_threshold: expected a number from 0 to 1, got '0.5'"),
        ({"top_k": 0}, "top_k: expected a whole number from 1 up, got 0"),
        ({"tile_px": -5}, "tile_px: expected a whole number from 1 up, got -5"),
        ({"tile_px": 100.5}, "tile_px: expected a whole number from 1 up, got 100.5"),
        ({"classes": "cup"}, r"classes: expected a tuple of labels, got a text; write \('cup',\)"),
        ({"top_k": 0, "threshold": -1}, "threshold: .*; top_k: "),
    ],
)
def test_options_that_mean_nothing_are_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        PredictOptions(**options)


def test_options_may_be_numbers_of_numpy() -> None:
    PredictOptions(threshold=np.float32(0.5), top_k=np.int64(3), tile_px=640, tile_overlap=0)  # type: ignore[arg-type]


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
