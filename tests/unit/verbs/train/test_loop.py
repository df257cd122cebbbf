"""What the loop says and keeps where something goes wrong, or not as one would think."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from pixelwright.errors import NotFinite, TrainingError
from pixelwright.verbs.train import TrainConfig
from pixelwright.verbs.train.folder import Run
from pixelwright.verbs.train.scoring.validate import Validation
from trainings import checkpoint, die, run, same, score, stopped

Configure = Callable[..., TrainConfig]


def test_minutes_that_are_gone_before_the_first_step_are_not_taken_for_a_training(
    configure: Configure, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match=r"--minutes 0\.001: .* seconds went by before anything was learned"):
        run(configure(budget__epochs=None, budget__minutes=0.001), tmp_path / "run")
    assert run(configure(budget__epochs=None, budget__minutes=1), tmp_path / "run").steps > 1


def test_answers_that_are_not_finite_are_told_with_what_to_do(configure: Configure, tmp_path: Path) -> None:
    config = configure(optimizer__name="sgd", optimizer__learning_rate=1e12, budget__epochs=8)
    with pytest.raises(TrainingError, match=r"not finite \(learning rate .*\)\. Lower it \(--lr\)"):
        run(config, tmp_path / "run")


def test_a_network_that_goes_astray_later_leaves_its_best_weights(
    configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    measured = Validation.__call__

    def scored(self: Validation, net: Any) -> Mapping[str, float]:
        if len(Run(tmp_path / "run").rows()) == 2:
            raise NotFinite("the model made values that are not finite.")
        return {**measured(self, net), "accuracy": 0.75}

    monkeypatch.setattr(Validation, "__call__", scored)
    done = run(configure(budget__epochs=6), tmp_path / "run")
    assert (done.score, done.step, done.steps) == (0.75, 10, 15)
    assert "step 15: the network answers with values that are not finite" in caplog.text
    assert checkpoint(tmp_path / "run")["progress"]["step"] == 10


def test_of_equal_scores_the_later_is_the_best_and_is_said_to_be(
    configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "pixelwright")
    score(monkeypatch, 0.5)
    done = run(configure(), tmp_path / "run")
    assert (done.score, done.step) == (0.5, 10)
    assert caplog.text.count("best so far") == 2


def test_an_infinite_score_is_one(configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    score(monkeypatch, float("inf"))
    assert run(configure(), tmp_path / "run").score == float("inf")


def test_no_score_is_none(configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    score(monkeypatch, float("nan"))
    with pytest.raises(TrainingError, match="had no value in any validation"):
        run(configure(), tmp_path / "run")


def test_a_kill_between_best_and_last_changes_nothing(
    configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(configure(), tmp_path / "whole")
    _die_after_the_best_of(10, tmp_path / "parts", configure(), monkeypatch)
    assert checkpoint(tmp_path / "parts")["progress"]["step"] == 5
    run(configure(), tmp_path / "parts")
    assert same(checkpoint(tmp_path / "whole"), checkpoint(tmp_path / "parts"))


def test_the_score_that_is_told_is_that_of_the_weights_that_are_kept(
    configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    score(monkeypatch, 0.75)
    _die_after_the_best_of(10, tmp_path / "run", configure(), monkeypatch)
    score(monkeypatch, 0.25)  # as by the clock, where the same is not reached again
    done = run(configure(), tmp_path / "run")
    kept = Run(tmp_path / "run").kept()
    assert kept is not None
    assert (done.score, done.step) == (kept["scores"]["accuracy"], kept["step"]) == (0.75, 10)


def test_a_checkpoint_that_was_cut_short_is_told_to_be_damaged(configure: Configure, tmp_path: Path) -> None:
    stopped(configure(), tmp_path / "run", after=6)
    last = Run(tmp_path / "run").last
    last.write_bytes(last.read_bytes()[:1000])
    with pytest.raises(
        TrainingError, match=r"last\.ckpt: is damaged\. Name another folder \(-o\) to begin anew; .*best\.ckpt\.$"
    ):
        run(configure(), tmp_path / "run")


def _die_after_the_best_of(step: int, folder: Path, config: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    add_row = Run.add_row

    def added(self: Run, row: Mapping[str, Any]) -> None:
        if row["step"] == step:
            die()
        add_row(self, row)

    with monkeypatch.context() as patch:
        patch.setattr(Run, "add_row", added)
        with pytest.raises(SystemError):
            run(config, folder)
