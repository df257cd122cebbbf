"""Run: the folder of one training. It can be killed at any moment and continued.

```
RUN/config.toml         everything that was decided, and what of it was chosen
RUN/checkpoints/last.ckpt, best.ckpt    all that is needed to continue; the best weights
RUN/results.csv         a line for each validation
RUN/log.txt             what was said
RUN/events.*            for TensorBoard, where it is installed
```
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning_fabric import Fabric

from pixelwright.errors import OutputError, TrainingError
from pixelwright.io.atomic import whole_file

CONFIG = "config.toml"
RESULTS = "results.csv"


@dataclass(frozen=True, slots=True)
class Run:
    """Where a training keeps what it makes.

    Attributes:
        path: The folder; it is there.
    """

    path: Path

    @property
    def last(self) -> Path:
        """All that is needed to continue."""
        return self.path / "checkpoints" / "last.ckpt"

    @property
    def best(self) -> Path:
        """The weights of the best validation."""
        return self.path / "checkpoints" / "best.ckpt"

    def save(self, fabric: Fabric, path: Path, state: dict[str, Any]) -> None:
        """A checkpoint, whole or not at all.

        Raises:
            OutputError: The disk is full or not writable; the checkpoint before is still there.
        """
        # Fabric moves its file here from a temporary folder, perhaps from another disk: that is not one step.
        aside = path.with_suffix(".tmp")
        try:
            fabric.save(aside, state)
            if fabric.is_global_zero:
                os.replace(aside, path)  # noqa: PTH105 (`Path.replace` is the same)
        except OSError as err:
            aside.unlink(missing_ok=True)
            raise OutputError(
                f"{path}: the checkpoint cannot be written: {err.strerror or err}. Make room; the same command "
                "continues from the checkpoint before."
            ) from err

    def load(self, fabric: Fabric, state: dict[str, Any]) -> bool:
        """Restore the last checkpoint into a state; whether there is one.

        Raises:
            TrainingError: It is damaged, or of another network.
        """
        if not self.last.exists():
            return False
        try:
            fabric.load(self.last, state, weights_only=True)
        except Exception as err:  # of whatever torch finds wrong in a file
            raise TrainingError(
                f"{self.last}: cannot be continued from: {err}. Delete the run, or name another."
            ) from err
        return True

    def rows(self) -> list[dict[str, str]]:
        """The lines of results.csv by column."""
        path = self.path / RESULTS
        if not path.exists():
            return []
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def add_row(self, row: Mapping[str, Any]) -> None:
        """A line more in results.csv; lines of later steps, of a run that was killed since, go."""
        rows = [one for one in self.rows() if int(one["step"]) < int(row["step"])]
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0] if rows else row), extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows([*rows, row])  # type: ignore[list-item]
        with whole_file(self.path / RESULTS) as out:
            out.write(text.getvalue().encode())
