"""Class scores by the bundle's decision, or by what the user asks for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from bundles import brightness
from pixelwright.bundle import ModelBundle
from pixelwright.contract import PredictOptions, prepare
from pixelwright.errors import UnknownName
from pixelwright.model import Model, load
from pixelwright.structures.image import Image
from pixelwright.structures.raster import Raster
from pixelwright.structures.results import ClassScores
from pixelwright.structures.spec import Decision, OutputSpec
from pixelwright.tasks.classify.predict import predict


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load(brightness(tmp_path_factory.mktemp("models") / "c").path)


def level(value: int) -> np.ndarray:
    return np.full((10, 12, 3), value, np.uint8)


def test_scores_are_the_softmax_of_the_networks_logits(model: Model) -> None:
    answer = model(level(255))
    assert [row.label for row in answer] == ["bright", "dark"]
    assert answer[0].score == pytest.approx(1 / (1 + math.exp(-8 * 0.5)))


def test_threshold_classes_and_top_k_narrow_the_answer(model: Model) -> None:
    assert [row.label for row in model(level(255), threshold=0.5)] == ["bright"]
    assert [row.label for row in model(level(255), classes=("dark",))] == ["dark"]
    assert [row.label for row in model(level(255), top_k=1)] == ["bright"]
    assert len(model(level(255), threshold=1.0)) == 0


def test_the_bundles_thresholds_and_temperature_are_applied(tmp_path: Path) -> None:
    decision = Decision(temperature=4.0, threshold=0.3, thresholds={"bright": 0.9})
    cooled = load(brightness(tmp_path / "c", decision=decision).path)
    answer = cooled(level(255))  # logit 4 / 4: bright 0.731 < 0.9, dark 0.269 < 0.3
    assert len(answer) == 0 and answer.top is None
    assert cooled(level(255), threshold=0.0)[0].score == pytest.approx(1 / (1 + math.exp(-1)))


@dataclass(frozen=True)
class Answer:
    """A graph that always makes the same."""

    outputs: Mapping[str, Any]

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        del feeds
        return dict(self.outputs)


@pytest.mark.parametrize(("decoder", "first"), [("softmax", []), ("scores", ["dog"])])
def test_where_the_highest_of_many_exclusive_classes_fails_nothing_is_answered(
    model: Model, decoder: str, first: list[str]
) -> None:
    output = OutputSpec(decoder=decoder, parameters={"output": "y"}, labels=["cat", "dog", "emu"])
    decision = Decision(thresholds={"cat": 0.7, "dog": 0.2, "emu": 0.2})
    spec = msgspec.structs.replace(model.bundle.spec, output=output, decision=decision)
    bundle = ModelBundle(model.bundle.path, spec)
    pictures = [prepare(Raster.of(Image(level(9))), bundle)] * 2
    rows = np.array([[0.5, 0.45, 0.05], [0.4, 0.55, 0.05]], np.float32)
    graphs: Any = {"model": Answer({"y": np.log(rows) if decoder == "softmax" else rows})}
    found = predict(pictures, graphs, bundle, PredictOptions())
    assert [[row.label for row in one] for one in found] == [first, ["dog"]]


def test_a_class_the_model_does_not_know_is_refused_with_the_nearest(model: Model) -> None:
    with pytest.raises(UnknownName, match="Did you mean 'bright'"):
        model(level(0), classes=("brigt",))


def test_a_result_survives_its_plain_form(model: Model) -> None:
    answer = model(level(180))
    again = ClassScores.from_dict(answer.to_dict())
    assert again.labels == answer.labels and np.array_equal(again.class_ids, answer.class_ids)
    assert np.allclose(again.scores, answer.scores, atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 999, 3), (7, 5, 1), (30, 30, 4), (30, 30, 2)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_every_kind_of_picture_gets_an_answer(model: Model, shape: tuple[int, ...], dtype: type) -> None:
    white = 1 if dtype == np.float32 else np.iinfo(dtype).max
    assert model(np.full(shape, white, dtype))[0].label == "bright"
