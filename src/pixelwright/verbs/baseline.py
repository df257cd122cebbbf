"""The instant baseline: what frozen features and a linear classifier make of the data, before an hour is spent.

A network that does not clearly beat it is not worth its training; a baseline that is near the goal needs none.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwright.data.dataset import Sample
from pixelwright.data.splits import Splits
from pixelwright.metrics.intervals import measure
from pixelwright.metrics.score import Picks, Score
from pixelwright.ops.linear import fit_linear
from pixelwright.structures.targets import Classes
from pixelwright.verbs.features import Features, features_of

# Pictures that are looked at: seconds, not minutes, whatever the size of the data set.
MOST_TRAIN, MOST_VALIDATION = 2000, 1000


@dataclass(frozen=True, slots=True)
class Baseline:
    """How far one gets in seconds.

    Attributes:
        score: Accuracy on pictures of the validation part.
        guess: Accuracy of always saying the most frequent class of the training part.
        features: What the classifier read.
        trained_on: How many pictures.
        seconds: It took.
    """

    score: Score
    guess: float
    features: str
    trained_on: int
    seconds: float

    def __str__(self) -> str:
        low, high = self.score.ci95 or (float("nan"), float("nan"))
        return (
            f"instant baseline: accuracy {self.score.value:.1%} ({low:.1%} to {high:.1%}, n = {self.score.n}) by a "
            f"linear classifier on {self.features} of {self.trained_on:,} pictures, in {self.seconds:.0f} s; always "
            f"saying the most frequent class: {self.guess:.1%}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "metrics": [self.score.to_dict()],
            "guess": self.guess,
            "features": self.features,
            "trained_on": self.trained_on,
            "seconds": self.seconds,
        }


def baseline(splits: Splits, *, source: str = "", seed: int = 0) -> Baseline | None:
    """How far frozen features get, or None where pictures do not have one class each, or all are of one group.

    Args:
        splits: The data; of each part a random share of bounded size is looked at.
        source: Of the features, as in `features_of`.
        seed: Of the random shares.
    """
    if splits.train.kind != "classes" or not splits.train.exclusive or splits.train.sequence:
        return None
    started = time.monotonic()
    learned = list(filter(_has_class, _some(splits.train.samples, MOST_TRAIN, seed)))
    judged = list(filter(_has_class, _some(splits.validation.samples, MOST_VALIDATION, seed)))
    if not learned or not judged:
        return None
    known, asked = (features_of(part, source=source) for part in (learned, judged))
    ids, truth, groups = _ids(learned, known), _ids(judged, asked), _groups(learned, known)
    if len(set(ids.tolist())) < 2 or len(set(groups)) < 2 or len(truth) == 0:
        return None
    head, _ = fit_linear(known.rows, ids, len(splits.train.labels), groups=groups, seed=seed)
    right = head.scores(asked.rows).argmax(1) == truth

    def accuracy(picks: Picks) -> Mapping[str, float]:
        return {"accuracy": float(right[picks].mean())}

    (score,) = measure(accuracy, len(right), groups=[judged[place].group for place in asked.places], seed=seed)
    guess = float((truth == np.bincount(ids).argmax()).mean())
    return Baseline(score, guess, known.source, len(ids), time.monotonic() - started)


def _some(samples: Sequence[Sample], most: int, seed: int) -> list[Sample]:
    if len(samples) <= most:
        return list(samples)
    picked = np.sort(np.random.default_rng(seed).choice(len(samples), most, replace=False))
    return [samples[place] for place in picked]


def _has_class(sample: Sample) -> bool:
    truth = sample.truth()
    return isinstance(truth, Classes) and len(truth.ids) > 0


def _ids(samples: Sequence[Sample], found: Features) -> npt.NDArray[np.intp]:
    truths = [samples[place].truth() for place in found.places]
    return np.array([truth.ids[0] for truth in truths if isinstance(truth, Classes)], np.intp)


def _groups(samples: Sequence[Sample], found: Features) -> list[str]:
    """Groups that are not parted; a sample without one is its own."""
    chosen = [samples[place] for place in found.places]
    return [sample.group or sample.id for sample in chosen]
