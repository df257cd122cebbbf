"""Keras models: named, checked, trained by Keras in a process of its own, and ending as any other bundle."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from pixelwright.errors import UsageError
from pixelwright.interop.keras import backend, source_of
from pixelwright.interop.keras_fit import ARRAYS, WEIGHTS, FitJob

# Keras 3.15 asks PyTorch's tensors for arrays in a way that NumPy 2 complains of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

MODEL = """
import keras
from keras import layers

def build(input_shape, classes):
    return keras.Sequential([
        keras.Input(input_shape),
        layers.Conv2D(8, 3, strides=2, padding="same"),
        layers.BatchNormalization(momentum=0.5),
        layers.ReLU(),
        layers.Flatten(),
        layers.Dropout(0.2),
        layers.Dense(classes),
    ])

def squashed(input_shape, classes):
    return keras.Sequential([keras.Input(input_shape), layers.Flatten(), layers.Dense(classes, activation="softmax")])

def squashed_apart(input_shape, classes):
    return keras.Sequential([keras.Input(input_shape), layers.Flatten(), layers.Dense(classes), layers.Softmax()])

def chatty(input_shape, classes):
    model = build(input_shape, classes)
    print("a model of mine")
    model.summary()
    return model

def exploding(input_shape, classes):
    model = build(input_shape, classes)
    rate = keras.optimizers.schedules.PiecewiseConstantDecay([10], [1e-3, 1e30])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.SGD(rate), loss=loss, metrics=["accuracy"])
    return model

def fixed():
    return keras.Sequential([keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(2)])

def wide(input_shape):
    return keras.Sequential([keras.Input(input_shape), layers.Flatten(), layers.Dense(7)])

def broken():
    raise ValueError("no such layer")

def nothing():
    return None
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "my model.py"
    path.write_text(MODEL, encoding="utf-8")
    return path


@pytest.fixture
def _on_torch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras-home"))
    from pixelwright.interop.keras import on_torch

    on_torch()


def test_a_name_has_a_file_and_a_function(model: Path) -> None:
    source = source_of(f"keras:{model}:fixed")
    assert (source.file, source.function) == (str(model), "fixed")
    assert source_of(f"keras:{model}").function == "build"


@pytest.mark.parametrize(
    ("name", "fault"),
    [("keras:absent.py:build", "no file absent.py"), ("keras:model.h5:build", "expected keras:FILE.py:FUNCTION")],
)
def test_a_name_that_leads_nowhere_is_refused(name: str, fault: str) -> None:
    with pytest.raises(UsageError, match=fault):
        source_of(name)


def test_the_back_end_is_what_the_user_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    assert backend() == "torch"
    monkeypatch.setenv("KERAS_BACKEND", "theano")
    with pytest.raises(UsageError, match="KERAS_BACKEND=theano: expected tensorflow, torch, jax"):
        backend()


@pytest.mark.slow
@pytest.mark.usefixtures("_on_torch")
@pytest.mark.parametrize(
    ("function", "fault"),
    [
        ("squashed", "has the activation softmax"),
        ("squashed_apart", "has the activation softmax"),
        ("fixed", r"takes \(8, 8, 3\), and the data are \(6, 8, 1\)"),
        ("wide", r"gives \(7,\), and the data have 3 classes"),
        ("broken", "fails with ValueError: no such layer"),
        ("nothing", "expected a keras.Model, got a NoneType"),
        ("absent", "has no function 'absent'"),
    ],
)
def test_a_model_that_does_not_fit_is_refused_before_training(model: Path, function: str, fault: str) -> None:
    with pytest.raises(UsageError, match=fault):
        source_of(f"keras:{model}:{function}").build((6, 8, 1), 3)


@pytest.mark.slow
@pytest.mark.usefixtures("_on_torch")
def test_a_network_of_keras_has_copies_of_its_own_and_evaluates_without_dropout(model: Path) -> None:
    import copy

    import torch

    from pixelwright.interop.pytorch_keras import Config, KerasNet

    config = Config(str(model), "build", input_shape=(6, 8, 1), classes=3)
    net, given = KerasNet(config).eval(), torch.rand(4, 6, 8, 1)
    with torch.no_grad():
        before = net(given)
        assert torch.equal(net(given), before)  # dropout would differ
        other = copy.deepcopy(net)
        for weight in other.parameters():
            weight += 1
        assert torch.equal(net(given), before)
        assert not torch.equal(other(given), before)
        again = KerasNet(config)
        again.load_state_dict(net.state_dict())
        assert torch.equal(again.eval()(given), before)


def _pictures(path: Path) -> None:
    """Two classes of pictures, told by which half is bright."""
    random = np.random.default_rng(0)
    labels = np.arange(160) % 2
    pictures = random.integers(0, 90, (160, 6, 8), np.uint8)
    pictures[labels == 0, :, :4] += 150
    pictures[labels == 1, :, 4:] += 150
    np.savez(path, x=pictures, y=labels)


@pytest.mark.slow
@pytest.mark.usefixtures("_on_torch")
def test_keras_trains_behind_the_same_command_and_the_bundle_answers_as_keras_does(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pixelwright as pw
    from pixelwright.cli import main

    monkeypatch.setenv("KERAS_BACKEND", "torch")
    _pictures(tmp_path / "halves.npz")
    run = tmp_path / "run"
    command = ["train", "classify", "--model", f"keras:{model}:build", "--data", str(tmp_path / "halves.npz")]
    assert main([*command, "--epochs", "6", "--lr", "0.01", "--threads", "1", "-o", str(run)]) == 0
    assert json.loads((run / "summary.json").read_text())["score"] == 1.0
    rows = (run / "results.csv").read_text().splitlines()
    assert rows[0].split(",") == ["step", "epoch", "minutes", "train_accuracy", "loss", "val_loss", "accuracy"]
    assert len(rows) == 1 + 6
    assert "accuracy on the validation part" in (run / "report.html").read_text()
    bundle = pw.load(run / "bundle")
    assert bundle.bundle.spec.input.layout == "NHWC"
    with np.load(run / "keras" / "answers.npz") as kept:
        pictures, logits = kept["x"], kept["answers"]
    for picture, expected in zip(pictures, logits, strict=True):
        answer = bundle(np.rint(picture[..., 0] * 255).astype(np.uint8))
        assert answer.top is not None and answer.top.class_id == int(expected.argmax())


@pytest.mark.slow
@pytest.mark.usefixtures("_on_torch")
def test_the_same_command_continues_a_run_that_was_stopped_and_knows_one_that_is_done(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from pixelwright.cli import main
    from pixelwright.verbs.train.folder import Run

    monkeypatch.setenv("KERAS_BACKEND", "torch")
    _pictures(tmp_path / "halves.npz")
    command = ["train", "classify", "--model", f"keras:{model}:build", "--data", str(tmp_path / "halves.npz")]
    command += ["--epochs", "4", "--threads", "1", "--set", "budget.baseline=false"]
    assert main([*command, "-o", str(tmp_path / "whole")]) == 0

    def stopped(run: Run, row: Any) -> None:
        add_row(run, row)
        if row["epoch"] == 2:
            raise KeyboardInterrupt

    add_row = Run.add_row
    with monkeypatch.context() as patched:
        patched.setattr(Run, "add_row", stopped)
        assert main([*command, "-o", str(tmp_path / "run")]) == 130
    assert main([*command, "-o", str(tmp_path / "run")]) == 0
    numbers = [
        [line.split(",")[3:] for line in (tmp_path / name / "results.csv").read_text().splitlines()]
        for name in ("whole", "run")
    ]
    assert numbers[0] == numbers[1]
    with caplog.at_level("INFO", "pixelwright"):
        assert main([*command, "-o", str(tmp_path / "run")]) == 0
    assert "is finished" in caplog.text


@pytest.mark.slow
@pytest.mark.usefixtures("_on_torch")
@pytest.mark.parametrize(
    ("function", "options", "fault"),
    [
        ("build", ["--optimizer", "sgd"], "no effect on it: optimizer.name 'sgd'"),
        ("build", ["--minutes", "3"], "Keras trains it, by epochs, and these have no effect on it: budget.minutes 3"),
        ("build", ["--augment", "strong"], "augment.preset 'strong'"),
        ("build", ["--set", "network.file=other.py"], "network.file 'other.py'"),
        ("build", ["--goal", "f1_macro"], "--goal f1_macro: the best epoch of a Keras model"),
        ("exploding", ["--lr", "0.01"], "--lr 0.01: .* comes compiled"),
    ],
)
def test_an_option_that_makes_no_difference_is_refused(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], function: str, options: list[str], fault: str
) -> None:
    from pixelwright.cli import main

    _pictures(tmp_path / "halves.npz")
    command = ["train", "classify", "--model", f"keras:{model}:{function}", "--data", str(tmp_path / "halves.npz")]
    assert main([*command, *options, "--dry-run"]) == 2
    assert re.search(fault, capsys.readouterr().err)


@pytest.mark.slow
@pytest.mark.usefixtures("_on_torch")
def test_the_configuration_of_a_run_says_what_counts_alone(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from pixelwright.cli import main

    _pictures(tmp_path / "halves.npz")
    command = ["train", "classify", "--model", f"keras:{model}:build", "--data", str(tmp_path / "halves.npz")]
    assert main([*command, "--lr", "0.01", "--dry-run"]) == 0
    written = tomllib.loads(capsys.readouterr().out)
    assert written["optimizer"] == {"learning_rate": 0.01}
    assert written["budget"] == {"epochs": 10.0, "baseline": True}
    assert written.keys().isdisjoint({"loss", "degrade", "network"})


@pytest.mark.slow
@pytest.mark.usefixtures("_on_torch")
def test_values_are_scored_in_the_units_of_the_data_not_as_keras_learns_them(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pixelwright as pw
    from pixelwright.cli import main

    monkeypatch.setenv("KERAS_BACKEND", "torch")
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (60, 6, 8), np.uint8)
    np.savez(tmp_path / "light.npz", x=pictures, y=1000.5 + pictures.mean(axis=(1, 2)) * 100)
    run = tmp_path / "run"
    command = ["train", "regress", "--model", f"keras:{model}:build", "--data", str(tmp_path / "light.npz")]
    assert main([*command, "--epochs", "2", "--threads", "1", "-o", str(run)]) == 0
    score = json.loads((run / "summary.json").read_text())["score"]
    stated = {row.metric: row.value for row in pw.load(run / "bundle").bundle.spec.measured}
    assert score == pytest.approx(stated["mse"], rel=1e-4)
    assert score > 1e4  # the values differ by hundreds


def _trained(folder: Path, job: FitJob) -> list[dict[str, Any]]:
    """What a job says of its epochs, of 40 pictures of noise in three classes."""
    folder.mkdir(exist_ok=True)
    random = np.random.default_rng(0)
    pictures, ids = random.random((40, 6, 8, 1), np.float32), np.arange(40) % 3
    np.savez(folder / ARRAYS, x=pictures, y=ids, validation_x=pictures[:8], validation_y=ids[:8])
    (folder / "job.json").write_bytes(msgspec.json.encode(job))
    command = [sys.executable, "-m", "pixelwright.interop.keras_fit", str(folder / "job.json")]
    environment = {**os.environ, "KERAS_BACKEND": "torch"}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environment) as process:
        assert process.stdout is not None and process.stderr is not None
        said, complaints = process.stdout.read(), process.stderr.read()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, said, complaints)
    return [json.loads(line) for line in said.splitlines()]


def _job(model: Path, function: str = "build", *, epochs: int = 2, rate: float | None = None) -> FitJob:
    return FitJob(str(model), function, "exclusive", 3, 8, epochs, rate, 0)


@pytest.mark.slow
@pytest.mark.usefixtures("_on_torch")
def test_a_job_that_was_killed_continues_after_its_last_epoch_as_if_it_had_not_been(
    model: Path, tmp_path: Path
) -> None:
    whole = _trained(tmp_path / "whole", _job(model, epochs=4))
    _trained(tmp_path / "parts", _job(model, epochs=2))
    rest = _trained(tmp_path / "parts", _job(model, epochs=4))
    assert [row["epoch"] for row in rest] == [3, 4]
    assert [row | {"seconds": 0} for row in rest] == [row | {"seconds": 0} for row in whole[2:]]


@pytest.mark.slow
@pytest.mark.usefixtures("_on_torch")
def test_a_job_ends_with_whoever_started_it(model: Path, tmp_path: Path) -> None:
    np.savez(
        tmp_path / ARRAYS,
        **{
            f"{part}{name}": np.zeros((8, 6, 8, 1) if name == "x" else 8, np.float32)
            for part in ("", "validation_")
            for name in "xy"
        },
    )
    (tmp_path / "job.json").write_bytes(msgspec.json.encode(_job(model, epochs=10**6)))
    command = [sys.executable, "-m", "pixelwright.interop.keras_fit", str(tmp_path / "job.json")]
    environment, pipe = {**os.environ, "KERAS_BACKEND": "torch"}, subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, env=environment) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdout.readline()  # an epoch: it trains
        process.stdin.close()  # as the system does when the other end is killed
        assert process.wait(timeout=60) == 1


@pytest.mark.slow
@pytest.mark.usefixtures("_on_torch")
def test_what_a_models_file_prints_is_not_taken_for_an_epoch(model: Path, tmp_path: Path) -> None:
    assert [row["epoch"] for row in _trained(tmp_path, _job(model, "chatty", epochs=1))] == [1]


@pytest.mark.slow
@pytest.mark.usefixtures("_on_torch")
def test_weights_that_are_not_finite_are_never_the_best(model: Path, tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        _trained(tmp_path, _job(model, rate=1e30))
    assert "the loss was not finite from the first epoch on." in caught.value.stderr
    assert not (tmp_path / WEIGHTS).exists()


@pytest.mark.slow
@pytest.mark.usefixtures("_on_torch")
def test_a_loss_that_explodes_later_ends_with_the_best_weights_and_the_steps_that_were_taken(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from pixelwright.cli import main

    monkeypatch.setenv("KERAS_BACKEND", "torch")
    _pictures(tmp_path / "halves.npz")
    run = tmp_path / "run"
    command = ["train", "classify", "--model", f"keras:{model}:exploding", "--data", str(tmp_path / "halves.npz")]
    with caplog.at_level("WARNING", "pixelwright"):
        assert main([*command, "--epochs", "9", "--threads", "1", "-o", str(run)]) == 0
    rows = (run / "results.csv").read_text().splitlines()[1:]
    summary = json.loads((run / "summary.json").read_text())
    assert len(rows) < 9
    assert summary["steps"] == int(rows[-1].partition(",")[0])
    assert summary["step"] < summary["steps"]
    assert "the loss is not finite, and Keras trains no further" in caplog.text
