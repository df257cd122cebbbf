"""Trained: what came of a training."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from pixelwright.metrics.score import Score


@dataclass(frozen=True, slots=True)
class Trained:
    """What came of a training.

    Attributes:
        run: Its folder.
        goal: The metric that chose the weights.
        score: Its value on the validation part.
        step: The step the weights are from.
        steps: How many were taken.
        seconds: Time used, over all starts of the run.
        bundle: The bundle that was made of the weights.
        scores: Of the bundle on the validation part, with intervals.
        lost: Samples that were left out because they cannot be used.
    """

    run: Path
    goal: str
    score: float
    step: int
    steps: int
    seconds: float
    bundle: Path | None = None
    scores: tuple[Score, ...] = ()
    lost: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        scores = [score.to_dict() for score in self.scores]
        said = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**said, "run": str(self.run), "bundle": self.bundle and str(self.bundle), "scores": scores}
