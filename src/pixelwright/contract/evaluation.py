"""Evaluation: what a task adds so that its answers can be scored."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwright.contract.task import PredictOptions
from pixelwright.data.dataset import Dataset, Kind
from pixelwright.errors import UsageError
from pixelwright.metrics.calibration import Fitted, Goal
from pixelwright.metrics.figures import Figure
from pixelwright.metrics.score import Statistic
from pixelwright.structures.image import Image
from pixelwright.structures.spec import BundleSpec, Decision
from pixelwright.structures.targets import Target

NAMED = 12  # labels in a message

# VOC and the first COCO models write these otherwise than COCO's own files.
SAME = {"motorbike": "motorcycle", "aeroplane": "airplane", "sofa": "couch", "tvmonitor": "tv"}


@dataclass(frozen=True, slots=True)
class Scoring:
    """How answers of a bundle and the truth of a data set meet: by the names of their labels.

    Attributes:
        labels: What is scored, in the data's order: ids in targets and observations are positions in it.
        spec: The bundle's contract, with the thresholds at which it answers.
        exclusive: Whether a picture has exactly one class.
        void_id: The class of the truth's label maps that does not count, or None.
        left_out: Positions of labels that are in the data and are not scored.
        masks: Whether things in the data have masks.
    """

    labels: tuple[str, ...]
    spec: BundleSpec
    exclusive: bool = True
    void_id: int | None = None
    left_out: frozenset[int] = frozenset()
    masks: bool = False

    @classmethod
    def of(cls, dataset: Dataset, spec: BundleSpec, classes: Sequence[str] = ()) -> Scoring:
        """The scoring of a bundle on a data set.

        Args:
            dataset: What it is scored on.
            spec: The bundle's contract.
            classes: Score these labels only, and leave out what the data says of others.

        Raises:
            UsageError: The data has labels that the bundle does not know; both are listed.
        """
        unknown = [label for label in classes if label not in dataset.labels]
        if unknown:
            raise UsageError(
                f"--classes {', '.join(unknown)}: the data has no such label. It has: {_listed(dataset.labels)}"
            )
        wanted = [place for place, label in enumerate(dataset.labels) if not classes or label in classes]
        void = dataset.void_id
        met = set(_meetings(dataset.labels, tuple(spec.output.labels)).values())
        missing = [dataset.labels[place] for place in wanted if place not in met and place != void]
        if missing:
            raise UsageError(_mismatch(missing, dataset, spec))
        left_out = frozenset(range(len(dataset.labels))) - frozenset(wanted)
        return cls(dataset.labels, spec, dataset.exclusive, void, left_out, dataset.kind == "instances")

    @property
    def scored(self) -> list[int]:
        """Positions of the labels that are scored."""
        return [place for place in range(len(self.labels)) if place not in self.left_out and place != self.void_id]

    def places(self, labels: Sequence[str]) -> npt.NDArray[np.intp]:
        """For each of a result's labels its position in `labels`; -1 where the data has none of that name."""
        met = _meetings(self.labels, tuple(self.spec.output.labels))
        found = np.array([met.get(label, -1) for label in labels], np.intp)
        return np.where(np.isin(found, list(self.left_out)), -1, found) if self.left_out else found


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one picture, for tables and for finding the worst.

    Attributes:
        quality: The larger, the better the answer; comparable within one task.
        right: Whether the answer was right, where that can be said.
        confidence: How sure the model was of its answer, 0..1, where it says.
        said: The answer in words.
        true: The truth in words.
    """

    quality: float
    right: bool | None = None
    confidence: float | None = None
    said: str = ""
    true: str = ""


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision fitted to a goal, and what it does on the data it was fitted on.

    Attributes:
        decision: Temperature and thresholds.
        reached: For each label with a threshold of its own how well it does; labels that the data has no example of
            have none.
    """

    decision: Decision
    reached: Mapping[str, Fitted]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One row of the registry; its name is the task's.

    Attributes:
        task: Registry name of the task.
        kinds: Of data that it can be scored on.
        options: The bundle's contract to what to ask of the task: every score, however low.
        observe: `(result, target, scoring)` to what one picture contributes: small, and NumPy or plain Python. A
            `Raster` among the results is read here. None where the picture does not count: its class is not scored.
            Raises `DataError` where the truth does not fit the picture.
        statistic: `(observations, scoring)` to the function that turns picks of them into all metrics. What does not
            depend on the picks is computed once, here.
        goals: Metrics that can choose between models, the default first (see `goals_for`); of each, whether more is
            better.
        outcome: `(observation, scoring)` to what became of that picture.
        figures: `(observations, scoring)` to curves, confusions and whatever else a report shows.
        draw: `(upright picture in 8-bit sRGB, result, target, scoring)` to a picture that shows answer and truth.
        shows: A sentence on what is to be seen on these pictures.
        decide: `(observations, scoring, goal)` to temperature and thresholds that reach a goal: what was observed of a
            calibration split that nothing else is measured on, by a contract without any decision. None where a task's
            answers have no scores.
    """

    task: str
    kinds: frozenset[Kind]
    options: Callable[[BundleSpec], PredictOptions]
    observe: Callable[[Any, Target, Scoring], Any]
    statistic: Callable[[Sequence[Any], Scoring], Statistic]
    goals: tuple[tuple[str, bool], ...]
    outcome: Callable[[Any, Scoring], Outcome]
    figures: Callable[[Sequence[Any], Scoring], Sequence[Figure]]
    draw: Callable[[Image, Any, Target, Scoring], Image]
    shows: str = ""
    decide: Callable[[Sequence[Any], Scoring, Goal], Decided] | None = None

    def goals_for(self, metrics: Collection[str]) -> list[str]:
        """Those of the goals that are among some metrics, the default first: where masks are measured, by masks."""
        return sorted((name for name, _ in self.goals if name in metrics), key=lambda name: "mask_" not in name)


def met_by_number(data: Sequence[str], model: Sequence[str]) -> bool:
    """Whether the data has numbers only, among them all places of the model's labels, which are no numbers."""
    if not model or any(label.isdecimal() for label in model) or not all(label.isdecimal() for label in data):
        return False
    places = [int(label) for label in data]
    return len(set(places)) == len(places) and set(range(len(model))) <= set(places)


@lru_cache(maxsize=64)
def _meetings(data: tuple[str, ...], model: tuple[str, ...]) -> dict[str, int]:
    """Each label of a model with the place of the data's label that it means.

    Those written alike come first; then those that differ in case, spaces and hyphens alone, or in what `SAME` says,
    where only one of the data's labels can be meant. Numbers are places in the model's order (`met_by_number`).
    """
    if met_by_number(data, model):
        return {model[int(number)]: place for place, number in enumerate(data) if int(number) < len(model)}
    exact = {label: place for place, label in enumerate(data)}
    met = {label: exact[label] for label in model if label in exact}
    rest: dict[str, list[int]] = {}
    for place, label in enumerate(data):
        if place not in met.values():
            rest.setdefault(_plain(label), []).append(place)
    for label in model:
        if label not in met and len(places := rest.get(_plain(label), [])) == 1:
            met[label] = places[0]
    return met


def _plain(label: str) -> str:
    plain = re.sub(r"[\s_-]+", "", label.casefold())
    return SAME.get(plain, plain)


def _mismatch(missing: Sequence[str], dataset: Dataset, spec: BundleSpec) -> str:
    near = {label: get_close_matches(label, spec.output.labels, 1) for label in missing[:NAMED]}
    hints = [f"{label!r} may be its {found[0]!r}" for label, found in near.items() if found]
    known = spec.output.labels
    hint = f"Perhaps {', '.join(hints)}. " if hints else ""
    if all(label.isdecimal() for label in dataset.labels):
        hint = (
            f"The data has numbers only, and not just 0 to {len(known) - 1}, which would be taken for the model's "
            "labels in its order; one that stands for nothing known is named by --void. "
        )
    return (
        f"{dataset.root}: {len(missing)} of the data's {len(dataset.labels)} labels are unknown to {spec.name}: "
        f"{_listed(missing)}. It knows {len(known)}: {_listed(known)}. {hint}"
        "Labels are matched by name: name those of the data (--labels), or score only some of them (--classes)."
    )


def _listed(labels: Sequence[str]) -> str:
    shown = ", ".join(labels[:NAMED])
    return f"{shown}, and {len(labels) - NAMED} more" if len(labels) > NAMED else shown or "none"
