"""How near predicted numbers come to true ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pixelwright.contract import Evaluation, Outcome, PredictOptions, Scoring
from pixelwright.errors import DataError
from pixelwright.metrics import regression
from pixelwright.metrics.figures import ByClass, Figure, Histogram
from pixelwright.metrics.score import Statistic
from pixelwright.ops.draw import caption
from pixelwright.structures.image import Image
from pixelwright.structures.results import NamedValues
from pixelwright.structures.spec import BundleSpec
from pixelwright.structures.targets import Target, Values

BINS = 30
SHOWN = 3

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """One picture's values as predicted and as they are, (V,) each, for the names that are scored, in their order."""

    predicted: Floats
    truth: Floats


def options(spec: BundleSpec) -> PredictOptions:
    """Nothing can be asked for."""
    del spec
    return PredictOptions()


def observe(result: NamedValues, target: Target, scoring: Scoring) -> Observation:
    """What a picture contributes.

    Raises:
        DataError: The truth is of another kind.
    """
    if not isinstance(target, Values):
        raise DataError(f"expected values to score against, got {type(target).__name__}.")
    truth = np.array([target.values[place] for place in scoring.scored], np.float64)
    places = scoring.places(result.names).tolist()
    predicted = np.array([result.values[places.index(place)] for place in scoring.scored], np.float64)
    return Observation(predicted, truth)


def statistic(observations: Sequence[Observation], scoring: Scoring) -> Statistic:
    """MSE, its root, MAE and R²."""
    predicted, truth = _columns(observations, scoring)
    return regression.statistic(predicted, truth, [scoring.labels[place] for place in scoring.scored])


def _columns(observations: Sequence[Observation], scoring: Scoring) -> tuple[Floats, Floats]:
    if not observations:
        none = np.zeros((0, len(scoring.scored)))
        return none, none
    return np.stack([one.predicted for one in observations]), np.stack([one.truth for one in observations])


def outcome(observation: Observation, scoring: Scoring) -> Outcome:
    """What became of a picture: the larger its mean absolute error, the worse."""
    names = [scoring.labels[place] for place in scoring.scored]
    error = float(np.abs(observation.predicted - observation.truth).mean())
    said, true = (
        str(NamedValues(values.astype(np.float32), tuple(names)))
        for values in (observation.predicted, observation.truth)
    )
    return Outcome(-error, said=said, true=true)


def figures(observations: Sequence[Observation], scoring: Scoring) -> list[Figure]:
    """How errors are spread, of each value; and R² of each, where there are several."""
    predicted, truth = _columns(observations, scoring)
    found: list[Figure] = []
    for column, place in enumerate(scoring.scored):
        errors = predicted[:, column] - truth[:, column]
        if len(errors):
            counts, edges = np.histogram(errors, BINS)
            found.append(Histogram(f"Errors of {scoring.labels[place]}", "Prediction - truth", counts, edges))
    if len(scoring.scored) > 1:
        found.append(ByClass("R² of each value", "r2"))
    return found


def draw(image: Image, result: NamedValues, target: Target, scoring: Scoring) -> Image:
    """The picture with its first values and what they should be below it."""
    true = target.values if isinstance(target, Values) else ()
    met = zip(result.names, result.values.tolist(), scoring.places(result.names).tolist(), strict=True)
    lines = [f"{name}  {value:g}, is {true[place]:g}" for name, value, place in met if 0 <= place < len(true)]
    return caption(image, lines[:SHOWN])


EVALUATION = Evaluation(
    task="regress",
    kinds=frozenset({"values"}),
    options=options,
    observe=observe,
    statistic=statistic,
    goals=(("mse", False), ("mae", False), ("rmse", False), ("r2", True)),
    outcome=outcome,
    figures=figures,
    draw=draw,
)
