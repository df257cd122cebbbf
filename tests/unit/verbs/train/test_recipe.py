"""Configurations: what recipes and options say comes together, and what is written is read back."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from pixelwright.errors import UsageError
from pixelwright.verbs.train import TrainConfig, read_config, to_toml
from pixelwright.verbs.train.settings.recipe import asked_of, changed, differences, read_run

RECIPE = """
model = "residual/s"

[optimizer]
learning_rate = 1e-2
betas = [0.8, 0.9]

[augment.changes]
mirror = 0.5
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE, encoding="utf-8")
    return path


def test_options_win_over_the_recipe_and_the_rest_of_it_stays(recipe: Path) -> None:
    config = read_config("classify", recipe, {"optimizer.learning_rate": 0.5, "augment.changes.noise": 0.1})
    assert config.model == "residual/s"
    assert config.optimizer.learning_rate == 0.5
    assert config.optimizer.betas == (0.8, 0.9)
    assert config.augment.changes == {"mirror": 0.5, "noise": 0.1}


def test_what_is_written_is_read_back(recipe: Path, tmp_path: Path) -> None:
    named = {
        "bundle.summary": 'Says "hello"\n\\ ä',
        "data.labels": ["a b", "c"],
        "input.size_hw": [32, 48],
        "data.void_id": 255,
    }
    config = read_config("classify", recipe, named)
    automatic = {"input.size_hw": "because", "model": 'it is "small"'}
    path = tmp_path / "config.toml"
    path.write_text(to_toml(config, automatic), encoding="utf-8")
    assert read_run(path) == (config, automatic)
    assert "size_hw = [32, 48]  # automatic\n" in path.read_text(encoding="utf-8")


def test_the_configuration_of_a_run_is_a_recipe(recipe: Path, tmp_path: Path) -> None:
    config = read_config("classify", recipe)
    path = tmp_path / "config.toml"
    path.write_text(to_toml(config, {"model": "chosen"}), encoding="utf-8")
    assert read_config("classify", path) == config


def test_a_recipe_may_begin_with_a_byte_order_mark_and_have_windows_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_bytes(b"\xef\xbb\xbf" + RECIPE.replace("\n", "\r\n").encode())
    assert read_config("classify", path).model == "residual/s"


def test_a_training_has_minutes_or_epochs() -> None:
    with pytest.raises(UsageError, match=r"^budget\.minutes 1 and --epochs 2: minutes or epochs, not both"):
        changes = {"budget.minutes": 1, "budget.epochs": 2}
        read_config("classify", None, changes, called={"budget.epochs": "--epochs"})


@pytest.mark.parametrize(("said", "other"), [("epochs", "minutes"), ("minutes", "epochs")])
def test_minutes_win_over_the_epochs_of_a_recipe_and_the_other_way_round(tmp_path: Path, said: str, other: str) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(f"[budget]\n{said} = 3\npatience = 2\n", encoding="utf-8")
    budget = read_config("classify", path, {f"budget.{other}": 5}).budget
    assert (getattr(budget, said), getattr(budget, other), budget.patience) == (None, 5, 2)


def test_what_is_wrong_in_a_recipe_is_told_with_its_file(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text("[optimzer]\nname = 'sgd'\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"recipe\.toml: there is no section or value named 'optimzer'\. Did you mean"):
        read_config("classify", path)


def test_a_recipe_for_another_task_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text('task = "detect"\n', encoding="utf-8")
    with pytest.raises(UsageError, match="is a recipe for 'detect', and the task is 'classify'"):
        read_config("classify", path)


def test_a_recipe_that_is_no_toml_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text("model = residual\n", encoding="utf-8")
    with pytest.raises(UsageError, match="is no TOML"):
        read_config("classify", path)


def test_what_was_chosen_is_not_what_was_asked() -> None:
    asked = read_config("classify", None, {"data.path": "flowers", "augment.changes.noise": 0.1})
    decided = changed(asked, {"batch.size": 32, "optimizer.learning_rate": 0.1})
    assert asked_of(decided, {"batch.size": "", "optimizer.learning_rate": ""}) == asked
    assert differences(asked, decided) == ["optimizer.learning_rate open, now 0.1", "batch.size open, now 32"]


def test_every_default_can_be_written_as_toml() -> None:
    written = tomllib.loads(to_toml(TrainConfig(task="classify"), {}))
    assert written["optimizer"]["name"] == "adamw"
    assert "learning_rate" not in written["optimizer"]
