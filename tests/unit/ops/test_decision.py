"""Labels and least scores: the user's word goes before the bundle's, and the bundle's before the task's."""

from __future__ import annotations

import numpy as np
import pytest

from pixelwright.errors import UnknownName
from pixelwright.ops.decision import check_classes, passing, thresholds, wanted_classes
from pixelwright.structures.spec import Decision

LABELS = ["cat", "dog", "emu"]


def test_a_threshold_for_a_class_goes_before_that_for_all() -> None:
    decision = Decision(threshold=0.5, thresholds={"dog": 0.75})
    assert thresholds(LABELS, decision, None).tolist() == [0.5, 0.75, 0.5]


def test_what_a_user_asks_for_goes_before_the_bundle() -> None:
    assert thresholds(LABELS, Decision(threshold=0.5, thresholds={"dog": 0.75}), 0.0).tolist() == [0, 0, 0]


def test_where_nobody_says_anything_the_task_does() -> None:
    assert thresholds(LABELS, Decision(), None, otherwise=0.25).tolist() == [0.25] * 3
    assert thresholds(LABELS, Decision(threshold=0.0), None, otherwise=0.25).tolist() == [0] * 3


def test_all_classes_are_wanted_unless_some_are_named() -> None:
    assert wanted_classes((), LABELS).tolist() == [True] * 3
    assert wanted_classes(("emu", "cat"), LABELS).tolist() == [True, False, True]


def test_an_unknown_class_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'dog'"):
        check_classes(("dgo",), LABELS)


SCORES, LEAST = np.array([0.5, 0.45, 0.05], np.float32), np.array([0.7, 0.2, 0.2], np.float32)


def test_of_exclusive_classes_none_is_answered_where_the_highest_does_not_pass() -> None:
    assert passing(SCORES, LEAST, exclusive=True).tolist() == [False, False, False]
    assert passing(SCORES, LEAST - 0.2, exclusive=True).tolist() == [True, True, True]


def test_of_independent_classes_each_passes_for_itself() -> None:
    assert passing(SCORES, LEAST, exclusive=False).tolist() == [False, True, False]


def test_of_two_exclusive_classes_one_passes_where_the_other_does_not() -> None:
    assert passing(SCORES[:2], LEAST[:2], exclusive=True).tolist() == [False, True]
