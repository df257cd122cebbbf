"""Validation: the score of a network through the very steps by which its bundle will answer later."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from pixelwright import registry
from pixelwright.bundle import ModelBundle
from pixelwright.contract import Evaluation, Scoring, Task
from pixelwright.data.dataset import Sample
from pixelwright.errors import UsageError
from pixelwright.metrics.definitions import definition_of
from pixelwright.runtimes.torch import TorchGraph
from pixelwright.structures.raster import Raster
from pixelwright.verbs.train.plan import Plan

BATCH_SIZE = 64  # pictures that the network takes at once; no gradients are kept


@dataclass(eq=False, slots=True)
class Validation:
    """The validation part of a plan. What is prepared once is kept, as far as the memory lasts.

    Attributes:
        plan: What is trained.
        budget_bytes: What prepared pictures may take.
        threads: For preparing.
    """

    plan: Plan
    budget_bytes: int
    threads: int
    _kept: dict[int, tuple[Any, Any]] = field(default_factory=dict)

    @property
    def goal(self) -> str:
        """The metric that chooses."""
        return self.plan.config.goal

    @property
    def more(self) -> bool:
        """Whether more of it is better."""
        goals = dict(registry.get("evaluation", self.plan.config.task).goals)
        return goals[self.goal] if self.goal in goals else definition_of(self.goal).higher_is_better

    def __call__(self, net: nn.Module) -> Mapping[str, float]:
        """All metrics of the task's evaluation.

        Raises:
            UsageError: The goal is not among them.
        """
        spec = self.plan.spec
        task: Task = registry.get("task", spec.task)
        evaluation: Evaluation = registry.get("evaluation", spec.task)
        graph = spec.graphs["model"]
        graphs = {"model": TorchGraph(net, tuple(graph.inputs), tuple(graph.outputs))}
        bundle = ModelBundle(Path("training"), spec)
        options = evaluation.options(spec)
        scoring = Scoring.of(self.plan.splits.validation, spec)
        observed: list[Any] = []
        for chunk in self._chunks(task, bundle):
            results = task.predict([prepared for prepared, _ in chunk], graphs, bundle, options)
            observed += [
                evaluation.observe(made, true, scoring) for made, (_, true) in zip(results, chunk, strict=True)
            ]
        metrics = evaluation.statistic(observed, scoring)(np.arange(len(observed)))
        if self.goal not in metrics:
            raise UsageError(f"--goal {self.goal}: there is no such metric here; there are: {', '.join(metrics)}.")
        return metrics

    def _chunks(self, task: Task, bundle: ModelBundle) -> Any:
        """Prepared pictures with their truth, in order, in batches of one kind."""
        key: Callable[[Any], Any] = task.key or id
        samples = list(enumerate(self.plan.splits.validation.samples))
        with ThreadPoolExecutor(max(self.threads, 1), thread_name_prefix="prepare") as pool:
            for start in range(0, len(samples), BATCH_SIZE):
                pairs = list(
                    pool.map(lambda one: self._pair(one[0], one[1], task, bundle), samples[start : start + BATCH_SIZE])
                )
                for _, group in groupby(pairs, key=lambda pair: key(pair[0])):
                    yield list(group)

    def _pair(self, place: int, sample: Sample, task: Task, bundle: ModelBundle) -> tuple[Any, Any]:
        if place in self._kept:
            return self._kept[place]
        image, true = sample.read(), sample.truth()
        trial = self.plan.training().trial
        if trial is not None:
            image, true = trial(image, true, self.plan.problem, place)
        pair = task.prepare(Raster.of(image), bundle), true
        tensor = getattr(pair[0], "tensor", image.pixels)
        self.budget_bytes -= tensor.nbytes
        if self.budget_bytes >= 0:
            self._kept[place] = pair
        return pair
