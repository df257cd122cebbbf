"""Sequences and numbers are learned, measured, and answered by the bundle at the end, as pictures are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pixelwright as pw
from pixelwright.structures.results import NamedValues
from pixelwright.verbs.train import Trained, read_config, train

pytest.importorskip("torch")

QUICK: dict[str, Any] = {
    "augment.preset": "none",
    "budget.baseline": False,
    "budget.validations": 2,
    "machine.threads": 1,
    "machine.precision": "f32",
    "optimizer.ema_decay": 0.9,
    "data.calibration": 0.1,
}


def _sequences(path: Path) -> dict[str, np.ndarray]:
    """Sequences of 4 to 9 steps of 3 numbers, whose first number is high or low; what follows their end is noise."""
    random = np.random.default_rng(0)
    lengths, labels = random.integers(4, 10, 240), np.arange(240) % 2
    steps = random.standard_normal((240, 9, 3)).astype(np.float32)
    for row, (length, label) in enumerate(zip(lengths, labels, strict=True)):
        steps[row, :length, 0] += 3 if label else -3
        steps[row, length:] = 50
    np.savez(path, x=steps, y=labels, lengths=lengths)
    return {"x": steps, "y": labels, "lengths": lengths}


def _trained(task: str, data: Path, run: Path, **changes: Any) -> Trained:
    return train(read_config(task, None, {**QUICK, "data.path": str(data), **changes}), output=run)


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["cross-entropy", "bce"])
@pytest.mark.parametrize("model", ["lstm", "rnn"])
def test_sequences_of_several_lengths_are_learned_and_answered(model: str, loss: str, tmp_path: Path) -> None:
    data = _sequences(tmp_path / "sequences.npz")
    changes = {"model": model, "loss.name": loss, "budget.epochs": 12, "optimizer.learning_rate": 0.02}
    done = _trained("classify", tmp_path / "sequences.npz", tmp_path / "run", **changes)
    assert done.score > 0.95
    assert done.bundle is not None
    answered = pw.load(done.bundle)
    answers = [
        answered(one[:length]).top.label for one, length in zip(data["x"][:40], data["lengths"][:40], strict=True)
    ]
    assert sum(answer == str(label) for answer, label in zip(answers, data["y"], strict=False)) >= 38


@pytest.mark.slow
def test_a_network_of_sequences_reads_pictures_row_by_row(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    labels = np.arange(200) % 2
    pictures = random.integers(0, 90, (200, 8, 6, 3), np.uint8)
    pictures[labels == 0, :4] += 120
    pictures[labels == 1, 4:] += 120
    np.savez(tmp_path / "halves.npz", x=pictures, y=labels)
    changes = {"model": "lstm/m", "budget.epochs": 12, "optimizer.learning_rate": 0.01}
    done = _trained("classify", tmp_path / "halves.npz", tmp_path / "run", **changes)
    assert done.score == 1.0
    assert done.bundle is not None
    assert pw.load(done.bundle)(pictures[1]).top.label == "1"


@pytest.mark.slow
def test_values_are_learned_in_their_own_units(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    brightness = random.uniform(0.1, 0.9, 240)
    noise = random.normal(0, 0.02, (240, 8, 8))
    pictures = np.clip((brightness[:, None, None] + noise) * 255, 0, 255).astype(np.uint8)
    values = np.stack([1000 + 500 * brightness, -brightness / 100], axis=1)
    np.savez(tmp_path / "light.npz", x=pictures, y=values)
    changes = {"model": "cnn", "data.labels": ["lumen", "drop"], "budget.epochs": 15}
    done = _trained("regress", tmp_path / "light.npz", tmp_path / "run", **changes)
    scores = {score.metric: score.value for score in done.scores}
    assert scores["r2"] > 0.9
    assert done.bundle is not None
    answer = pw.load(done.bundle)(np.full((8, 8), round(0.5 * 255), np.uint8))
    assert isinstance(answer, NamedValues) and answer.names == ("lumen", "drop")
    assert answer["lumen"] == pytest.approx(1250, abs=60)
    assert answer["drop"] == pytest.approx(-0.005, abs=0.0012)
