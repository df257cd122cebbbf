"""What the tests of training share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pixelwright.verbs.train import TrainConfig, read_config
from trainings import SMALL, write_data


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """40 pictures to learn from and 16 to validate with, as arrays."""
    return write_data(tmp_path / "squares.npz")


@pytest.fixture
def configure(data: Path) -> Callable[..., TrainConfig]:
    """A configuration for the tiny problem, with values by dotted name."""

    def make(**changes: Any) -> TrainConfig:
        named = {name.replace("__", "."): value for name, value in changes.items()}
        return read_config("classify", None, {**SMALL, "data.path": str(data), **named})

    return make
