"""Numbers of whole pictures: answered in their own units, learned standardized."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import pixelwright as pw
from bundles import brightness, sizes
from pixelwright.cli import main
from pixelwright.errors import BundleError, DataError, ShapeError
from pixelwright.io.images import write_image
from pixelwright.structures.image import GRAY, Image
from pixelwright.structures.results import NamedValues
from pixelwright.structures.spec import InputSpec, Resize
from pixelwright.structures.targets import Classes, Values

WHITE = Image(np.full((12, 9, 1), 255, np.uint8), GRAY)


def test_values_are_answered_in_their_own_units(tmp_path: Path) -> None:
    model = pw.load(sizes(tmp_path / "sizes").path)
    answer = model(WHITE)
    assert (answer["light"], answer["gray"]) == pytest.approx((20.0, 1.0))
    assert str(answer) == "light 20, gray 1"


def test_the_command_prints_and_writes_values(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = sizes(tmp_path / "sizes").path
    write_image(WHITE, tmp_path / "white.png")
    assert main(["regress", str(tmp_path / "white.png"), "--model", str(bundle)]) == 0
    assert capsys.readouterr().out.endswith("white.png\tlight 20, gray 1\n")
    assert main(["regress", str(tmp_path / "white.png"), "--model", str(bundle), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["values"] == [
        {"name": "light", "value": 20.0},
        {"name": "gray", "value": 1.0},
    ]


def test_a_model_has_to_be_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["regress", str(tmp_path)])
    assert "--model" in capsys.readouterr().err


def test_a_classifier_says_no_values(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="gives no values"):
        pw.load(brightness(tmp_path / "brightness", task="regress").path)


@pytest.mark.parametrize(("values", "fault"), [([1.0], "expected one"), ([1.0, np.nan], "NaN")])
def test_a_result_has_a_finite_value_for_each_name(values: list[float], fault: str) -> None:
    with pytest.raises(ShapeError, match=fault):
        NamedValues(np.array(values, np.float32), ("a", "b"))


torch = pytest.importorskip("torch")

from pixelwright.contract import LossOptions  # noqa: E402
from pixelwright.models.architecture import Problem  # noqa: E402
from pixelwright.tasks.regress.train import TRAINING  # noqa: E402

PROBLEM = Problem("regress", ("age", "tilt"), 1, (12, 9), mean_std=((40.0, 20.0), (0.0, 0.5)))
SPEC = InputSpec(channels="gray", resize=Resize(rule="stretch", size_hw=(12, 9)))


def test_truth_is_learned_standardized() -> None:
    example = TRAINING.encode(WHITE, Values((60.0, -1.0)), PROBLEM, SPEC)
    assert example.target["values"].tolist() == [1.0, -2.0]
    batch = TRAINING.collate([example] * 3, np.random.default_rng(0), PROBLEM)
    assert batch.images.shape == (3, 1, 12, 9) and batch.images.min() == 1
    made = TRAINING.loss({"logits": torch.zeros(3, 2)}, batch, PROBLEM, LossOptions())
    assert {name: float(value) for name, value in made.items()} == {"mse": 2.5}


def test_another_loss_can_be_named() -> None:
    batch = TRAINING.collate(
        [TRAINING.encode(WHITE, Values((60.0, -1.0)), PROBLEM, SPEC)], np.random.default_rng(0), PROBLEM
    )
    made = TRAINING.loss({"logits": torch.zeros(1, 2)}, batch, PROBLEM, LossOptions("mae"))
    assert float(made["mae"]) == 1.5


def test_sequences_are_filled_up_and_their_lengths_kept() -> None:
    problem = Problem("regress", ("age",), 1, (9, 2), fixed=False, sequence=True, mean_std=((0.0, 1.0),))
    spec = InputSpec(color="as-is", channels="gray", depth="keep", layout="NTF")
    examples = [
        TRAINING.encode(Image(np.full((length, 2, 1), length, np.float32), GRAY), Values((1.0,)), problem, spec)
        for length in (3, 1)
    ]
    batch = TRAINING.collate(examples, np.random.default_rng(0), problem)
    assert batch.lengths is not None and batch.lengths.tolist() == [3, 1]
    assert batch.images.tolist() == [[[3.0, 3.0]] * 3, [[1.0, 1.0], [0.0, 0.0], [0.0, 0.0]]]


@pytest.mark.parametrize(("target", "fault"), [(Classes((1,)), "expected values"), (Values((1.0,)), "1 values, and")])
def test_truth_of_another_kind_is_refused(target: object, fault: str) -> None:
    with pytest.raises(DataError, match=fault):
        TRAINING.encode(WHITE, target, PROBLEM, SPEC)  # type: ignore[arg-type]


def test_scores_are_over_the_names_that_data_and_bundle_share(tmp_path: Path) -> None:
    from pixelwright.contract import Scoring
    from pixelwright.tasks.regress.evaluate import EVALUATION

    spec = sizes(tmp_path / "sizes").spec
    scoring = Scoring(("gray", "light"), spec)  # the data has them in another order
    answers = [NamedValues(np.array(pair, np.float32), ("light", "gray")) for pair in ((12.0, 0.5), (16.0, 0.25))]
    truths = [Values((0.5, 10.0)), Values((0.75, 16.0))]
    seen = [EVALUATION.observe(answer, truth, scoring) for answer, truth in zip(answers, truths, strict=True)]
    metrics = EVALUATION.statistic(seen, scoring)(np.arange(2))
    # Errors: gray 0 and -0.5, light 2 and 0.
    assert metrics["mse"] == pytest.approx((0.25 + 4) / 4)
    assert metrics["mae"] == pytest.approx((0.5 + 2) / 4)
    assert metrics["mae/light"] == pytest.approx(1.0)
    assert EVALUATION.outcome(seen[0], scoring).said == "gray 0.5, light 12"
    assert EVALUATION.draw(WHITE, answers[0], truths[0], scoring).size_hw[0] > WHITE.size_hw[0]
    with pytest.raises(DataError, match="expected values"):
        EVALUATION.observe(answers[0], Classes((0,)), scoring)


def test_names_that_differ_in_case_alone_are_of_one_value(tmp_path: Path) -> None:
    from pixelwright.contract import Scoring
    from pixelwright.tasks.regress.evaluate import EVALUATION

    scoring = Scoring(("Gray", "LIGHT"), sizes(tmp_path / "sizes").spec)
    answer = NamedValues(np.array([12.0, 0.5], np.float32), ("light", "gray"))
    seen = EVALUATION.observe(answer, Values((0.5, 10.0)), scoring)
    assert EVALUATION.statistic([seen], scoring)(np.arange(1))["mae/LIGHT"] == 2
    assert EVALUATION.draw(WHITE, answer, Values((0.5, 10.0)), scoring).size_hw[0] > WHITE.size_hw[0]
