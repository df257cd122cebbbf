"""Weights of classes and chances of samples, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pixelwright.errors import UsageError
from pixelwright.verbs.train.samples.balance import LARGEST_RATIO, chances, class_weights, weights_of


def test_a_class_weighs_the_more_the_rarer_it_is() -> None:
    table = np.repeat(np.eye(3), [6, 3, 1], axis=0)
    # The mean count is 10/3, to the counts 5/9, 10/9, 10/3; their mean is 5/3.
    assert class_weights(table) == pytest.approx((1 / 3, 2 / 3, 2))


def test_a_class_that_is_not_there_weighs_one_and_a_very_rare_one_not_beyond_measure() -> None:
    table = np.array([[1000.0, 0.0, 1.0]])
    weights = class_weights(table)
    assert weights[1] == 1
    assert weights[2] / weights[0] == pytest.approx(LARGEST_RATIO / (500.5 / 1000))


def test_all_classes_are_drawn_equally_often() -> None:
    table = np.repeat(np.eye(2), [9, 1], axis=0)
    found = chances(table)
    assert found.sum() == pytest.approx(1)
    assert found[:9].sum() == pytest.approx(found[9])


def test_of_several_classes_the_rarest_counts_and_samples_without_any_are_drawn_too() -> None:
    table = np.array([[1, 0], [1, 0], [1, 1], [0, 0]], float)
    # Three hold the first class and one the second: 1/3, 1/3, 1, and their mean 5/9 for the last.
    assert chances(table) == pytest.approx(np.array([3, 3, 9, 5]) / 20)


def test_weights_that_are_given_are_one_for_each_class() -> None:
    assert weights_of((1.0, 2.0), None, ["a", "b"]) == (1.0, 2.0)
    with pytest.raises(UsageError, match=r"expected 3, one for each of \['a', 'b', 'c'\], got 2"):
        weights_of((1.0, 2.0), None, ["a", "b", "c"])
