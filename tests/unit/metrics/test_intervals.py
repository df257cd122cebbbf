"""Bootstrap intervals and paired tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import islice
from math import nan
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from pixelwright.errors import ShapeError
from pixelwright.metrics.intervals import compare, draws, interval, mcnemar, measure, rounds_for


def _mean_of(values: npt.ArrayLike) -> Callable[[npt.NDArray[np.intp]], Mapping[str, float]]:
    array = np.asarray(values, float)
    return lambda picks: {"accuracy": float(array[picks].mean())}


def test_the_interval_of_a_mean_is_that_of_the_normal_law() -> None:
    values = np.random.default_rng(0).normal(size=400)
    score = measure(_mean_of(values), 400, rounds=2000)[0]
    half = 1.96 * values.std() / 20
    assert score.ci95 == pytest.approx((values.mean() - half, values.mean() + half), abs=0.15 * half)
    assert (score.n, score.definition) == (400, "accuracy")


def test_the_same_seed_gives_the_same_interval_and_another_one_another() -> None:
    values = np.random.default_rng(0).normal(size=50)
    first, again, other = (measure(_mean_of(values), 50, seed=seed)[0].ci95 for seed in (3, 3, 4))
    assert first == again != other


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    hits = 0
    for _ in range(100):
        ci95 = measure(_mean_of(generator.random(100) < 0.3), 100, rounds=200)[0].ci95
        hits += ci95 is not None and ci95[0] <= 0.3 <= ci95[1]
    assert 87 <= hits <= 100  # 95 of 100; three standard deviations are 7, and 200 rounds cost a little


def test_groups_are_drawn_whole() -> None:
    groups = ["x", "x", "y", "", ""]
    for picks in islice(draws(5, groups=groups), 50):
        counts = np.bincount(picks, minlength=5)
        assert counts[0] == counts[1]
        assert counts[0] + counts[2] + counts[3] + counts[4] == 4


def test_pictures_that_say_the_same_thing_twice_make_the_interval_wider() -> None:
    values = np.repeat(np.random.default_rng(0).normal(size=40), 5)
    groups = [str(place // 5) for place in range(200)]
    alone, together = (measure(_mean_of(values), 200, groups=one)[0].ci95 for one in ((), groups))
    assert alone and together
    assert together[1] - together[0] > 1.8 * (alone[1] - alone[0])  # √5 = 2.2


@pytest.mark.parametrize(("n", "groups"), [(1, ()), (3, ("x", "x", "x"))])
def test_one_picture_or_one_group_has_no_interval(n: int, groups: tuple[str, ...]) -> None:
    score = measure(_mean_of(np.arange(n)), n, groups=groups)[0]
    assert score.ci95 is None and np.isfinite(score.value)


def test_rounds_without_a_value_do_not_count_until_they_are_too_many() -> None:
    assert interval(np.array([1.0, 2.0, nan])) == pytest.approx((1.025, 1.975))
    assert interval(np.array([1.0, 2.0, nan, nan, nan])) is None


def test_a_metric_without_a_value_has_no_interval_and_is_null_in_json() -> None:
    score = measure(lambda _: {"accuracy": nan}, 5)[0]
    assert score.to_dict() == {"metric": "accuracy", "value": None, "ci95": None, "n": 5, "definition": "accuracy"}


def test_groups_of_another_number_are_refused() -> None:
    with pytest.raises(ShapeError, match="expected one for each of 3 pictures, got 2"):
        measure(_mean_of([1, 2, 3]), 3, groups=("a", "b"))


@pytest.mark.parametrize(("n", "rounds"), [(1, 1000), (5000, 1000), (10_000, 500), (10**6, 200)])
def test_many_pictures_take_fewer_rounds(n: int, rounds: int) -> None:
    assert rounds_for(n) == rounds


def _both(first: Any, second: Any) -> Callable[[npt.NDArray[np.intp]], Mapping[str, float]]:
    return _mean_of(np.concatenate([np.asarray(first, float), np.asarray(second, float)]))


def test_a_difference_in_every_picture_is_told_apart() -> None:
    values = np.random.default_rng(0).normal(size=60)
    found = compare(_both(values, values + 0.1), 60)[0]
    assert found.difference == pytest.approx(0.1)
    assert found.ci95 == pytest.approx((0.1, 0.1))  # paired: what the pictures have in common falls out
    assert found.p_value < 0.01 and found.told_apart


def test_equal_models_cannot_be_told_apart() -> None:
    values = np.random.default_rng(0).normal(size=60)
    found = compare(_both(values, values), 60)[0]
    assert (found.ci95, found.p_value, found.told_apart) == ((0.0, 0.0), 1.0, False)


def test_the_permutation_test_is_right_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(1)
    p_values = [compare(_both(*generator.normal(size=(2, 30))), 30, rounds=100)[0].p_value for _ in range(60)]
    assert np.mean(np.array(p_values) < 0.05) <= 0.14
    assert 0.35 < np.mean(p_values) < 0.65


@pytest.mark.parametrize(
    ("first", "second", "p_value"),
    [(0, 0, 1.0), (5, 5, 1.0), (0, 5, 2 / 2**5), (1, 9, 2 * 11 / 2**10)],
)
def test_mcnemar_is_the_binomial_law_of_the_pictures_in_which_two_models_differ(
    first: int, second: int, p_value: float
) -> None:
    assert mcnemar(first, second) == pytest.approx(p_value)


def test_mcnemar_by_the_normal_law_joins_the_exact_one() -> None:
    assert mcnemar(470, 531) == pytest.approx(mcnemar(469, 530), rel=0.01)
