"""The linear classifier fits in closed form and never speaks of rows that it has seen."""

from __future__ import annotations

import numpy as np
import pytest

from pixelwright.errors import ShapeError
from pixelwright.ops import linear
from pixelwright.ops.linear import fit_linear, softmax


def clusters(count: int, *, spread: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    class_ids = rng.integers(3, size=count)
    centers = np.array([[3.0, 0, 0, 0], [0, 3, 0, 0], [0, 0, 3, 0]])
    return centers[class_ids] + rng.normal(0, spread, (count, 4)), class_ids


def test_well_parted_classes_are_told_apart_with_confidence() -> None:
    features, class_ids = clusters(300, spread=0.3)
    head, unseen = fit_linear(features, class_ids, 3)
    others, truth = clusters(300, spread=0.3, seed=1)
    assert (head.scores(others).argmax(1) == truth).all()
    assert (unseen.argmax(1) == class_ids).all() and unseen.max(1).mean() > 0.95


def test_scores_are_probabilities() -> None:
    features, class_ids = clusters(60, spread=2)
    head, unseen = fit_linear(features, class_ids, 3)
    for scores in (unseen, head.scores(features)):
        assert scores.dtype == np.float32 and scores.min() >= 0
        np.testing.assert_allclose(scores.sum(1), 1, rtol=1e-5)


def test_random_labels_are_not_learned_by_heart() -> None:
    rng = np.random.default_rng(0)
    features, class_ids = rng.normal(size=(80, 200)), rng.integers(2, size=80)
    _, unseen = fit_linear(features, class_ids, 2)
    chance = np.log(2)
    assert -np.log(np.take_along_axis(unseen, class_ids[:, None], 1)).mean() < chance * 1.1  # honest, so not worse


def test_a_rare_class_that_nothing_points_to_is_as_rare_in_the_scores() -> None:
    rng = np.random.default_rng(0)
    features, class_ids = rng.normal(size=(400, 300)), (np.arange(400) < 20).astype(int)
    _, unseen = fit_linear(features, class_ids, 2)
    assert unseen[:, 1].mean() == pytest.approx(0.05, abs=0.02)


def test_copies_in_one_group_do_not_give_each_other_away() -> None:
    rng = np.random.default_rng(0)
    features = np.repeat(rng.normal(size=(40, 100)), 2, axis=0)
    class_ids = np.repeat(rng.integers(2, size=40), 2)
    pairs = [str(row // 2) for row in range(80)]
    alone = (fit_linear(features, class_ids, 2)[1].argmax(1) == class_ids).mean()
    grouped = (fit_linear(features, class_ids, 2, groups=pairs)[1].argmax(1) == class_ids).mean()
    assert alone > 0.85 and grouped < 0.7


def test_what_a_fold_is_told_equals_a_fit_without_its_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "PENALTIES", (0.1,))
    features, class_ids = clusters(50, spread=2)
    head, unseen = fit_linear(features, class_ids, 3, seed=3)
    folds = linear._folds([str(row) for row in range(50)], 3)
    seen = folds != folds[7]
    normal = np.c_[(features - features.mean(0)) / features.std(0), np.ones(50)]
    ridge = 0.1 * seen.sum() * np.diag([1, 1, 1, 1, 0])  # nothing on the intercept
    weights = np.linalg.solve(normal[seen].T @ normal[seen] + ridge, normal[seen].T @ np.eye(3)[class_ids[seen]])
    np.testing.assert_allclose(unseen[7], softmax(normal[7] @ weights * head.sharpness), rtol=1e-5)


def test_the_temperature_cannot_be_bettered() -> None:
    features, class_ids = clusters(200, spread=2)
    rows = np.asarray(features)
    _, unseen = fit_linear(rows, class_ids, 3)
    logs = np.log(unseen.astype(np.float64))
    loss = {factor: linear._loss(logs * factor, class_ids) for factor in (0.9, 1.0, 1.1)}
    assert loss[1.0] == min(loss.values())


def test_a_constant_feature_and_a_missing_class_do_no_harm() -> None:
    features, class_ids = clusters(60, spread=0.3)
    head, _ = fit_linear(np.c_[features, np.ones(60)], class_ids, 5)
    scores = head.scores(np.c_[features, np.ones(60)])
    assert scores.shape == (60, 5) and (scores.argmax(1) == class_ids).all()


@pytest.mark.parametrize(
    ("features", "class_ids", "groups", "said"),
    [
        (np.zeros((3, 2)), np.array([0, 1]), (), "expected"),
        (np.zeros(3), np.array([0, 1, 0]), (), "expected"),
        (np.full((2, 2), np.nan), np.array([0, 1]), (), "NaN"),
        (np.zeros((2, 2)), np.array([0, 2]), (), "from 0 to 1"),
        (np.zeros((2, 2)), np.array([0, 1]), ("a", "a"), "two"),
        (np.zeros((2, 2)), np.array([0, 1]), ("a",), "groups"),
    ],
)
def test_what_cannot_be_fitted_is_refused(
    features: np.ndarray, class_ids: np.ndarray, groups: tuple[str, ...], said: str
) -> None:
    with pytest.raises(ShapeError, match=said):
        fit_linear(features, class_ids, 2, groups=groups)
