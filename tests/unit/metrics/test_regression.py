"""Errors of predicted numbers, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pixelwright.errors import ShapeError
from pixelwright.metrics.regression import statistic

TRUTH = np.array([[1.0], [2.0], [3.0]])
PREDICTED = np.array([[1.0], [3.0], [5.0]])


def test_errors_are_those_worked_out_by_hand() -> None:
    values = statistic(PREDICTED, TRUTH, ["age"])(np.arange(3))
    assert values["mse"] == pytest.approx(5 / 3)
    assert values["rmse"] == pytest.approx((5 / 3) ** 0.5)
    assert values["mae"] == pytest.approx(1)
    assert values["r2"] == pytest.approx(1 - 5 / 2)


def test_of_several_values_each_has_its_own_error() -> None:
    predicted, truth = np.array([[1.0, 10.0], [2.0, 30.0]]), np.array([[1.0, 20.0], [2.0, 20.0]])
    values = statistic(predicted, truth, ["x", "y"])(np.arange(2))
    assert (values["mae/x"], values["mae/y"], values["mae"]) == (0, 10, 5)
    assert values["r2/x"] == 1 and np.isnan(values["r2/y"])


@pytest.mark.parametrize("count", [10, 49])
def test_equal_truths_have_no_share_explained_although_a_tenth_is_no_binary_number(count: int) -> None:
    truth = np.append(np.full(count, 0.1), 7.0)[:, None]
    picks = np.arange(count)
    assert np.isnan(statistic(truth + 1, truth, ["age"])(picks)["r2"])
    assert statistic(truth + 1, truth, ["age"])(np.append(picks, count))["r2"] < 1


def test_a_draw_counts_what_it_holds_twice_twice() -> None:
    values = statistic(PREDICTED, TRUTH, ["age"])(np.array([0, 2, 2]))
    assert values["mse"] == pytest.approx(8 / 3)


def test_no_sample_has_no_error() -> None:
    assert np.isnan(statistic(PREDICTED, TRUTH, ["age"])(np.arange(0))["mse"])


def test_two_shapes_are_refused() -> None:
    with pytest.raises(ShapeError, match="expected 1 values a row"):
        statistic(PREDICTED, TRUTH[:2], ["age"])
