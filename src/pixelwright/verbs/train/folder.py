"""Run: the folder of one training. It can be killed at any moment and continued.

```
RUN/config.toml         everything that was decided, and what of it was chosen
RUN/checkpoints/last.ckpt, best.ckpt    all that is needed to continue; the best weights
RUN/data.txt            fingerprint of the data
RUN/results.csv         a line for each validation
RUN/lost.jsonl          samples that cannot be learned from, and why
RUN/log.txt             what was said
RUN/events.*            for TensorBoard, where it is installed
RUN/preview.png         pictures as they are and varied
RUN/baseline.json       what frozen features come to
RUN/keras/              what Keras needs to continue, where it trains
RUN/bundle/             what came of it
RUN/report.html         how it went
RUN/summary.json        what came of it; written last
```
"""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import zipfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric

from pixelwright.errors import OutputError, TrainingError, UsageError
from pixelwright.io.atomic import whole_file
from pixelwright.io.lock import take_lock
from pixelwright.verbs.train.settings.config import TrainConfig
from pixelwright.verbs.train.settings.recipe import AT_THE_END, asked_of, differences, read_run, to_toml

CONFIG = "config.toml"
DATA = "data.txt"
RESULTS = "results.csv"
SUMMARY = "summary.json"
BASELINE = "baseline.json"
KERAS = "keras"
LOCK = ".lock"
LOG = "log.txt"
LOST = "lost.jsonl"
PREVIEW = "preview.png"
REPORT = "report.html"


@dataclass(frozen=True, slots=True)
class Run:
    """Where a training keeps what it makes.

    Attributes:
        path: The folder.
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

    @property
    def begun(self) -> bool:
        """Whether it holds a training."""
        return (self.path / CONFIG).exists()

    @property
    def learned(self) -> bool:
        """Whether there is something to continue, that would be lost if it began anew."""
        by_keras = (self.path / KERAS).exists() and bool(self.rows())
        return self.finished or self.last.exists() or by_keras

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return (self.path / SUMMARY).exists()

    def begin(self, config: TrainConfig, automatic: Mapping[str, str], data: str) -> None:
        """Make the folder, and say in it what will be trained, and by which data.

        What a run that came to nothing has left there goes, and so does what was made of other data to be looked at.
        """
        new = not self.learned
        if new:
            for path in (self.path / RESULTS, self.best):
                path.unlink(missing_ok=True)
            shutil.rmtree(self.path / KERAS, ignore_errors=True)
        if new or self.data() != data:
            for name in (PREVIEW, BASELINE, LOST):
                (self.path / name).unlink(missing_ok=True)
            self.write(DATA, data.encode())
        self.keep(config, automatic)

    def data(self) -> str:
        """By which data it trains, as `begin` was told; empty before."""
        return (self.path / DATA).read_text() if (self.path / DATA).exists() else ""

    def keep(self, config: TrainConfig, automatic: Mapping[str, str]) -> None:
        """Say in it what will be trained."""
        self.write(CONFIG, to_toml(config, automatic).encode())

    def decided(self) -> tuple[TrainConfig, dict[str, str]]:
        """What `begin` and `keep` wrote."""
        return read_run(self.path / CONFIG)

    def write(self, name: str, content: bytes) -> None:
        """A file, whole or not at all.

        Raises:
            OutputError: The disk is full or not writable.
        """
        try:
            (self.path / "checkpoints").mkdir(parents=True, exist_ok=True)
            with whole_file(self.path / name) as out:
                out.write(content)
        except OSError as err:
            raise OutputError(f"{self.path / name}: cannot be written: {err.strerror or err}.") from err

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
                os.replace(aside, path)  # noqa: PTH105 (the same as `Path.replace`, and tests make it fail)
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
        except Exception as err:  # whatever torch finds wrong in a file
            # A file that was cut short is no zip archive any more, of which torch has a long story to tell.
            what = "is damaged" if not zipfile.is_zipfile(self.last) else f"cannot be continued from: {err}"
            raise TrainingError(
                f"{self.last}: {what}. Name another folder (-o) to begin anew; the best weights so far are in "
                f"{self.best}."
            ) from err
        return True

    def kept(self) -> dict[str, Any] | None:
        """What is in `best`: the weights, `net`, with their `step`, `scores` and `data`; None before the first."""
        return torch.load(self.best, map_location="cpu", weights_only=True) if self.best.exists() else None

    def rows(self) -> list[dict[str, str]]:
        """The lines of results.csv by column."""
        path = self.path / RESULTS
        if not path.exists():
            return []
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def add_row(self, row: Mapping[str, Any]) -> None:
        """A line more in results.csv; lines of later steps, of a run that was killed since, go."""
        rows: list[Mapping[str, Any]] = [one for one in self.rows() if int(one["step"]) < row["step"]]
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0] if rows else row), extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows([*rows, row])
        self.write(RESULTS, text.getvalue().encode())

    def add_lost(self, lost: Sequence[tuple[str, str]]) -> None:
        """Note ids of samples that cannot be learned from, with the reason; any of the processes may, and again.

        Raises:
            OutputError: The disk is full or not writable.
        """
        try:
            with (self.path / LOST).open("a", encoding="utf-8") as file:
                file.write("".join(f"\n{json.dumps(one)}" for one in lost))
        except OSError as err:
            raise OutputError(f"{self.path / LOST}: cannot be written: {err.strerror or err}.") from err

    def lost(self) -> set[str]:
        """The ids that were noted, in all starts of the run."""
        path, found = self.path / LOST, set[str]()
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
            with suppress(ValueError):  # a line that a kill has cut short; what it was of is met again
                found.add(json.loads(line)[0])
        return found

    @contextmanager
    def alone(self) -> Generator[None]:
        """Nobody else trains in this folder for the block. It is made for it; if it stays empty it goes again.

        Raises:
            TrainingError: Somebody does.
            OutputError: The folder cannot be written to.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            file = (self.path / LOCK).open("ab")
        except OSError as err:
            why = err.strerror or err
            raise OutputError(f"{self.path}: cannot be written to: {why}. Name another folder (-o).") from err
        with file:
            if not take_lock(file):
                raise TrainingError(
                    f"{self.path}: another process is training here. Wait for it, or name another (-o)."
                )
            try:
                yield
            finally:
                if [path.name for path in self.path.iterdir()] == [LOCK]:  # it came to nothing: no trace of it stays
                    shutil.rmtree(self.path, ignore_errors=True)  # some systems keep what is open

    def summary(self) -> dict[str, Any]:
        """What was written at the end."""
        return json.loads((self.path / SUMMARY).read_text(encoding="utf-8"))


def find_run(config: TrainConfig, output: Path | None, name: str) -> Run:
    """The folder for a training: the one to continue where it was stopped, else a new one.

    Args:
        config: As asked for, before anything is chosen.
        output: The folder that was named.
        name: For a folder below `runs/TASK`, if none was named; a number follows where it is taken.

    Raises:
        TrainingError: The folder named holds another training; what differs is listed.
        UsageError: It holds something else, or lies in the data.
    """
    if output is not None:
        run = Run(output)
        if run.begun and (others := _others(run, config)) and run.learned:
            raise TrainingError(
                f"{output}: holds another training: {'; '.join(others)}. Name another folder (-o), or delete this one."
            )
        _check_place(run, Path(config.data.path))
        return run
    number, run = 1, Run(Path("runs") / config.task / name)
    while run.path.exists() and not (run.begun and not run.finished and not _others(run, config)):
        number += 1
        run = Run(Path("runs") / config.task / f"{name}{number}")
    _check_place(run, Path(config.data.path))
    return run


def _others(run: Run, config: TrainConfig) -> list[str]:
    """In what a run differs from what is asked for; of one that is not finished its end may."""
    try:
        asked = asked_of(*run.decided())
    except UsageError as err:
        raise UsageError(f"{run.path}: what it holds is no run of a training ({err}) Name a new folder (-o).") from err
    return differences(asked, config, apart="" if run.finished else AT_THE_END)


def _check_place(run: Run, data: Path) -> None:
    """Refuse to write among files of others."""
    if run.begun:
        return
    if data.is_dir() and run.path.resolve().is_relative_to(data.resolve()):
        raise UsageError(f"{run.path}: lies in the data, {data}, and would become part of them. Name another (-o).")
    if run.path.is_file():
        raise UsageError(f"{run.path}: is a file. Name a folder (-o).")
    ours = {LOCK, "checkpoints"}  # what a kill may have left in the very beginning
    if run.path.is_dir() and (others := sorted({path.name for path in run.path.iterdir()} - ours)):
        raise UsageError(f"{run.path}: holds something else already, such as {others[0]}. Name a new folder (-o).")
