"""What is only seen of all samples together: how often classes are there, and which pictures are unlike the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import numpy as np

from pixelwright import registry
from pixelwright.data.dataset import Dataset, Sample
from pixelwright.errors import PixelwrightError
from pixelwright.verbs.doctor.finding import Case
from pixelwright.verbs.doctor.look import Facts, Look

RARE_SAMPLES = 5
UNBALANCED = 20.0  # times as many samples in the largest class as in the smallest
ODD_SHARE = 0.05  # of the pictures: what so few are is a surprise, what more are is how the data set is
ODD_LEAST = 20  # pictures, below which nobody can say what is usual
ODD_FACTOR = 8.0  # a picture with a side so many times longer or shorter than the median one


@dataclass(eq=False)
class Census:
    """Counts over samples, and what is odd among them.

    Attributes:
        dataset: What is counted.
        samples_of: For each split and class, how many samples have it.
        things_of: For each class, how many things there are.
    """

    dataset: Dataset
    samples_of: Counter[tuple[str, int]] = field(default_factory=Counter)
    things_of: Counter[int] = field(default_factory=Counter)
    _depths: dict[str, list[str]] = field(default_factory=dict)
    _colors: dict[str, list[str]] = field(default_factory=dict)
    _sizes: dict[str, tuple[int, int]] = field(default_factory=dict)
    _cases: dict[str, list[Case]] = field(default_factory=dict)

    def take(self, sample: Sample, look: Look) -> None:
        """Count a sample in."""
        for class_id, things in zip(look.class_ids, look.things, strict=True):
            self.samples_of[sample.split, class_id] += 1
            self.things_of[class_id] += things
        if look.facts is not None and not self.dataset.sequence:
            self._take_facts(sample, look.facts)
            if look.facts.orientation != 1 and not any(one.name == "box-turned" for one in look.problems):
                placed = self.dataset.kind in ("boxes", "instances", "keypoints", "map")
                self._note("turned" if placed else "stored-turned", sample, f"orientation {look.facts.orientation}")

    def _take_facts(self, sample: Sample, facts: Facts) -> None:
        self._depths.setdefault(f"{facts.bits} bit{'s' * (facts.bits != 1)}", []).append(sample.id)
        self._colors.setdefault(facts.channels, []).append(sample.id)
        self._sizes[sample.id] = facts.size_hw
        if facts.pages > 1:
            self._note("pages", sample, f"{facts.pages} pages")
        if facts.alpha:
            self._note("alpha", sample, "has alpha")
        if (said := _other_format(sample.id, facts.format)) is not None:
            self._note("ending", sample, said)

    def _note(self, name: str, sample: Sample, detail: str) -> None:
        self._cases.setdefault(name, []).append(Case((sample.id,), detail))

    def surprises(self) -> dict[str, list[Case]]:
        """Pictures that are unlike the rest."""
        return self._cases | {
            "depth": list(_odd(self._depths)),
            "color": list(_odd(self._colors)),
            "size": list(_odd_sizes(self._sizes)),
            "mixed": [
                _mixture(kinds) for kinds in (self._depths, self._colors) if len(kinds) > 1 and not any(_odd(kinds))
            ],
        }

    def balance(self) -> dict[str, list[Case]]:
        """Classes of which there are too few samples."""
        labels = self.dataset.labels
        splits = sorted({sample.split for sample in self.dataset.samples})
        learned = (one for one in range(len(labels)) if one != self.dataset.void_id)  # void is nothing to be learned
        totals = {one: sum(self.samples_of[split, one] for split in splits) for one in learned}
        if not labels or not any(totals.values()):
            return {}
        missing = [one for one, count in totals.items() if not count]
        there = {one: count for one, count in totals.items() if count}
        cases = {
            "class-missing": [Case((), labels[one]) for one in missing],
            "class-rare": [Case((), f"{labels[one]}: {count}") for one, count in there.items() if count < RARE_SAMPLES],
            "class-missing-in-split": [
                Case((), f"{labels[one]} in {split}")
                for split in splits
                for one in there
                if len(splits) > 1 and not self.samples_of[split, one]
            ],
        }
        least, most = min(there, key=there.__getitem__), max(there, key=there.__getitem__)
        if there[most] > UNBALANCED * there[least]:
            said = f"{labels[most]} {there[most]:,}, {labels[least]} {there[least]:,} samples"
            cases["imbalance"] = [Case((), said)]
        return cases


def _other_format(name: str, format_name: str) -> str | None:
    """What a file's name says it is where its content says otherwise."""
    suffix = PurePosixPath(name.partition("#")[0]).suffix.lower()
    try:
        form = registry.get("format", format_name)
    except PixelwrightError:  # rows of arrays
        return None
    return None if not suffix or suffix in form.suffixes else f"named {suffix}, but is {form.title}"


def _odd(kinds: Mapping[str, Sequence[str]]) -> Iterator[Case]:
    """Samples of those kinds that hardly any other is of."""
    total = sum(map(len, kinds.values()))
    usual = max(kinds, key=lambda kind: len(kinds[kind]), default="")
    for kind, ids in sorted(kinds.items()):
        if total >= ODD_LEAST and kind != usual and len(ids) <= max(1, ODD_SHARE * total):
            for one in ids:
                yield Case((one,), f"{kind}, where others have {usual}")


def _mixture(kinds: Mapping[str, Sequence[str]]) -> Case:
    """How many samples are of each kind, where so many are of each that none is odd."""
    counts = sorted(((len(ids), kind) for kind, ids in kinds.items()), reverse=True)
    return Case((), ", ".join(f"{kind} {count:,}" for count, kind in counts))


def _odd_sizes(sizes: Mapping[str, tuple[int, int]]) -> Iterator[Case]:
    if len(sizes) < ODD_LEAST:
        return
    sides = np.log(np.array(list(sizes.values()), float))
    middle = np.median(sides, axis=0)
    far = (np.abs(sides - middle) > np.log(ODD_FACTOR)).any(axis=1)
    if far.mean() > ODD_SHARE:  # then that is how the data set is
        return
    height, width = np.exp(middle)
    for (name, (rows, columns)), odd in zip(sizes.items(), far.tolist(), strict=True):
        if odd:
            yield Case((name,), f"{columns}x{rows}, where others have about {width:.0f}x{height:.0f}")
