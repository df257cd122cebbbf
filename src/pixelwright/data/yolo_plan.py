"""`data.yaml` of YOLO: the names of the classes, the pictures of each part, and what keypoints are."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field
from typing import Any

from pixelwright.data import plain_yaml
from pixelwright.data.dataset import Fault, SplitName
from pixelwright.data.stated import mirrored_of
from pixelwright.data.tree import Tree
from pixelwright.errors import DataError, PixelwrightError

MAX_BYTES = 2**24  # of one text file

_PARTS: dict[str, SplitName] = {"train": "train", "val": "validation", "test": "test"}
_MOST_POINTS = 1000  # of one thing; a face in great detail has 478
_LISTED = 2**20  # of a list of pictures, in lines
_NAMES = re.compile(r"""^["']?names["']?\s*:""", re.MULTILINE)
_OURS = re.compile(r"^(train|val|test|path)\s*:", re.MULTILINE)  # beside the names, which other files have too


@dataclass(slots=True)
class Plan:
    """What `data.yaml` says.

    Attributes:
        name: Of the file; empty where there is none.
        names: Class numbers to names.
        points: How many keypoints, and how many numbers each has.
        mirrored: For each keypoint the one that takes its place in a mirrored picture.
        skips: Whether a picture without a text file is left out.
        pictures: Each picture that it names and the split.
    """

    name: str = ""
    names: dict[int, str] = field(default_factory=dict)
    points: tuple[int, int] = (0, 0)
    mirrored: tuple[int, ...] = ()
    skips: bool = False
    pictures: dict[str, SplitName] = field(default_factory=dict)


def yamls(tree: Tree) -> list[str]:
    """Files that may be such, the outermost first."""
    return sorted(tree.with_suffix(".yaml", ".yml"), key=lambda name: (name.count("/"), name))


def describing(tree: Tree) -> str | None:
    """The first file that seems to describe a data set; None where there is none."""
    for name in yamls(tree):
        try:
            text = tree.places[name].text(MAX_BYTES)
        except PixelwrightError:
            continue
        if _NAMES.search(text) and _OURS.search(text):
            return name
    return None


def read_plan(tree: Tree, name: str, faults: list[Fault]) -> Plan | None:
    """What a file says; None where it has no names.

    Raises:
        DataError: It cannot be understood.
    """
    text = tree.places[name].text(MAX_BYTES)
    if not _NAMES.search(text):
        return None
    found = plain_yaml.parse(text, name)
    names = found.get("names")
    if isinstance(names, list):
        names = dict(enumerate(names))
    if not isinstance(names, dict) or not all(isinstance(one, int) and one >= 0 for one in names):
        raise DataError(f"{name}: names: expected a list, or numbers from 0 up with names, got {names!r:.80}.")
    points = _points_of(name, found)
    skips = found.get("skip_if_label_file_missing") is True
    numbered = {one: str(label) for one, label in names.items()}
    plan = Plan(name, numbered, points, _mirrored(name, found, points[0], faults), skips)
    base = str(found.get("path") or "")
    for part, split in _PARTS.items():
        stated = found.get(part) or []
        for one in stated if isinstance(stated, list) else [stated]:
            pictures = _stated(tree, name, base, str(one), faults)
            if not pictures:
                faults.append(Fault(name, f"{part}: there are no pictures in {one!r}"))
            plan.pictures |= {picture: split for picture in pictures if picture not in plan.pictures}
    return plan


def _points_of(name: str, found: dict[Any, Any]) -> tuple[int, int]:
    """How many keypoints a thing has, and of how many numbers; 0 and 0 where it has none."""
    shape = found.get("kpt_shape")
    if shape is None:
        return 0, 0
    sound = isinstance(shape, list) and len(shape) == 2 and all(type(one) is int for one in shape)
    if not sound or not 1 <= shape[0] <= _MOST_POINTS or shape[1] not in (2, 3):
        raise DataError(f"{name}: kpt_shape: expected [1..{_MOST_POINTS:,} keypoints, 2 or 3], got {shape!r:.80}.")
    return shape[0], shape[1]


def _mirrored(name: str, found: dict[Any, Any], points: int, faults: list[Fault]) -> tuple[int, ...]:
    """Which keypoint takes the place of each in a mirrored picture; nothing where that is not said."""
    stated = found.get("flip_idx")
    if not stated or not points:
        return ()
    mirrored = mirrored_of(stated, points)
    if mirrored is None:
        what = f"flip_idx: expected each of 0..{points - 1} once, got {stated!r:.80}; it is not used"
        faults.append(Fault(name, what))
    return mirrored or ()


def _stated(tree: Tree, name: str, base: str, stated: str, faults: list[Fault]) -> list[str]:
    """The pictures of a folder, or of a list, that `data.yaml` names relative to its `path` or to itself."""
    folder = name.rpartition("/")[0]
    for root in dict.fromkeys((posixpath.join(folder, base), folder, "")):
        wanted = posixpath.normpath(posixpath.join(root, stated.replace("\\", "/")))
        inside = wanted.lstrip("./")
        if inside.endswith(".txt") and inside in tree.places:
            lines = tree.places[inside].text().split("\n")[:_LISTED]
            by_line = {line: tree.find(line.strip(), inside.rpartition("/")[0]) for line in lines if line.strip()}
            if missing := [line for line, one in by_line.items() if one is None]:
                faults.append(Fault(inside, tree.missing(missing[0].strip()), lost=len(missing)))
            return [one for one in by_line.values() if one is not None]
        pictures = [one for one in tree.pictures if one.startswith(f"{inside}/")] if inside else []
        if pictures:
            return pictures
    return []
