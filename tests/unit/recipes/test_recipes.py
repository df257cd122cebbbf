"""Every recipe is one: it is read, and the network and the variation it names are there."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from pixelwright import registry
from pixelwright.data.augment.policy import Policy
from pixelwright.models.optimizers import OPTIMIZERS
from pixelwright.models.schedules import SCHEDULES
from pixelwright.verbs.train import read_config

RECIPES = sorted((Path(__file__).resolve().parents[3] / "recipes").glob("*.toml"))


def test_there_are_recipes() -> None:
    assert {"digits", "fashion", "signs", "roads", "nuclei", "cnn", "rnn", "lstm", "lstm-rows", "keras-mnist"} <= {
        path.stem for path in RECIPES
    }


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_names_what_there_is(path: Path) -> None:
    task = tomllib.loads(path.read_text(encoding="utf-8"))["task"]
    config = read_config(task, path)
    name, _, variant = config.model.partition("/")
    if name in registry.names("architecture"):
        record = registry.get("architecture", name)
        assert task in record.tasks
        assert not variant or variant in record.variants
    assert config.optimizer.name in OPTIMIZERS
    assert config.optimizer.schedule in SCHEDULES
    assert config.augment.changes.keys() <= set(Policy.__dataclass_fields__)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_leaves_the_data_to_the_command_line(path: Path) -> None:
    assert "path" not in tomllib.loads(path.read_text(encoding="utf-8")).get("data", {})


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
def test_the_keras_model_is_the_network_of_our_own_recipe(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    from pixelwright.interop.keras import on_torch, source_of

    on_torch()
    model = source_of(f"keras:{RECIPES[0].parent / 'keras_mnist.py'}").build((28, 28, 1), 10)
    assert model.count_params() == 93_322
    assert not model.compiled
