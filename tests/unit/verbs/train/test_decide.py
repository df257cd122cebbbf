"""What is left open is chosen by the data, and what cannot be is said before anything is trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pixelwright import registry
from pixelwright.errors import DataError, PixelwrightError, UnknownName, UsageError
from pixelwright.models.architecture import Problem
from pixelwright.verbs.train import TrainConfig, read_config, resolve
from pixelwright.verbs.train.learning.feed import normalized
from pixelwright.verbs.train.planning import decide
from pixelwright.verbs.train.planning.checks import check_labels, check_learning
from pixelwright.verbs.train.planning.choice import Bench, Candidate
from pixelwright.verbs.train.planning.decide import open_splits
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


def test_the_goal_may_be_that_of_one_value(tmp_path: Path) -> None:
    write_gray(tmp_path / "values", [f"{number}.png" for number in range(24)])
    rows = [f"{number}.png,{number},{number % 5}" for number in range(24)]
    (tmp_path / "values" / "labels.csv").write_text("path,age,angle\n" + "\n".join(rows) + "\n")
    wanted = {"model": "residual/xs", "budget.epochs": 1, "data.path": str(tmp_path / "values")}
    for goal in ("mae/angle", "r2/age"):
        assert resolve(read_config("regress", None, {**wanted, "goal": goal})).config.goal == goal


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"loss__label_smoothing": 0.3}, "--label-smoothing: regress has no classes"),
        ({"loss__class_weights": [7.0]}, "--class-weights: regress has no classes"),
        ({"batch__sampler": "balanced"}, "--sampler balanced: regress has no classes"),
        ({"loss__name": "dice"}, "there is no loss for regress named 'dice'"),
    ],
)
def test_what_a_task_would_ignore_is_refused(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    write_gray(tmp_path / "values", [f"{number}.png" for number in range(24)])
    rows = [f"{number}.png,{number}" for number in range(24)]
    (tmp_path / "values" / "labels.csv").write_text("path,age\n" + "\n".join(rows) + "\n")
    named = {name.replace("__", "."): value for name, value in changes.items()}
    wanted = {"model": "residual/xs", "budget.epochs": 1, "data.path": str(tmp_path / "values")}
    resolve(read_config("regress", None, wanted))
    with pytest.raises(PixelwrightError, match=said):
        resolve(read_config("regress", None, {**wanted, **named}))


def test_a_loss_of_a_detector_belongs_to_its_network(configure: Configure, several: Path) -> None:
    dataset = open_splits("classify", configure(data__path=str(several)).data, 0).train
    boxes = replace(dataset, kind="boxes", labels=())
    with pytest.raises(DataError, match=r"nothing is in any of \d+ pictures to learn from; expected boxes"):
        check_labels(boxes)
    config = read_config("detect", None, {"loss.name": "dice"})
    with pytest.raises(UsageError, match=r"--loss dice: the networks for detect bring their own\. Leave it out\."):
        check_learning(config, registry.get("training", "detect"), Problem("detect", ("a",), 3, (32, 32)))


def test_nothing_to_validate_with_is_refused(configure: Configure, several: Path) -> None:
    with pytest.raises(UsageError, match="--validation 0: nothing is left to choose the weights by"):
        resolve(configure(data__path=str(several), data__validation=0.0))


def test_a_goal_that_is_no_metric_at_all_is_refused_with_the_nearest(configure: Configure) -> None:
    with pytest.raises(UnknownName, match="Did you mean 'accuracy'"):
        resolve(configure(goal="acuracy"))


def test_mean_and_std_of_the_input_are_on_a_scale_where_white_is_1(configure: Configure) -> None:
    plan = resolve(configure(input__mean=[0.25], input__std=[0.5]))
    black_and_white = torch.tensor([[[[0.0, 1.0]]]])
    assert normalized(black_and_white, plan.spec.input).flatten().tolist() == [-0.5, 1.5]


def test_networks_are_measured_with_as_many_pictures_as_a_device_takes_at_once(
    configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    benches: list[Bench] = []

    def surveyed(_names: object, _problem: object, _limits: object, bench: Bench) -> list[Candidate]:
        benches.append(bench)
        return [Candidate("plaincnn/m", 1, 1.0, 1.0)]

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    monkeypatch.setattr(decide, "survey", surveyed)
    minutes = {"budget__epochs": None, "budget__minutes": 1, "machine__accelerator": "auto"}
    resolve(configure(model="", network={}, batch__size=24, batch__accumulate=3, machine__devices=2, **minutes))
    assert [(bench.device, bench.batch, bench.devices) for bench in benches] == [("cuda", 4, 2)]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"bundle__threshold": "precision>=2"}, "threshold 'precision>=2': expected f1"),
        ({"bundle__license": "=https://example.org"}, "expected SPDX or SPDX=URL"),
        ({"goal": "f1_macr"}, "Did you mean 'f1_macro'"),
        ({"augment__preset": "stron"}, "Did you mean 'strong'"),
        ({"data__validation": 0.0}, "nothing is left to choose the weights by"),
    ],
)
def test_what_needs_no_network_is_refused_before_any_is_measured(
    configure: Configure, several: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, object], said: str
) -> None:
    monkeypatch.setattr(decide, "survey", None)  # calling it would be another error
    wanted = {"model": "", "network": {}, "budget__epochs": None, "budget__minutes": 1, "data__path": str(several)}
    with pytest.raises(PixelwrightError, match=said):
        resolve(configure(**wanted, **changes))
