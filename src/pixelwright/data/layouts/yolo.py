"""YOLO: a text file for each picture, a line for each thing, and `data.yaml` with the names of the classes.

```
data.yaml            names, and where the parts are: `train: images/train`, also lists of pictures in a .txt
images/train/a.jpg   labels/train/a.txt         or train/images/a.jpg, train/labels/a.txt, or side by side
```

| a line | |
|---|---|
| `class x y width height` | a box by its center |
| `class x1 y1 x2 y2 x3 y3 ...` | a polygon |
| `class x y width height`, then `x y [v]` for each keypoint | with `kpt_shape` in `data.yaml` |

All numbers are shares of the width and height of the upright picture. A picture without a text file has nothing in it,
unless `data.yaml` says `skip_if_label_file_missing: true`. Without a `data.yaml` the names are those in `classes.txt`,
or numbers.

Sources: https://docs.ultralytics.com/datasets/detect, .../segment and .../pose (read 2026).
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pixelwright.data import plain_yaml
from pixelwright.data.dataset import Dataset, Fault, Kind, Sample, SplitName
from pixelwright.data.layout import Hints, Layout
from pixelwright.data.pictures import FilePicture
from pixelwright.data.stated import LABEL_FILES, labels_beside, numbered_labels, split_of_path
from pixelwright.data.things import Thing, Things, shape_fault
from pixelwright.data.tree import Tree, stem
from pixelwright.errors import DataError, PixelwrightError

_LABEL_FOLDERS = ("labels", "boxes", "polygons")  # the first is what everybody means
_PARTS: dict[str, SplitName] = {"train": "train", "val": "validation", "test": "test"}
_MAX_BYTES = 2**24  # of one text file
_HIGHEST = 1e6  # number of a class
_FARTHEST = 100.0  # in widths and heights of the picture
_MOST_POINTS = 1000  # of one thing; a face in great detail has 478
_TRIED = 20
_LISTED = 2**20  # of a list of pictures, in lines


@dataclass(slots=True)
class _Plan:
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


def recognize(tree: Tree) -> str | None:
    """Whether there are text files of boxes for pictures."""
    pairs = [(picture, text) for picture, text in _texts(tree, tree.pictures, _LABEL_FOLDERS) if text]
    for _, text in pairs[:_TRIED]:
        try:
            rows = [row for row, _ in _rows(tree.places[text].text(_MAX_BYTES))]
        except PixelwrightError:
            return None
        if rows:
            sound = all(row is not None and len(row) >= 5 for row in rows)
            return f"{len(pairs):,} text files of boxes or polygons, such as {text}" if sound else None
    return None


def read(tree: Tree, hints: Hints) -> Dataset:
    """Every picture with its text file.

    Raises:
        DataError: There are no text files of boxes, or `data.yaml` cannot be understood.
    """
    faults: list[Fault] = []
    folder, kind = _folder(tree, hints)
    plans = [plan for name in _yamls(tree) if (plan := _plan(tree, name, faults)) is not None]
    texts = dict(_texts(tree, tree.pictures, (folder,)))
    stated = [plan for plan in plans if plan.pictures]
    found: dict[str, SplitName] = {name: split_of_path(name) for name in _in_images(tree, texts)}
    wanted = stated[0].pictures if stated else found
    tables = {name: _table(tree, text, faults) for name in wanted if (text := texts.get(name))}
    used = sorted({int(row[0]) for rows in tables.values() for row, _ in rows})
    plan = _fitting(plans, used)
    labels, places = _labels(tree, plan, used, hints)
    if plan.points[0] and hints.allow("keypoints"):
        kind = "keypoints"
    elif kind == "boxes" and not plan.points[0]:
        longer = any(len(row) > 5 for rows in tables.values() for row, _ in rows)
        kind = "instances" if longer and hints.allow("instances") else "boxes"
    samples = []
    for name, split in wanted.items():
        if name not in tables and plan.skips:
            continue
        picture, where = FilePicture(tree.places[name]), texts.get(name) or name
        things = _things(where, tables.get(name, []), places, kind, plan.points, faults)
        points = plan.points[0] if kind == "keypoints" else 0
        truth = Things(picture, where, tuple(things), in_shares=True, masks=kind == "instances", keypoints=points)
        faults += truth.faults()
        samples.append(Sample(name, picture, truth, split))
    lonely = _lonely(tree, texts)
    if lonely:
        faults.append(Fault(lonely[0], "belongs to no picture", len(lonely)))
    samples.sort(key=lambda sample: sample.id)
    keypoints = tuple(f"point {number}" for number in range(plan.points[0])) if kind == "keypoints" else ()
    remarks = _remarks(plan, wanted, tables, folder)
    return Dataset(
        tree.root,
        "yolo",
        kind,
        labels,
        tuple(samples),
        keypoints=keypoints,
        mirrored=plan.mirrored if kind == "keypoints" else (),
        faults=tuple(faults),
        remarks=remarks,
    )


def _remarks(plan: _Plan, wanted: dict[str, SplitName], tables: dict[str, Any], folder: str) -> tuple[str, ...]:
    without = len(wanted) - len(tables)
    empty = "are left out, as it says" if plan.skips else "are taken to have nothing in them"
    lines = [f"names of the classes from {plan.name}" if plan.name else "no data.yaml", f"text files from {folder}/"]
    return (*lines, f"{without} pictures without a text file {empty}") if without else tuple(lines)


def _folder(tree: Tree, hints: Hints) -> tuple[str, Kind]:
    """The folder of text files, where `boxes` and `polygons` lie side by side the one that is wanted."""
    there = [one for one in _LABEL_FOLDERS if any(text for _, text in _texts(tree, tree.pictures, (one,)))]
    if not there:
        raise DataError(f"{tree.root}: no text files of boxes. Expected images/a.jpg with labels/a.txt, or the like.")
    if len(there) > 1 and hints.kinds == {"instances"} and "polygons" in there:
        return "polygons", "instances"
    return there[0], "boxes"


def _texts(tree: Tree, pictures: Any, folders: tuple[str, ...]) -> Iterator[tuple[str, str | None]]:
    """Each picture with its text file: `images` in the path gives way to one of the folders, or it lies beside it."""
    for name in pictures:
        parts = stem(name).split("/")
        last = max((place for place, part in enumerate(parts[:-1]) if part.casefold() == "images"), default=None)
        if last is None:
            options = [f"{stem(name)}.txt"]
        else:
            options = ["/".join((*parts[:last], folder, *parts[last + 1 :])) + ".txt" for folder in folders]
        yield name, next((one for one in options if one in tree.places), None)


def _in_images(tree: Tree, texts: dict[str, str | None]) -> list[str]:
    """Pictures that may have text files: those in folders where any has one."""
    folders = {name.rpartition("/")[0] for name, text in texts.items() if text}
    return [name for name in tree.pictures if name.rpartition("/")[0] in folders]


def _lonely(tree: Tree, texts: dict[str, str | None]) -> list[str]:
    """Text files in the folders of those that belong to pictures, which do not."""
    own = {text for text in texts.values() if text}
    folders = {text.rpartition("/")[0] for text in own}
    others = (name for name in tree.places if name.endswith(".txt") and name.rpartition("/")[0] in folders)
    return [name for name in others if name not in own and name.rpartition("/")[2] not in LABEL_FILES]


def _yamls(tree: Tree) -> list[str]:
    return sorted(tree.with_suffix(".yaml", ".yml"), key=lambda name: (name.count("/"), name))


def _plan(tree: Tree, name: str, faults: list[Fault]) -> _Plan | None:
    """What a file says; None where it has no names."""
    text = tree.places[name].text(_MAX_BYTES)
    if "names:" not in text:
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
    plan = _Plan(name, numbered, points, _mirrored(name, found, points[0], faults), skips)
    base = str(found.get("path") or "")
    for part, split in _PARTS.items():
        stated = found.get(part) or []
        for one in stated if isinstance(stated, list) else [stated]:
            pictures = _stated(tree, name, base, str(one))
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
    whole = isinstance(stated, list) and all(type(one) is int for one in stated)
    if not whole or sorted(stated) != list(range(points)):
        what = f"flip_idx: expected each of 0..{points - 1} once, got {stated!r:.80}; it is not used"
        faults.append(Fault(name, what))
        return ()
    return tuple(stated)


def _stated(tree: Tree, name: str, base: str, stated: str) -> list[str]:
    """The pictures of a folder, or of a list, that `data.yaml` names relative to its `path` or to itself."""
    folder = name.rpartition("/")[0]
    for root in dict.fromkeys((posixpath.join(folder, base), folder, "")):
        wanted = posixpath.normpath(posixpath.join(root, stated.replace("\\", "/")))
        inside = wanted.lstrip("./")
        if inside.endswith(".txt") and inside in tree.places:
            lines = tree.places[inside].text().split("\n")[:_LISTED]
            found = (tree.find(line.strip(), inside.rpartition("/")[0]) for line in lines if line.strip())
            return [one for one in found if one is not None]
        pictures = [one for one in tree.pictures if one.startswith(f"{inside}/")] if inside else []
        if pictures:
            return pictures
    return []


def _fitting(plans: list[_Plan], used: list[int]) -> _Plan:
    """The first file that names all classes in use, else the one that names most."""
    return max(plans, key=lambda plan: len(set(used) & plan.names.keys()), default=_Plan())


def _labels(tree: Tree, plan: _Plan, used: list[int], hints: Hints) -> tuple[tuple[str, ...], dict[int, int]]:
    """The labels, and each class number's place in them."""
    if plan.names and not hints.labels:
        numbers = sorted(plan.names)
        return tuple(plan.names[one] for one in numbers), {one: place for place, one in enumerate(numbers)}
    beside = labels_beside(tree, "labels")
    given = hints.labels or (beside[0] if beside else ())
    count = len(given) if given else used[-1] + 1 if used else 0
    return numbered_labels(count, given, str(tree.root)), {one: one for one in range(count)}


def _table(tree: Tree, name: str, faults: list[Fault]) -> list[tuple[list[float], int]]:
    """The rows of a text file with their line numbers."""
    try:
        text = tree.places[name].text(_MAX_BYTES)
    except PixelwrightError as err:
        faults.append(Fault.of(name, err))
        return []
    found = []
    for row, line in _rows(text):
        if row is None or len(row) < 5 or row[0] != int(row[0]) or row[0] < 0:
            what = "expected a class number and 4 shares of the picture or more"
            faults.append(Fault(f"{name} line {line}", what, lost=1))
        else:
            found.append((row, line))
    return found


def _rows(text: str) -> Iterator[tuple[list[float] | None, int]]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                row = [float(word) for word in line.split()]
            except ValueError:
                row = None
            sound = row and abs(row[0]) < _HIGHEST and all(abs(one) <= _FARTHEST for one in row[1:])
            yield row if sound else None, number


def _things(
    where: str,
    rows: list[tuple[list[float], int]],
    places: dict[int, int],
    kind: Kind,
    points: tuple[int, int],
    faults: list[Fault],
) -> Iterator[Thing]:
    for row, line in rows:
        place = places.get(int(row[0]))
        thing = _thing(row, place, kind, points) if place is not None else None
        if thing is None:
            what = (
                f"has {len(row)} numbers, which are no {kind}"
                if place is not None
                else f"has the unknown class {row[0]:g}"
            )
            faults.append(Fault(f"{where} line {line}", f"{what}; it is left out", lost=1))
        elif fault := shape_fault(thing):
            faults.append(Fault(f"{where} line {line}", f"{fault}; it is left out", lost=1))
        else:
            yield thing


def _thing(row: list[float], place: int, kind: Kind, points: tuple[int, int]) -> Thing | None:
    """One line as a thing; None where its numbers are not of the kind."""
    polygon = len(row) > 6 and len(row) % 2 == 1
    x, y, width, height = row[1:5]
    box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    if kind == "keypoints":
        count, size = points
        if len(row) != 5 + count * size:
            return None
        return Thing(place, box, keypoints=tuple(_points(row[5:], size)))
    if kind == "instances":
        return Thing(place, None, (tuple(row[1:]),)) if polygon else None
    if len(row) == 5 or points[0]:
        return Thing(place, box)
    return Thing(place, (min(row[1::2]), min(row[2::2]), max(row[1::2]), max(row[2::2]))) if polygon else None


def _points(values: list[float], size: int) -> Iterator[float]:
    """x, y, visibility of each; of two numbers a place other than 0, 0 is visible."""
    for start in range(0, len(values), size):
        x, y = values[start : start + 2]
        seen = values[start + 2] if size == 3 else 2.0 * (x != 0 or y != 0)
        yield from (x, y, seen) if seen else (0.0, 0.0, 0.0)


LAYOUT = Layout(
    "yolo",
    "YOLO: a text file of boxes, polygons or keypoints for each picture",
    frozenset({"boxes", "instances", "keypoints"}),
    "description",
    recognize,
    read,
)
