"""IDX: pairs of files with pictures and their classes, as MNIST and its successors come.

```
train-images-idx3-ubyte.gz    train-labels-idx1-ubyte.gz
t10k-images-idx3-ubyte.gz     t10k-labels-idx1-ubyte.gz
```

Gzipped or not. What stands before `images` names the split: `train`, `train20k`, `t10k` (a test), `val`.
"""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

from pixelwright.data.arrays import IdxArray
from pixelwright.data.dataset import Dataset, Fault, Sample
from pixelwright.data.layout import Hints, Layout
from pixelwright.data.pictures import ArrayPicture, Known
from pixelwright.data.stated import labels_beside, numbered_labels, split_within
from pixelwright.data.tree import Tree
from pixelwright.errors import DataError, ImageError
from pixelwright.structures.targets import Classes

_IMAGES = re.compile(r"(?:(.*)/)?([^/]*?)images([-._]idx\d[-._]u?byte(?:\.gz)?)", re.IGNORECASE)


def recognize(tree: Tree, hints: Hints) -> str | None:
    """Whether there are IDX files of pictures and classes."""
    pairs = _pairs(tree)
    return f"IDX files of pictures and classes, {pairs[0][0]} and {len(pairs) - 1} more" if pairs else None


def read(tree: Tree, hints: Hints) -> Dataset:
    """Every pair of files; a pair whose numbers do not match is a fault.

    Raises:
        DataError: No pair can be used.
    """
    samples: list[Sample] = []
    faults: list[Fault] = []
    highest, pairs = -1, _pairs(tree)
    for images, labels in pairs:
        rows = IdxArray(tree.places[images])
        try:
            classes = _classes(IdxArray(tree.places[labels]), rows)
        except ImageError as err:
            faults.append(Fault.of(images, err))
            continue
        highest = max(highest, int(classes.max(initial=-1)))
        split, digits = split_within(images.rpartition("/")[2]) or "", len(str(len(classes) - 1))
        known = {number: Known(Classes((number,))) for number in np.unique(classes).tolist()}
        samples += (
            Sample(f"{images}#{row:0{digits}}", ArrayPicture(rows, row), known[number], split)
            for row, number in enumerate(classes.tolist())
        )
    if not samples:
        why = faults[0].what if faults else "expected files such as train-images-idx3-ubyte.gz, with their labels"
        raise DataError(f"{tree.root}: no pictures in IDX files: {why}")
    beside = labels_beside(tree)
    given = hints.labels or (beside[0] if beside else ())
    names = numbered_labels(highest + 1, given, str(tree.root))
    said = "given" if hints.labels else f"from {beside[1]}" if beside else "are their numbers"
    remarks = (f"{len(pairs)} pairs of IDX files", f"names of the classes {said}")
    samples.sort(key=lambda sample: sample.id)
    return Dataset(tree.root, "idx", "classes", names, tuple(samples), faults=tuple(faults), remarks=remarks)


def _pairs(tree: Tree) -> list[tuple[str, str]]:
    """Names of the files with pictures and with their classes."""
    found = []
    for name in tree.places:
        images = _IMAGES.fullmatch(name)
        if images is None:
            continue
        folder, prefix = images[1], images[2]
        wanted = re.compile(rf"{re.escape(prefix)}labels[-._]idx1[-._]u?byte(\.gz)?", re.IGNORECASE)
        beside = [other for other in tree.folders[folder or ""] if wanted.fullmatch(other)]
        if beside and tree.chosen in ("", name):
            found.append((name, f"{folder}/{beside[0]}" if folder else beside[0]))
    return found


def _classes(labels: IdxArray, images: IdxArray) -> npt.NDArray[np.int64]:
    """The class of each picture.

    Raises:
        ImageError: The files cannot be read, or do not belong to each other.
    """
    pictures, classes = images.header(), labels.header()
    if len(pictures.shape) not in (3, 4) or pictures.dtype.itemsize != 1:
        raise ImageError(str(images), f"expected pictures of bytes (N, H, W), got {pictures.shape}.")
    if len(classes.shape) != 1 or classes.shape[0] != pictures.shape[0]:
        raise ImageError(
            str(labels), f"expected a class for each of {pictures.shape[0]} pictures, got {classes.shape}."
        )
    found = labels.load().astype(np.int64)
    if found.min(initial=0) < 0:
        raise ImageError(str(labels), f"expected classes from 0 up, got {found.min()}.")
    return found


LAYOUT = Layout("idx", "pairs of IDX files, as MNIST has them", frozenset({"classes"}), "arrangement", recognize, read)
