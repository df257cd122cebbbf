"""Scores of answers that are labels: one for each picture, or several.

Everything that does not depend on which pictures were drawn is computed once; a bootstrap round costs sums.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwright.metrics.calibration import calibration_error
from pixelwright.metrics.score import Picks, Statistic, mean_of_known

TOP = 5

Floats = npt.NDArray[np.floating[Any]]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What N pictures were answered, beside what is true of them.

    Attributes:
        scores: (N, K) 0..1 of each label.
        truth: (N, K) whether the label is true; exactly one of a row where classes exclude each other.
        answered: (N, K) whether the label is answered, at the thresholds.
        labels: K names.
        other: (N,) the best score of what is no label of the data; 0 where there is nothing else.
        above: (N,) of labels where classes exclude each other: how many that are none of the data score more than the
            true one.
        squares: (N,) the sum of their squared scores.
        others: How many labels there are that are none of the data.
    """

    scores: Floats
    truth: Flags
    answered: Flags
    labels: tuple[str, ...]
    other: Floats
    above: npt.NDArray[np.integer[Any]]
    squares: Floats
    others: int = 0

    @property
    def right(self) -> Flags:
        """(N,) whether the highest score is that of the true label, where classes exclude each other.

        Of equal scores the earlier label is the answer, as the task ranks them.
        """
        if not len(self.scores):
            return np.zeros(0, bool)
        best, true = self.scores.argmax(axis=1), self.truth.argmax(axis=1)
        return (best == true) & (self.scores.max(axis=1) >= self.other)


def statistic(answers: Answers, *, exclusive: bool) -> Statistic:
    """All metrics of labels, for any picks of the pictures.

    Of each metric over classes there is one by class too, `f1/cat`. Classes without a true picture among the picked
    have no score, and do not count in means; the precision of a class that is never answered is 0.
    """
    n = len(answers.scores)
    counts = _Counts.of(answers)
    ranked = Ranked.of(answers.scores, answers.truth)
    single = _Single.of(answers) if exclusive else None
    exact = (answers.answered == answers.truth).all(axis=1)
    brier = ((answers.scores - answers.truth) ** 2).sum(axis=1)
    if exclusive:  # of several labels nobody knows whether one that the data does not have is true as well
        brier += answers.squares

    def over(picks: Picks) -> Mapping[str, float]:
        weights = np.bincount(picks, minlength=n).astype(np.float64)
        total = weights.sum() or np.nan
        values: dict[str, float] = {}
        if single is not None:
            values |= single.values(weights)
        else:
            values["exact_match"] = float(weights @ exact / total)
        values |= counts.values(weights, answers.labels, binary=exclusive and len(answers.labels) == 2)
        values |= ranked.values(weights, answers.labels)
        if single is None:
            everything = np.repeat(weights, answers.scores.shape[1])
            values["ece_pooled"] = calibration_error(answers.scores.ravel(), answers.truth.ravel(), weights=everything)
        values["brier"] = float(weights @ brier / total)
        return values

    return over


def confusion(truth: npt.NDArray[np.intp], answer: npt.NDArray[np.intp], shape: tuple[int, int]) -> npt.NDArray[Any]:
    """How often each true class (row) was given each answer (column): (K, A) from N ids of each."""
    return np.bincount(truth * shape[1] + answer, minlength=shape[0] * shape[1]).reshape(shape)


@dataclass(frozen=True, slots=True, eq=False)
class _Single:
    """Whether the one answer was right, and how sure it was."""

    right: Flags
    among_best: Flags | None
    confidence: Floats

    @classmethod
    def of(cls, answers: Answers) -> _Single:
        best = answers.scores.max(axis=1, initial=0.0)
        among = None
        if len(answers.labels) + answers.others > TOP:
            true = answers.truth.argmax(axis=1)
            reached = answers.scores[np.arange(len(true)), true]
            earlier = np.arange(len(answers.labels)) < true[:, None]
            better = (answers.scores > reached[:, None]) | ((answers.scores == reached[:, None]) & earlier)
            among = better.sum(axis=1) + answers.above < TOP
        return cls(answers.right, among, np.clip(np.maximum(best, answers.other), 0, 1))

    def values(self, weights: Floats) -> dict[str, float]:
        total = weights.sum() or np.nan
        values = {"accuracy": float(weights @ self.right / total)}
        if self.among_best is not None:
            values["top5_accuracy"] = float(weights @ self.among_best / total)
        values["ece"] = calibration_error(self.confidence, self.right, weights=weights)
        return values


@dataclass(frozen=True, slots=True, eq=False)
class _Counts:
    """Right and wrong answers of each class at the thresholds: (N, K) each."""

    hits: Floats
    answered: Floats
    true: Floats

    @classmethod
    def of(cls, answers: Answers) -> _Counts:
        hits = answers.answered & answers.truth
        return cls(hits.astype(np.float32), answers.answered.astype(np.float32), answers.truth.astype(np.float32))

    def values(self, weights: Floats, labels: Sequence[str], *, binary: bool) -> dict[str, float]:
        drawn = weights.astype(np.float32)  # whole numbers below 2^24 are exact
        hits, said, there = (np.asarray(drawn @ one, np.float64) for one in (self.hits, self.answered, self.true))
        total = weights.sum()
        known = there > 0
        by_class = {
            "precision": np.where(known, _share(hits, said, otherwise=0.0), np.nan),
            "recall": _share(hits, there),
            "f1": np.where(known, _share(2 * hits, said + there), np.nan),
        }
        pooled = {
            "precision": _share(hits.sum(), said.sum(), otherwise=0.0 if known.any() else np.nan),
            "recall": _share(hits.sum(), there.sum()),
            "f1": _share(2 * hits.sum(), said.sum() + there.sum()),
        }
        negative = total - there
        specificity = _share(negative - (said - hits), negative)
        values: dict[str, float] = {}
        if binary:
            values = {"sensitivity": float(by_class["recall"][1]), "specificity": float(specificity[1])}
        for name, of_class in by_class.items():
            values[f"{name}_macro"] = mean_of_known(of_class)
            values[f"{name}_micro"] = float(pooled[name])
            values[f"{name}_weighted"] = mean_of_known(of_class, there)
        values["specificity_macro"] = mean_of_known(np.where(known, specificity, np.nan))
        for name, of_class in by_class.items():
            values |= _named(name, of_class, labels)
        return values


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """Scores of each class in order, for what depends on order alone.

    Areas are sums over the positives, of which there are few: P in all classes together.

    Attributes:
        scores: (N, K).
        truth: (N, K).
        order: (K, N) pictures by ascending score.
        classes: (P,) ascending: of each positive its class.
        pictures: (P,) its picture, by ascending score within a class.
        starts: (P,) the first place in its class's order with the same score.
        ends: (P,) the place after the last.
        tied: (P,) the first of the positives that has the same class and score.
        after: (P,) the one after the last such.
    """

    scores: Floats
    truth: Flags
    order: npt.NDArray[np.int32]
    classes: npt.NDArray[np.intp]
    pictures: npt.NDArray[np.intp]
    starts: npt.NDArray[np.intp]
    ends: npt.NDArray[np.intp]
    tied: npt.NDArray[np.intp]
    after: npt.NDArray[np.intp]

    @classmethod
    def of(cls, scores: Floats, truth: Flags) -> Ranked:
        """From scores and truth (N, K)."""
        count = scores.shape[1]
        order = np.empty((count, len(scores)), np.int32)
        parts: list[npt.NDArray[np.intp]] = [np.zeros((6, 0), np.intp)]
        before = 0
        for one in range(count):
            column = scores[:, one]
            order[one] = np.argsort(column, kind="stable")
            ordered = column[order[one]]
            pictures = order[one][truth[order[one], one]].astype(np.intp)
            own = column[pictures]
            parts.append(
                np.stack(
                    [
                        np.full(len(own), one),
                        pictures,
                        np.searchsorted(ordered, own, side="left"),
                        np.searchsorted(ordered, own, side="right"),
                        before + np.searchsorted(own, own, side="left"),
                        before + np.searchsorted(own, own, side="right"),
                    ]
                )
            )
            before += len(own)
        return cls(scores, truth, order, *np.concatenate(parts, axis=1))

    def areas(self, weights: Floats) -> tuple[Floats, Floats]:
        """Area under the ROC curve and average precision of each class (K,); NaN where one of both is missing.

        Args:
            weights: (N,) how often each picture counts, whole numbers.
        """
        count = len(self.order)
        passed = np.zeros((count, self.order.shape[1] + 1), np.int32)
        np.cumsum(weights.astype(np.int32)[self.order], axis=1, out=passed[:, 1:])
        drawn = weights[self.pictures]
        hits = np.append(0.0, np.cumsum(drawn))
        firsts = np.searchsorted(self.classes, np.arange(count + 1))
        positives, total = hits[firsts[1:]] - hits[firsts[:-1]], weights.sum()
        missed = hits[self.tied] - hits[firsts[self.classes]]  # positives with a lower score
        at_least = hits[firsts[self.classes + 1]] - hits[self.tied]
        beaten = passed[self.classes, self.starts] - missed  # negatives with a lower score
        level = passed[self.classes, self.ends] - (hits[self.after] - hits[firsts[self.classes]])
        said = total - passed[self.classes, self.starts]
        with np.errstate(invalid="ignore", divide="ignore"):
            pairs = np.bincount(self.classes, drawn * (beaten + level) / 2, count)
            area = pairs / (positives * (total - positives))
            precision = np.bincount(self.classes, np.where(drawn > 0, drawn * at_least / said, 0.0), count)
            average = precision / positives
        return area, average

    def values(self, weights: Floats, labels: Sequence[str]) -> dict[str, float]:
        """Means over classes, and each."""
        area, average = self.areas(weights)
        return {
            "auroc": mean_of_known(area),
            "average_precision": mean_of_known(average),
            **_named("auroc", area, labels),
            **_named("average_precision", average, labels),
        }

    def curves(self, row: int) -> tuple[Floats, Floats, Floats]:
        """Of one class, from the strictest threshold on: false positive rate, recall, and precision."""
        ordered = self.scores[self.order[row], row]
        truth = self.truth[self.order[row], row]
        starts = np.unique(np.searchsorted(ordered, ordered, side="left"))[::-1]
        hits = np.append(0, np.cumsum(truth))
        found = hits[-1] - hits[starts]
        said = len(truth) - starts
        positives, negatives = max(1, hits[-1]), max(1, len(truth) - hits[-1])
        rates = np.append(0.0, (said - found) / negatives), np.append(0.0, found / positives)
        return rates[0], rates[1], np.append(1.0, found / said)


def _named(name: str, values: Floats, labels: Sequence[str]) -> dict[str, float]:
    return {f"{name}/{label}": float(value) for label, value in zip(labels, values, strict=True)}


def _share(part: Any, whole: Any, *, otherwise: float = np.nan) -> Any:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(np.asarray(whole) > 0, part / np.asarray(whole, np.float64), otherwise)
