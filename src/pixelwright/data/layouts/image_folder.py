"""Image folders: the folder that a picture lies in is its class.

```
root/train/cat/a.jpg        root/cat/a.jpg
root/train/dog/b.jpg        root/dog/b.jpg
root/val/cat/c.jpg
```

Folders within the folder of a class belong to it. The split is `train`, `val`, `valid`, `validation`, `test` or
`calibration`, in any case.
"""

from __future__ import annotations

from collections.abc import Iterator

from pixelwright.data.dataset import Dataset, Fault, Sample, SplitName
from pixelwright.data.layout import Doubt, Hints, Layout
from pixelwright.data.pairing import BETTER, ENDINGS, MASKS, PICTURES, WORSE, facing, pairs
from pixelwright.data.pictures import FilePicture, Known
from pixelwright.data.stated import split_of, split_within
from pixelwright.data.tree import Tree
from pixelwright.errors import DataError
from pixelwright.structures.targets import Classes

_JOINTS = "_- "


def recognize(tree: Tree, hints: Hints) -> str | Doubt | None:
    """Whether pictures lie in folders named after at least two classes, and not in those of pictures and masks."""
    if tree.chosen:
        return None
    rows = list(_rows(tree))
    classes = {label.casefold() for _, label, _ in rows}
    if len(classes) == 1 and len(rows) == len(tree.pictures) and not _means_something(*classes):
        what = "is the only folder of pictures: as a class it is one alone, and a classifier needs two or more"
        return Doubt(rows[0][1], what)
    if len(classes) < 2 or all(map(_is_of_split, classes)) or classes & PICTURES:
        return None
    if not classes <= WORSE | BETTER | MASKS:
        return f"folders of pictures named after {len(classes)} classes"
    # Pictures in `low/` and `high/` that are called alike are pairs; else they are of two classes.
    parted = [*facing(tree, WORSE, BETTER), *facing(tree, PICTURES, MASKS, ENDINGS)]
    alike = any(pair.other for one, other in parted for pair in pairs(tree, one, other))
    return None if alike else f"folders of pictures named after {', '.join(sorted(classes))}"


def _means_something(label: str) -> bool:
    """Whether a folder is called after what lies in it rather than after a class."""
    return label in PICTURES | WORSE | BETTER | MASKS or split_within(label) is not None or _is_of_split(label)


def _is_of_split(label: str) -> bool:
    """Whether a folder is called after a split, or after what belongs to one: `train`, `train_masks`."""
    beginnings = [label[: -len(ending)].rstrip(_JOINTS) for ending in ENDINGS if label.endswith(ending)]
    return any(split_of(one) is not None for one in (label, *beginnings))


def read(tree: Tree, hints: Hints) -> Dataset:
    """Every picture that lies in the folder of a class.

    Raises:
        DataError: There are no such folders.
    """
    rows = list(_rows(tree))
    present = {label for _, label, _ in rows}
    if not present:
        raise DataError(f"{tree.root}: no folders of pictures. Expected {tree.root}/CLASS/NAME.jpg, or with a split.")
    labels = hints.labels or tuple(sorted(present))
    numbered = present.isdisjoint(labels) and all(label.isdecimal() and int(label) < len(labels) for label in present)
    # Folders 00, 01, 02: the labels given are the names of the numbers.
    number = {one: int(one) for one in present} if numbered else {label: place for place, label in enumerate(labels)}
    unknown = sorted(present - number.keys())
    known = {label: Known(Classes((place,))) for label, place in number.items()}
    samples = [
        Sample(name, FilePicture(tree.places[name]), known[label], split)
        for name, label, split in rows
        if label in known
    ]
    faults = [
        Fault(
            label, f"is not among the labels given, {', '.join(labels[:5])} ...", sum(row[1] == label for row in rows)
        )
        for label in unknown
    ]
    used = {name for name, _, _ in rows}
    loose = [name for name in tree.pictures if name not in used]
    if loose:
        faults.append(Fault(loose[0], "lies in the folder of no class", len(loose)))
    remarks = ("names of the classes " + ("as given, by the folders' numbers" if numbered else "from the folders"),)
    return Dataset(tree.root, "image-folder", "classes", labels, tuple(samples), faults=tuple(faults), remarks=remarks)


def _rows(tree: Tree) -> Iterator[tuple[str, str, SplitName]]:
    """Name, class and split of each picture in the folder of a class."""
    # A folder `train` with pictures right in it, among others, is a class of vehicles.
    splits: dict[str, SplitName] = {top: split_of(top) or "" for top in tree.tops}
    has_splits = any(name.count("/") > 1 and splits[name.partition("/")[0]] for name in tree.pictures)
    for name in tree.pictures:
        top, *rest = name.split("/")[:-1] or [""]
        split = splits.get(top, "") if has_splits else ""
        label = rest[0] if split and rest else "" if split else top
        if label:
            yield name, label, split


LAYOUT = Layout("image-folder", "a folder for each class", frozenset({"classes"}), "arrangement", recognize, read)
