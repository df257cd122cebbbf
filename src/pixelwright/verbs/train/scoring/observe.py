"""Observe: what one network, or the same in several runtimes, answers to the pictures of one part.

All of it goes through the task's own steps from a picture to a result, so that what is scored is what users get.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields, is_dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from pixelwright import registry
from pixelwright.bundle import ModelBundle
from pixelwright.contract import Evaluation, Scoring, Task
from pixelwright.data.dataset import Dataset, Sample
from pixelwright.metrics.score import Statistic
from pixelwright.models.architecture import Problem
from pixelwright.runtimes.choose import REFERENCE
from pixelwright.runtimes.parity import difference
from pixelwright.runtimes.protocol import Array, Graph
from pixelwright.structures.raster import Raster
from pixelwright.structures.spec import BundleSpec, Precision, TensorSpec
from pixelwright.structures.targets import Target

CHUNK = 64  # pictures in memory at once
BATCH_VALUES = 1 << 22  # numbers in one batch: 64 pictures of 28x28, or 8 of 360x480 in color

Trial = Callable[[Any, Target | None, Problem, int], tuple[Any, Target | None]]
Where = tuple[str, Precision]  # a runtime, or what stands for one, and its arithmetic
TORCH: Where = ("pytorch", "f32")
UNROUNDED: Where = ("pytorch before rounding", "f32")
ONNX: Where = (REFERENCE, "f32")


@dataclass(eq=False, slots=True)
class Kept:
    """What was prepared before, as far as the memory lasts.

    Attributes:
        budget_bytes: What it may still take; truth counts too, which may be larger than the picture.
        pairs: Prepared pictures with their truth, by their place.
    """

    budget_bytes: int
    pairs: dict[int, tuple[Any, Any]] = field(default_factory=dict)

    def add(self, place: int, pair: tuple[Any, Any]) -> None:
        """Keep a pair, if it fits."""
        if place not in self.pairs and (size := held_bytes(pair)) <= self.budget_bytes:
            self.budget_bytes -= size
            self.pairs[place] = pair


@dataclass(frozen=True, slots=True)
class Part:
    """Pictures with their truth, prepared as a contract says.

    Attributes:
        dataset: The part.
        spec: The contract, with the decision that is to be scored.
        problem: What is learned.
        threads: For preparing.
        kept: Where prepared pictures are kept for the next time.
    """

    dataset: Dataset
    spec: BundleSpec
    problem: Problem
    threads: int = 1
    kept: Kept | None = None

    @property
    def task(self) -> Task:
        """What is done."""
        return registry.get("task", self.spec.task)

    @property
    def evaluation(self) -> Evaluation:
        """How it is scored."""
        return registry.get("evaluation", self.spec.task)

    @property
    def scoring(self) -> Scoring:
        """How answers and truth meet."""
        return Scoring.of(self.dataset, self.spec)

    def batches(self) -> Iterator[list[tuple[Any, Any]]]:
        """Prepared pictures with their truth, in order, in batches that a graph can take."""
        task, bundle = self.task, ModelBundle(Path("training"), self.spec)
        key: Callable[[Any], Hashable] = task.key or id
        samples = list(enumerate(self.dataset.samples))
        with ThreadPoolExecutor(max(self.threads, 1), thread_name_prefix="prepare") as pool:
            for start in range(0, len(samples), CHUNK):
                chunk = samples[start : start + CHUNK]
                pairs = pool.map(lambda one: self._pair(one[0], one[1], task, bundle), chunk)
                for _, group in groupby(self._keeping(chunk, pairs), key=lambda pair: key(pair[0])):
                    alike = list(group)
                    size = max(BATCH_VALUES // _values(alike[0][0]), 1)
                    yield from (alike[first : first + size] for first in range(0, len(alike), size))

    def _pair(self, place: int, sample: Sample, task: Task, bundle: ModelBundle) -> tuple[Any, Any]:
        if self.kept and place in self.kept.pairs:
            return self.kept.pairs[place]
        image, true = sample.read(), sample.truth()
        trial: Trial | None = registry.get("training", self.spec.task).trial
        if trial is not None:
            image, true = trial(image, true, self.problem, place)
        return task.prepare(Raster.of(image), bundle), true

    def _keeping(self, chunk: list[tuple[int, Sample]], pairs: Iterator[tuple[Any, Any]]) -> Iterator[tuple[Any, Any]]:
        for (place, _), pair in zip(chunk, pairs, strict=True):
            if self.kept is not None:
                self.kept.add(place, pair)
            yield pair


def held_bytes(value: Any) -> int:
    """How much the arrays within a value take."""
    if isinstance(value, np.ndarray):
        return value.nbytes
    if is_dataclass(value):
        return sum(held_bytes(getattr(value, one.name)) for one in fields(value))
    return sum(map(held_bytes, value)) if isinstance(value, list | tuple) else 0


def _values(prepared: Any) -> int:
    tensor = getattr(prepared, "tensor", None)
    return BATCH_VALUES if tensor is None else max(tensor.size, 1)


@dataclass(eq=False, slots=True)
class Observed:
    """What came of it.

    Attributes:
        n: Pictures.
        observations: Of each graph, one for each picture.
        differences: Of each graph the largest difference of an output to the reference's, over all pictures.
        metrics: Of each graph all metrics over all pictures.
        statistics: The same for any picks of the pictures.
        feeds: What the first picture was fed as; nothing where there is none.
    """

    n: int = 0
    observations: dict[Where, list[Any]] = field(default_factory=dict)
    differences: dict[Where, float] = field(default_factory=dict)
    metrics: dict[Where, Mapping[str, float]] = field(default_factory=dict)
    statistics: dict[Where, Statistic] = field(default_factory=dict)
    feeds: list[dict[str, Array]] = field(default_factory=list)


def observe(part: Part, graphs: Mapping[Where, Graph]) -> Observed:
    """Answers of several graphs to the same pictures, each compared with the first of them, the reference.

    Args:
        part: Which pictures.
        graphs: The same network in several runtimes, the reference first; one is enough.

    Raises:
        ImageError: A picture cannot be read.
        RuntimeFailure: A graph fails.
    """
    found = Observed(observations={key: [] for key in graphs}, differences=dict.fromkeys(graphs, 0.0))
    evaluation, scoring, task = part.evaluation, part.scoring, part.task
    bundle, options = ModelBundle(Path("training"), part.spec), part.evaluation.options(part.spec)
    for chunk in part.batches():
        found.n += len(chunk)
        calls: list[_Call] = []
        for number, (key, graph) in enumerate(graphs.items()):
            watched = _Watched(graph, calls, first=number == 0)
            results = task.predict([prepared for prepared, _ in chunk], {"model": watched}, bundle, options)
            seen = [evaluation.observe(made, true, scoring) for made, (_, true) in zip(results, chunk, strict=True)]
            found.observations[key] += seen
            found.differences[key] = max(found.differences[key], watched.largest)
        if not found.feeds and calls:
            found.feeds.append({name: array[:1].copy() for name, array in calls[0].feeds.items()})
    for key, observations in found.observations.items():
        found.statistics[key] = evaluation.statistic(observations, scoring)
        found.metrics[key] = found.statistics[key](np.arange(len(observations)))
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Call:
    feeds: Mapping[str, Array]
    made: dict[str, Array]


@dataclass(eq=False, slots=True)
class _Watched:
    """A graph whose calls are kept, if it is the first, or else compared with the kept ones, one by one."""

    graph: Graph
    calls: list[_Call]
    first: bool
    place: int = 0
    largest: float = 0.0

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        return self.graph.inputs

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        return self.graph.outputs

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        made = self.graph.run(feeds)
        if self.first:
            self.calls.append(_Call(feeds, made))
            return made
        self.largest = max(self.largest, difference(self.calls[self.place].made, made))
        self.place += 1
        return made
