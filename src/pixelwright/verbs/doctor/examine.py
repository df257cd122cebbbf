"""The examination: every sample is looked at once, a few at a time, and what is kept of each is 2 kB."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pixelwright.data.dataset import Dataset, Fault, Sample
from pixelwright.data.layout import Hints
from pixelwright.data.opening import describe, open_dataset
from pixelwright.data.pictures import FilePicture, Known
from pixelwright.data.splits import SplitOptions, split
from pixelwright.data.tree import Tree
from pixelwright.errors import DataError, ImageError, UsageError
from pixelwright.ops.appearance import THUMB_PX, TINT_PX
from pixelwright.verbs.doctor.copies import Seen, find_copies
from pixelwright.verbs.doctor.finding import CHECKS, Case, Check, Diagnosis, ranked
from pixelwright.verbs.doctor.look import Look, look_at_all
from pixelwright.verbs.doctor.mislabeled import find_mislabeled
from pixelwright.verbs.doctor.sets import Census
from pixelwright.verbs.doctor.truths import OF_SAMPLES, problem_of
from pixelwright.verbs.tally import Progress

OnProgress = Callable[[Progress], None]


def open_patient(path: Path, *, layout: str | None = None, hints: Hints | None = None) -> Dataset:
    """The data set at a path; where none is recognized but pictures are there, these, without any truth.

    Raises:
        DataError: There is no such path, no picture in it, or it is a file that describes no data.
    """
    try:
        return open_dataset(path, layout=layout, hints=hints)
    except DataError as err:
        if layout is not None or not path.exists():
            raise
        tree = Tree.of(path)
        if tree.chosen or not tree.pictures:  # the pictures beside a file are not what was asked for
            raise
        samples = tuple(Sample(name, FilePicture(tree.places[name]), Known(None)) for name in tree.pictures)
        why = Fault(path.resolve().name, str(err).removeprefix(f"{path}: "), kind="stop")
        return Dataset(path, "none", "clean", (), samples, faults=(why,), remarks=("only pictures are looked at",))


def examine(
    dataset: Dataset, *, checks: Collection[Check] = CHECKS, workers: int = 0, on_progress: OnProgress | None = None
) -> Diagnosis:
    """What is wrong with a data set.

    Args:
        dataset: As `open_patient` gives it.
        checks: Which parts of the examination to make.
        workers: Threads; 0 for one a core.
        on_progress: Called after each sample.

    Raises:
        UsageError: No such check, or nothing to look at.

    Example:
        >>> diagnosis = examine(open_patient(Path("flowers")))  # doctest: +SKIP
        >>> [finding.headline for finding in diagnosis.findings]  # doctest: +SKIP
        ['groups of equal pictures in different splits: 2']
    """
    unknown = sorted(set(checks) - set(CHECKS))
    if unknown or not checks:
        raise UsageError(f"checks: expected some of {', '.join(CHECKS)}, got {', '.join(unknown) or 'none'}.")
    began = time.monotonic()
    notes = _Notes.of(dataset)
    for done, (sample, look) in enumerate(look_at_all(dataset, workers or os.cpu_count() or 1), 1):
        notes.take(done - 1, sample, look)
        if on_progress is not None:
            on_progress(Progress(done, notes.failed, len(dataset)))
    remarks = notes.conclude(checks)
    kept = {name: cases for name, cases in notes.cases.items() if cases}
    findings = tuple(one for one in ranked(kept) if one.rule.check in checks)
    read = len(dataset) - notes.failed
    return Diagnosis(
        tuple(describe(dataset)), len(dataset), read, findings, tuple(remarks), time.monotonic() - began
    )  # fmt: skip


def _unlearnable(dataset: Dataset) -> tuple[Fault, ...]:
    """Why a training would stop at once, where it would."""
    if dataset.layout == "none":  # said already
        return ()
    try:
        split(dataset, SplitOptions(by_content=False))  # equal pictures are found otherwise, without reading all again
    except (DataError, ImageError) as err:
        return (Fault(dataset.name, str(err).removeprefix(f"{dataset.root}: "), kind="stop"),)
    return ()


@dataclass(eq=False)
class _Notes:
    """What is kept of the samples while they pass."""

    dataset: Dataset
    census: Census
    seen: Seen
    class_ids: np.ndarray[tuple[int, ...], np.dtype[np.int64]]
    digests: list[bytes]
    answers: list[tuple[float, ...] | None]
    failed: int = 0
    cases: dict[str, list[Case]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def of(cls, dataset: Dataset) -> _Notes:
        count = len(dataset)
        digests: list[bytes] = [b""] * count
        answers: list[tuple[float, ...] | None] = [None] * count
        thumbs, tints = (
            np.zeros((count, THUMB_PX, THUMB_PX), np.uint8),
            np.zeros((count, TINT_PX, TINT_PX, 3), np.uint8),
        )
        seen = Seen(digests, thumbs, tints, np.zeros(count, bool), answers)
        return cls(dataset, Census(dataset), seen, np.full(count, -1), digests, answers)

    def take(self, row: int, sample: Sample, look: Look) -> None:
        """What was seen of a sample."""
        for problem in look.problems:
            self.cases[problem.name].append(Case((sample.id,), problem.detail))
        self.census.take(sample, look)
        self.failed += look.facts is None
        if look.facts is not None:  # files that are all empty are no copies of each other
            self.digests[row], self.answers[row] = look.digest, look.answer
            self.seen.thumbs[row], self.seen.tints[row] = look.facts.thumb, look.facts.tint
            self.seen.telling[row] = not look.facts.flat and not self.dataset.sequence
            if self.dataset.kind == "classes" and self.dataset.exclusive and len(look.class_ids) == 1:
                self.class_ids[row] = look.class_ids[0]

    def conclude(self, checks: Collection[Check]) -> list[str]:
        """What is only seen of all samples together; returns how it was done."""
        remarks = []
        for fault in (*self.dataset.faults, *_unlearnable(self.dataset)):
            if fault.kind not in OF_SAMPLES:
                lost = f" ({fault.lost:,} left out)" if fault.lost > 1 else ""
                self.cases[problem_of(fault).name].append(Case((), f"{fault.where}: {fault.what}{lost}"))
        families = np.arange(len(self.dataset))
        self.cases |= self.census.surprises() | self.census.balance()
        if "duplicates" in checks or "mislabeled" in checks:
            groups, families = find_copies(self.dataset, self.seen)
            self.cases |= groups
        if "mislabeled" in checks and self.dataset.kind == "classes" and self.dataset.exclusive:
            copies = (self.seen.thumbs, self.seen.tints)
            verdict = find_mislabeled(self.dataset, self.class_ids, copies, families)
            self.cases["mislabeled"] = list(verdict.cases)
            remarks.append(verdict.remark)
        return remarks
