"""Shards: tar files in which a picture and what is true of it follow each other under one key, as WebDataset has them.

```
train-000000.tar     0001.jpg  0001.cls        the number of the class
                     0002.jpg  0002.json       {"label": "cat"} or a number, or several in a list
val-000000.tar       0003.png  0003.txt        the name of the class
```

One tar, or a folder of them; the split is in their names. Classes by number are named in `labels.txt` beside the tars
or by the user.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelwright.data.dataset import Dataset, Fault, Sample, SplitName
from pixelwright.data.layout import Doubt, Hints, Layout
from pixelwright.data.pictures import FilePicture, Known
from pixelwright.data.place import Place
from pixelwright.data.stated import labels_beside, numbered_labels, split_of_path, split_within
from pixelwright.data.tree import Tree, is_picture
from pixelwright.errors import DataError, PixelwrightError
from pixelwright.structures.targets import Classes

_TRUTHS = (".cls", ".json", ".txt")  # the first that is there
_KEYS = ("label", "labels", "class", "classes", "cls", "category", "target")
_MAX_BYTES = 2**20  # of one truth
_TRIED = 50

Stated = tuple[int, ...] | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Entry:
    """A key with its picture and its truth."""

    id: str
    picture: Place
    truth: Place
    split: SplitName


def recognize(tree: Tree, hints: Hints) -> str | Doubt | None:
    """Whether there are tars with pictures and their classes."""
    doubt = None
    for entry, _ in zip(_entries(tree, []), range(_TRIED), strict=False):
        try:
            _stated(entry.truth)
        except PixelwrightError as err:
            doubt = doubt or Doubt(entry.id, str(err), grave=False)  # a tar of anything else
            continue
        return f"tars of pictures, each followed by its class, such as {entry.truth}"
    return doubt


def read(tree: Tree, hints: Hints) -> Dataset:
    """Every key with a picture and a class.

    Raises:
        DataError: There is none, or some classes are numbers and some names.
    """
    faults: list[Fault] = []
    entries: list[tuple[_Entry, Stated]] = []
    for entry in _entries(tree, faults):
        try:
            entries.append((entry, _stated(entry.truth)))
        except PixelwrightError as err:
            faults.append(Fault.of(entry.id, err))
    if not entries:
        why = f" {faults[0].where}: {faults[0].what}" if faults else ""
        raise DataError(f"{tree.root}: no tar with pictures and .cls, .json or .txt of the same name.{why}")
    present = {one for _, stated in entries for one in stated}
    if len({type(one) for one in present}) > 1:
        raise DataError(f"{tree.root}: some classes are numbers and some are names. Use one of them.")
    labels = _labels(tree, present, hints)
    places = {
        one: labels.index(one) if isinstance(one, str) else one
        for one in present
        if one in labels or isinstance(one, int)
    }
    samples = []
    for entry, stated in entries:
        unknown = [one for one in stated if one not in places]
        faults += (Fault(entry.id, f"has the unknown class {one!r}", lost=1) for one in unknown)
        if len(unknown) < len(stated) or not stated:
            ids = tuple(sorted({places[one] for one in stated if one in places}))
            samples.append(Sample(entry.id, FilePicture(entry.picture), Known(Classes(ids)), entry.split))
    samples.sort(key=lambda sample: sample.id)
    exclusive = all(len(stated) == 1 for _, stated in entries)
    remarks = (f"{len(labels)} classes, {'one' if exclusive else 'several'} a picture",)
    return Dataset(
        tree.root, "shards", "classes", labels, tuple(samples), exclusive, faults=tuple(faults), remarks=remarks
    )


def _labels(tree: Tree, present: set[Any], hints: Hints) -> tuple[str, ...]:
    beside = labels_beside(tree)
    given = hints.labels or (beside[0] if beside else ())
    if any(isinstance(one, str) for one in present):
        return given or tuple(sorted(present))
    return numbered_labels(max(present, default=-1) + 1, given, str(tree.root))


def _entries(tree: Tree, faults: list[Fault]) -> Iterator[_Entry]:
    """The keys of a tar, or of all tars in a folder, in which they are named after it."""
    shards = [] if tree.chosen else [name for name in tree.places if name.lower().endswith(".tar")]
    inside = next((Path(place.file) for place in tree.places.values() if place.member), None)
    if inside is not None and inside.suffix.lower() == ".tar":
        yield from _of_tar(tree, "", split_within(inside.stem) or "")
    for name in shards:
        place = tree.places[name]
        if place.path is None:
            continue
        try:
            inner = Tree.of(Path(place.file))
        except DataError as err:
            faults.append(Fault.of(name, err))
            continue
        split = split_within(name.rpartition("/")[2]) or split_of_path(name.rpartition("/")[0])
        yield from _of_tar(inner, f"{name}/", split)


def _of_tar(tree: Tree, prefix: str, split: SplitName) -> Iterator[_Entry]:
    keys: dict[str, dict[str, str]] = {}
    for name in tree.places:
        folder, _, last = name.rpartition("/")
        key, dot, ending = last.partition(".")  # WebDataset's keys end at the first dot
        if dot:
            keys.setdefault(f"{folder}/{key}" if folder else key, {})[f".{ending.lower()}"] = name
    for own in keys.values():
        picture = next((name for name in own.values() if is_picture(name)), None)
        truth = next((own[ending] for ending in _TRUTHS if ending in own), None)
        if picture and truth:
            yield _Entry(prefix + picture, tree.places[picture], tree.places[truth], split)


def _stated(place: Place) -> Stated:
    """The classes that a file states, all numbers or all names.

    Raises:
        DataError: It states none.
    """
    text = place.text(_MAX_BYTES).strip()
    if str(place).lower().endswith(".json"):
        try:
            found: Any = json.loads(text)
        except (ValueError, RecursionError) as err:
            raise DataError(f"{place}: is no JSON: {err}.") from err
        if isinstance(found, dict):
            key = next((one for one in _KEYS if one in found), None)
            found = found[key] if key else None
        listed = found if isinstance(found, list) else [found]
        numbers = all(isinstance(one, int) and not isinstance(one, bool) and one >= 0 for one in listed)
        if numbers or all(isinstance(one, str) for one in listed):
            return tuple(listed)
        raise DataError(f"{place}: expected a class, or several in a list, under `label`; got {found!r:.60}.")
    if re.fullmatch(r"\d{1,9}", text):
        return (int(text),)
    is_box = re.fullmatch(r"\d+(\s+[-+.\deE]+){4,}", text)
    if not text or is_box or "\n" in text or str(place).lower().endswith(".cls"):
        raise DataError(f"{place}: expected the number of a class, or its name on one line, got {text[:60]!r}.")
    return (text,)


LAYOUT = Layout(
    "shards",
    "tars of pictures, each with its class under the same key",
    frozenset({"classes"}),
    "arrangement",
    recognize,
    read,
)
