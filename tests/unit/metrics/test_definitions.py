"""Each number has one definition, and each definition its section in the documentation."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from pixelwright import registry
from pixelwright.metrics.definitions import TABLE, definition_of, is_share

PAGE = Path(__file__).resolve().parents[3] / "docs" / "metrics.md"


def test_each_definition_has_its_section_and_each_section_its_definition() -> None:
    sections = re.findall(r"^### (.+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(sections) == sorted(definition.id for definition in TABLE)


def test_no_metric_has_two_definitions() -> None:
    counts = Counter(metric for definition in TABLE for metric in definition.metrics)
    assert [metric for metric, count in counts.items() if count > 1] == []


@pytest.mark.parametrize("task", registry.names("evaluation"))
def test_goals_agree_with_the_definitions_on_what_is_better(task: str) -> None:
    goals = registry.get("evaluation", task).goals
    assert [(name, more) for name, more in goals if definition_of(name).higher_is_better != more] == []


def test_the_score_of_a_class_is_defined_as_that_of_all() -> None:
    assert definition_of("f1/cat") is definition_of("f1_macro")


@pytest.mark.parametrize(
    ("metric", "share"),
    [("accuracy", True), ("f1/cat", True), ("ece", True), ("mask_AP50", True), ("r2", False), ("r2/age", False),
     ("mse", False), ("mae/age", False), ("psnr_y", False), ("brier", False)],
)  # fmt: skip
def test_what_has_an_open_end_is_no_share(metric: str, share: bool) -> None:
    assert is_share(metric) == share
