"""Train: from a labeled folder to a network, in a run that can be continued."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelwright.errors import MissingExtra
from pixelwright.verbs.train.config import TrainConfig
from pixelwright.verbs.train.recipe import read_config

__all__ = ["TrainConfig", "Trained", "read_config", "train"]


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
    """

    run: Path
    goal: str
    score: float
    step: int
    steps: int
    seconds: float


def train(
    config: TrainConfig, *, output: Path | None = None, on_progress: Callable[[Any], None] = lambda _: None
) -> Trained:
    """Train a network, or continue a training that was stopped.

    Args:
        config: What is wanted; what it leaves open is chosen, shown and saved.
        output: The run's folder; None for `runs/TASK/NAME`.
        on_progress: Called with a `loop.Shown` now and then.

    Raises:
        MissingExtra: PyTorch or Lightning Fabric are not installed.
        DataError: The data cannot be used.
        UsageError: Some of the configuration does not go together.
        TrainingError: It cannot start or go on.
        OutputError: The disk is full or not writable.
    """
    try:
        from pixelwright.verbs.train.start import start
    except ImportError as err:
        if (err.name or "").partition(".")[0] in ("torch", "lightning_fabric"):
            raise MissingExtra("training", "train") from err
        raise
    return start(config, output, on_progress)
