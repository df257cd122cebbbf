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
    "test": "test",
    "testing": "test",
    "t10k": "test",
}
LABEL_FILES = ("labels.txt", "classes.txt", "names.txt", "class_names.txt", "labels.json", "classes.json")
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
    return None


def parse_labels(text: str, name: str) -> tuple[str, ...]:
    """The classes of a list: a name a line (or `3 name`, all numbered), or a JSON list, or one from numbers to names.

    Raises:
        DataError: It cannot be understood.
    """
    found = _parse_json(text, name) if name.lower().endswith(".json") else _parse_lines(text)
    if not found or len(found) > _MOST_LABELS or len(set(found)) != len(found):
        raise DataError(f"{name}: expected different names of classes, one a line, got {len(found)} with repetitions.")
    return found


def _parse_lines(text: str) -> tuple[str, ...]:
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    numbered = [re.match(r"(\d+)[\s:,;]+(.+)", line) for line in lines]
    if lines and all(numbered):
        pairs = sorted((int(found[1]), found[2].strip()) for found in numbered if found)
        if [number for number, _ in pairs] == list(range(len(pairs))):
            return tuple(label for _, label in pairs)
    return tuple(lines)


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
        DataError: More classes than names.
    """
    if not given:
        return tuple(str(number) for number in range(count))
    if len(given) < count:
        raise DataError(f"{where}: has the class {count - 1}, but there are {len(given)} labels. Name all, from 0 up.")
    return tuple(given)
