"""Answers of a model to the pictures of a data set, scored: one pass, no picture is kept, a bad one stops nobody."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from pixelwright import registry
from pixelwright.contract import Evaluation, Outcome, Scoring
from pixelwright.data.dataset import Dataset, Sample, fingerprint
from pixelwright.errors import DataError, ImageError, UsageError
from pixelwright.io.icc import to_srgb
from pixelwright.metrics import intervals
from pixelwright.metrics.intervals import Difference
from pixelwright.metrics.score import Score, Statistic
from pixelwright.model import Model, Opened
from pixelwright.ops import color, resample
from pixelwright.structures.image import Image
from pixelwright.structures.raster import Raster
from pixelwright.structures.targets import Target
from pixelwright.verbs.evaluate.known import remarks_on
from pixelwright.verbs.tally import Progress

BRIGHTNESS_HW = (64, 64)  # a JPEG is decoded no larger to see how bright it is

Change = Callable[[Image, int], Image]
Row = TypeVar("Row", Score, Difference)


@dataclass(frozen=True, slots=True)
class EvaluateOptions:
    """How answers are scored.

    Attributes:
        classes: Score these labels only; empty for all of the data's.
        seed: Of the bootstrap and of whatever is drawn.
        rounds: Of the bootstrap; None for `metrics.intervals.rounds_for`.
        noise_sigma: Clean pictures get Gaussian noise of this standard deviation (0..255) to be restored from; None
            where there is none. Nothing else is done with it.
        look: Whether to see how bright the pictures are, for slices.
        change: What is done to each picture, with its number, before the model sees it; None for nothing.
    """

    classes: tuple[str, ...] = ()
    seed: int = 0
    rounds: int | None = None
    noise_sigma: float | None = None
    look: bool = False
    change: Change | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """One picture that was scored.

    Attributes:
        place: Of its sample in the data set.
        id: Of its sample.
        group: Of its sample.
        observation: What its scores rest on.
        outcome: What became of it.
        pixels: Of the picture.
        brightness: Mean luma, 0..1; NaN where nobody looked.
    """

    place: int
    id: str
    group: str
    observation: Any
    outcome: Outcome
    pixels: int
    brightness: float


@dataclass(frozen=True, slots=True, eq=False)
class Evaluated:
    """How well a model answers.

    Attributes:
        model: What was scored.
        dataset: On what.
        split: Which part of it, as asked for.
        fingerprint: Of the pictures that were scored.
        scores: All metrics with intervals, the task's goals first.
        seen: The pictures that were scored, in order.
        failures: Ids of the others, and why.
        remarks: What the reader of the scores should know, a sentence each.
        rounds: Of the bootstrap.
        seed: Of the bootstrap.
        seconds: What it took.
        scoring: How labels met.
    """

    model: Model
    dataset: Dataset
    split: str
    fingerprint: str
    scores: tuple[Score, ...]
    seen: tuple[Seen, ...]
    failures: tuple[tuple[str, str], ...]
    remarks: tuple[str, ...]
    rounds: int
    seed: int
    seconds: float
    scoring: Scoring
    _statistic: Statistic | None = field(default=None, repr=False)

    @property
    def statistic(self) -> Statistic:
        """All metrics of any picks of the pictures."""
        return self._statistic or self.evaluation.statistic([one.observation for one in self.seen], self.scoring)

    @property
    def evaluation(self) -> Evaluation:
        """How the task is scored."""
        return registry.get("evaluation", self.model.task.name)

    def score(self, metric: str) -> Score | None:
        """One score by its name."""
        return next((score for score in self.scores if score.metric == metric), None)

    @property
    def headline(self) -> Score:
        """The first score that has a value, those of the task's goals before all others; where none has, the first."""
        return next((score for score in self.scores if np.isfinite(score.value)), self.scores[0])

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as `evaluate --json` prints it."""
        spec = self.model.bundle.spec
        return {
            "metrics": [score.to_dict() for score in self.scores],
            "model": f"{spec.name} {spec.version}",
            "task": spec.task,
            "data": {
                "path": str(self.dataset.root),
                "layout": self.dataset.layout,
                "split": self.split,
                "fingerprint": self.fingerprint,
                "labels": list(self.scoring.labels),
            },
            "n": len(self.seen),
            "failed": len(self.failures),
            "failures": [{"id": name, "error": reason} for name, reason in self.failures],
            "remarks": list(self.remarks),
            "runtime": self.model.runtime.name,
            "precision": self.model.precision,
            "bootstrap": {"rounds": self.rounds, "seed": self.seed},
            "seconds": round(self.seconds, 3),
        }


def evaluate(
    model: Model,
    dataset: Dataset,
    options: EvaluateOptions | None = None,
    *,
    split: str = "",
    whole: Dataset | None = None,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> Evaluated:
    """Score a model on a data set.

    The same pictures in any order of work give the same scores: neither the number of threads nor that of pictures
    in a batch matters, beyond what the runtime's own arithmetic makes of them.

    Args:
        model: What to score, with its runtime and threads.
        dataset: On what.
        options: How.
        split: What to call the part that this is.
        whole: The data set that it is a part of; None where it is all there is.
        on_progress: Called at the start and after each picture.

    Raises:
        UsageError: The task cannot be scored, the data is of another kind, or its labels are not the model's.
        ImageError: Not one picture can be read.
        DataError: Not one picture can be scored.
    """
    options = options or EvaluateOptions()
    start = time.perf_counter()
    scoring = scoring_of(model, dataset, options)
    seen, failures = observe(model, dataset, scoring, options, on_progress)
    if not seen:
        _raise_nothing(dataset, failures)
    evaluation: Evaluation = registry.get("evaluation", model.task.name)
    statistic = evaluation.statistic([one.observation for one in seen], scoring)
    rounds = options.rounds or intervals.rounds_for(len(seen))
    groups = [one.group for one in seen]
    scores = intervals.measure(statistic, len(seen), groups=groups, rounds=rounds, seed=options.seed)
    mark = fingerprint(selected(dataset, seen))
    return Evaluated(
        model=model,
        dataset=dataset,
        split=split,
        fingerprint=mark,
        scores=tuple(goals_first(evaluation, scores)),
        seen=tuple(seen),
        failures=tuple((name, str(error)) for name, error in failures),
        remarks=tuple(
            remarks_on(model.bundle.spec, dataset, mark, seen=len(seen), grouped=any(groups), whole=whole or dataset)
        ),
        rounds=rounds,
        seed=options.seed,
        seconds=time.perf_counter() - start,
        scoring=scoring,
        _statistic=statistic,
    )


def goals_first(evaluation: Evaluation, rows: Sequence[Row]) -> list[Row]:
    """Scores or differences with those of the task's goals at the front, the default first of all."""
    goals = evaluation.goals_for([row.metric for row in rows])
    return sorted(rows, key=lambda row: goals.index(row.metric) if row.metric in goals else len(goals))


def scoring_of(model: Model, dataset: Dataset, options: EvaluateOptions) -> Scoring:
    """How a model's answers and a data set's truth meet.

    Raises:
        UsageError: They do not: the task is not scored, the data is of another kind, or its labels are unknown.
    """
    task = model.task.name
    if task not in registry.names("evaluation"):
        known = ", ".join(registry.names("evaluation"))
        raise UsageError(f"{model.bundle.spec.name} is for {task}, which is not scored. Scored are: {known}.")
    evaluation: Evaluation = registry.get("evaluation", task)
    if dataset.kind not in evaluation.kinds:
        raise UsageError(
            f"{dataset.root}: holds {dataset.kind} ({dataset.layout}), and {task} is scored on "
            f"{' or '.join(sorted(evaluation.kinds))}. Name the layout (--layout), or another model."
        )
    scale = int(model.bundle.spec.output.parameters.get("scale", 1))
    if dataset.kind == "clean" and scale == 1 and options.noise_sigma is None:
        raise UsageError(
            f"{dataset.root}: holds clean pictures only. Give pairs of worse and better pictures, or say how much "
            "noise to add (--noise 25)."
        )
    if not dataset.samples:
        raise DataError(f"{dataset.root}: there is no picture to score on.")
    return Scoring.of(dataset, model.bundle.spec, options.classes)


def observe(
    model: Model,
    dataset: Dataset,
    scoring: Scoring,
    options: EvaluateOptions,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> tuple[list[Seen], list[tuple[str, Exception]]]:
    """What each picture contributes, in order, and the pictures that could not be used with the reason."""
    evaluation: Evaluation = registry.get("evaluation", model.task.name)
    source = Source(dataset, int(model.bundle.spec.output.parameters.get("scale", 1)), options)

    def then(opened: Opened, result: Any) -> Seen | None:
        place, sample = opened.source
        observation = evaluation.observe(result, source.truth(place, sample), scoring)
        if observation is None:
            return None
        brightness = _brightness(opened.raster) if options.look else float("nan")
        height, width = opened.raster.size_hw
        outcome = evaluation.outcome(observation, scoring)
        return Seen(place, sample.id, sample.group, observation, outcome, height * width, brightness)

    asked = evaluation.options(scoring.spec)
    seen: list[Seen] = []
    failures: list[tuple[str, Exception]] = []
    on_progress(Progress(0, 0, len(dataset)))
    numbered = enumerate(dataset.samples)
    with closing(model.apply(numbered, then, options=asked, open_source=source.open, count=len(dataset))) as outcomes:
        for done, outcome in enumerate(outcomes, 1):
            if outcome.error is not None:
                failures.append((outcome.item[1].id, outcome.error))
            elif outcome.result is not None:
                seen.append(outcome.result)
            on_progress(Progress(done, len(failures), len(dataset)))
    return seen, failures


@dataclass(frozen=True, slots=True)
class Source:
    """Where the model's pictures and their truth come from: the data set's own, changed or made worse as asked for."""

    dataset: Dataset
    scale: int
    options: EvaluateOptions

    def open(self, numbered: tuple[int, Sample]) -> Raster:
        """What the model sees."""
        place, sample = numbered
        if self.dataset.kind != "clean" and self.options.change is None:
            return sample.picture.open()
        image = sample.read()
        if self.dataset.kind == "clean":
            image = self._worse(self._cut(image), place)
        if self.options.change is not None:
            image = self.options.change(image, place)
        return Raster.of(image)

    def truth(self, place: int, sample: Sample) -> Target:
        """What is true of it.

        Raises:
            DataError: Nothing is known of it.
        """
        if self.dataset.kind == "clean":
            return self._cut(sample.read())
        target = sample.truth()
        if target is None:
            raise DataError(f"{sample.id}: nothing is known of it, so it cannot be scored.")
        return target

    def _cut(self, image: Image) -> Image:
        """As 8 bit without alpha, its sides multiples of the scale."""
        image = color.to_8_bit(color.flatten_alpha(image))
        height, width = (side - side % self.scale for side in image.size_hw)
        return image.replace(pixels=image.pixels[:height, :width])

    def _worse(self, image: Image, place: int) -> Image:
        pixels = image.pixels
        if self.scale > 1:
            size_hw = (image.size_hw[0] // self.scale, image.size_hw[1] // self.scale)
            pixels = resample.resize(pixels, size_hw, kernel="bicubic")
        if self.options.noise_sigma is not None:
            generator = np.random.default_rng((self.options.seed, place))
            noisy = pixels + generator.normal(0, self.options.noise_sigma, pixels.shape)
            pixels = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
        return image.replace(pixels=pixels)


def rgb_of(raster: Raster, at_least_hw: tuple[int, int] | None = None) -> Image:
    """The upright picture as 8-bit sRGB."""
    image = to_srgb(raster.read(at_least_hw=at_least_hw))
    return color.to_rgb(color.to_8_bit(color.flatten_alpha(image)))


def chosen(evaluated: Evaluated, seen: Sequence[Seen]) -> Iterator[tuple[Seen, Image, Any, Target]]:
    """Some pictures again, with answer and truth, to be shown; one that cannot be read any more is left out."""
    model, options = evaluated.model, EvaluateOptions(seed=evaluated.seed)
    source = Source(evaluated.dataset, int(model.bundle.spec.output.parameters.get("scale", 1)), options)
    asked = evaluated.evaluation.options(evaluated.scoring.spec)
    by_place = {one.place: one for one in seen}

    def then(opened: Opened, result: Any) -> tuple[Image, Any, Target]:
        made = result.read() if isinstance(result, Raster) else result
        return rgb_of(opened.raster), made, source.truth(*opened.source)

    samples = [(one.place, evaluated.dataset.samples[one.place]) for one in seen]
    with closing(model.apply(samples, then, options=asked, open_source=source.open, count=len(samples))) as outcomes:
        for done in outcomes:
            if done.result is not None:
                yield by_place[done.item[0]], *done.result


def selected(dataset: Dataset, seen: Sequence[Seen]) -> Dataset:
    """The data set with those of its samples that were scored."""
    return dataset.only(dataset.samples[one.place] for one in seen)


def _brightness(raster: Raster) -> float:
    if not (raster.color.is_gray or raster.color.is_rgb):  # a sequence, say
        return float("nan")
    pixels = rgb_of(raster, BRIGHTNESS_HW).pixels
    return float((pixels.reshape(-1, 3).mean(axis=0) @ np.array([0.299, 0.587, 0.114])) / 255)  # BT.601


def _raise_nothing(dataset: Dataset, failures: Sequence[tuple[str, Exception]]) -> None:
    if not failures:
        raise DataError(f"{dataset.root}: none of its {len(dataset)} pictures is of a class that is scored.")
    reason = f"none of {len(failures)} pictures can be scored; the first: {failures[0][1]}"
    if all(isinstance(error, ImageError) for _, error in failures):
        raise ImageError(dataset.root, reason)
    raise DataError(f"{dataset.root}: {reason}")
