"""What the reader of scores should know: whether the bundle has met these pictures before, and what was left out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from pixelwright.data.dataset import Dataset, fingerprint
from pixelwright.data.splits import split
from pixelwright.errors import DataError, ImageError
from pixelwright.structures.spec import BundleSpec, Data, Measured

STATED = 4  # scores that are repeated
FEW = 30  # pictures: with fewer, intervals say little


def remarks_on(spec: BundleSpec, dataset: Dataset, mark: str, *, seen: int, grouped: bool) -> Iterator[str]:
    """A sentence on each.

    Args:
        spec: The bundle's contract.
        dataset: What was scored on.
        mark: Fingerprint of the pictures that were scored.
        seen: How many.
        grouped: Whether they belong to groups.
    """
    yield from _met(spec, dataset, mark)
    if grouped:
        yield "Intervals draw whole groups of pictures that belong together."
    if seen < FEW:
        yield f"There are {seen} pictures only: the intervals say little."
    if dataset.faults:
        lost = sum(fault.lost for fault in dataset.faults)
        first = dataset.faults[0]
        yield f"The data has {len(dataset.faults)} faults, for which {lost} were left out; the first: {first.what}"
    exclusive = dataset.kind == "classes" and dataset.exclusive
    if exclusive and spec.decision.thresholds:
        yield "Precision, recall and F1 are those of answers at the bundle's thresholds; accuracy is of highest scores."


def _met(spec: BundleSpec, dataset: Dataset, mark: str) -> Iterator[str]:
    """Where the bundle has met these pictures: the whole, or a part that the data itself names."""
    trained = {one.fingerprint: one for one in spec.provenance.data}
    fitted = {spec.decision.data.fingerprint: spec.decision.data} if spec.decision.data else {}
    measured: dict[str, list[Measured]] = {}
    for row in spec.measured:
        measured.setdefault(row.data.fingerprint, []).append(row)
    if not (trained or fitted or measured):
        return
    for what, found in _marks(dataset, mark, bool(trained or fitted)):
        if found in trained:
            yield f"{spec.name} was trained on {what}{_called(trained[found])}: the scores say what it remembers."
        if found in fitted:
            yield f"Thresholds of {spec.name} were fitted on {what}{_called(fitted[found])}: the scores flatter it."
        if found in measured:
            rows = measured[found]
            stated = ", ".join(f"{row.metric} {row.value:.4g}" for row in rows[:STATED])
            yield f"{spec.name} states its own scores on {what}{_called(rows[0].data)}: {stated}."


def _marks(dataset: Dataset, mark: str, parts: bool) -> Iterator[tuple[str, str]]:  # noqa: FBT001
    yield "exactly these pictures", mark
    if not parts:
        return
    splits = sorted({sample.split for sample in dataset.samples} - {""})
    named = {
        f"in {name}": dataset.only(sample for sample in dataset.samples if sample.split == name) for name in splits
    }
    if not splits:  # then training has made its own, which can be made again
        with suppress(DataError):
            named = {"taken for training": split(dataset).train}
    for where, part in named.items():
        with suppress(ImageError):  # it is among the failures already
            if len(part) < len(dataset):
                yield f"the {len(part)} of these pictures that are {where}", fingerprint(part)


def _called(data: Data) -> str:
    return f" ({' '.join(part for part in (data.name, data.split) if part)})"
