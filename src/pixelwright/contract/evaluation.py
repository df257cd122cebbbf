"""Evaluation: what a task adds so that its answers can be scored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pixelwright.contract.task import PredictOptions
from pixelwright.data.dataset import Kind
from pixelwright.metrics.score import Statistic
from pixelwright.structures.spec import BundleSpec
from pixelwright.structures.targets import Target


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One row of the registry; its name is the task's.

    Attributes:
        task: Registry name of the task.
        kinds: Of data that it can be scored on.
        options: The bundle's contract to what to ask of the task: every score, however low.
        observe: `(result, target, spec)` to what one picture contributes: small, and NumPy or plain Python.
        statistic: `(observations, spec)` to the function that turns picks of them into all metrics. What does not
            depend on the picks is computed once, here.
        goals: Metrics that can choose between models, the default first; of each, whether more is better.
    """

    task: str
    kinds: frozenset[Kind]
    options: Callable[[BundleSpec], PredictOptions]
    observe: Callable[[Any, Target, BundleSpec], Any]
    statistic: Callable[[Sequence[Any], BundleSpec], Statistic]
    goals: tuple[tuple[str, bool], ...]
