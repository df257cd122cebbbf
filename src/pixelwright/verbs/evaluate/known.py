"""What the reader of scores should know: whether the bundle has met these pictures before, and what was left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from pixelwright.contract.evaluation import met_by_number
from pixelwright.data.dataset import Dataset, fingerprint
from pixelwright.data.layout import Hints
from pixelwright.data.opening import open_dataset
from pixelwright.data.splits import Splits, split
from pixelwright.errors import PixelwrightError
from pixelwright.metrics.intervals import too_few
from pixelwright.structures.spec import BundleSpec, Data
from pixelwright.verbs.evaluate.parts import split_options

STATED = 4  # scores that are repeated


def remarks_on(
    spec: BundleSpec, dataset: Dataset, mark: str, *, seen: int, grouped: bool, whole: Dataset
) -> Iterator[str]:
    """A sentence on each.

    Args:
        spec: The bundle's contract.
        dataset: What was scored on.
        mark: Fingerprint of the pictures that were scored.
        seen: How many.
        grouped: Whether they belong to groups.
        whole: The data set that this is a part of, or is.
    """
    yield from _met(spec, mark)
    yield from _met_parts(spec, dataset, whole, mark)
    if met_by_number(dataset.labels, spec.output.labels):
        last = len(spec.output.labels) - 1
        first = f"0 was taken for {spec.output.labels[0]}, {last} for {spec.output.labels[last]}"
        yield f"The data has numbers only, which are taken for the model's labels in its order: {first}."
    if grouped:
        yield "Intervals draw whole groups of pictures that belong together."
    if few := too_few(seen):
        yield few
    if dataset.faults:
        lost = sum(fault.lost for fault in dataset.faults)
        first = dataset.faults[0]
        yield f"The data has {len(dataset.faults)} faults, for which {lost} were left out; the first: {first.what}"
    exclusive = dataset.kind == "classes" and dataset.exclusive
    if exclusive and spec.decision.thresholds:
        yield "Precision, recall and F1 are those of answers at the bundle's thresholds; accuracy is of highest scores."


def _met(spec: BundleSpec, mark: str) -> Iterator[str]:
    """Whether the bundle has met exactly these pictures."""
    for one in spec.provenance.data:
        if one.fingerprint == mark:
            yield f"{spec.name} was trained on exactly these pictures{_called(one)}: the scores say what it remembers."
    fitted = spec.decision.data
    if fitted and fitted.fingerprint == mark:
        named = f"exactly these pictures{_called(fitted)}"
        yield f"Thresholds of {spec.name} were fitted on {named}: the scores flatter it."
    rows = [row for row in spec.measured if row.data.fingerprint == mark]
    if rows:
        stated = ", ".join(f"{row.metric} {row.value:.4g}" for row in rows[:STATED])
        yield f"{spec.name} states its own scores on exactly these pictures{_called(rows[0].data)}: {stated}."


def _met_parts(spec: BundleSpec, dataset: Dataset, whole: Dataset, mark: str) -> Iterator[str]:
    """How many of the pictures its training learned from, or set thresholds on, with the parts made as it made them."""
    scored = {sample.id for sample in dataset.samples}
    if not spec.provenance.data or not any(one.id in scored for one in whole.samples if one.split in ("", "train")):
        return  # a part that the data states itself: nobody need read all the others to know
    learned, tried = {one.fingerprint for one in spec.provenance.data}, 0
    for tried, parts in enumerate(_parts(spec, whole), 1):  # noqa: B007 (told of below)
        if fingerprint(parts.train) in learned:
            break
    else:
        if tried > 1 or (tried and len(scored) < len(whole)):
            yield (
                f"{spec.name} was trained on other data, or these have changed since, or some of them cannot be read: "
                "it may have been trained on some of these pictures."
            )
        return
    for part, what in ((parts.train, "was trained on"), (parts.calibration, "set its thresholds on")):
        count = sum(sample.id in scored for sample in part.samples)
        if count and fingerprint(part) != mark:
            yield f"{spec.name} {what} {count} of these {len(scored)} pictures: the scores flatter it."


def _parts(spec: BundleSpec, whole: Dataset) -> Iterator[Splits]:
    """The parts that its training would make: of the data as they were opened, and with the training's own groups.

    Parts that cannot be made are left out: there may be nothing to learn from, or no such groups.
    """
    made = spec.provenance.splitting
    if (parts := _split(spec, whole)) is not None:
        yield parts
    if made is None or not (made.group or any(sample.group for sample in whole.samples)):
        return
    hints = Hints(kinds=frozenset({whole.kind}), group=made.group)
    try:
        again = open_dataset(whole.root, layout=whole.layout, hints=hints)
    except PixelwrightError:
        return
    groups = {sample.id: sample.group for sample in again.samples}
    regrouped = whole.only(replace(one, group=groups.get(one.id, "")) for one in whole.samples)
    if (parts := _split(spec, regrouped)) is not None:
        yield parts


def _split(spec: BundleSpec, whole: Dataset) -> Splits | None:
    try:
        return split(whole, split_options(spec))
    except PixelwrightError:
        return None


def _called(data: Data) -> str:
    return f" ({' '.join(part for part in (data.name, data.split) if part)})"
