"""What every evaluation keeps to, whatever it scores."""

from __future__ import annotations

import pytest

from pixelwright import registry
from pixelwright.contract import Evaluation
from pixelwright.metrics.definitions import definition_of

EVALUATIONS = [pytest.param(registry.get("evaluation", name), id=name) for name in registry.names("evaluation")]


@pytest.mark.parametrize("name", registry.names("evaluation"))
def test_it_is_called_as_its_task(name: str) -> None:
    assert registry.get("evaluation", name).task == registry.get("task", name).name


@pytest.mark.parametrize("evaluation", EVALUATIONS)
def test_its_goals_are_defined_and_the_first_is_one(evaluation: Evaluation) -> None:
    assert evaluation.goals and all(definition_of(name).formula for name, _ in evaluation.goals)
    assert evaluation.kinds
