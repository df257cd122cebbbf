"""Train: from a labeled folder to a network, in a run that can be continued."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pixelwright.errors import MissingExtra
from pixelwright.verbs.train.settings.config import TrainConfig
from pixelwright.verbs.train.settings.recipe import read_config, to_toml
from pixelwright.verbs.train.trained import Trained

__all__ = ["TrainConfig", "Trained", "preview", "read_config", "resolve", "to_toml", "train"]


def train(
    config: TrainConfig,
    *,
    output: Path | None = None,
    other_data: bool = False,
    origin: str = "",
    on_progress: Callable[[Any], None] | None = None,
) -> Trained:
    """Train a network, or continue a training that was stopped: the same configuration continues the same run.

    Args:
        config: What is wanted; what it leaves open is chosen, shown and saved.
        output: The run's folder; None for `runs/TASK/NAME`.
        other_data: Whether a run may be continued although the data have changed.
        origin: What the configuration comes from, for the bundle's provenance.
        on_progress: Called with a `progress.Shown` twice a second.

    Raises:
        MissingExtra: PyTorch or Lightning Fabric are not installed.
        DataError: The data cannot be used.
        UsageError: Some of the configuration does not go together.
        TrainingError: It cannot start or go on.
        OutputError: The disk is full or not writable.
        KeyboardInterrupt: Ctrl-C was pressed; the same call continues.
    """
    _check_extra()
    from pixelwright.verbs.train.learning.progress import Watch
    from pixelwright.verbs.train.start import How, start

    return start(config, output, How(Watch(show=on_progress), other_data, origin))


def resolve(config: TrainConfig) -> Any:
    """What `train` would do: a `plan.Plan`, in which nothing is open any more. Decodes no picture.

    Raises:
        MissingExtra: PyTorch or Lightning Fabric are not installed.
        DataError: The data cannot be used.
        UsageError: Some of the configuration does not go together.
    """
    _check_extra()
    from pixelwright.verbs.train.start import decide

    return decide(config)


def preview(config: TrainConfig, path: Path) -> None:
    """Write a contact sheet of pictures, each as it is and varied as it would be in training, with their truth.

    Raises:
        MissingExtra: PyTorch or Lightning Fabric are not installed.
        DataError: The data cannot be used.
        UsageError: Some of the configuration does not go together.
        ImageError: The file cannot be written.
    """
    _check_extra()
    from pixelwright.verbs.train.start import decide, write_preview

    write_preview(decide(config), path)


def _check_extra() -> None:
    try:
        import lightning_fabric  # noqa: F401
        import torch  # noqa: F401
    except ImportError as err:
        raise MissingExtra("training", "train") from err
