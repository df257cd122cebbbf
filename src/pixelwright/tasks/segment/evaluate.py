"""How well the class of each pixel is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwright.contract import Evaluation, Outcome, PredictOptions, Scoring
from pixelwright.errors import DataError
from pixelwright.metrics.figures import ByClass, Confusion, Figure, Histogram
from pixelwright.metrics.overlap import boundary_scores, map_confusion, region_scores
from pixelwright.metrics.score import Picks, Statistic, mean_of_known
from pixelwright.ops.draw import color_of
from pixelwright.structures.image import Image
from pixelwright.structures.label_map import LabelMap
from pixelwright.structures.spec import BundleSpec
from pixelwright.structures.targets import Target

BINS = 20
OPACITY = 0.55
WRONG = (255, 60, 40)
GAP_PX = 4
OTHERS = "other labels"

Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """One picture's pixels, counted.

    Attributes:
        cells: (M,) places in the confusion (K + 1, K + 1), row by row, where there is anything. The last row is what
            is known and not scored, the last column what is answered and no label of the data.
        counts: (M,) pixels of each.
        boundaries: (K,) F-measure of each class's contours; NaN where the class is in neither map.
    """

    cells: npt.NDArray[np.int32]
    counts: npt.NDArray[np.int64]
    boundaries: npt.NDArray[np.float32]


def options(spec: BundleSpec) -> PredictOptions:
    """Nothing but what the bundle decides."""
    del spec
    return PredictOptions()


def observe(result: LabelMap, target: Target, scoring: Scoring) -> Observation:
    """What a picture contributes.

    Raises:
        DataError: The truth is of another kind or size.
    """
    truth, said = _sides(result, target, scoring)
    count = len(scoring.labels)
    confusion = map_confusion(truth, said, count + 1)[:, : count + 1]
    cells = np.flatnonzero(confusion)
    boundaries = np.full(count, np.nan, np.float32)
    scored = scoring.scored
    boundaries[scored] = boundary_scores(truth, said, scored, void=count + 1)
    return Observation(cells.astype(np.int32), confusion.ravel()[cells], boundaries)


def _sides(result: LabelMap, target: Target, scoring: Scoring) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Truth and answer as positions in the data's labels; K for others, K + 1 where nothing is known."""
    if not isinstance(target, LabelMap):
        raise DataError(f"expected a label map to score against, got {type(target).__name__}.")
    if target.size_hw != result.size_hw:
        raise DataError(f"the label map has {target.size_hw} pixels (rows, columns), its picture {result.size_hw}.")
    count = len(scoring.labels)
    truth = np.full(65_536, count + 1, np.uint16)
    scored = scoring.scored
    truth[list(scoring.left_out - {scoring.void_id})] = count
    truth[scored] = scored
    said = np.full(65_536, count, np.uint16)
    places = scoring.places(result.labels)
    known = np.flatnonzero(places >= 0)
    said[known] = places[known]
    if result.void_id is not None:
        said[result.void_id] = count
    return truth[target.ids], said[result.ids]


def statistic(observations: Sequence[Observation], scoring: Scoring) -> Statistic:
    """Overlap of all pictures' pixels together, and contours by picture."""
    count, scored = len(scoring.labels), scoring.scored
    names = [scoring.labels[one] for one in scored]
    cells = np.concatenate([np.zeros(0, np.int32), *(one.cells for one in observations)])
    counts = np.concatenate([np.zeros(0, np.int64), *(one.counts for one in observations)])
    pictures = np.repeat(np.arange(len(observations)), [len(one.cells) for one in observations])
    contours = np.stack([one.boundaries for one in observations]) if observations else np.zeros((0, count))
    there = np.isfinite(contours)

    def over(picks: Picks) -> Mapping[str, float]:
        weights = np.bincount(picks, minlength=len(observations)).astype(np.float64)
        total = np.bincount(cells, counts * weights[pictures], (count + 1) ** 2).reshape(count + 1, count + 1)
        iou, dice, share = region_scores(total)
        with np.errstate(invalid="ignore", divide="ignore"):
            boundary = (weights @ np.where(there, contours, 0)) / (weights @ there)
        values = {
            "mIoU": mean_of_known(iou[scored]),
            "dice": mean_of_known(dice[scored]),
            "pixel_accuracy": share,
            "boundary_f": mean_of_known(boundary[scored]),
        }
        for name, of_class in (("IoU", iou), ("dice", dice), ("boundary_f", boundary)):
            values |= {f"{name}/{label}": float(of_class[one]) for label, one in zip(names, scored, strict=True)}
        return values

    return over


def outcome(observation: Observation, scoring: Scoring) -> Outcome:
    """What became of a picture: the mean IoU of its classes, and the mistake that took most pixels."""
    counts = _dense(observation, len(scoring.labels))
    iou, _, share = region_scores(counts)
    names = (*scoring.labels, OTHERS)
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    row, column = np.unravel_index(int(wrong.argmax()), wrong.shape)
    total = counts.sum()
    part = wrong[row, column] / total if total else 0.0
    shares = counts.sum(axis=1) / max(1, total)
    true = ", ".join(f"{names[one]} {shares[one]:.0%}" for one in np.argsort(-shares)[:3] if shares[one] > 0)
    said = f"{share:.1%} right" + (f"; {names[row]} taken for {names[column]} {part:.1%}" if part > 0 else "")
    return Outcome(mean_of_known(iou[scoring.scored]), bool(part == 0), None, said, true or "nothing that counts")


def _dense(observation: Observation, count: int) -> npt.NDArray[np.int64]:
    flat = np.zeros((count + 1) ** 2, np.int64)
    flat[observation.cells] = observation.counts
    return flat.reshape(count + 1, count + 1)


def figures(observations: Sequence[Observation], scoring: Scoring) -> list[Figure]:
    """Confusion of pixels, IoU of each class, and how the pictures spread."""
    count, scored = len(scoring.labels), scoring.scored
    total = np.zeros((count + 1, count + 1), np.int64)
    for one in observations:
        total += _dense(one, count)
    rows, columns = ([*scored, count] if one.any() else scored for one in (total[count], total[:, count]))
    names = (*scoring.labels, OTHERS)
    labels, answers = (tuple(names[one] for one in ids) for ids in (rows, columns))
    quality = np.array([outcome(one, scoring).quality for one in observations])
    counts, edges = np.histogram(quality[np.isfinite(quality)], BINS, (0, 1))
    return [
        Confusion("Confusion of pixels", total[np.ix_(rows, columns)], labels, answers),
        ByClass("IoU of each class", "IoU"),
        Histogram("Mean IoU of single pictures", "Mean IoU", counts, edges),
    ]


def draw(image: Image, result: LabelMap, target: Target, scoring: Scoring) -> Image:
    """Truth, answer, and what is wrong (red), beside each other."""
    truth, said = _sides(result, target, scoring)
    count = len(scoring.labels)
    palette = np.array([*(color_of(one) for one in range(count)), (0, 0, 0), (0, 0, 0)], np.float32)
    pixels = image.pixels.astype(np.float32)
    panels = [pixels * (1 - OPACITY) + palette[ids] * OPACITY for ids in (truth, said)]
    gray = np.repeat(pixels.mean(axis=2, keepdims=True), 3, axis=2)
    wrong = ((truth != said) & (truth <= count))[:, :, None]
    panels.append(np.where(wrong, gray * 0.35 + np.array(WRONG, np.float32) * 0.65, gray))
    gap = np.full((image.pixels.shape[0], GAP_PX, 3), 255, np.float32)
    row = np.concatenate([panels[0], gap, panels[1], gap, panels[2]], axis=1)
    return Image(np.clip(np.rint(row), 0, 255).astype(np.uint8))


EVALUATION = Evaluation(
    task="segment",
    kinds=frozenset({"map"}),
    options=options,
    observe=observe,
    statistic=statistic,
    goals=(("mIoU", True), ("dice", True), ("pixel_accuracy", True), ("boundary_f", True)),
    outcome=outcome,
    figures=figures,
    draw=draw,
    shows="Truth, answer, and the wrong pixels in red.",
)
