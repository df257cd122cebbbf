"""A linear classifier on frozen features, in closed form: seconds for a data set that a network takes an hour for.

Ridge regression onto one-hot targets, and a temperature that makes probabilities of its answers. The normal equations
of all rows less those of a fold give the classifier that has not seen the fold, so predictions for rows not trained on
cost one small system a fold.

Source: Hastie, Tibshirani, Friedman, The Elements of Statistical Learning, 2nd ed., section 4.2 (regression of an
indicator matrix) and equation 3.44 (ridge regression, which leaves the intercept out of the penalty); Guo et al., On
Calibration of Modern Neural Networks, ICML 2017, equation 9 (the temperature).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pixelwright.errors import ShapeError

Doubles = npt.NDArray[np.float64]
Ids = npt.NDArray[np.integer]

# Multiples of the mean square of the features, from hardly any ridge to one that leaves little but the class means.
PENALTIES = tuple(float(power) for power in 10.0 ** np.arange(-5, 3))
FOLDS = 5
SHARPEST, BLUNTEST = 1e3, 1e-2  # of the factor on the answers before the softmax
HALVINGS = 60  # of that range: to full precision


@dataclass(frozen=True, slots=True, eq=False)
class LinearHead:
    """A classifier: `softmax(sharpness * ((features - center) / scale @ weights + bias))`.

    Attributes:
        center: (D,) mean of each feature.
        scale: (D,) deviation of each feature, 1 for those that never change.
        weights: (D, K).
        bias: (K,).
        sharpness: One over the temperature.
        penalty: The ridge, as a multiple of the mean square of a feature; chosen by prediction of unseen folds.
    """

    center: Doubles
    scale: Doubles
    weights: Doubles
    bias: Doubles
    sharpness: float
    penalty: float

    def scores(self, features: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Probabilities (N, K) for features (N, D)."""
        normal = (np.asarray(features, np.float64) - self.center) / self.scale
        return softmax((normal @ self.weights + self.bias) * self.sharpness).astype(np.float32)


def fit_linear(
    features: npt.ArrayLike, class_ids: Ids, classes: int, *, groups: Sequence[str] = (), seed: int = 0
) -> tuple[LinearHead, npt.NDArray[np.float32]]:
    """The classifier for labeled features, and what it says of rows when it has not seen them.

    Args:
        features: (N, D) real numbers.
        class_ids: (N,) from 0 up.
        classes: K; those without a row get the score that is left.
        groups: N texts: rows of one group are in one fold, since near copies would give each other away. Empty: each
            row is a group.
        seed: Of the folds.

    Returns:
        The classifier trained on all rows, and (N, K) float32 probabilities, those of each row from a classifier
        trained without its fold.

    Raises:
        ShapeError: Rows do not fit, there are fewer than two groups, or a feature is not finite.
    """
    rows = np.asarray(features, np.float64)
    _check(rows, class_ids, classes, groups)
    center, scale = rows.mean(axis=0), rows.std(axis=0)
    scale[scale == 0] = 1
    normal = np.concatenate([(rows - center) / scale, np.ones((len(rows), 1))], axis=1)
    truth = np.eye(classes)[class_ids]
    folds = _folds(groups or [str(row) for row in range(len(rows))], seed)
    gram, moment = normal.T @ normal, normal.T @ truth
    unseen = np.zeros((len(PENALTIES), *truth.shape))
    for fold in np.unique(folds):
        out = normal[folds == fold]
        solved = _ridges(gram - out.T @ out, moment - out.T @ truth[folds == fold], len(rows) - len(out))
        unseen[:, folds == fold] = out @ solved
    trials = range(len(PENALTIES))
    sharpness = [_sharpness(unseen[trial], class_ids) for trial in trials]
    losses = [_loss(unseen[trial] * sharpness[trial], class_ids) for trial in trials]
    best = int(np.argmin(losses))
    weights = _ridges(gram, moment, len(rows))[best]
    head = LinearHead(center, scale, weights[:-1], weights[-1], sharpness[best], PENALTIES[best])
    return head, softmax(unseen[best] * sharpness[best]).astype(np.float32)


def softmax(answers: Doubles) -> Doubles:
    """Probabilities along the last axis."""
    exponents = np.exp(answers - answers.max(axis=-1, keepdims=True))
    return exponents / exponents.sum(axis=-1, keepdims=True)


def _check(rows: Doubles, class_ids: Ids, classes: int, groups: Sequence[str]) -> None:
    if rows.ndim != 2 or len(rows) != len(class_ids) or (groups and len(groups) != len(rows)):
        raise ShapeError(
            f"features: expected (N, D) with N = {len(class_ids)} class ids and as many groups or none, got "
            f"{rows.shape} and {len(groups)} groups."
        )
    if not np.isfinite(rows).all():
        raise ShapeError("features: hold NaN or infinity. Leave such rows out.")
    if len(class_ids) == 0 or not 0 <= class_ids.min() <= class_ids.max() < classes:
        raise ShapeError(f"class_ids: expected numbers from 0 to {classes - 1}, at least one.")
    if len(set(groups) if groups else rows) < 2:
        raise ShapeError("features: expected at least two rows (or groups), so that one can be told from the other.")


def _folds(groups: Sequence[str], seed: int) -> npt.NDArray[np.intp]:
    """The fold of each row: groups are dealt out in random order."""
    names, which = np.unique(np.asarray(groups), return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(names))
    return (order % min(FOLDS, len(names)))[which]


def _ridges(gram: Doubles, moment: Doubles, count: int) -> Doubles:
    """Weights (P, D + 1, K) for each penalty, the intercept last; it is not penalized, so it is solved for exactly.

    Features have a mean square of one, so the ridge is penalty * rows.
    """
    sums, rows = gram[:-1, -1:], gram[-1, -1]
    values, vectors = np.linalg.eigh(gram[:-1, :-1] - sums @ sums.T / rows)
    turned = vectors.T @ (moment[:-1] - sums @ moment[-1:] / rows)
    ridges = np.array(PENALTIES)[:, None] * count
    weights = vectors @ (turned / (np.maximum(values, 0) + ridges)[:, :, None])
    return np.concatenate([weights, (moment[-1:] - sums.T @ weights) / rows], axis=1)


def _sharpness(answers: Doubles, class_ids: Ids) -> float:
    """The factor that makes the answers most likely to be right: the loss is convex in it, so its slope is halved."""
    low, high = np.log(BLUNTEST), np.log(SHARPEST)
    said = np.take_along_axis(answers, class_ids[:, None], axis=1)[:, 0]
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        slope = (np.sum(softmax(answers * np.exp(middle)) * answers, axis=1) - said).sum()
        low, high = (middle, high) if slope < 0 else (low, middle)
    return float(np.exp((low + high) / 2))


def _loss(answers: Doubles, class_ids: Ids) -> float:
    """Mean negative logarithm of the probability of the true class."""
    highest = answers.max(axis=1, keepdims=True)
    total = np.log(np.exp(answers - highest).sum(axis=1)) + highest[:, 0]
    return float((total - np.take_along_axis(answers, class_ids[:, None], axis=1)[:, 0]).mean())
