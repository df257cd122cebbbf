"""Which of two models answers better, on the same pictures, and whether that could be chance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pixelwright import registry
from pixelwright.contract import Evaluation, Scoring
from pixelwright.data.dataset import Dataset, fingerprint
from pixelwright.errors import DataError, UsageError
from pixelwright.metrics import intervals
from pixelwright.metrics.definitions import definition_of, is_share
from pixelwright.metrics.intervals import Difference
from pixelwright.model import Model
from pixelwright.verbs.evaluate.known import remarks_on
from pixelwright.verbs.evaluate.scored import EvaluateOptions, Seen, goals_first, observe, scoring_of, selected
from pixelwright.verbs.tally import Progress

RIGHT_SHARES = ("accuracy", "exact_match")  # the share of pictures whose outcome is right


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """Two models on the same pictures.

    Attributes:
        names: Of both, with version.
        task: Of both.
        dataset: What they were scored on.
        split: Which part of it.
        fingerprint: Of the pictures that both could be scored on.
        differences: All metrics that both have, the task's goals first.
        n: Pictures.
        failures: Ids of the others, and why.
        remarks: What the reader should know, a sentence each.
        rounds: Of bootstrap and permutations.
        seed: Of both.
    """

    names: tuple[str, str]
    task: str
    dataset: Dataset
    split: str
    fingerprint: str
    differences: tuple[Difference, ...]
    n: int
    failures: tuple[tuple[str, str], ...]
    remarks: tuple[str, ...]
    rounds: int
    seed: int

    @property
    def headline(self) -> Difference:
        """The first metric that both have a value of, the task's goals before all others; where none is, the first."""
        return next((one for one in self.differences if np.isfinite(one.difference)), self.differences[0])

    @property
    def verdict(self) -> str:
        """The headline in words."""
        return in_words(self.headline, self.names)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as `compare --json` prints it."""
        return {
            "verdict": self.verdict,
            "first": self.names[0],
            "second": self.names[1],
            "task": self.task,
            "data": {"path": str(self.dataset.root), "split": self.split, "fingerprint": self.fingerprint},
            "n": self.n,
            "failures": [{"id": name, "error": reason} for name, reason in self.failures],
            "remarks": list(self.remarks),
            "comparisons": [_record(one) for one in self.differences],
            "bootstrap": {"rounds": self.rounds, "seed": self.seed},
        }


def compare(
    models: tuple[Model, Model],
    dataset: Dataset,
    options: EvaluateOptions | None = None,
    *,
    split: str = "",
    whole: Dataset | None = None,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> Compared:
    """Score two models on the same pictures, and say by how much the second is better.

    The interval is that of the difference over bootstrap samples of the pictures; the p value is of McNemar's test
    where a metric is the share of right pictures, else of a test that swaps the two answers to a picture at random.

    Args:
        models: For the same task.
        dataset: What to score on.
        options: How.
        split: What to call the part that this is.
        whole: The data set that it is a part of; None where it is all there is.
        on_progress: Called at the start and after each picture.

    Raises:
        UsageError: They are for different tasks, or the data is not for them.
        DataError: There is no picture that both can be scored on.
    """
    options = options or EvaluateOptions()
    first, second = models
    if first.task.name != second.task.name:
        raise UsageError(
            f"{first.bundle.spec.name} is for {first.task.name}, {second.bundle.spec.name} for {second.task.name}: "
            "their scores mean different things. Compare models of one task."
        )
    one, other, failures = _both(models, dataset, options, on_progress)
    rounds = options.rounds or intervals.rounds_for(len(one))
    mark, grouped = fingerprint(selected(dataset, one)), any(seen.group for seen in one)
    known = [
        remarks_on(model.bundle.spec, dataset, mark, seen=len(one), grouped=grouped, whole=whole or dataset)
        for model in models
    ]
    return Compared(
        names=(_named(first), _named(second)),
        task=first.task.name,
        dataset=dataset,
        split=split,
        fingerprint=mark,
        differences=tuple(_differences(one, other, scoring_of(first, dataset, options), rounds, options.seed)),
        n=len(one),
        failures=tuple(failures.items()),
        remarks=tuple(dict.fromkeys(remark for remarks in known for remark in remarks)),
        rounds=rounds,
        seed=options.seed,
    )


def _both(
    models: tuple[Model, Model], dataset: Dataset, options: EvaluateOptions, on_progress: Callable[[Progress], None]
) -> tuple[list[Seen], list[Seen], dict[str, str]]:
    """What each model makes of the pictures that both can be scored on, and why others cannot."""
    scorings = [scoring_of(model, dataset, options) for model in models]
    sides: list[dict[int, Seen]] = []
    failures: dict[str, str] = {}
    for done, (model, scoring) in enumerate(zip(models, scorings, strict=True)):
        seen, failed = observe(model, dataset, scoring, options, _half(on_progress, done))
        sides.append({one.place: one for one in seen})
        failures |= {name: str(error) for name, error in failed}
    common = sorted(sides[0].keys() & sides[1].keys())
    if not common:
        reason = next(iter(failures.values()), "no picture is of a class that is scored")
        raise DataError(f"{dataset.root}: there is no picture that both models can be scored on; the first: {reason}")
    first, second = ([side[place] for place in common] for side in sides)
    return first, second, failures


def _differences(
    one: Sequence[Seen], other: Sequence[Seen], scoring: Scoring, rounds: int, seed: int
) -> list[Difference]:
    """All metrics of both, the task's goals first."""
    evaluation: Evaluation = registry.get("evaluation", scoring.spec.task)
    statistic = evaluation.statistic([seen.observation for seen in (*one, *other)], scoring)
    groups = [seen.group for seen in one]
    found = intervals.compare(statistic, len(one), groups=groups, rounds=rounds, seed=seed)
    if not any(groups):
        found = [_exactly(difference, one, other) for difference in found]
    return goals_first(evaluation, found)


def in_words(one: Difference, names: tuple[str, str]) -> str:
    """A difference as a sentence."""
    unit, factor, digits = (" points", 100, 2) if is_share(one.metric) else ("", 1, 3)
    if one.metric.startswith("psnr"):
        unit, digits = " dB", 2
    amount = abs(one.difference) * factor
    if not one.told_apart:
        reach = (
            ""
            if one.ci95 is None
            else f" (95 %: {one.ci95[0] * factor:+.{digits}f} to {one.ci95[1] * factor:+.{digits}f}{unit})"
        )
        return (
            f"{names[0]} and {names[1]} cannot be told apart by {one.metric} on {one.n} pictures: "
            f"{one.first:.4f} and {one.second:.4f}{reach}, p = {one.p_value:.2g}."
        )
    better = names[1] if (one.difference > 0) == one.higher_is_better else names[0]
    low, high = sorted(abs(end) * factor for end in one.ci95 or ())
    return (
        f"{better} is better by {amount:.{digits}f}{unit} of {one.metric} ({low:.{digits}f} to {high:.{digits}f}), "
        f"p = {one.p_value:.2g}, on {one.n} pictures: {one.first:.4f} and {one.second:.4f}."
    )


def _exactly(one: Difference, first: Sequence[Seen], second: Sequence[Seen]) -> Difference:
    """With McNemar's test where the metric is the share of right pictures."""
    if one.metric not in RIGHT_SHARES:
        return one
    right = [np.array([seen.outcome.right for seen in side], bool) for side in (first, second)]
    alone = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    return replace(one, p_value=intervals.mcnemar(*alone), test="mcnemar")


def _record(one: Difference) -> dict[str, Any]:
    def known(value: float) -> float | None:
        return float(value) if np.isfinite(value) else None

    return {
        "metric": one.metric,
        "first": known(one.first),
        "second": known(one.second),
        "difference": known(one.difference),
        "ci95": list(one.ci95) if one.ci95 else None,
        "p_value": known(one.p_value),
        "test": one.test,
        "n": one.n,
        "told_apart": one.told_apart,
        "definition": definition_of(one.metric).id,
    }


def _named(model: Model) -> str:
    return f"{model.bundle.spec.name} {model.bundle.spec.version}"


def _half(on_progress: Callable[[Progress], None], done: int) -> Callable[[Progress], None]:
    """The progress of one of two passes."""

    def tell(progress: Progress) -> None:
        total = progress.total or 0
        on_progress(Progress(progress.done + done * total, progress.failed, 2 * total))

    return tell
