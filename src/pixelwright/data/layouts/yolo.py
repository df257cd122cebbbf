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

from collections.abc import Iterator, Mapping
from typing import Any

from pixelwright.data.dataset import Dataset, Fault, Kind, Sample, SplitName
from pixelwright.data.layout import Doubt, Hints, Layout
from pixelwright.data.pictures import FilePicture
from pixelwright.data.stated import LABEL_FILES, labels_beside, numbered_labels, split_of_path
from pixelwright.data.things import Thing, Things, shape_fault
from pixelwright.data.tree import Tree, stem
from pixelwright.data.yolo_plan import MAX_BYTES, Plan, describing, read_plan, yamls
from pixelwright.errors import DataError, PixelwrightError

_LABEL_FOLDERS = ("labels", "boxes", "polygons")  # the first is what everybody means
_HIGHEST = 1e6  # number of a class
_FARTHEST = 100.0  # in widths and heights of the picture
_TRIED = 20
_LINE = "expected a class number and 4 shares of the picture or more"

Row = tuple[list[float], int]  # its numbers, and its line


def recognize(tree: Tree, hints: Hints) -> str | Doubt | None:
    """Whether there are text files of boxes for pictures, or a `data.yaml` that speaks of such."""
    if tree.chosen and tree.chosen not in yamls(tree):
        return None
    by_folder = _texts(tree)
    described, texts = describing(tree), list(next(iter(by_folder.values()), {}).values())
    sound, faults = 0, list[Fault]()
    for text in texts[:_TRIED]:
        sound += len(_table(tree, text, faults))
    if sound > len(faults) or (described and texts and (sound or not faults)):  # all may be backgrounds
        return f"{len(texts):,} text files of boxes or polygons, such as {texts[0]}"
    if faults and (described or any(f"/{folder}/" in f"/{texts[0]}" for folder in _LABEL_FOLDERS)):
        return Doubt(faults[0].where, faults[0].what)
    if described and tree.pictures and not texts:
        return Doubt(described, "no picture has a text file: expected images/a.jpg with labels/a.txt, or side by side")
    return None


def read(tree: Tree, hints: Hints) -> Dataset:
    """Every picture with its text file.

    Raises:
        DataError: There are no text files of boxes, or `data.yaml` cannot be understood.
    """
    faults: list[Fault] = []
    folder, texts = _chosen(tree, hints)
    found: dict[str, list[Fault]] = {text: [] for text in texts.values()}
    tables = {name: _table(tree, text, found[text]) for name, text in texts.items()}
    used = sorted({int(row[0]) for rows in tables.values() for row, _ in rows})
    plan = _fitting([plan for name in yamls(tree) if (plan := read_plan(tree, name, faults)) is not None], used)
    wanted = plan.pictures or {name: split_of_path(name) for name in _in_images(tree, texts)}
    labels, places = _labels(tree, plan, used, hints)
    kind = _kind(plan, tables, hints)
    samples = []
    for name, split in wanted.items():
        if name not in tables and plan.skips:
            continue
        picture, where = FilePicture(tree.places[name]), texts.get(name) or name
        faults += found.get(where, ())
        things = _things(where, tables.get(name, []), places, kind, plan.points, faults)
        points = plan.points[0] if kind == "keypoints" else 0
        truth = Things(picture, where, tuple(things), in_shares=True, masks=kind == "instances", keypoints=points)
        faults += truth.faults()
        samples.append(Sample(name, picture, truth, split))
    faults += _left_over(tree, texts, wanted, plan)
    return Dataset(
        tree.root,
        "yolo",
        kind,
        labels,
        tuple(sorted(samples, key=lambda sample: sample.id)),
        keypoints=tuple(f"point {number}" for number in range(plan.points[0])) if kind == "keypoints" else (),
        mirrored=plan.mirrored if kind == "keypoints" else (),
        faults=tuple(faults),
        remarks=_remarks(plan, wanted, tables, folder),
    )


def _remarks(plan: Plan, wanted: Mapping[str, SplitName], tables: Mapping[str, Any], folder: str) -> tuple[str, ...]:
    without = sum(name not in tables for name in wanted)
    empty = "are left out, as it says" if plan.skips else "are taken to have nothing in them"
    lines = [f"names of the classes from {plan.name}" if plan.name else "no data.yaml", f"text files from {folder}/"]
    return (*lines, f"{without} pictures without a text file {empty}") if without else tuple(lines)


def _texts(tree: Tree) -> dict[str, dict[str, str]]:
    """For each folder of text files that is there the pictures that have one in it, and which.

    `images` in the path of a picture gives way to the folder's name. One beside its picture counts with the first.
    """
    found: dict[str, dict[str, str]] = {folder: {} for folder in _LABEL_FOLDERS}
    for name in tree.pictures:
        parts = stem(name).split("/")
        last = max((place for place, part in enumerate(parts[:-1]) if part.casefold() == "images"), default=None)
        if last is None:
            options = {_LABEL_FOLDERS[0]: f"{stem(name)}.txt"}
        else:
            options = {one: "/".join((*parts[:last], one, *parts[last + 1 :])) + ".txt" for one in _LABEL_FOLDERS}
        for folder, text in options.items():
            if text in tree.places:
                found[folder][name] = text
    return {folder: texts for folder, texts in found.items() if texts}


def _chosen(tree: Tree, hints: Hints) -> tuple[str, dict[str, str]]:
    """The folder of text files, where `boxes` and `polygons` lie side by side the one that is wanted, and the files."""
    by_folder = _texts(tree)
    if not by_folder:
        raise DataError(f"{tree.root}: no text files of boxes. Expected images/a.jpg with labels/a.txt, or the like.")
    folder = "polygons" if hints.kinds == {"instances"} and "polygons" in by_folder else next(iter(by_folder))
    return folder, by_folder[folder]


def _kind(plan: Plan, tables: Mapping[str, list[Row]], hints: Hints) -> Kind:
    if plan.points[0]:
        return "keypoints" if hints.allow("keypoints") else "boxes"
    longer = any(len(row) > 5 for rows in tables.values() for row, _ in rows)
    return "instances" if longer and hints.allow("instances") else "boxes"


def _in_images(tree: Tree, texts: Mapping[str, str]) -> list[str]:
    """Pictures that may have text files: those in folders where any has one."""
    folders = {name.rpartition("/")[0] for name in texts}
    return [name for name in tree.pictures if name.rpartition("/")[0] in folders]


def _left_over(tree: Tree, texts: Mapping[str, str], wanted: Mapping[str, SplitName], plan: Plan) -> Iterator[Fault]:
    """Pictures with text files that are in no part, and text files among the others that belong to no picture."""
    own = set(texts.values())
    folders = {text.rpartition("/")[0] for text in own}
    others = [name for name in tree.places if name.endswith(".txt") and name.rpartition("/")[0] in folders]
    lonely = [name for name in others if name not in own and name.rpartition("/")[2] not in LABEL_FILES]
    if lonely:
        yield Fault(lonely[0], "belongs to no picture", len(lonely))
    aside = [name for name in texts if name not in wanted]
    if aside:
        yield Fault(aside[0], f"has a text file, and is in no part that {plan.name} names", len(aside))


def _fitting(plans: list[Plan], used: list[int]) -> Plan:
    """The file that names most of the classes in use; of equal ones that which names pictures, then the first."""
    return max(plans, key=lambda plan: (len(plan.names.keys() & set(used)), bool(plan.pictures)), default=Plan())


def _labels(tree: Tree, plan: Plan, used: list[int], hints: Hints) -> tuple[tuple[str, ...], dict[int, int]]:
    """The labels, and each class number's place in them."""
    if plan.names and not hints.labels:
        numbers = sorted(plan.names)
        return tuple(plan.names[one] for one in numbers), {one: place for place, one in enumerate(numbers)}
    beside = labels_beside(tree, "labels")
    given = hints.labels or (beside[0] if beside else ())
    count = len(given) if given else used[-1] + 1 if used else 0
    return numbered_labels(count, given, str(tree.root)), {one: one for one in range(count)}


def _table(tree: Tree, name: str, faults: list[Fault]) -> list[Row]:
    """The rows of a text file with their line numbers."""
    try:
        text = tree.places[name].text(MAX_BYTES)
    except PixelwrightError as err:
        faults.append(Fault.of(name, err))
        return []
    found = []
    for row, line in _rows(text):
        if row is None or len(row) < 5 or row[0] != int(row[0]) or row[0] < 0:
            faults.append(Fault(f"{name} line {line}", _LINE, lost=1))
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
