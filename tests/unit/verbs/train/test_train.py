"""A training from data to weights: it learns, it is reproducible, it can be stopped anywhere and continued."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric
from torch.multiprocessing.spawn import ProcessExitedException

from pixelwright.errors import OutputError, RuntimeFailure, TrainingError
from pixelwright.models.batch import Batch
from pixelwright.verbs.train import TrainConfig, start
from pixelwright.verbs.train.folder import Run
from pixelwright.verbs.train.learning import loop
from pixelwright.verbs.train.learning.learner import SKIPPED_IN_A_ROW, Learner
from pixelwright.verbs.train.learning.source import Source
from trainings import Steps, after_steps, checkpoint, die, run, same, stopped, write_data

Configure = Callable[..., TrainConfig]


def test_it_learns_which_side_is_bright(configure: Configure, tmp_path: Path) -> None:
    done = run(configure(budget__epochs=12, optimizer__learning_rate=0.02, augment__preset="none"), tmp_path / "run")
    assert done.goal == "accuracy"
    assert done.score == 1.0


def test_frozen_features_are_tried_before_anything_is_trained(configure: Configure, tmp_path: Path) -> None:
    run(configure(budget__baseline=True, budget__epochs=1), tmp_path / "run")
    said = json.loads((tmp_path / "run" / "baseline.json").read_text())
    assert said["metrics"][0]["metric"] == "accuracy" and said["metrics"][0]["value"] > 0.9 > said["guess"]


@pytest.mark.parametrize(("rate", "epochs", "better"), [(1e-6, 1, True), (0.02, 12, False)])
def test_it_is_said_when_seconds_would_have_done_better(
    configure: Configure, tmp_path: Path, caplog: pytest.LogCaptureFixture, rate: float, epochs: int, better: bool
) -> None:
    changes = {"optimizer__learning_rate": rate, "budget__epochs": epochs, "augment__preset": "none"}
    run(configure(budget__baseline=True, **changes), tmp_path / "run")
    assert ("the instant baseline was better: accuracy 100.0% against" in caplog.text) == better


def test_a_baseline_that_fails_stops_no_training(
    configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise RuntimeFailure("the backbone does not run here.")

    monkeypatch.setattr(start, "baseline", failing)
    run(configure(budget__baseline=True, budget__epochs=1), tmp_path / "run")
    assert "no instant baseline: the backbone does not run here." in caplog.text


def test_the_same_configuration_gives_the_same_weights_to_the_bit(configure: Configure, tmp_path: Path) -> None:
    for name in ("one", "other"):
        run(configure(augment__preset="strong"), tmp_path / name)
    assert same(checkpoint(tmp_path / "one"), checkpoint(tmp_path / "other"))


def test_another_seed_gives_other_weights(configure: Configure, tmp_path: Path) -> None:
    for seed in (0, 1):
        run(configure(seed=seed), tmp_path / str(seed))
    assert not same(checkpoint(tmp_path / "0")["net"], checkpoint(tmp_path / "1")["net"])


@pytest.mark.parametrize("stopped_after", [1, 4, 7])
def test_a_run_stopped_by_ctrl_c_ends_as_if_it_had_not_been(
    configure: Configure, tmp_path: Path, stopped_after: int
) -> None:
    config = configure(augment__preset="strong", batch__sampler="balanced")
    run(config, tmp_path / "whole")
    stopped(config, tmp_path / "parts", after=stopped_after)
    assert checkpoint(tmp_path / "parts")["progress"]["step"] == stopped_after
    run(config, tmp_path / "parts")
    assert same(checkpoint(tmp_path / "whole"), checkpoint(tmp_path / "parts"))
    assert _rows(tmp_path / "whole") == _rows(tmp_path / "parts")


def test_a_run_that_died_continues_from_its_last_checkpoint_to_the_same_end(
    configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configure()
    run(config, tmp_path / "whole")
    with monkeypatch.context() as patch:
        after_steps(patch, 8, die)  # three steps after the validation of the first epoch
        with pytest.raises(SystemError):
            run(config, tmp_path / "parts")
    assert checkpoint(tmp_path / "parts")["progress"]["step"] == 5
    run(config, tmp_path / "parts")
    assert same(checkpoint(tmp_path / "whole"), checkpoint(tmp_path / "parts"))


def test_minutes_that_a_stopped_run_has_used_count(configure: Configure, tmp_path: Path) -> None:
    config = configure(budget__epochs=None, budget__minutes=1)
    stopped(config, tmp_path / "run", after=3)
    used = checkpoint(tmp_path / "run")["progress"]["seconds"]
    clock = Steps()
    done = run(config, tmp_path / "run", clock=clock)
    assert 3 < used < 60 <= done.seconds < 75
    assert clock.now < 75 - used


def test_minutes_end_a_training_and_bring_the_learning_rate_down(configure: Configure, tmp_path: Path) -> None:
    done = run(configure(budget__epochs=None, budget__minutes=2), tmp_path / "run")
    rates = [float(row["learning_rate"]) for row in _rows(tmp_path / "run")]
    assert 120 <= done.seconds < 140
    assert rates[-1] < 0.01 * max(rates)


def test_changed_data_are_refused_and_with_consent_taken(configure: Configure, tmp_path: Path) -> None:
    config = configure()
    stopped(config, tmp_path / "run", after=2)
    write_data(tmp_path / "squares.npz", seed=1)
    with pytest.raises(TrainingError, match="the data have changed since: fingerprint"):
        run(config, tmp_path / "run")
    assert run(config, tmp_path / "run", other_data=True).steps == 10


def test_another_configuration_in_the_same_folder_is_refused(configure: Configure, tmp_path: Path) -> None:
    run(configure(), tmp_path / "run")
    with pytest.raises(TrainingError, match=r"batch\.size 8, now 4"):
        run(configure(batch__size=4), tmp_path / "run")


def test_a_finished_run_is_not_trained_again(configure: Configure, tmp_path: Path) -> None:
    first = run(configure(), tmp_path / "run")
    before = (tmp_path / "run" / "checkpoints" / "last.ckpt").read_bytes()
    assert run(configure(), tmp_path / "run") == first
    assert (tmp_path / "run" / "checkpoints" / "last.ckpt").read_bytes() == before


def test_two_processes_do_not_train_in_one_folder(configure: Configure, tmp_path: Path) -> None:
    with Run(tmp_path / "run").alone(), pytest.raises(TrainingError, match="another process is training here"):
        run(configure(), tmp_path / "run")


def test_without_a_name_the_run_is_named_after_data_and_model(
    configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    runs = [run(configure(budget__epochs=1), None).run for _ in range(2)]  # type: ignore[arg-type]
    assert runs == [Path("runs/classify/squares-plaincnn"), Path("runs/classify/squares-plaincnn2")]


def test_training_stops_when_the_score_does_not_get_better(configure: Configure, tmp_path: Path) -> None:
    config = configure(budget__epochs=40, budget__patience=3, optimizer__learning_rate=1e-9, optimizer__ema_decay=0)
    done = run(config, tmp_path / "run")
    assert done.steps == 20  # the first of the validations, and three that are no better


def test_a_step_without_a_finite_loss_is_left_out(
    configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _spoil(monkeypatch, {3})
    run(configure(), tmp_path / "run")
    end = checkpoint(tmp_path / "run")
    assert end["progress"]["step"] == 10
    assert all(torch.isfinite(value).all() for value in end["net"].values())
    assert end["average"]["n_averaged"] == 9


def test_a_picture_that_spoils_the_activations_leaves_nothing_in_the_statistics(
    configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = Learner.step

    def stepped(self: Learner, batch: Batch, factor: float) -> float:
        if self.progress.step == 3:
            batch = replace(batch, images=batch.images.clone())
            batch.images[0, 0, 0, 0] = float("inf")
        return step(self, batch, factor)

    monkeypatch.setattr(Learner, "step", stepped)
    run(configure(), tmp_path / "run")  # the next validation would find no scores
    end = checkpoint(tmp_path / "run")
    assert end["average"]["n_averaged"] == 9
    for name in ("net", "average"):
        assert all(torch.isfinite(value).all() for value in end[name].values())


def test_many_losses_in_a_row_that_are_not_finite_end_it_with_advice(
    configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _spoil(monkeypatch, set(range(6, 100)))
    with pytest.raises(TrainingError, match=f"not finite {SKIPPED_IN_A_ROW} times in a row.*--lr"):
        run(configure(budget__epochs=20), tmp_path / "run")
    assert all(torch.isfinite(value).all() for value in checkpoint(tmp_path / "run")["net"].values())


def test_where_memory_runs_out_the_batch_is_taken_in_parts(
    configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    seen = _allow(monkeypatch, 3)
    done = run(configure(), tmp_path / "run")
    assert done.steps == 10
    assert set(seen) == {2}
    assert "out of memory with 4 pictures at once: going on with 2, in 4 parts" in caplog.text


def test_where_not_even_one_picture_fits_it_says_so(
    configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _allow(monkeypatch, 0)
    with pytest.raises(
        TrainingError, match=r"^out of memory with 1 pictures of 8x8 [^:]*: CUDA out [^:]*\(--batch\)\.$"
    ):
        run(configure(), tmp_path / "run")


def test_memory_that_runs_out_where_a_batch_is_made_is_told_of_in_a_sentence(
    configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*_: Any) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")

    monkeypatch.setattr(Source, "_varied", exhausted)
    with pytest.raises(TrainingError, match=r"out of memory with 8 pictures of 8x8 .* a smaller batch \(--batch\)"):
        run(configure(), tmp_path / "run")


def test_a_process_that_the_system_ends_is_told_of_with_what_to_do(
    configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ended(*_: Any) -> None:
        raise ProcessExitedException("killed", error_index=1, error_pid=7, exit_code=-9, signal_name="SIGKILL")

    monkeypatch.setattr(Fabric, "launch", ended)
    with pytest.raises(TrainingError, match=r"ended from outside \(SIGKILL\).*\(--batch\).*machine\.memory_gb"):
        run(configure(), tmp_path / "run")


def test_accumulated_parts_make_the_step_of_the_whole_batch(configure: Configure, tmp_path: Path) -> None:
    # Without batch normalization, which looks at what is together, the gradients are the same but for rounding.
    plain = {"model": "cnn", "network__channels": None, "optimizer__name": "sgd", "optimizer__learning_rate": 0.1}
    plain |= {"optimizer__ema_decay": 0, "budget__epochs": 0.2}
    nets = []
    for parts in (1, 4):
        config = configure(**{**plain, "network": {}, "batch__accumulate": parts})
        run(config, tmp_path / str(parts))
        nets.append(checkpoint(tmp_path / str(parts))["net"])
    assert nets[0].keys() == nets[1].keys()
    for name, value in nets[0].items():
        torch.testing.assert_close(value, nets[1][name], rtol=1e-4, atol=1e-6)


def test_a_full_disk_is_said_and_the_checkpoint_before_stays(
    configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        after_steps(patch, 6, lambda: _fill_disk(patch))
        patch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
        with pytest.raises(OutputError, match="No space left"):
            run(configure(), run_folder)
    assert checkpoint(run_folder)["progress"]["step"] == 5
    assert [path.name for path in (run_folder / "checkpoints").iterdir() if path.suffix != ".ckpt"] == []
    assert run(configure(), run_folder).steps == 10


def _rows(run_folder: Path) -> list[dict[str, str]]:
    with (run_folder / "results.csv").open(newline="") as file:
        return [{name: value for name, value in row.items() if name != "minutes"} for row in csv.DictReader(file)]


def _spoil(patch: pytest.MonkeyPatch, steps: set[int]) -> None:
    losses = Learner.losses

    def spoiled(self: Learner, batch: Any) -> Any:
        factor = float("nan") if self.progress.step in steps else 1.0
        return {name: value * factor for name, value in losses(self, batch).items()}

    patch.setattr(Learner, "losses", spoiled)


def _allow(patch: pytest.MonkeyPatch, most: int) -> list[int]:
    losses, seen = Learner.losses, list[int]()

    def limited(self: Learner, batch: Any) -> Any:
        if len(batch) > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")
        seen.append(len(batch))
        return losses(self, batch)

    patch.setattr(Learner, "losses", limited)
    return seen


def _fill_disk(patch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    patch.setattr("pixelwright.verbs.train.folder.os.replace", full)
