"""Instance masks: for each picture one that numbers the things in it, 0 where there is none.

```
images/a.png    labels/a.png      also train/images/a.png, train/labels/a.png, and what `masks` knows
```

PNG or TIFF of 8 or 16 bits. All things are of one class, `object` unless it is named. Masks count things rather than
classes where nearly every number is in one piece and most masks have several.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pixelwright.data.dataset import Dataset, Fault, Sample
from pixelwright.data.index_png import Ids, read_ids
from pixelwright.data.layout import Hints, Layout
from pixelwright.data.mask_pairs import mask_pairs
from pixelwright.data.pairing import Pair
from pixelwright.data.pictures import FilePicture
from pixelwright.data.place import Place
from pixelwright.data.stated import labels_beside
from pixelwright.data.tree import Tree
from pixelwright.errors import DataError, ImageError
from pixelwright.structures.label_map import encode_ids
from pixelwright.structures.masks import Masks
from pixelwright.structures.targets import Annotations


@dataclass(frozen=True, slots=True, eq=False)
class InstanceTruth:
    """The things of one picture, read from its mask."""

    picture: FilePicture
    mask: Place

    @property
    def path(self) -> Path | None:
        """The mask, where it is a file."""
        return self.mask.path

    def digest(self) -> str:
        """SHA-256 of the mask's file, in hexadecimal."""
        return self.mask.digest()

    def __call__(self) -> Annotations:
        """A row for each number above 0, in order.

        Raises:
            DataError: The mask cannot be read, or has another size than the picture.
        """
        try:
            ids = read_ids(self.mask)
            with self.picture.open() as raster:
                size_hw = raster.size_hw
        except ImageError as err:
            raise DataError(str(err)) from err
        if ids.shape != size_hw:
            rows, columns = ids.shape
            sizes = f"the mask has {columns}x{rows} pixels, the picture {size_hw[1]}x{size_hw[0]}"
            raise DataError(f"{self.mask}: {sizes}. Make it anew; scaling would invent borders.")
        return things_of(ids)


def things_of(ids: Ids) -> Annotations:
    """The things that a mask (H, W) numbers, all of class 0; their boxes hold their pixels exactly."""
    height, width = ids.shape
    runs = tuple(runs for number, runs in encode_ids(ids) if number)
    boxes = _boxes(ids)
    areas = np.array([row[1::2].sum() for row in runs], np.float32)
    return Annotations(boxes, np.zeros(len(runs), np.int32), masks=Masks((height, width), runs), areas=areas)


def _boxes(ids: Ids) -> npt.NDArray[np.float32]:
    """The box around each number above 0, ascending."""
    rows, columns = np.nonzero(ids)
    numbers = ids[rows, columns]
    present = np.flatnonzero(np.bincount(numbers))
    places = np.zeros(int(numbers.max(initial=0)) + 1, np.intp)
    places[present] = np.arange(present.size)
    place, count = places[numbers], present.size
    low, high = np.full((count, 2), 2**31 - 1), np.zeros((count, 2), np.int64)
    for axis, values in enumerate((columns, rows)):
        np.minimum.at(low[:, axis], place, values)
        np.maximum.at(high[:, axis], place, values + 1)
    return np.concatenate([low, high], axis=1).astype(np.float32)


def recognize(tree: Tree, hints: Hints) -> str | None:
    """Whether there are masks for pictures that number things."""
    found = mask_pairs(tree)
    if not found.things or (found.alike and hints.kinds == {"map"}):
        return None
    return f"a mask with a number for each thing for {len(found.pairs):,} pictures"


def read(tree: Tree, hints: Hints) -> Dataset:
    """Every picture that has a mask.

    Raises:
        DataError: There are no masks, or several classes are named.
    """
    found = mask_pairs(tree)
    if not found.pairs:
        raise DataError(f"{tree.root}: no masks. Expected images/a.png with labels/a.png, or the like.")
    beside = None if hints.labels else labels_beside(tree, *found.folders)
    labels = hints.labels or (beside[0] if beside else ("object",))
    if len(labels) != 1:
        raise DataError(f"{tree.root}: these masks number things of one class, but {len(labels)} labels are given.")
    without = [pair.picture for pair in found.pairs if not pair.other]
    faults = (Fault(without[0], "has no mask", len(without)),) if without else ()
    samples = sorted((_sample(tree, pair) for pair in found.pairs if pair.other), key=lambda sample: sample.id)
    named = "as given" if hints.labels else f"from {beside[1]}" if beside else "as they have no name"
    remarks = (found.remark, f"things of one class, called {labels[0]!r} {named}")
    return Dataset(tree.root, "instance-masks", "instances", labels, tuple(samples), faults=faults, remarks=remarks)


def _sample(tree: Tree, pair: Pair) -> Sample:
    picture = FilePicture(tree.places[pair.picture])
    return Sample(pair.picture, picture, InstanceTruth(picture, tree.places[pair.other or ""]), pair.split)


LAYOUT = Layout(
    "instance-masks",
    "a mask for each picture with a number for each thing",
    frozenset({"instances"}),
    "arrangement",
    recognize,
    read,
)
