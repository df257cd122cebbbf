"""Trainings that are killed, that use several processes, and whole ones from the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pixelwright.cli import main
from pixelwright.errors import TrainingError
from pixelwright.io.images import write_image
from pixelwright.model import load
from pixelwright.structures.image import GRAY, Image
from pixelwright.verbs.train import TrainConfig, Trained
from trainings import SMALL, checkpoint, run, same

Configure = Callable[..., TrainConfig]


def _command(data: Path, output: Path, **changes: object) -> list[str]:
    named = {**SMALL, **{name.replace("__", "."): value for name, value in changes.items()}}
    options = [f"--set={name}={json.dumps(value)}" for name, value in named.items()]
    return ["train", "classify", "--data", str(data), "-o", str(output), *options]


@pytest.mark.slow  # starts Python twice
def test_a_run_that_is_killed_at_any_moment_is_continued_by_the_same_command(data: Path, tmp_path: Path) -> None:
    program = (
        "import sys; from pixelwright.cli import main; from pixelwright.verbs.train.learning import loop;"
        "loop.CHECKPOINT_SECONDS = 0.0; sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", program, *_command(data, tmp_path / "killed", budget__epochs=60)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"})
    last = tmp_path / "killed" / "checkpoints" / "last.ckpt"
    deadline = time.monotonic() + 120
    while process.poll() is None and not last.exists() and time.monotonic() < deadline:
        time.sleep(0.02)  # the process is another one; nothing tells when it writes
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert 0 < checkpoint(tmp_path / "killed")["progress"]["step"] < 300
    assert main(_command(data, tmp_path / "killed", budget__epochs=60)) == 0
    assert main(_command(data, tmp_path / "whole", budget__epochs=60)) == 0
    assert same(checkpoint(tmp_path / "whole"), checkpoint(tmp_path / "killed"))


@pytest.mark.slow  # spawns processes, each of which imports PyTorch
def test_two_processes_make_the_steps_of_one(
    configure: Configure, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "pixelwright")
    # Without batch normalization and variation, which look at what a process has, only the rounding differs.
    changes = {"model": "cnn", "network": {}, "augment__preset": "none", "optimizer__ema_decay": 0}
    changes |= {"optimizer__name": "sgd", "optimizer__learning_rate": 0.05, "machine__devices": 1}
    run(configure(**changes), tmp_path / "one")
    run(configure(**{**changes, "machine__devices": 2}), tmp_path / "two")
    said = (tmp_path / "two" / "log.txt").read_text().splitlines()
    assert len([line for line in said if " step " in line and " accuracy " in line]) == 2  # of the first of them alone
    one, two = checkpoint(tmp_path / "one"), checkpoint(tmp_path / "two")
    assert one["progress"]["step"] == two["progress"]["step"] == 10
    for name, value in one["net"].items():
        np.testing.assert_allclose(two["net"][name].numpy(), value.numpy(), rtol=1e-3, atol=1e-5)


@pytest.mark.slow  # spawns processes, each of which imports PyTorch
def test_what_goes_wrong_in_a_process_is_said_as_in_one(configure: Configure, tmp_path: Path) -> None:
    wild = {"optimizer__name": "sgd", "optimizer__learning_rate": 1e12, "budget__epochs": 8, "machine__devices": 2}
    with pytest.raises(TrainingError, match=r"^step \d+: .* not finite .* Lower it \(--lr\)"):
        run(configure(**wild), tmp_path / "run")


@pytest.mark.slow  # exports a network
def test_the_command_ends_with_a_bundle_that_reads_pictures(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    changes = {"budget__epochs": 12, "optimizer__learning_rate": 0.02, "augment__preset": "none"}
    assert main(_command(data, tmp_path / "run", **changes)) == 0
    said = capsys.readouterr().err
    assert "accuracy 1.0000" in said
    bright = np.full((8, 8, 1), 40, np.uint8)
    bright[2:6, 4:7] = 200
    write_image(Image(bright, color=GRAY), tmp_path / "right.png")
    assert load(tmp_path / "run" / "bundle")(tmp_path / "right.png")[0].label == "1"
    files = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"config.toml", "results.csv", "log.txt", "preview.png", "summary.json", "checkpoints", "bundle"} <= files
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["scores"][0]["metric"] == "accuracy"
    assert main(_command(data, tmp_path / "run", **changes)) == 0
    assert "is finished" in caplog.text


def test_a_dry_run_prints_the_whole_configuration_and_writes_nothing(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*_command(data, tmp_path / "run"), "--dry-run", "--lr", "0.5", "--size", "8x16"]) == 0
    printed = capsys.readouterr().out
    assert "learning_rate = 0.5\n" in printed
    assert "size_hw = [8, 16]\n" in printed
    assert 'goal = "accuracy"  # automatic\n' in printed
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--model", "residul"], "Did you mean 'residual'"),
        (["--optimizer", "adan"], "Did you mean 'adam'"),
        (["--augment", "stron"], "Did you mean 'strong'?"),
        (["--loss", "mean"], "there is no loss for classify named 'mean'"),
        (["--loss", "charbonnier"], "there is no loss for classify named 'charbonnier'"),
        (["--schedule", "cosin"], "Did you mean 'cosine'?"),
        (["--goal", "acuracy"], "Did you mean 'accuracy'"),
        (["--epochs", "1", "--minutes", "1"], "minutes or epochs, not both"),
        (["--set", "batch"], "expected NAME=VALUE"),
        (["--class-weights", "1,2,3"], "expected 2, one for each of"),
        (["--threshold", "precision>=2"], "threshold 'precision>=2': expected f1"),
        (["--license", "=https://example.org"], "expected SPDX or SPDX=URL"),
        (["--name", "My Model"], "--name My Model: expected lower-case letters"),
        (["--set", "input.mean=[1, 2]"], "input.mean: 2 values for 1 channels"),
        (["--set", "batch.size=3", "--devices", "2"], "--batch 3: 2 devices cannot share it evenly"),
        (["--device", "cuda", "--threads", "1"], "there is no GPU"),
    ],
)
def test_what_cannot_be_is_said_before_training(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    small = [option for option in _command(data, tmp_path / "run") if "machine.accelerator" not in option]
    chosen = [option for option in small if "model" not in option] if options[0] == "--model" else small
    if options[0] == "--model":
        chosen = [option for option in chosen if "network" not in option]
    chosen = [option for option in chosen if not ("augment" in option and options[0] == "--augment")]
    for asked in (["--dry-run"], []):
        assert main([*chosen, *options, *asked]) == 2
        assert said in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_training_that_left_samples_out_is_done_with_failures(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    done = Trained(tmp_path / "run", "accuracy", 1.0, 10, 10, 5.0, lost=2)
    monkeypatch.setattr("pixelwright.verbs.train.train", lambda *_, **__: done)
    assert main(_command(data, tmp_path / "run")) == 1
    assert "2 samples were left out because they cannot be used" in capsys.readouterr().err


def test_an_unknown_task_is_said_with_the_nearest(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "clasify", "--data", str(data)]) == 2
    assert "Did you mean 'classify'?" in capsys.readouterr().err


def test_training_without_data_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "classify"]) == 2
    assert "Name the data: --data DIR" in capsys.readouterr().err
