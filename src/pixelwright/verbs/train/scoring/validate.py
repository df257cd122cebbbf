"""Validation: the score of a network through the very steps by which its bundle will answer later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import nn

from pixelwright import registry
from pixelwright.errors import UsageError
from pixelwright.metrics.definitions import definition_of
from pixelwright.runtimes.torch import TorchGraph
from pixelwright.verbs.train.planning.plan import Plan
from pixelwright.verbs.train.scoring.observe import TORCH, Kept, Part, observe
from pixelwright.verbs.train.scoring.probes import graph_input


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
    _part: Part = field(init=False)

    def __post_init__(self) -> None:
        plan, kept = self.plan, Kept(self.budget_bytes)
        self._part = Part(plan.splits.validation, plan.spec, plan.problem, self.threads, kept)

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
        graph = TorchGraph(net, (graph_input(spec),), tuple(spec.graphs["model"].outputs))
        metrics = observe(self._part, {TORCH: graph}).metrics[TORCH]
        if self.goal not in metrics:
            raise UsageError(f"--goal {self.goal}: there is no such metric here; there are: {', '.join(metrics)}.")
        return metrics
