"""Masks: for each picture one that says the class of each pixel, by a number or by a color.

```
images/a.jpg        masks/a.png            or labels/, annotations/, SegmentationClass/ with JPEGImages/ ...
images/train/a.jpg  masks/train/a.png      train/images/a.jpg  train/masks/a.png
train/a.jpg         trainannot/a.png       or train_labels/, train_masks/
a.jpg               a_mask.png             side by side, with anything attached that is the same for all
```

Numbers are those stored: indices of a palette, gray values, one bit. Where they are 0 and 255 alone they mean 0 and 1.
The names of the classes come from the user or from `labels.txt`, `classes.txt` or a JSON beside them; else classes are
called by their numbers. A table with a color for each (`label_colors.txt` with `r g b name`, `class_dict.csv` with
`name,r,g,b`) is needed for masks in colors. Void is what the user says, else a class called so, else 255 where all
others are lower.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pixelwright.data.dataset import Dataset, Fault, Sample
from pixelwright.data.index_png import Ids, coded, read_ids, read_stored
from pixelwright.data.layout import Doubt, Hints, Layout
from pixelwright.data.mask_pairs import mask_pairs
from pixelwright.data.pairing import Pair
from pixelwright.data.pictures import FilePicture
from pixelwright.data.place import Place
from pixelwright.data.stated import labels_beside
from pixelwright.data.tree import Tree
from pixelwright.errors import DataError, ImageError, ShapeError
from pixelwright.structures.label_map import LabelMap

VOID_NAMES = frozenset({"void", "unlabeled", "unlabelled", "ignore", "ignored", "unknown", "ignore regions"})
_VOC_VOID = 255
_LOOKED_AT = 1000  # masks whose numbers are collected when there are no names: 2 ms each
_COLOR_TABLES = ("label_colors.txt", "class_dict.csv", "labelmap.txt", "label_colours.txt")


@dataclass(frozen=True, slots=True, eq=False)
class Legend:
    """How numbers or colors become classes.

    Attributes:
        labels: Of the classes.
        void_id: Of what is not known.
        white: Whether 255 stands for 1, as in masks that were saved to be looked at.
        colors: The color of each class as one number, ascending, and its class; None where masks hold numbers.
    """

    labels: tuple[str, ...]
    void_id: int | None
    white: bool = False
    colors: tuple[tuple[int, ...], tuple[int, ...]] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class MaskTruth:
    """The label map of one picture, read from its mask."""

    picture: FilePicture
    mask: Place
    legend: Legend

    @property
    def path(self) -> Path | None:
        """The mask, where it is a file."""
        return self.mask.path

    def digest(self) -> str:
        """SHA-256 of the mask's file, in hexadecimal."""
        return self.mask.digest()

    def __call__(self) -> LabelMap:
        """The class of each pixel.

        Raises:
            DataError: The mask cannot be read, has another size than the picture, or numbers without a class.
        """
        legend = self.legend
        try:
            ids = _classes(read_stored(self.mask), legend)
            with self.picture.open() as raster:
                size_hw = raster.size_hw
            if ids.shape != size_hw:
                rows, columns = ids.shape
                sizes = f"the mask has {columns}x{rows} pixels, the picture {size_hw[1]}x{size_hw[0]}"
                raise DataError(f"{self.mask}: {sizes}. Make it anew; scaling would invent borders.")
            return LabelMap(ids, legend.labels, legend.void_id)
        except ImageError as err:
            raise DataError(str(err)) from err
        except ShapeError as err:
            raise DataError(f"{self.mask}: {err}") from err


def recognize(tree: Tree, hints: Hints) -> str | Doubt | None:
    """Whether there are masks for pictures, whose numbers are those of classes rather than of things."""
    found = mask_pairs(tree)
    if found.doubt:
        return Doubt(*found.doubt)
    if not found.pairs or (found.things and not (found.alike and hints.kinds == {"map"})):
        return None
    return f"a mask for each of {len(found.pairs):,} pictures, {found.pairs[0].other} for {found.pairs[0].picture}"


def read(tree: Tree, hints: Hints) -> Dataset:
    """Every picture that has a mask.

    Raises:
        DataError: There are no masks, or the names of the classes do not fit them.
    """
    found = mask_pairs(tree)
    if not found.pairs:
        raise DataError(f"{tree.root}: no masks. Expected images/a.jpg with masks/a.png, or the like.")
    masks = [pair.other for pair in found.pairs if pair.other]
    legend, remark = _legend(tree, masks, found.folders, hints)
    samples = [_sample(tree, pair, legend) for pair in found.pairs if pair.other]
    without = [pair.picture for pair in found.pairs if not pair.other]
    faults = (Fault(without[0], "has no mask", len(without)),) if without else ()
    samples.sort(key=lambda sample: sample.id)
    void = "no void" if legend.void_id is None else f"void is {legend.void_id}"
    remarks = (found.remark, remark, void)
    return Dataset(
        tree.root, "masks", "map", legend.labels, tuple(samples), void_id=legend.void_id, faults=faults, remarks=remarks
    )


def _sample(tree: Tree, pair: Pair, legend: Legend) -> Sample:
    picture = FilePicture(tree.places[pair.picture])
    return Sample(pair.picture, picture, MaskTruth(picture, tree.places[pair.other or ""], legend), pair.split)


def _classes(stored: Ids, legend: Legend) -> Ids:
    if legend.colors is None:
        if stored.ndim == 3:
            if not (stored[:, :, :1] == stored).all():
                raise ShapeError("is in colors. Put label_colors.txt beside the masks, a line `r g b name` a class.")
            stored = np.ascontiguousarray(stored[:, :, 0])
        return (stored == _VOC_VOID).astype(np.uint8) if legend.white else stored
    if stored.ndim != 3:
        raise ShapeError("holds numbers, but the table beside it has a color for each class.")
    values, place = np.unique(coded(stored), return_inverse=True)
    colors, classes = map(np.array, legend.colors)
    nearest = np.searchsorted(colors, values).clip(max=len(colors) - 1)
    unknown = values[colors[nearest] != values]
    if unknown.size:
        red, green, blue = int(unknown[0]) >> 16, int(unknown[0]) >> 8 & 255, int(unknown[0]) & 255
        raise ShapeError(f"has the color {red}, {green}, {blue}, which stands for no class in the table.")
    small = np.uint8 if classes.max(initial=0) < 256 else np.uint16
    return classes[nearest][place].reshape(stored.shape[:2]).astype(small)


def _legend(tree: Tree, masks: Sequence[str], folders: Sequence[str], hints: Hints) -> tuple[Legend, str]:
    """How the masks are to be understood, and a sentence on it."""
    table = _color_table(tree, folders)
    if table is not None:
        rows, name = table
        labels = tuple(dict.fromkeys(label for _, label in rows))
        colors = sorted((color, labels.index(label)) for color, label in rows)
        columns = (tuple(color for color, _ in colors), tuple(number for _, number in colors))
        return Legend(labels, _void(labels, hints), colors=columns), f"{len(labels)} classes by color from {name}"
    beside = None if hints.labels else labels_beside(tree, *folders)
    labels = hints.labels or (beside[0] if beside else ())
    by_mask = _present(tree, masks)
    present, all_seen = set().union(*by_mask.values()), len(by_mask) == len(masks)
    white = present == {0, _VOC_VOID} or (present == {_VOC_VOID} and len(labels) == 2)
    if white and hints.void_id != _VOC_VOID:
        return Legend(labels or ("background", "foreground"), hints.void_id, white=True), "0 and 255 are two classes"
    void_id = _void(labels, hints)
    if void_id is None and _VOC_VOID in present and max(present - {_VOC_VOID}, default=0) < _VOC_VOID - 1:
        void_id = _VOC_VOID if len(labels) <= _VOC_VOID else None
    if labels:
        _check(tree, by_mask, len(labels), void_id)
        return Legend(labels, void_id), f"{len(labels)} classes {'from ' + beside[1] if beside else 'as given'}"
    highest = max(present - {void_id}, default=0)
    seen = "in all masks" if all_seen else f"in {_LOOKED_AT:,} of {len(masks):,} masks"
    names = tuple(str(number) for number in range(highest + 1))
    if highest == 1 and void_id is None:
        names = ("background", "foreground")
    return Legend(names, void_id), f"{len(names)} classes, as many as numbers {seen}; name them with --labels"


def _void(labels: Sequence[str], hints: Hints) -> int | None:
    if hints.void_id is not None:
        return hints.void_id
    return next((place for place, label in enumerate(labels) if label.casefold() in VOID_NAMES), None)


def _check(tree: Tree, by_mask: Mapping[str, set[int]], count: int, void_id: int | None) -> None:
    """Whether most masks have no other numbers than those of classes; the rest are said when they are asked for.

    Raises:
        DataError: They have.
    """
    others = {name: {one for one in numbers if one >= count} - {void_id} for name, numbers in by_mask.items()}
    wrong = {name: min(numbers) for name, numbers in others.items() if numbers}
    if len(wrong) * 2 > len(by_mask):
        name, number = next(iter(wrong.items()))
        what = f"has the number {number}, but there are {count} labels, from 0 up"
        raise DataError(f"{tree.root}: {name}: {what}; {len(wrong)} of {len(by_mask)} masks have such.")


def _present(tree: Tree, masks: Sequence[str]) -> dict[str, set[int]]:
    """The numbers in each mask, or in some of them evenly spread."""
    some = masks[:: -(-len(masks) // _LOOKED_AT)]
    with ThreadPoolExecutor(os.cpu_count() or 1) as threads:
        return dict(zip(some, threads.map(_numbers, (tree.places[name] for name in some)), strict=True))


def _numbers(place: Place) -> set[int]:
    try:
        stored = read_ids(place)
    except ImageError:  # unreadable or in colors: it is said when the mask is asked for
        return set()
    counts = np.bincount(stored.ravel()) if stored.dtype == np.uint8 else np.unique(stored)
    return set(np.flatnonzero(counts).tolist() if stored.dtype == np.uint8 else counts.tolist())


def _color_table(tree: Tree, folders: Sequence[str]) -> tuple[list[tuple[int, str]], str] | None:
    """The color of each class, as one number, and the file that says so."""
    for folder in ("", *folders):
        for name in _COLOR_TABLES:
            full = f"{folder}/{name}" if folder else name
            if full in tree.places:
                rows = [_color_row(line) for line in tree.places[full].text().split("\n")]
                found = [row for row in rows if row is not None]
                if found:
                    return found, full
    return None


def _color_row(line: str) -> tuple[int, str] | None:
    """`r g b name`, `name,r,g,b` or `name:r,g,b::`; None for anything else."""
    front = re.match(r"\s*(\d+)[\s,]+(\d+)[\s,]+(\d+)[\s,]+(\S.*?)\s*$", line)
    back = re.match(r"\s*([^#:,]+)[:,]\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*:*\s*$", line)
    if not (front or back):
        return None
    *rgb, label = front.groups() if front else (*back.groups()[1:], back[1].strip())  # type: ignore[union-attr]
    red, green, blue = map(int, rgb)
    return (red << 16 | green << 8 | blue, label) if max(red, green, blue) < 256 else None


LAYOUT = Layout(
    "masks",
    "a mask for each picture with the class of each pixel",
    frozenset({"map"}),
    "arrangement",
    recognize,
    read,
)
