"""Splits: what is learned from, what thresholds are set on, what models are chosen by, and what they are scored on.

What the data itself states is kept: nobody is moved out of a stated validation or test. What is missing is taken from
the training part, where every group gets a number from the hash of its name and the seed. Within each class groups are
lined up by that number, and the front of the line goes to the parts that are missing. So the same data gives the same
split on every machine and in any order of files, each class has its share in every part, and one picture more moves
at most one other across each border.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from pixelwright.data.dataset import Dataset, Fault, Sample
from pixelwright.data.digests import digests_of
from pixelwright.data.pictures import class_ids_of
from pixelwright.errors import DataError, ImageError, UnreadableImage, UsageError

Part = Literal["train", "calibration", "validation", "test"]
PARTS: tuple[Part, ...] = ("train", "calibration", "validation", "test")

_OPENED = 100  # pictures, where it looks as if none could be

# A class gets its place in a part, if need be beyond its share, once it has this many groups.
_GROUPS_FOR_A_PLACE: dict[Part, int] = {"test": 4, "validation": 2, "calibration": 5}


@dataclass(frozen=True, slots=True)
class SplitOptions:
    """How missing parts are made.

    Attributes:
        validation: Share of the training part.
        calibration: Share of the training part.
        test: Share of the training part; 0 makes none.
        most: How many pictures a part that is made has at the most, more or less.
        seed: Another one gives another split.
        by_content: Whether pictures with the same bytes stay together unless they are of different groups; all of
            them are read for it.

    Raises:
        UsageError: Shares are negative, or leave nothing to train on.
    """

    validation: float = 0.15
    calibration: float = 0.1
    test: float = 0.0
    most: int = 5000
    seed: int = 0
    by_content: bool = True

    def __post_init__(self) -> None:
        shares = (self.validation, self.calibration, self.test)
        if min(shares) < 0 or sum(shares) > 0.9 or self.most < 1:
            raise UsageError(f"split: expected shares from 0 up and 0.9 at most together, got {shares}.")


@dataclass(frozen=True, slots=True)
class Splits:
    """A data set in parts that share no picture.

    Attributes:
        train: To learn from.
        calibration: To set thresholds and temperature on; empty where there are too few pictures.
        validation: To choose by.
        test: To score on; empty where the data has none and none was asked for.
        remarks: Which parts are stated and which were made, a sentence each.
        faults: Classes that cannot be learned or scored, duplicates in several parts.
    """

    train: Dataset
    calibration: Dataset
    validation: Dataset
    test: Dataset
    remarks: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()


def split(dataset: Dataset, options: SplitOptions | None = None) -> Splits:
    """The parts of a data set: stated ones as they are, missing ones from the training part.

    Raises:
        DataError: There is nothing to train on or to validate with, or only one class.
        UnreadableImage: So it is since no picture can be read.
    """
    options = options or SplitOptions()
    stated: dict[Part, list[Sample]] = {part: [] for part in PARTS}
    for sample in dataset.samples:
        stated[sample.split or "train"].append(sample)
    pool = stated["train"]
    if not pool:
        there = ", ".join(f"{part} {len(samples)}" for part, samples in stated.items() if samples)
        raise DataError(f"{dataset.root}: there is nothing to train on: expected pictures in train, got {there}.")
    shares = _shares(stated, options)
    digests = _digests(dataset, options)
    keys = _keys(dataset, digests)
    made = _assign(dataset, pool, keys, shares, options.seed)
    for part in shares:
        stated[part] = made[part]
    stated["train"] = made["train"]
    _check(dataset, stated, shares, keys)
    parts = {part: dataset.only(replace(sample, split=part) for sample in stated[part]) for part in PARTS}
    faults = (*_class_faults(dataset, stated), *_size_faults(stated, shares, keys), *_twins(stated, keys, digests))
    return Splits(**parts, remarks=_remarks(stated, shares, options), faults=faults)


def _shares(stated: Mapping[Part, Sequence[Sample]], options: SplitOptions) -> dict[Part, float]:
    """Parts to be made and their shares of the training part, in the order in which they are taken."""
    wanted: dict[Part, float] = {
        "test": options.test,
        "validation": options.validation,
        "calibration": options.calibration,
    }
    most = options.most / len(stated["train"])
    return {part: min(share, most) for part, share in wanted.items() if share and not stated[part]}


def _digests(dataset: Dataset, options: SplitOptions) -> dict[str, str]:
    """The id of each sample to the digest of its picture, where these matter and can be read."""
    if not options.by_content:
        return {}
    found = digests_of(sample.picture for sample in dataset.samples)
    return {sample.id: digest for sample, digest in zip(dataset.samples, found, strict=True) if digest}


def _keys(dataset: Dataset, digests: Mapping[str, str]) -> dict[str, str]:
    """The id of each sample to what must not be parted: its group; or else what has the same content, or itself.

    Groups are never joined: a black frame in each would make them one.
    """
    keys = {sample.id: f"group {sample.group}" if sample.group else f"id {sample.id}" for sample in dataset.samples}
    first: dict[str, str] = {}
    for name, digest in digests.items():
        first[digest] = min(first.get(digest, keys[name]), keys[name])
    alone = (sample.id for sample in dataset.samples if not sample.group and sample.id in digests)
    return keys | {name: first[digests[name]] for name in alone}


def _assign(
    dataset: Dataset, pool: Iterable[Sample], keys: Mapping[str, str], shares: Mapping[Part, float], seed: int
) -> dict[Part, list[Sample]]:
    """The samples of the training part by where they go."""
    groups: defaultdict[str, list[Sample]] = defaultdict(list)
    for sample in pool:
        groups[keys[sample.id]].append(sample)
    lines: defaultdict[int, list[str]] = defaultdict(list)
    for key, members in groups.items():
        lines[_class_of(dataset, members)].append(key)
    made: dict[Part, list[Sample]] = {part: [] for part in PARTS}
    for line in lines.values():
        line.sort(key=lambda key: (_number(key, seed), key))
        sizes = [len(groups[key]) for key in line]
        for key, part in zip(line, _parts(sizes, shares), strict=True):
            made[part] += groups[key]
    return {part: sorted(samples, key=lambda sample: sample.id) for part, samples in made.items()}


def _parts(sizes: Sequence[int], shares: Mapping[Part, float]) -> list[Part]:
    """Where the groups of one class go, which stand in line with these sizes.

    A group of more than twice a part's share is learned from: one patient must not be all there is to validate with,
    nor the one who is missing in training. The next in line goes instead.
    """
    total, before = sum(sizes), 0
    parts: list[Part] = []
    for size in sizes:
        part = _part_at((before + size / 2) / total, shares)
        if part != "train" and 1 < size > 2 * shares[part] * total:
            parts.append("train")
            continue
        parts.append(part)
        before += size
    for part in shares:
        # The share of a small class is less than one group. The smallest of those that train goes there then.
        if part not in parts and len(sizes) >= _GROUPS_FOR_A_PLACE[part] and parts.count("train") > 1:
            place = min((one for one, found in enumerate(parts) if found == "train"), key=sizes.__getitem__)
            parts[place] = part
    if "train" not in parts:
        parts[max(range(len(sizes)), key=sizes.__getitem__)] = "train"
    return parts


def _part_at(place: float, shares: Mapping[Part, float]) -> Part:
    """The part that has this place, from 0 to 1, in a line that begins with the parts to be made."""
    border = 0.0
    for part, share in shares.items():
        border += share
        if place < border:
            return part
    return "train"


def _class_of(dataset: Dataset, members: Sequence[Sample]) -> int:
    """The most frequent class of a group, by which groups are lined up; -1 where samples have not exactly one."""
    if dataset.kind != "classes" or not dataset.exclusive:
        return -1
    counts = Counter(class_id for sample in members for class_id in (class_ids_of(sample.truth) or ())[:1])
    return min(counts, key=lambda one: (-counts[one], one), default=-1)


def _number(key: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}\0{key}".encode("utf-8", "surrogateescape")).digest()[:8]


def _check(
    dataset: Dataset,
    parts: Mapping[Part, Sequence[Sample]],
    shares: Mapping[Part, float],
    keys: Mapping[str, str],
) -> None:
    for part in ("test", "validation"):
        if part in shares and not parts[part]:
            _check_any_is_read(dataset, parts["train"])
            groups = _groups(len({keys[sample.id] for sample in parts["train"]}))
            found = f"{len(parts['train'])} pictures in {groups} (equal ones are one) cannot be split"
            raise DataError(f"{dataset.root}: {found}: {part} would be empty. Add pictures, or name a finer group.")
    present = _classes_in(parts["train"])
    if dataset.kind == "classes" and dataset.exclusive and len(present) == 1:
        only = dataset.labels[next(iter(present))]
        raise DataError(f"{dataset.root}: all pictures to train on are of the class {only!r}; expected two classes.")
    stated = all(class_ids_of(sample.truth) is not None for sample in parts["train"])
    if dataset.kind in ("boxes", "instances", "keypoints") and stated and not present:
        raise DataError(f"{dataset.root}: there is not one thing in the {len(parts['train'])} pictures to train on.")


def _groups(count: int) -> str:
    return f"{count} group{'' if count == 1 else 's'}"


def _check_any_is_read(dataset: Dataset, samples: Sequence[Sample]) -> None:
    """Whether one of some pictures can be opened: damaged files are often equal, and that is not what is wrong then.

    Raises:
        UnreadableImage: None can.
    """
    why = ""
    for sample in samples[:_OPENED]:
        try:
            with sample.picture.open():
                return
        except ImageError as err:
            why = why or str(err)
    if why:
        count = len(samples) if len(samples) <= _OPENED else f"the first {_OPENED}"
        raise UnreadableImage(dataset.root, f"none of {count} pictures can be read, such as {why}")


def _classes_in(samples: Iterable[Sample]) -> Counter[int]:
    """In how many samples each class is, as far as label files state it."""
    return Counter(class_id for sample in samples for class_id in set(class_ids_of(sample.truth) or ()))


def _class_faults(dataset: Dataset, parts: Mapping[Part, Sequence[Sample]]) -> list[Fault]:
    """Classes without a picture to learn from, or with a single one, or with none to be scored by."""
    counts = {part: _classes_in(samples) for part, samples in parts.items()}
    if not any(counts.values()):  # values, or masks that would have to be read
        return []
    faults = []
    for number, label in enumerate(dataset.labels):
        where = f"class {label}"
        learned, elsewhere = counts["train"][number], sum(counts[part][number] for part in PARTS[1:])
        if not learned:
            faults.append(Fault(where, f"has no picture to learn from, and {elsewhere} in other parts"))
        elif not elsewhere and learned == 1:
            faults.append(Fault(where, "has one picture only; it is learned from and never scored"))
        elif not counts["validation"][number]:
            faults.append(Fault(where, f"has {learned} pictures to learn from and none to validate with"))
    return faults


def _size_faults(
    parts: Mapping[Part, Sequence[Sample]], shares: Mapping[Part, float], keys: Mapping[str, str]
) -> list[Fault]:
    """Parts that groups, which stay together, have made much larger than they should be."""
    pool = len(parts["train"]) + sum(len(parts[part]) for part in shares)
    faults = []
    for part, share in shares.items():
        size, groups = len(parts[part]), len({keys[sample.id] for sample in parts[part]})
        if groups < size > 2 * share * pool:
            what = f"has {size} of {pool} pictures, in {_groups(groups)} that stay together; its share is {share:.0%}"
            faults.append(Fault(part, what))
    return faults


def _twins(parts: Mapping[Part, Sequence[Sample]], keys: Mapping[str, str], digests: Mapping[str, str]) -> list[Fault]:
    """Groups that the data itself parts, and equal pictures of several groups in several parts."""
    of_key: defaultdict[str, dict[Part, Sample]] = defaultdict(dict)
    of_content: defaultdict[str, dict[Part, Sample]] = defaultdict(dict)
    for part, samples in parts.items():
        for sample in samples:
            of_key[keys[sample.id]].setdefault(part, sample)
            if sample.group and sample.id in digests:
                of_content[digests[sample.id]].setdefault(part, sample)
    stated = "is of one group, or the same, as {}, and the data states different splits for them"
    equal = "is the same as {}, which is of another group and in another part"
    return [
        Fault(one.id, what.format(other.id))
        for what, places in ((stated, of_key), (equal, of_content))
        for _, found in sorted(places.items())
        for one, other in pairwise(found.values())
        if what is stated or keys[one.id] != keys[other.id]
    ]


def _remarks(
    parts: Mapping[Part, Sequence[Sample]], shares: Mapping[Part, float], options: SplitOptions
) -> tuple[str, ...]:
    sizes = ", ".join(f"{part} {len(samples):,}" for part, samples in parts.items() if samples)
    made = ", ".join(part for part in PARTS if part in shares and parts[part])
    lines = [f"split into {sizes}"]
    if made:
        lines.append(f"{made} taken from the training part by hash, seed {options.seed}")
    if "calibration" in shares and not parts["calibration"]:
        lines.append("too few pictures for a calibration part: thresholds and temperature cannot be set")
    return tuple(lines)
