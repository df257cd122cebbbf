"""What is left open is chosen by the data, and what cannot be is said before anything is trained."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pixelwright.errors import UnknownName, UsageError
from pixelwright.verbs.train import TrainConfig, resolve
from trainings import write_gray

Configure = Callable[..., TrainConfig]


@pytest.fixture
def several(tmp_path: Path) -> Path:
    """Pictures that have one or two labels each."""
    write_gray(tmp_path / "several", [f"{number}.png" for number in range(24)])
    rows = [f"{number}.png,{('round', 'red', 'round;red')[number % 3]}" for number in range(24)]
    (tmp_path / "several" / "labels.csv").write_text("path,label\n" + "\n".join(rows) + "\n")
    return tmp_path / "several"


def test_where_pictures_have_several_labels_the_goal_is_a_metric_of_these(configure: Configure, several: Path) -> None:
    plan = resolve(configure(data__path=str(several)))
    assert plan.config.goal == "f1_macro"
    assert plan.automatic["goal"] == "the default for classify of several labels a picture"


def test_a_goal_that_these_data_do_not_have_is_refused_with_those_that_they_have(
    configure: Configure, several: Path
) -> None:
    with pytest.raises(UsageError, match=r"--goal accuracy: is not measured on these data; there are: exact_match"):
        resolve(configure(data__path=str(several), goal="accuracy"))


def test_the_goal_may_be_that_of_one_class_which_there_is(configure: Configure) -> None:
    assert resolve(configure(goal="f1/1")).config.goal == "f1/1"
    with pytest.raises(UsageError, match="--goal f1/7: is not measured on these data"):
        resolve(configure(goal="f1/7"))


def test_a_goal_that_is_no_metric_at_all_is_refused_with_the_nearest(configure: Configure) -> None:
    with pytest.raises(UnknownName, match="Did you mean 'accuracy'"):
        resolve(configure(goal="acuracy"))
