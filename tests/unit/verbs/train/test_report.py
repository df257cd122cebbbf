"""The page about a training."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pixelwright.metrics.score import Score
from pixelwright.verbs.train import TrainConfig, resolve
from pixelwright.verbs.train.finishing import finish
from pixelwright.verbs.train.finishing.report import write_report
from pixelwright.verbs.train.folder import Run
from trainings import run, write_gray


def test_the_page_has_curves_scores_choices_and_pictures(configure: Callable[..., TrainConfig], tmp_path: Path) -> None:
    done = run(configure(bundle__summary="a <b>"), tmp_path / "run")
    scores = (Score("accuracy", 0.875, (0.7, 1.0), 16, "accuracy"), Score("auroc", math.nan, None, 16, "auroc"))
    write_report(Run(tmp_path / "run"), replace(done, scores=scores))
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 3
    assert "0.7000 to 1.0000" in page and "no value" in page
    assert "the default for classify" in page
    assert "data:image/jpeg;base64," in page
    assert "a &lt;b&gt;" in page and "a <b>" not in page
    assert "http" not in page.replace("https://arxiv.org", "").replace("http://www.w3.org", "")


def test_data_given_as_the_folder_one_works_in_have_its_name(
    configure: Callable[..., TrainConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_gray(tmp_path / "grays", [f"{label}/{number}.png" for label in "ab" for number in range(12)])
    monkeypatch.chdir(tmp_path / "grays")
    run(configure(data__path=".", budget__epochs=1), tmp_path / "run")
    assert "How plaincnn learned grays" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    plan = resolve(configure(data__path="."))
    assert finish._summary(plan) == "plaincnn for classify, trained on grays: a, b."
    assert finish._data(plan.splits.train, "train").name == "grays"


def test_every_run_has_a_page(configure: Callable[..., TrainConfig], tmp_path: Path) -> None:
    run(configure(budget__epochs=1), tmp_path / "run")
    assert "How plaincnn learned" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
