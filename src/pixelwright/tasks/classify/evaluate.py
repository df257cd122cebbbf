"""How well labels are told, one for each picture or several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pixelwright import registry
from pixelwright.contract import Decided, Evaluation, Outcome, PredictOptions, Scoring
from pixelwright.errors import DataError
from pixelwright.metrics import labels as metric
from pixelwright.metrics.calibration import Goal, at_temperature, fit_temperature, fit_thresholds, reliability
from pixelwright.metrics.figures import ByClass, Confusion, Curve, Curves, Figure
from pixelwright.metrics.labels import Answers, Ranked
from pixelwright.metrics.score import Statistic
from pixelwright.ops import decision
from pixelwright.structures.image import Image
from pixelwright.structures.results import ClassScores
from pixelwright.structures.spec import BundleSpec, Decision
from pixelwright.structures.targets import Classes, Target

HALF = 0.5  # from which on a label is answered that may stand beside others, where the bundle decides nothing
MOST_CURVES = 6  # in one chart

Floats = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """One picture's scores and truth, over the data's labels.

    Attributes:
        scores: (K,).
        answered: (K,) at the bundle's thresholds.
        truth: (K,).
        other: The best score of the bundle's labels that the data does not have.
        above: How many of those score more than the true class; 0 of several labels.
        squares: The sum of their squared scores.
    """

    scores: Floats
    answered: Flags
    truth: Flags
    other: float = 0.0
    above: int = 0
    squares: float = 0.0


def options(spec: BundleSpec) -> PredictOptions:
    """Every class with its score."""
    return PredictOptions(threshold=0.0, top_k=max(1, len(spec.output.labels)))


def observe(result: ClassScores, target: Target, scoring: Scoring) -> Observation | None:
    """What a picture contributes; None where the truth is a class that is not scored.

    Raises:
        DataError: The truth is of another kind.
    """
    if not isinstance(target, Classes):
        raise DataError(f"expected classes to score against, got {type(target).__name__}.")
    count = len(scoring.labels)
    truth = np.zeros(count, bool)
    truth[[one for one in target.ids if one not in scoring.left_out]] = True
    if scoring.exclusive and not truth.any():
        return None
    places = scoring.places(result.labels)
    scores, answered = np.zeros(count, np.float32), np.zeros(count, bool)
    known = places >= 0
    np.maximum.at(scores, places[known], result.scores[known])  # several of a model's classes may be called the same
    passes = np.flatnonzero(_passing(result, scoring))
    answers = places[passes[:1] if scoring.exclusive else passes]
    answered[answers[answers >= 0]] = True
    others = result.scores[~known].astype(np.float64)
    above = int((others > scores[truth][0]).sum()) if scoring.exclusive else 0
    return Observation(scores, answered, truth, float(others.max(initial=0.0)), above, float(others @ others))


def _passing(result: ClassScores, scoring: Scoring) -> Flags:
    """Which rows a user of the bundle gets."""
    spec = scoring.spec
    least = decision.thresholds(result.labels, spec.decision, None, otherwise=0.0 if scoring.exclusive else HALF)
    return decision.passing(result.scores, least, exclusive=registry.get("decoder", spec.output.decoder).exclusive)


def statistic(observations: Sequence[Observation], scoring: Scoring) -> Statistic:
    """All metrics of labels."""
    return metric.statistic(_answers(observations, scoring), exclusive=scoring.exclusive)


def _answers(observations: Sequence[Observation], scoring: Scoring) -> Answers:
    scored = scoring.scored
    none = np.zeros((0, len(scoring.labels)))
    columns = [np.stack([getattr(one, name) for one in observations]) if observations else none for name in _COLUMNS]
    scores, truth, answered = (column[:, scored] for column in columns)
    return Answers(
        scores=scores.astype(np.float64),
        truth=truth.astype(bool),
        answered=answered.astype(bool),
        labels=tuple(scoring.labels[place] for place in scored),
        other=np.array([one.other for one in observations]),
        above=np.array([one.above for one in observations], np.intp),
        squares=np.array([one.squares for one in observations]),
        others=int((scoring.places(scoring.spec.output.labels) < 0).sum()),
    )


_COLUMNS = ("scores", "truth", "answered")


def outcome(observation: Observation, scoring: Scoring) -> Outcome:
    """What became of a picture: the margin of its true class, or of several labels the worst margin."""
    names = np.array(scoring.labels)
    scores, truth, answered = observation.scores, observation.truth, observation.answered
    true = ", ".join(names[truth]) or "none"
    if scoring.exclusive:
        best = int(scores.argmax())
        confidence = max(float(scores[best]), observation.other)
        reached = float(scores[truth][0])
        margin = reached - max(float(scores[~truth].max(initial=0.0)), observation.other)
        said = scoring.labels[best] if scores[best] >= observation.other else "another label"
        right = bool(truth[best] and scores[best] >= observation.other)
        return Outcome(margin, right, confidence, said, true)
    wrong = answered != truth
    doubts = np.where(truth, 1 - scores, scores)
    worst = float(doubts.max(initial=0.0))
    sure = float(doubts[wrong].max(initial=0.0)) if wrong.any() else 1 - worst
    return Outcome(1 - 2 * worst, not bool(wrong.any()), sure, ", ".join(names[answered]) or "none", true)


def figures(observations: Sequence[Observation], scoring: Scoring) -> list[Figure]:
    """Confusion, reliability, ROC and precision against recall, and F1 of each class."""
    answers = _answers(observations, scoring)
    found: list[Figure] = []
    if scoring.exclusive:
        found.append(_confusion(answers))
        best = np.maximum(answers.scores.max(axis=1), answers.other)
        found.append(reliability(np.clip(best, 0, 1), answers.right))
    else:
        found.append(reliability(np.clip(answers.scores.ravel(), 0, 1), answers.truth.ravel()))
    found += _curves(answers)
    if len(answers.labels) > 2:
        found.append(ByClass("F1 of each class", "f1"))
    return found


def _confusion(answers: Answers) -> Confusion:
    count = len(answers.labels)
    said = np.where(answers.answered.any(axis=1), answers.answered.argmax(axis=1), count)
    extra = ("no answer, or another label",) if (said == count).any() else ()
    counts = metric.confusion(answers.truth.argmax(axis=1), said, (count, count + 1))[:, : count + len(extra)]
    return Confusion("Confusion", counts, answers.labels, (*answers.labels, *extra))


def _curves(answers: Answers) -> list[Figure]:
    """Of the classes that are hardest to tell, or of the positive one of two."""
    ranked = Ranked.of(answers.scores, answers.truth)
    area, average = ranked.areas(np.ones(len(answers.scores)))
    rows = np.flatnonzero(np.isfinite(area))
    if len(answers.labels) == 2 and 1 in rows:
        rows = np.array([1])
    rows = rows[np.argsort(area[rows], kind="stable")][:MOST_CURVES]
    if not len(rows):
        return []
    curves = [ranked.curves(int(row)) for row in rows]
    names = [answers.labels[row] for row in rows]
    note = "" if len(rows) < MOST_CURVES else f"The {MOST_CURVES} classes with the smallest area."
    roc = tuple(
        Curve(f"{name}: area {area[row]:.3f}", rate, recall)
        for name, row, (rate, recall, _) in zip(names, rows, curves, strict=True)
    )
    pr = tuple(
        Curve(f"{name}: average {average[row]:.3f}", recall, precision)
        for name, row, (_, recall, precision) in zip(names, rows, curves, strict=True)
    )
    return [
        Curves("ROC", "False positive rate", "Recall", roc, ((0.0, 0.0), (1.0, 1.0)), note),
        Curves("Precision and recall", "Recall", "Precision", pr, (), note),
    ]


def draw(image: Image, result: ClassScores, target: Target, scoring: Scoring) -> Image:
    """The picture as it is: words say the rest."""
    del result, target, scoring
    return image


def decide(observations: Sequence[Observation], scoring: Scoring, goal: Goal) -> Decided:
    """Temperature, then thresholds by the scores that it makes.

    Classes that exclude each other have thresholds only where a floor is asked for, or there are two: among more, the
    highest score is the best answer there is.
    """
    answers = _answers(observations, scoring)
    truth = answers.truth.argmax(axis=1) if scoring.exclusive else answers.truth
    temperature = fit_temperature(answers.scores, truth, exclusive=scoring.exclusive)
    count = len(answers.labels)
    if not len(observations) or (scoring.exclusive and count > 2 and goal.kind == "f1"):
        return Decided(Decision(temperature=temperature), {})
    scores = at_temperature(answers.scores, temperature, exclusive=scoring.exclusive)
    fitted = fit_thresholds(scores, truth, goal, exclusive=scoring.exclusive)
    reached = {label: one for label, one in zip(answers.labels, fitted, strict=True) if one is not None}
    thresholds = {label: one.threshold for label, one in reached.items()}
    return Decided(Decision(temperature=temperature, thresholds=thresholds), reached)


EVALUATION = Evaluation(
    task="classify",
    kinds=frozenset({"classes"}),
    options=options,
    observe=observe,
    statistic=statistic,
    goals=(("accuracy", True), ("f1_macro", True), ("auroc", True), ("average_precision", True)),
    outcome=outcome,
    figures=figures,
    draw=draw,
    decide=decide,
)
