"""Calibration error, temperature and thresholds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwright.errors import ShapeError, UsageError
from pixelwright.metrics.calibration import (
    Goal,
    at_temperature,
    bins_of,
    calibration_error,
    fit_temperature,
    fit_threshold,
    fit_thresholds,
    reliability,
)


def test_an_edge_belongs_to_the_bin_below_it_and_zero_to_the_first() -> None:
    assert bins_of(np.array([0.0, 0.1, 0.2, 0.21, 1.0]), 10).tolist() == [0, 0, 1, 2, 9]


def test_the_calibration_error_weighs_each_bin_by_its_share() -> None:
    # Three answers at 0.9 of which two are right, one wrong answer at 0.5.
    confidence, right = np.array([0.9, 0.9, 0.9, 0.5]), np.array([True, True, False, False])
    assert calibration_error(confidence, right) == pytest.approx(3 / 4 * abs(2 / 3 - 0.9) + 1 / 4 * 0.5)


def test_a_weight_of_two_is_an_answer_given_twice() -> None:
    confidence, right = np.array([0.9, 0.4]), np.array([True, False])
    twice = calibration_error(confidence, right, weights=np.array([2.0, 1.0]))
    assert twice == pytest.approx(calibration_error(confidence[[0, 0, 1]], right[[0, 0, 1]]))


def test_an_empty_bin_has_no_height() -> None:
    found = reliability(np.array([0.95, 0.85]), np.array([True, False]), bins=10)
    assert np.isnan(found.accuracy[:8]).all()
    assert found.accuracy[8:].tolist() == [0, 1]
    assert found.counts.sum() == 2


@pytest.mark.parametrize("true_temperature", [0.5, 1.0, 2.5])
def test_the_temperature_that_scores_were_made_with_is_found_again(true_temperature: float) -> None:
    generator = np.random.default_rng(0)
    logits = 2 * generator.normal(size=(20_000, 4))
    honest = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = (honest.cumsum(axis=1) < generator.random((len(honest), 1))).sum(axis=1)
    sharp = np.exp(logits * true_temperature)
    # 20,000 draws fix the temperature to about 1 %.
    found = fit_temperature(sharp / sharp.sum(axis=1, keepdims=True), truth)
    assert found == pytest.approx(true_temperature, rel=0.04)


def test_the_temperature_of_independent_labels_is_found_too() -> None:
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(20_000, 2))
    truth = generator.random(logits.shape) < 1 / (1 + np.exp(-logits))
    assert fit_temperature(1 / (1 + np.exp(-3 * logits)), truth, exclusive=False) == pytest.approx(3, rel=0.04)


def test_where_every_picture_is_right_the_temperature_stays_1() -> None:
    assert fit_temperature(np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([0, 1])) == 1.0
    assert fit_temperature(np.zeros((0, 3)), np.zeros(0, int)) == 1.0


def test_scores_that_became_0_do_no_harm() -> None:
    scores = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]], np.float32)
    assert 1 < fit_temperature(scores, np.array([0, 1, 1])) <= 20


SCORES = np.array([0.9, 0.8, 0.7, 0.6, 0.5], np.float32)
RIGHT = np.array([True, True, False, True, False])


@pytest.mark.parametrize(
    ("goal", "threshold", "precision", "recall"),
    [
        (Goal(), 0.55, 3 / 4, 3 / 4),  # F1 0.8 before, 2/3 with two answers
        (Goal("precision", 0.9), 0.75, 1, 2 / 4),
        (Goal("recall", 0.5), 0.75, 1, 2 / 4),
        (Goal("recall", 0.75), 0.55, 3 / 4, 3 / 4),
    ],
)
def test_a_threshold_reaches_its_goal_and_lies_halfway_to_the_next_score(
    goal: Goal, threshold: float, precision: float, recall: float
) -> None:
    fitted = fit_threshold(SCORES, RIGHT, 4, goal)
    assert fitted is not None and fitted.reached
    assert fitted.threshold == pytest.approx(threshold)
    assert (fitted.precision, fitted.recall) == pytest.approx((precision, recall))


def test_a_floor_that_cannot_be_met_is_said() -> None:
    fitted = fit_threshold(SCORES, RIGHT, 40, Goal("recall", 0.5))
    assert fitted is not None and not fitted.reached
    assert fitted.recall == pytest.approx(3 / 40)


def test_without_a_positive_there_is_no_threshold() -> None:
    assert fit_threshold(SCORES, ~RIGHT & False, 0, Goal()) is None


@pytest.mark.parametrize("goal", [Goal(), Goal("precision", 0.9), Goal("recall", 0.9)])
def test_of_a_class_that_is_never_found_nothing_is_fitted_to_wrong_scores(goal: Goal) -> None:
    assert fit_threshold(SCORES, np.zeros(5, bool), 3, goal) is None


def test_scores_at_a_temperature_are_those_of_divided_logits() -> None:
    logits = np.array([[3.0, 1.0, -2.0]])
    shares = [np.exp(one) / np.exp(one).sum() for one in (logits, logits / 2)]
    assert at_temperature(shares[0], 2.0) == pytest.approx(shares[1])
    free = [1 / (1 + np.exp(-one)) for one in (logits, logits / 2)]
    assert at_temperature(free[0], 2.0, exclusive=False) == pytest.approx(free[1])


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([0.1, 0.3, 0.30000001, 0.7, 1.0]), st.booleans()), min_size=1, max_size=25),
    st.sampled_from([Goal(), Goal("precision", 0.8), Goal("recall", 0.8)]),
)
def test_what_a_threshold_promises_is_what_it_does(rows: list[tuple[float, bool]], goal: Goal) -> None:
    scores, right = np.array([score for score, _ in rows], np.float32), np.array([true for _, true in rows])
    fitted = fit_threshold(scores, right, int(right.sum()), goal)
    if fitted is None:
        assert not right.any()
        return
    answered = scores >= np.float32(fitted.threshold)
    assert fitted.precision == pytest.approx(right[answered].mean())
    assert fitted.recall == pytest.approx(right[answered].sum() / right.sum())


def test_of_two_exclusive_classes_exactly_one_is_answered() -> None:
    generator = np.random.default_rng(2)
    positive = generator.random(200).astype(np.float32)
    truth = (generator.random(200) < positive).astype(int)
    scores = np.stack([1 - positive, positive], axis=1)
    first, second = fit_thresholds(scores, truth, Goal("recall", 0.9))
    assert first is not None and second is not None
    answered = scores >= np.array([first.threshold, second.threshold], np.float32)
    assert (answered.sum(axis=1) == 1).all()
    assert second.recall >= 0.9


def test_of_many_exclusive_classes_only_the_highest_score_is_an_answer() -> None:
    scores = np.array([[0.5, 0.4, 0.1], [0.4, 0.5, 0.1], [0.5, 0.3, 0.2]])
    fitted = fit_thresholds(scores, np.array([0, 1, 0]), Goal())
    assert fitted[0] is not None and fitted[0].precision == 1 and fitted[0].recall == 1
    assert fitted[2] is None


@pytest.mark.parametrize(
    ("text", "goal"),
    [("f1", Goal()), ("precision>=0.95", Goal("precision", 0.95)), ("recall >= .9", Goal("recall", 0.9))],
)
def test_goals_are_read(text: str, goal: Goal) -> None:
    assert Goal.parse(text) == goal


@pytest.mark.parametrize("text", ["", "accuracy", "precision", "recall>=1.5", "precision>0.9"])
def test_what_is_no_goal_is_refused_with_what_is(text: str) -> None:
    with pytest.raises(UsageError, match=r"expected f1, precision>=0.95 or recall>=0.9"):
        Goal.parse(text)


def test_truth_of_another_length_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"truth: expected \(3,\) for scores \(3, 2\), got \(2,\)"):
        fit_temperature(np.full((3, 2), 0.5), np.zeros(2, int))
