"""NPZ: arrays of pictures or sequences with their classes or values, as MedMNIST, Keras and NumPy users keep them.

```
train_images (N, H, W) or (N, H, W, C)    train_labels (N,) or (N, K)    val_images ...    test_images ...
x_train, y_train, x_test, y_test          x, y                           images, labels
x (N, T, F) float                         lengths (N,)                   y
```

Pictures have 1 or 3 channels of uint8, uint16, or floats from 0 to 1. Arrays (N, T, F) of floats, or with `lengths`,
are sequences of T steps with F features each. Whole numbers are classes; several columns of 0 and 1 are one class
each; other numbers are values. The split stands in the arrays' names, or else in the file's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from pixelwright.data.arrays import Header, NpzArray, npz_names
from pixelwright.data.columns import truths_of
from pixelwright.data.dataset import Dataset, Fault, Sample, SplitName
from pixelwright.data.layout import Doubt, Hints, Layout
from pixelwright.data.pictures import ArrayPicture, Known
from pixelwright.data.stated import labels_beside, split_within
from pixelwright.data.tree import Tree
from pixelwright.errors import DataError, ImageError

_ROLES = {
    "lengths": {"lengths", "length", "lens", "len"},
    "pictures": {"x", "images", "image", "imgs", "data", "inputs", "input", "sequences", "features"},
    "truth": {"y", "labels", "label", "targets", "target", "classes", "values"},
}
_LOOKED_AT = 64  # pictures of floats, to see whether they are from 0 to 1
_FLOAT_WHITE = 1.5  # a little over 1 is ringing; 255 is another scale


@dataclass(slots=True)
class _Part:
    """The arrays of one split."""

    split: SplitName
    arrays: dict[str, NpzArray] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.arrays["pictures"].name


def recognize(tree: Tree, hints: Hints) -> str | Doubt | None:
    """Whether a `.npz` has pictures and their truth."""
    parts, damaged = _all_parts(tree)
    if parts:
        return f"arrays of pictures and their truth, {parts[0][1].name} among them"
    return Doubt(damaged[0].where, damaged[0].what) if damaged else None


def read(tree: Tree, hints: Hints) -> Dataset:
    """Every array of pictures with its truth.

    Raises:
        DataError: The arrays do not fit each other, or nothing can be used.
    """
    parts, damaged = _all_parts(tree)
    try:
        if not parts:
            there = [one for name in tree.with_suffix(".npz") for one in npz_names(tree.places[name])]
            found = f"found {', '.join(there[:10])}" if there else "there is no .npz with arrays"
            raise DataError(f"{tree.root}: expected the arrays x and y, or train_images and train_labels; {found}.")
        headers = [part.arrays["pictures"].header() for _, part in parts]
        sequence = {_is_sequence(part, header) for (_, part), header in zip(parts, headers, strict=True)}
        if len(sequence) > 1:
            raise DataError(f"{tree.root}: some arrays hold pictures and some sequences. Keep them apart.")
        beside = labels_beside(tree)
        columns = [_truth(part, header) for (_, part), header in zip(parts, headers, strict=True)]
        truths = truths_of(columns, hints, beside[0] if beside else (), str(tree.root))
        samples: list[Sample] = []
        for (name, part), header, known in zip(parts, headers, truths.known, strict=True):
            _check(part, header)
            samples += _samples(name, part, known)
    except ImageError as err:
        raise DataError(str(err)) from err
    samples.sort(key=lambda sample: sample.id)
    what = "sequences" if True in sequence else "pictures"
    remarks = (f"arrays of {what}: {', '.join(part.name for _, part in parts)}", truths.remark)
    return Dataset(
        tree.root,
        "npz",
        truths.kind,
        truths.labels,
        tuple(samples),
        truths.exclusive,
        True in sequence,
        faults=tuple(damaged),
        remarks=remarks,
    )


def _all_parts(tree: Tree) -> tuple[list[tuple[str, _Part]], list[Fault]]:
    """Those of all files with the files' names, and the files that cannot be read."""
    parts: list[tuple[str, _Part]] = []
    damaged: list[Fault] = []
    for name in tree.with_suffix(".npz"):
        try:
            parts += ((name, part) for part in _parts(tree, name))
        except ImageError as err:
            damaged.append(replace(Fault.of(name, err), kind="doubt"))
    return parts, damaged


def _parts(tree: Tree, file: str) -> list[_Part]:
    """The arrays of a file by their splits, those that have pictures and truth."""
    place, found = tree.places[file], {}
    for name in npz_names(place):
        words = [word for word in re.split(r"[^a-z0-9]+", name.casefold()) if word]
        split: SplitName = split_within(name) or split_within(file.rpartition("/")[2]) or ""
        role = next((role for role, names in _ROLES.items() if names & set(words)), None)
        if role:
            found.setdefault(split, _Part(split)).arrays.setdefault(role, NpzArray(place, name))
    return [part for part in found.values() if {"pictures", "truth"} <= part.arrays.keys()]


def _is_sequence(part: _Part, header: Header) -> bool:
    return len(header.shape) == 3 and ("lengths" in part.arrays or header.dtype.kind == "f")


def _truth(part: _Part, header: Header) -> npt.NDArray[np.generic]:
    truth = part.arrays["truth"].load()
    if truth.ndim not in (1, 2) or len(truth) != header.shape[0]:
        expected = f"expected (N,) or (N, K) for the {header.shape[0]} rows of {part.name}"
        raise DataError(f"{part.arrays['truth']}: {expected}, got {truth.shape}.")
    return truth


def _check(part: _Part, header: Header) -> None:
    """Whether the array holds pictures or sequences.

    Raises:
        DataError: It does not.
    """
    shape, kind = header.shape, header.dtype
    if _is_sequence(part, header):
        return
    channels = shape[3] if len(shape) == 4 else 1
    if len(shape) not in (3, 4) or channels not in (1, 3):
        first = "The channels go last. " if len(shape) == 4 and shape[1] in (1, 3) else ""
        raise DataError(f"{part.arrays['pictures']}: expected (N, H, W) or (N, H, W, 1 or 3), got {shape}. {first}")
    if kind.name not in ("uint8", "uint16", "float32", "float64"):
        raise DataError(f"{part.arrays['pictures']}: expected uint8, uint16 or floats from 0 to 1, got {kind}.")
    if kind.kind == "f":
        highest = float(np.max(part.arrays["pictures"].load()[:_LOOKED_AT], initial=0))
        if highest > _FLOAT_WHITE:
            scale = f"expected floats from 0 to 1, got {highest:g}. Save them as uint8, or divide by 255"
            raise DataError(f"{part.arrays['pictures']}: {scale}.")


def _samples(file: str, part: _Part, known: Sequence[Known]) -> list[Sample]:
    rows, digits = part.arrays["pictures"], len(str(max(len(known) - 1, 0)))
    header = rows.header()
    steps: list[int | None] = [None] * len(known)
    if _is_sequence(part, header):
        steps = [*_lengths(part, header)]
    return [
        Sample(f"{file}#{part.name}#{row:0{digits}}", ArrayPicture(rows, row, steps[row]), truth, part.split)
        for row, truth in enumerate(known)
    ]


def _lengths(part: _Part, header: Header) -> list[int]:
    count, longest, _ = header.shape
    if "lengths" not in part.arrays:
        return [longest] * count
    lengths = part.arrays["lengths"].load()
    if lengths.shape != (count,) or lengths.dtype.kind not in "iu":
        raise DataError(
            f"{part.arrays['lengths']}: expected {count} whole numbers, got {lengths.shape} {lengths.dtype}."
        )
    if count and not 1 <= lengths.min() <= lengths.max() <= longest:
        raise DataError(f"{part.arrays['lengths']}: expected 1..{longest}, got {lengths.min()}..{lengths.max()}.")
    return lengths.tolist()


LAYOUT = Layout(
    "npz",
    "arrays of pictures, or of sequences with their lengths",
    frozenset({"classes", "values"}),
    "arrangement",
    recognize,
    read,
)
