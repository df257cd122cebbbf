"""Whether scores mean what they say, and how to make them: calibration error, temperature, thresholds for a goal.

Temperature and thresholds are fitted on a calibration split of their own: on the pictures that the score is measured
on they would flatter it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pixelwright.errors import ShapeError, UsageError
from pixelwright.metrics.figures import Reliability

BINS = 15  # of equal width, as Guo et al. have it
TEMPERATURES = (0.05, 20.0)
BISECTIONS = 60
LEAST_SCORE = 1e-30  # a score that became 0 in 32 bits

Floats = npt.NDArray[np.floating[Any]]
Flags = npt.NDArray[np.bool_]


def bins_of(confidence: Floats, bins: int = BINS) -> npt.NDArray[np.intp]:
    """The bin of each confidence: bin i holds what is above i / bins and up to (i + 1) / bins, the first also 0."""
    return np.clip(np.ceil(np.asarray(confidence, np.float64) * bins).astype(np.intp) - 1, 0, bins - 1)


def calibration_error(confidence: Floats, right: Flags, *, weights: Floats | None = None, bins: int = BINS) -> float:
    """Expected calibration error, 0..1: how far confidence is from the share of right answers, over equal-width bins.

    Args:
        confidence: (N,) 0..1.
        right: (N,) whether the answer was right.
        weights: (N,) how often each counts; once if None.
        bins: How many.

    Source: Guo et al., On Calibration of Modern Neural Networks, ICML 2017, equation 3.
    """
    counted = np.ones(len(confidence)) if weights is None else weights
    total = counted.sum()
    if total == 0:
        return float("nan")
    places = bins_of(confidence, bins)
    gaps = np.bincount(places, counted * (np.asarray(right, np.float64) - confidence), bins)
    return float(np.abs(gaps).sum() / total)


def reliability(confidence: Floats, right: Flags, *, bins: int = BINS, title: str = "Reliability") -> Reliability:
    """What a reliability diagram shows of N answers."""
    places = bins_of(confidence, bins)
    counts = np.bincount(places, minlength=bins)
    with np.errstate(invalid="ignore"):
        means = np.bincount(places, confidence, bins) / counts
        shares = np.bincount(places, np.asarray(right, np.float64), bins) / counts
    return Reliability(title, means, shares, counts)


def fit_temperature(scores: Floats, truth: npt.NDArray[Any], *, exclusive: bool = True) -> float:
    """The temperature at which scores have the least negative log-likelihood: logits are divided by it.

    Args:
        scores: (N, K) as the model gives them at temperature 1: each row adds up to 1, or is of independent labels.
        truth: (N,) class ids, or (N, K) truth of each label where they are independent.
        exclusive: Which of both.

    Returns:
        0.05..20; 1 where it cannot be told: no pictures, or each of them right however sure the model is made.

    Raises:
        ShapeError: Scores and truth do not fit each other.

    Source: Guo et al., On Calibration of Modern Neural Networks, ICML 2017, section 4.2. The likelihood has one
    minimum in 1 / temperature, which is found by halving.
    """
    _check_fit(scores, truth, exclusive=exclusive)
    if not len(scores):
        return 1.0
    logits = _logits(scores, exclusive=exclusive)

    def slope(sharpness: float) -> float:
        """How the likelihood's negative grows with 1 / temperature."""
        if not exclusive:
            return float(np.mean(logits * (1 / (1 + np.exp(-np.clip(sharpness * logits, -500, 500))) - truth)))
        scaled = sharpness * logits
        weights = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        expected = (weights * logits).sum(axis=1) / weights.sum(axis=1)
        return float(np.mean(expected - logits[np.arange(len(logits)), np.asarray(truth, np.intp)]))

    low, high = 1 / TEMPERATURES[1], 1 / TEMPERATURES[0]
    if slope(high) <= 0:
        return 1.0
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (low, middle) if slope(middle) > 0 else (middle, high)
    return float(2 / (low + high))


def at_temperature(scores: Floats, temperature: float, *, exclusive: bool = True) -> npt.NDArray[np.float64]:
    """(N, K) scores as a decoder makes them at a temperature, from those at temperature 1."""
    logits = _logits(scores, exclusive=exclusive) / temperature
    if not exclusive:
        return 0.5 * (1 + np.tanh(0.5 * logits))
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


def _logits(scores: Floats, *, exclusive: bool) -> npt.NDArray[np.float64]:
    values = np.clip(np.asarray(scores, np.float64), LEAST_SCORE, 1.0)
    return np.log(values) if exclusive else np.log(values) - np.log(np.clip(1.0 - values, LEAST_SCORE, 1.0))


@dataclass(frozen=True, slots=True)
class Goal:
    """What thresholds are to reach.

    Attributes:
        kind: The best F1; the most recall at a least precision; the most precision at a least recall.
        floor: That least value, 0..1; not read for `f1`.
    """

    kind: Literal["f1", "precision", "recall"] = "f1"
    floor: float = 0.0

    @classmethod
    def parse(cls, text: str) -> Goal:
        """The goal in words: `f1`, `precision>=0.95`, `recall>=0.9`.

        Raises:
            UsageError: It is none of these.

        Example:
            >>> Goal.parse("recall>=0.9")
            Goal(kind='recall', floor=0.9)
        """
        found = re.fullmatch(r"\s*(precision|recall)\s*>=\s*(0?\.\d+|0|1|1\.0*)\s*", text)
        if found:
            return cls("precision" if found[1] == "precision" else "recall", float(found[2]))
        if text.strip() == "f1":
            return cls()
        raise UsageError(f"threshold {text!r}: expected f1, precision>=0.95 or recall>=0.9 (numbers from 0 to 1).")


@dataclass(frozen=True, slots=True)
class Fitted:
    """A threshold, and what it does on the data it was fitted on.

    Attributes:
        threshold: Answers with at least this score count.
        precision: NaN where nothing counts.
        recall: NaN where there are no positives.
        f1: NaN where there are neither.
        reached: Whether the goal's floor is met.
    """

    threshold: float
    precision: float
    recall: float
    f1: float
    reached: bool


def fit_threshold(scores: Floats, right: Flags, positives: int, goal: Goal) -> Fitted | None:
    """The threshold of one class for a goal; it lies halfway to the next lower score.

    Args:
        scores: (M,) of answers or candidates.
        right: (M,) whether each would be right.
        positives: How many there are to be found, also those without a candidate.
        goal: What to reach. Where its floor cannot be met, the threshold that comes nearest to it.

    Returns:
        None where there is no positive, or no answer is right: nothing can be said.
    """
    if positives == 0 or not np.any(right):
        return None
    order = np.argsort(-np.asarray(scores), kind="stable")
    sorted_scores = np.asarray(scores, np.float32)[order]
    last = np.flatnonzero(np.append(np.diff(sorted_scores) != 0, True))  # of each run of equal scores
    hits = np.cumsum(np.asarray(right, np.float64)[order])[last]
    precision, recall = hits / (last + 1), hits / positives
    f1 = 2 * hits / (last + 1 + positives)
    kept, floor = {"precision": (precision, True), "recall": (recall, True), "f1": (f1, False)}[goal.kind]
    met = kept >= goal.floor - 1e-12 if floor else np.ones(len(last), bool)
    if not met.any():
        place = int(np.lexsort((last, -kept))[0])
    elif goal.kind == "precision":
        place = int(np.flatnonzero(met)[np.argmax(recall[met])])  # the first of equals: fewest wrong
    elif goal.kind == "recall":
        place = int(np.flatnonzero(met)[np.argmax(precision[met])])
    else:
        place = int(np.argmax(f1))
    cut = _between(sorted_scores, int(last[place]))
    return Fitted(cut, float(precision[place]), float(recall[place]), float(f1[place]), bool(met.any()))


def fit_thresholds(
    scores: Floats, truth: npt.NDArray[Any], goal: Goal, *, exclusive: bool = True
) -> list[Fitted | None]:
    """A threshold for each class, fitted on its own.

    Where classes are independent a label counts from its threshold on. Where they exclude each other a class is
    answered if it has the highest score and reaches its threshold; of two classes the second is the positive one,
    answered from its threshold on, and the first otherwise.

    Args:
        scores: (N, K).
        truth: (N,) class ids, or (N, K) truth of each label where they are independent.
        goal: For each class; of two exclusive classes, for the second.
        exclusive: Whether a picture has exactly one class.

    Returns:
        One for each class; None where the data has no positive of it, or none is answered.

    Raises:
        ShapeError: Scores and truth do not fit each other.
    """
    _check_fit(scores, truth, exclusive=exclusive)
    scores = np.asarray(scores, np.float32)
    count = scores.shape[1]
    wanted = np.asarray(truth)[:, None] == np.arange(count) if exclusive else np.asarray(truth, bool)
    if exclusive and count == 2:
        positive = fit_threshold(scores[:, 1], wanted[:, 1], int(wanted[:, 1].sum()), goal)
        return [positive and _opposite(positive, scores, wanted), positive]
    found = []
    for one in range(count):
        rows = np.flatnonzero(scores.argmax(axis=1) == one) if exclusive else np.arange(len(scores))
        found.append(fit_threshold(scores[rows, one], wanted[rows, one], int(wanted[:, one].sum()), goal))
    return found


def _opposite(positive: Fitted, scores: Floats, wanted: Flags) -> Fitted:
    """The first of two classes, which is answered wherever the second is not."""
    answered = scores[:, 1] < np.float32(positive.threshold)
    hits, said, there = int((answered & wanted[:, 0]).sum()), int(answered.sum()), int(wanted[:, 0].sum())
    nan = float("nan")
    return Fitted(
        threshold=float(np.nextafter(np.float32(1) - np.float32(positive.threshold), np.float32(1))),
        precision=hits / said if said else nan,
        recall=hits / there if there else nan,
        f1=2 * hits / (said + there) if said + there else nan,
        reached=positive.reached,
    )


def _between(descending: npt.NDArray[np.float32], place: int) -> float:
    """A threshold that lets pass what stands up to a place, and no more."""
    passes = descending[place]
    fails = descending[place + 1] if place + 1 < len(descending) else np.float32(0)
    middle = np.float32((np.float64(passes) + np.float64(fails)) / 2)
    return float(passes if middle <= fails else middle)


def _check_fit(scores: Floats, truth: npt.NDArray[Any], *, exclusive: bool) -> None:
    expected = (len(scores),) if exclusive else np.shape(scores)
    if np.ndim(scores) != 2 or np.shape(truth) != expected:
        raise ShapeError(f"truth: expected {expected} for scores {np.shape(scores)}, got {np.shape(truth)}.")
