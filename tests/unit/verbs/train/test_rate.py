"""A learning rate found by trying."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from pixelwright.verbs.train import TrainConfig
from pixelwright.verbs.train.folder import Run
from pixelwright.verbs.train.learning.loop import Loop
from pixelwright.verbs.train.learning.rate import PRUDENCE, SPAN, STEPS, best_factor
from pixelwright.verbs.train.planning.decide import FROM_NOTHING
from trainings import checkpoint, die, run, same


def test_a_tenth_of_the_rate_with_the_least_loss_is_taken() -> None:
    # The loss falls with the logarithm of the rate, and explodes beyond 8 times the usual one.
    found = best_factor(lambda _, factor: 10 - math.log(factor) if factor <= 8 else 1000.0)
    assert found == pytest.approx(8 / PRUDENCE, rel=SPAN ** (2 / (STEPS - 1)) - 1)


def test_trying_ends_when_the_loss_is_no_number() -> None:
    seen: list[int] = []

    def step(number: int, factor: float) -> float:
        seen.append(number)
        return math.nan if factor > 1 else 1.0

    best_factor(step)
    assert len(seen) == STEPS // 2 + 1


def test_trying_ends_when_the_loss_is_many_times_the_least() -> None:
    seen: list[int] = []

    def step(number: int, factor: float) -> float:
        seen.append(number)
        return 1000.0 if factor > 1 else 10 - math.log(factor)

    assert best_factor(step) == pytest.approx(1 / PRUDENCE, rel=0.1)
    assert len(seen) == STEPS // 2 + 1


def test_a_loss_that_only_grows_gives_the_smallest_rate() -> None:
    assert best_factor(lambda number, _: 1.0 + number) == 1 / SPAN


def test_a_run_keeps_the_rate_that_was_found_and_finds_it_again(
    configure: Callable[..., TrainConfig], tmp_path: Path
) -> None:
    config = configure(optimizer__find_rate=True, budget__epochs=1)
    for name in ("one", "other"):
        run(config, tmp_path / name)
    decided, automatic = Run(tmp_path / "one").decided()
    usual = 1e-3 * FROM_NOTHING * (8 / 64) ** 0.5
    assert usual / SPAN <= (decided.optimizer.learning_rate or 0) <= usual * SPAN / PRUDENCE * 1.05  # of two digits
    assert decided.optimizer.learning_rate != pytest.approx(usual, rel=1e-3)
    assert "growing rates" in automatic["optimizer.learning_rate"]
    assert same(checkpoint(tmp_path / "one"), checkpoint(tmp_path / "other"))
    assert run(config, tmp_path / "one").steps == 5


def test_a_run_that_dies_after_the_search_finds_the_same_rate(
    configure: Callable[..., TrainConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configure(optimizer__find_rate=True, budget__epochs=1)
    run(config, tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr(Loop, "train", lambda _: die())
        with pytest.raises(SystemError):
            run(config, tmp_path / "parts")
    run(config, tmp_path / "parts")
    assert same(checkpoint(tmp_path / "whole"), checkpoint(tmp_path / "parts"))
