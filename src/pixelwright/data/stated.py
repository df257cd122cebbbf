"""What names say: the split that a folder or file is called after, and lists of classes beside the pictures."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from pixelwright.data.dataset import SplitName
from pixelwright.data.tree import Tree
from pixelwright.errors import DataError

SPLITS: dict[str, SplitName] = {
    "train": "train",
    "training": "train",
    "trn": "train",
    "calibration": "calibration",
    "calib": "calibration",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "eval": "validation",
    "evaluation": "validation",
    "publictest": "validation",
    "test": "test",
    "testing": "test",
    "t10k": "test",
    "holdout": "test",
    "privatetest": "test",
}
LABEL_FILES = ("labels.txt", "classes.txt", "names.txt", "class_names.txt", "labels.json", "classes.json")
LABEL_TABLES = ("labels.csv", "classes.csv")  # `number,name`; a table of pictures may be called so too
_MOST_LABELS = 100_000


def split_of(name: str) -> SplitName | None:
    """The split that a name is: `val` to validation; None where it is none."""
    return SPLITS.get(name.casefold())


def split_of_path(name: str) -> SplitName:
    """The split that a folder on the way to a file is called after, the outermost first; empty where none is."""
    for part in name.split("/"):
        found = split_of(part)
        if found is not None:
            return found
    return ""


def split_within(name: str) -> SplitName | None:
    """The split that a name begins with or has between its words: `train20k-images` to train; None where none."""
    for word in re.split(r"[^a-z0-9]+", name.casefold()):
        if word in SPLITS:
            return SPLITS[word]
        plain = re.match(r"(train|val|valid|test)\d+k?$", word)  # train2017
        if plain:
            return SPLITS[plain[1]]
    return None


def mirrored_of(stated: Any, points: int) -> tuple[int, ...] | None:
    """Which keypoint takes the place of each in a mirrored picture, as a file states it: each of them once, or None."""
    whole = isinstance(stated, list) and all(type(one) is int for one in stated)
    return tuple(stated) if whole and sorted(stated) == list(range(points)) else None


def labels_beside(tree: Tree, *folders: str) -> tuple[tuple[str, ...], str] | None:
    """The names of the classes in a list beside the pictures, and the name of that list; None where there is none.

    Raises:
        DataError: The list cannot be understood.
    """
    for folder in ("", *folders):
        for name in LABEL_FILES:
            full = f"{folder}/{name}" if folder else name
            if full in tree.places:
                return parse_labels(tree.places[full].text(), full), full
        for name in LABEL_TABLES:
            full = f"{folder}/{name}" if folder else name
            if full in tree.places and (found := _parse_table(tree.places[full].text())):
                return found, full
    return None


def parse_labels(text: str, name: str) -> tuple[str, ...]:
    """The classes of a list: a name a line (or `3 name`, all numbered), or a JSON list, or one from numbers to names.

    Of numbered ones those that are missing are called by their numbers.

    Raises:
        DataError: It cannot be understood.
    """
    found = _parse_json(text, name) if name.lower().endswith(".json") else _parse_lines(text)
    if not found or len(found) > _MOST_LABELS or len(set(found)) != len(found):
        raise DataError(f"{name}: expected different names of classes, one a line, got {len(found)} with repetitions.")
    return found


def _parse_lines(text: str) -> tuple[str, ...]:
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    return _parse_numbered(lines) or tuple(lines)


def _parse_table(text: str) -> tuple[str, ...] | None:
    """The names of a table `number,name` with headings or without; None where it is another."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    return _parse_numbered(lines) or _parse_numbered(lines[1:])


def _parse_numbered(lines: Sequence[str]) -> tuple[str, ...] | None:
    """The names of lines `number name`; None where they are no such: `1 euro` and `2 euro` are names themselves."""
    matches = [re.match(r"(\d{1,6})[\s:,;]+(.+)", line) for line in lines]
    named = {int(found[1]): found[2].strip() for found in matches if found}
    if not lines or not all(matches) or len(named) < len(lines) or len(set(named.values())) < len(named):
        return None
    return tuple(named.get(number, str(number)) for number in range(max(named) + 1))


def _parse_json(text: str, name: str) -> tuple[str, ...]:
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError) as err:
        raise DataError(f"{name}: is no JSON: {err}.") from err
    if isinstance(found, dict):
        if all(isinstance(value, int) for value in found.values()):  # names to numbers
            found = {str(number): label for label, number in found.items()}
        if set(found) != {str(number) for number in range(len(found))}:
            raise DataError(f"{name}: expected the numbers from 0 up, each with its name. Use a list of names.")
        found = [found[str(number)] for number in range(len(found))]
    if not isinstance(found, list) or not all(isinstance(label, str) for label in found):
        raise DataError(f"{name}: expected a list of names, or numbers from 0 up with names.")
    return tuple(found)


def numbered_labels(count: int, given: Sequence[str], where: str) -> tuple[str, ...]:
    """Names for classes that the data only numbers: those given, else the numbers.

    Raises:
        DataError: More classes than names, or than anybody has.
    """
    if not given:
        if count > _MOST_LABELS:
            raise DataError(f"{where}: has the class {count - 1}; expected {_MOST_LABELS:,} classes at most.")
        return tuple(str(number) for number in range(count))
    if len(given) < count:
        raise DataError(f"{where}: has the class {count - 1}, but there are {len(given)} labels. Name all, from 0 up.")
    return tuple(given)
