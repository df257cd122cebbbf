"""What is wrong with a configuration is said in words, by the name that the user knows."""

from __future__ import annotations

import pytest

from pixelwright.errors import UsageError
from pixelwright.verbs.train import read_config

NAME = "lower-case letters, digits, dots, dashes and underscores, 100 at the most and no sign first"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"budget.epochs": 0}, "budget.epochs 0: expected a number, more than 0."),
        ({"batch.size": 0}, "batch.size 0: expected a whole number, 1 or more."),
        ({"optimizer.learning_rate": float("nan")}, "optimizer.learning_rate nan: expected a number, more than 0."),
        ({"optimizer.learning_rate": 1e30}, "optimizer.learning_rate 1e+30: expected a number, 1e+12 or less."),
        ({"optimizer.momentum": 7}, "optimizer.momentum 7: expected a number, less than 1."),
        ({"data.validation": "much"}, "data.validation much: expected a number."),
        ({"machine.precision": "f8"}, "machine.precision f8: expected f32, bf16 or f16."),
        ({"input.channels": 2}, "input.channels 2: expected 1 or 3."),
        ({"input.size_hw": [0, -3]}, "input.size_hw [0, -3]: expected a whole number, 1 or more."),
        ({"loss.class_weights": [0.0, 1.0]}, "loss.class_weights [0.0, 1.0]: expected a number, more than 0."),
        ({"loss.class_weights": "balancd"}, "loss.class_weights balancd: expected balanced or a list of numbers."),
        ({"loss.class_weights": 3}, "loss.class_weights 3: expected balanced or a list of numbers."),
        ({"bundle.name": "My Model"}, "bundle.name My Model: expected lower-case letters, digits,"),
        ({"bundle.name": "-abc"}, f"bundle.name -abc: expected {NAME}."),
        ({"bundle.name": "a" * 101}, f"bundle.name {'a' * 60}...: expected {NAME}."),
        ({"bundle.summary": "a" * 5000}, f"bundle.summary {'a' * 60}...: expected a text of length 4000 or less."),
        ({"input.size_hw": [1, 2, 3]}, "input.size_hw [1, 2, 3]: expected a list of length 2."),
        ({"optimizer.betas": [0.9]}, "optimizer.betas [0.9]: expected a list of length 2."),
        ({"seed": 2**40}, "seed 1099511627776: expected a whole number, 4294967295 or less."),
        ({"seed": 0.5}, "seed 0.5: expected a whole number."),
        ({"data": 3}, "data 3: expected a table of values."),
        ({"bundle.version": "1"}, "bundle.version 1: expected three numbers, as in 1.0.0."),
        ({"optimizer.momentm": 0.8}, "there is no value of [optimizer] named 'momentm'. Did you mean 'momentum'"),
        ({"optimiser.momentum": 0.8}, "there is no section or value named 'optimiser'. Did you mean 'optimizer'"),
    ],
)
def test_what_is_wrong_is_said_with_what_was_given_and_expected(changes: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_config("classify", None, changes)
    assert str(caught.value).startswith(said)


def test_a_value_is_called_as_the_option_that_gave_it() -> None:
    with pytest.raises(UsageError, match=r"^--epochs 0: expected a number, more than 0\.$"):
        read_config("classify", None, {"budget.epochs": 0}, called={"budget.epochs": "--epochs"})
