"""Scores of labels, worked out by hand and held against their definitions written out."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwright.metrics.labels import Answers, Ranked, confusion, statistic

LABELS = ("a", "b", "c")


def _exclusive(scores: Any, truth: Any, *, other: Any = None, labels: tuple[str, ...] = LABELS) -> Answers:
    scores = np.asarray(scores, float)
    chosen = np.eye(len(labels), dtype=bool)[scores.argmax(axis=1)]
    others = np.zeros(len(scores)) if other is None else np.asarray(other, float)
    chosen &= (scores.max(axis=1) >= others)[:, None]
    true = np.eye(len(labels), dtype=bool)[np.asarray(truth)]
    return Answers(scores, true, chosen, labels, others, (others > scores[true]).astype(int), others**2)


def _all(answers: Answers, *, exclusive: bool = True) -> dict[str, float]:
    return dict(statistic(answers, exclusive=exclusive)(np.arange(len(answers.scores))))


FOUR = _exclusive([[0.8, 0.1, 0.1], [0.4, 0.5, 0.1], [0.2, 0.7, 0.1], [0.1, 0.3, 0.6]], [0, 0, 1, 2])


def test_precision_recall_and_f1_of_classes_and_their_means_are_those_worked_out_by_hand() -> None:
    values = _all(FOUR)
    assert values["accuracy"] == 0.75
    assert [values[f"precision/{label}"] for label in LABELS] == [1, 0.5, 1]
    assert [values[f"recall/{label}"] for label in LABELS] == [0.5, 1, 1]
    assert [values[f"f1/{label}"] for label in LABELS] == pytest.approx([2 / 3, 2 / 3, 1])
    assert values["f1_macro"] == pytest.approx(7 / 9)
    assert values["f1_weighted"] == pytest.approx((2 * 2 / 3 + 2 / 3 + 1) / 4)
    assert values["f1_micro"] == pytest.approx(0.75)


def test_a_class_that_is_not_there_has_no_score_and_counts_in_no_mean() -> None:
    values = _all(_exclusive([[0.9, 0.1, 0], [0.2, 0.8, 0]], [0, 1]))
    assert np.isnan([values["recall/c"], values["precision/c"], values["auroc/c"]]).all()
    assert values["recall_macro"] == 1


def test_the_second_of_two_classes_is_the_positive_one() -> None:
    scores = [[0.9, 0.1], [0.3, 0.7], [0.6, 0.4], [0.2, 0.8], [0.1, 0.9]]
    values = _all(_exclusive(scores, [0, 0, 1, 1, 1], labels=("normal", "ill")))
    assert values["sensitivity"] == pytest.approx(2 / 3)
    assert values["specificity"] == pytest.approx(1 / 2)


def test_a_higher_score_of_a_label_that_the_data_does_not_have_is_a_wrong_answer() -> None:
    assert _all(_exclusive([[0.4, 0.1, 0.1]], [0], other=[0.5]))["accuracy"] == 0


def test_of_equal_scores_the_earlier_label_is_the_answer() -> None:
    assert _all(_exclusive([[0.5, 0.5, 0]], [1]))["accuracy"] == 0
    assert _all(_exclusive([[0.5, 0.5, 0]], [0]))["accuracy"] == 1


def test_the_fifth_score_is_among_the_first_five_and_the_sixth_is_not() -> None:
    labels = tuple("abcdefg")
    scores = [np.linspace(1, 0.4, 7)] * 2
    assert _all(_exclusive(scores, [4, 5], labels=labels))["top5_accuracy"] == 0.5


def test_several_labels_count_each_for_itself() -> None:
    truth = np.array([[1, 0], [1, 1], [0, 0]], bool)
    answered = np.array([[1, 0], [1, 0], [0, 1]], bool)
    scores = np.where(answered, 0.9, 0.2)
    answers = Answers(scores, truth, answered, ("x", "y"), np.zeros(3), np.zeros(3, int), np.zeros(3))
    values = _all(answers, exclusive=False)
    assert values["exact_match"] == pytest.approx(1 / 3)
    assert values["precision/x"] == 1 and values["recall/x"] == 1
    assert values["precision/y"] == 0 and values["recall/y"] == 0
    assert values["f1_micro"] == pytest.approx(2 * 2 / (3 + 3))
    assert "accuracy" not in values


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([0.1, 0.2, 0.5, 0.9]), st.booleans()), min_size=1, max_size=30))
def test_the_area_under_the_curve_is_the_share_of_pairs_in_order_with_ties_as_half(
    rows: list[tuple[float, bool]],
) -> None:
    scores, truth = np.array([[score] for score, _ in rows]), np.array([[true] for _, true in rows])
    area, average = (values[0] for values in Ranked.of(scores, truth).areas(np.ones(len(rows))))
    positive, negative = scores[truth], scores[~truth]
    if not len(positive):
        assert np.isnan(average)
    if not (len(positive) and len(negative)):
        assert np.isnan(area)
        return
    above = positive[:, None] > negative
    ties = positive[:, None] == negative
    assert area == pytest.approx(above.mean() + ties.mean() / 2)
    assert average == pytest.approx(_average_precision(scores[:, 0], truth[:, 0]))


def _average_precision(scores: npt.NDArray[Any], truth: npt.NDArray[Any]) -> float:
    """Step by step over the distinct thresholds, as the definition says."""
    total, before = 0.0, 0.0
    for threshold in sorted(set(scores), reverse=True):
        said = scores >= threshold
        recall, precision = (said & truth).sum() / truth.sum(), (said & truth).sum() / said.sum()
        total, before = total + (recall - before) * precision, recall
    return total


def test_a_draw_counts_like_a_list_of_those_pictures() -> None:
    generator = np.random.default_rng(1)
    scores, truth = generator.dirichlet(np.ones(3), 40), generator.integers(0, 3, 40)
    picks = generator.integers(0, 40, 40)
    drawn = statistic(_exclusive(scores, truth), exclusive=True)(picks)
    listed = _all(_exclusive(scores[picks], truth[picks]))
    assert {name: pytest.approx(value, nan_ok=True) for name, value in listed.items()} == dict(drawn)


def test_the_curves_begin_at_the_strictest_threshold_and_end_at_everything() -> None:
    ranked = Ranked.of(np.array([[0.9], [0.8], [0.3]]), np.array([[True], [False], [True]]))
    rates, recalls, precisions = ranked.curves(0)
    assert rates.tolist() == [0, 0, 1, 1]
    assert recalls.tolist() == [0, 0.5, 0.5, 1]
    assert precisions.tolist() == pytest.approx([1, 1, 1 / 2, 2 / 3])


def test_rows_of_a_confusion_are_the_truth() -> None:
    assert confusion(np.array([0, 0, 1]), np.array([1, 1, 2]), (2, 3)).tolist() == [[0, 2, 0], [0, 0, 1]]


def test_nothing_at_all_has_no_value_and_raises_nothing() -> None:
    none = np.zeros(0)
    empty = Answers(
        np.zeros((0, 3)), np.zeros((0, 3), bool), np.zeros((0, 3), bool), LABELS, none, none.astype(int), none, 9
    )
    assert np.isnan(list(_all(empty).values())).all()
