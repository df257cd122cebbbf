"""How well things are found: boxes, and masks where both sides have them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwright.contract import Decided, Evaluation, Outcome, PredictOptions, Scoring
from pixelwright.errors import DataError
from pixelwright.metrics import detection as metric
from pixelwright.metrics import precision
from pixelwright.metrics.calibration import Goal, fit_threshold
from pixelwright.metrics.detection import Matched, Truth
from pixelwright.metrics.figures import ByClass, Confusion, Curve, Curves, Figure
from pixelwright.metrics.overlap import Things, things_statistic
from pixelwright.metrics.precision import Steps, Table
from pixelwright.metrics.score import Picks, Statistic
from pixelwright.ops import decision
from pixelwright.ops import draw as paint
from pixelwright.structures.detections import Detections
from pixelwright.structures.image import Image
from pixelwright.structures.masks import Masks
from pixelwright.structures.spec import BundleSpec, Decision
from pixelwright.structures.targets import Annotations, Target
from pixelwright.tasks.detect.predict import DEFAULT_THRESHOLD

LOWEST_SCORE = 0.001  # below, a candidate adds nothing to a curve but time
MOST_THINGS = metric.MOST_OF_CROWDS  # in a picture
MOST_CURVES = 6

RIGHT, WRONG, MISSED = (46, 204, 113), (255, 112, 67), (84, 160, 255)

Flags = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """One picture's matches.

    Attributes:
        boxes: By IoU of boxes.
        masks: By IoU of masks, where truth and answer have them.
        passes: (D,) whether a row of `boxes` reaches the bundle's threshold.
        mask_passes: The same of `masks`.
        taken: For each row of `boxes` that is matched to nothing although it covers a thing that is missed at the
            threshold: that thing's class; -1 elsewhere.
    """

    boxes: Matched
    masks: Matched | None
    passes: Flags
    mask_passes: Flags
    taken: npt.NDArray[np.int32]


def options(spec: BundleSpec) -> PredictOptions:
    """Everything with a score at all, as curves need it."""
    del spec
    return PredictOptions(threshold=LOWEST_SCORE, top_k=MOST_THINGS)


def observe(result: Detections, target: Target, scoring: Scoring) -> Observation:
    """What a picture contributes.

    Raises:
        DataError: The truth is of another kind, or its masks are of another size.
    """
    truth, found, places = _sides(result, target, scoring)
    crowd = _flags(truth.crowd, len(truth))
    counted = ~(crowd | _flags(truth.ignore, len(truth)))
    overlaps = metric.box_overlaps(found.boxes_xyxy, truth.boxes_xyxy, crowd)
    there = Truth(truth.class_ids, _areas(truth), crowd, counted)
    boxes = metric.match(overlaps, found.scores, places, metric.box_areas(found.boxes_xyxy), there)
    masks = None
    if truth.masks is not None and found.masks is not None:
        if truth.masks.size_hw != found.masks.size_hw:
            raise DataError(f"masks are of {truth.masks.size_hw} pixels, the picture has {found.masks.size_hw}.")
        shared = metric.mask_overlaps(found.masks, truth.masks, crowd)
        masks = metric.match(shared, found.scores, places, found.masks.areas.astype(np.float64), there)
    least = decision.thresholds(found.labels, scoring.spec.decision, None, otherwise=DEFAULT_THRESHOLD)
    passes = found.scores >= least
    mask_passes = passes[masks.rows] if masks is not None else np.zeros(0, bool)
    box_passes = passes[boxes.rows]
    taken = _taken(overlaps, boxes, box_passes, truth.class_ids)
    return Observation(boxes, masks, box_passes, mask_passes, taken)


def _sides(result: Detections, target: Target, scoring: Scoring) -> tuple[Annotations, Detections, Rows]:
    """Truth and answer without what is not scored, and the classes of the answer in the data's numbers."""
    if not isinstance(target, Annotations):
        raise DataError(f"expected boxes to score against, got {type(target).__name__}.")
    places = scoring.places(result.labels)
    if scoring.left_out:
        kept = np.flatnonzero(~np.isin(target.class_ids, list(scoring.left_out)))
        target = _some(target, kept)
    return target, result.take(places >= 0), places[places >= 0]


def _some(target: Annotations, rows: Rows) -> Annotations:
    return Annotations(
        boxes_xyxy=target.boxes_xyxy[rows],
        class_ids=target.class_ids[rows],
        masks=target.masks and Masks(target.masks.size_hw, tuple(target.masks.runs[row] for row in rows)),
        crowd=None if target.crowd is None else target.crowd[rows],
        ignore=None if target.ignore is None else target.ignore[rows],
        areas=None if target.areas is None else target.areas[rows],
    )


def _flags(column: Flags | None, count: int) -> Flags:
    return np.zeros(count, bool) if column is None else column


def _areas(truth: Annotations) -> npt.NDArray[Any]:
    if truth.areas is not None:
        return truth.areas.astype(np.float64)
    return metric.box_areas(truth.boxes_xyxy) if truth.masks is None else truth.masks.areas.astype(np.float64)


def _taken(
    overlaps: npt.NDArray[Any], boxes: Matched, passes: Flags, class_ids: npt.NDArray[Any]
) -> npt.NDArray[np.int32]:
    """What a wrong box covers nevertheless: a thing that nothing is matched to that passes."""
    taken = np.full(len(boxes.rows), -1, np.int32)
    open_to = np.flatnonzero(boxes.missed(passes))
    if not len(open_to):
        return taken
    reach = overlaps[np.ix_(boxes.rows, open_to)]
    best = reach.argmax(axis=1)
    wrong = (boxes.mates < 0) & (reach.max(axis=1, initial=0) >= metric.IOUS[0])
    taken[wrong] = class_ids[open_to[best[wrong]]]
    return taken


def statistic(observations: Sequence[Observation], scoring: Scoring) -> Statistic:
    """COCO's numbers of boxes, and of masks, and what the bundle's thresholds make of them."""
    parts: list[Statistic] = []
    sides = [("", [one.boxes for one in observations], [one.passes for one in observations])]
    # Without an observation, whether masks will be scored is up to the data.
    if all(one.masks is not None for one in observations) if observations else scoring.masks:
        masks = [one.masks for one in observations if one.masks is not None]
        sides.append(("mask_", masks, [one.mask_passes for one in observations]))
    for prefix, matched, passes in sides:
        things = [Things.of(one, kept, len(scoring.labels)) for one, kept in zip(matched, passes, strict=True)]
        parts.append(precision.statistic(matched, scoring.labels, prefix=prefix, scored=scoring.scored))
        parts.append(things_statistic(things, scoring.labels, prefix=prefix, scored=scoring.scored))

    def over(picks: Picks) -> Mapping[str, float]:
        return {name: value for part in parts for name, value in part(picks).items()}

    return over


def outcome(observation: Observation, scoring: Scoring) -> Outcome:
    """What became of a picture: F1 of its boxes at IoU 0.5 and the bundle's thresholds."""
    boxes, passes = observation.boxes, observation.passes
    right = passes & _bits(boxes.hits)
    wrong = passes & ~_bits(boxes.hits) & _bits(boxes.counted)
    there = int(boxes.truth_counted[0].sum())
    hits, errors, missed = int(right.sum()), int(wrong.sum()), there - int(right.sum())
    quality = 2 * hits / (2 * hits + errors + missed) if hits + errors + missed else 1.0
    counts = Counter(scoring.labels[one] for one in boxes.truth_ids[boxes.truth_counted[0]])
    return Outcome(
        quality=quality,
        right=not (errors or missed),
        confidence=float(boxes.scores[wrong].max(initial=0.0)),
        said=f"{hits} right, {errors} wrong, {missed} missed",
        true=", ".join(f"{count} {label}" for label, count in counts.most_common()) or "nothing",
    )


def _bits(bits: npt.NDArray[np.uint16]) -> Flags:
    """Whether it is so at IoU 0.5 and any size."""
    return (bits[0] & metric.BITS[metric.FIRST]) != 0


def figures(observations: Sequence[Observation], scoring: Scoring) -> list[Figure]:
    """Precision against recall, confusion at the thresholds, AP of each class."""
    found: list[Figure] = []
    sides = [("boxes", "", [one.boxes for one in observations])]
    if observations and all(one.masks is not None for one in observations):
        sides.append(("masks", "mask_", [one.masks for one in observations if one.masks is not None]))
    for name, prefix, matched in sides:
        found.append(_curves(f"Precision and recall of {name}, IoU 0.5", matched, scoring))
        if len(scoring.scored) > 1:
            found.append(ByClass(f"AP of each class, {name}", f"{prefix}AP"))
    found.append(_confusion(observations, scoring))
    return found


def _curves(title: str, matched: Sequence[Matched], scoring: Scoring) -> Curves:
    table = Table.of(matched, len(scoring.labels), MOST_THINGS)
    average = Steps.of(table).areas(np.ones(len(matched)))[0][metric.FIRST]
    there = table.there(np.ones(len(matched)))
    rows = [one for one in np.argsort(-there, kind="stable") if one in scoring.scored and np.isfinite(average[one])]
    curves = tuple(
        Curve(f"{scoring.labels[one]}: AP50_{MOST_THINGS} {average[one]:.3f}", *table.curve(int(one)))
        for one in rows[:MOST_CURVES]
    )
    note = f"Of up to {MOST_THINGS:,} answers in a picture."
    if len(rows) > MOST_CURVES:
        note = f"The {MOST_CURVES} most frequent classes. {note}"
    return Curves(title, "Recall", "Precision", curves, (), note)


def _confusion(observations: Sequence[Observation], scoring: Scoring) -> Confusion:
    """Each thing to be found by the class it was found as; the last row and column stand for nothing."""
    count = len(scoring.labels)
    counts = np.zeros((count + 1, count + 1), np.int64)
    for one in observations:
        boxes = one.boxes
        right = one.passes & _bits(boxes.hits)
        wrong = one.passes & ~_bits(boxes.hits) & _bits(boxes.counted)
        np.add.at(counts, (boxes.class_ids[right], boxes.class_ids[right]), 1)
        true = np.where(one.taken[wrong] >= 0, one.taken[wrong], count)
        np.add.at(counts, (true, boxes.class_ids[wrong]), 1)
        there = np.bincount(boxes.truth_ids, boxes.truth_counted[0], count)
        accounted = (
            np.bincount(boxes.class_ids[right], minlength=count) + np.bincount(true, minlength=count + 1)[:count]
        )
        counts[:count, count] += np.maximum(0, there - accounted).astype(np.int64)
    kept = [*scoring.scored, count]
    names = (*(scoring.labels[one] for one in scoring.scored), "nothing")
    return Confusion("What was found as what, IoU 0.5", counts[np.ix_(kept, kept)], names, names)


def draw(image: Image, result: Detections, target: Target, scoring: Scoring) -> Image:
    """The picture with what was right (green), wrong (orange) and missed (blue) at the bundle's thresholds."""
    truth, found, _ = _sides(result, target, scoring)
    seen = observe(result, target, scoring)
    matched, passes = (seen.boxes, seen.passes) if seen.masks is None else (seen.masks, seen.mask_passes)
    canvas = paint.canvas(image)
    hits = _bits(matched.hits) & passes
    tags = []
    for row in np.flatnonzero(matched.missed(passes)):  # also what is matched only below the threshold
        _outline(canvas, truth.boxes_xyxy[row], truth.masks, int(row), MISSED)
        tags.append(paint.Tag(scoring.labels[truth.class_ids[row]], tuple(truth.boxes_xyxy[row].tolist()), MISSED))
    for place in np.flatnonzero(passes & _bits(matched.counted))[::-1]:
        row, color = int(matched.rows[place]), RIGHT if hits[place] else WRONG
        _outline(canvas, found.boxes_xyxy[row], found.masks, row, color)
        tags.append(paint.Tag(f"{found.labels[row]} {found.scores[row]:.0%}", found[row].box_xyxy, color))
    if not paint.crowded(canvas, tags):
        paint.tags(canvas, tags)
    return Image(canvas.pixels, source=image.source)


def _outline(canvas: paint.Canvas, box: npt.NDArray[Any], masks: Masks | None, row: int, color: paint.Rgb) -> None:
    if masks is None:
        paint.box(canvas, box.tolist(), color)
        return
    left, top = np.floor(box[:2]).astype(int)
    right, bottom = np.ceil(box[2:]).astype(int)
    mask = masks[row][max(0, top) : bottom, max(0, left) : right]
    if mask.size:
        paint.tint(canvas, mask, (max(0, int(top)), max(0, int(left))), color)


def decide(observations: Sequence[Observation], scoring: Scoring, goal: Goal) -> Decided:
    """A threshold for each class at IoU 0.5, of masks where there are masks."""
    matched = [one.masks or one.boxes for one in observations]
    table, weights = Table.of(matched, len(scoring.labels), MOST_THINGS), np.ones(len(matched))
    there = table.there(weights)
    right, counted = _bits(table.hits), _bits(table.counted)
    reached = {}
    for one in scoring.scored:
        rows = np.flatnonzero((table.class_ids == one) & counted)
        fitted = fit_threshold(table.scores[rows], right[rows], int(there[one]), goal)
        if fitted is not None:
            reached[scoring.labels[one]] = fitted
    return Decided(Decision(thresholds={label: one.threshold for label, one in reached.items()}), reached)


EVALUATION = Evaluation(
    task="detect",
    kinds=frozenset({"boxes", "instances", "keypoints"}),
    options=options,
    observe=observe,
    statistic=statistic,
    goals=(("AP50", True), ("AP", True), ("f1_50", True), ("mask_AP50", True), ("mask_AP", True), ("DSB_AP", True)),
    outcome=outcome,
    figures=figures,
    draw=draw,
    shows="Right is green, wrong orange, missed blue, at the bundle’s thresholds and IoU 0.5.",
    decide=decide,
)
