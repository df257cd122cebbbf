"""A tiny problem: pictures of 8x8 pixels, a bright square at the left or at the right, on noise."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pixelwright.io.images import write_image
from pixelwright.structures.image import GRAY, Image
from pixelwright.verbs.train import TrainConfig, Trained
from pixelwright.verbs.train.learning.learner import Learner
from pixelwright.verbs.train.learning.progress import Watch
from pixelwright.verbs.train.scoring.validate import Validation
from pixelwright.verbs.train.start import How, start

SMALL = {
    "model": "plaincnn",
    "network.channels": [4, 8],
    "budget.epochs": 2,
    "batch.size": 8,
    "augment.preset": "light",
    "machine.threads": 1,
    "machine.precision": "f32",
    "machine.accelerator": "cpu",
    "data.calibration": 0.0,
    "budget.baseline": False,
}


def write_data(path: Path, *, train: int = 40, seed: int = 0) -> Path:
    random = np.random.default_rng(seed)
    arrays: dict[str, Any] = {}
    for part, count in (("train", train), ("val", 16)):
        labels = np.arange(count) % 2
        images = random.integers(0, 90, (count, 8, 8), dtype=np.uint8)
        for image, label in zip(images, labels, strict=True):
            image[2:6, 4 * label : 4 * label + 3] += 150
        arrays |= {f"{part}_images": images, f"{part}_labels": labels.astype(np.uint8)}
    np.savez(path, **arrays)
    return path


def write_gray(folder: Path, names: Sequence[str]) -> Path:
    """Pictures of 8x8 pixels by name, each of another gray."""
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_image(Image(np.full((8, 8, 1), 5 * number, np.uint8), color=GRAY), folder / name)
    return folder


class Steps:
    """A clock that is one second further at each look."""

    def __init__(self, seconds: float = 1.0) -> None:
        self.now, self.seconds = 0.0, seconds

    def __call__(self) -> float:
        self.now += self.seconds
        return self.now


def run(config: TrainConfig, output: Path, **options: Any) -> Trained:
    return start(config, output, How(Watch(clock=options.pop("clock", Steps())), bundle=False, **options))


def checkpoint(run_folder: Path) -> dict[str, Any]:
    return torch.load(run_folder / "checkpoints" / "last.ckpt", weights_only=True)


def after_steps(patch: pytest.MonkeyPatch, count: int, happens: Callable[[], object]) -> None:
    """Something happens when so many steps have been taken."""
    step = Learner.step

    def stepped(self: Learner, *args: Any) -> None:
        step(self, *args)
        if self.progress.step == count:
            happens()

    patch.setattr(Learner, "step", stepped)


def stopped(config: TrainConfig, output: Path, *, after: int) -> None:
    """A run that Ctrl-C ended after so many steps."""
    with pytest.MonkeyPatch.context() as patch:
        after_steps(patch, after, press_ctrl_c)
        with pytest.raises(KeyboardInterrupt):
            run(config, output)


def press_ctrl_c() -> None:
    """What Python does when the signal comes; the signal itself would end a test worker whose handlers are others'."""
    handler = signal.getsignal(signal.SIGINT)
    assert callable(handler)
    handler(signal.SIGINT, None)


def die() -> None:
    """As a kill: nothing more is written."""
    raise SystemError("killed")


def score(patch: pytest.MonkeyPatch, value: float) -> None:
    """Every validation comes to this."""
    measured = Validation.__call__

    def scored(self: Validation, net: Any) -> Mapping[str, float]:
        return {**measured(self, net), "accuracy": value}

    patch.setattr(Validation, "__call__", scored)


def same(one: Any, other: Any) -> bool:
    """Whether two checkpoints are equal to the bit, but for the time used."""
    if isinstance(one, dict):
        timed = {"seconds", "began"}
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one.keys() - timed)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(same(*pair) for pair in zip(one, other, strict=True))
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other or one != one
