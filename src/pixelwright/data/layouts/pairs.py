"""Pairs: worse pictures and the better ones of the same, for restoration.

```
lq/a.png  gt/a.png       low/  high/        input/  target/       noisy/  clean/
blur/     sharp/         rainy/ clear/      LR/     HR/           also with a split above or below
```

The better picture may be larger by a whole factor (`a.png` and `ax4.png` belong together): then it is super-resolution.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pixelwright.data.dataset import Dataset, Fault, Sample
from pixelwright.data.layout import Hints, Layout
from pixelwright.data.pairing import BETTER, WORSE, Pair, facing, pairs
from pixelwright.data.pictures import FilePicture
from pixelwright.data.tree import Tree
from pixelwright.errors import DataError, ImageError
from pixelwright.structures.image import Image


@dataclass(frozen=True, slots=True, eq=False)
class BetterPicture:
    """The better picture of a pair."""

    worse: FilePicture
    better: FilePicture

    @property
    def path(self) -> Path | None:
        """The better picture, where it is a file."""
        return self.better.path

    def digest(self) -> str:
        """SHA-256 of the better picture's file, in hexadecimal."""
        return self.better.digest()

    def __call__(self) -> Image:
        """The picture, upright.

        Raises:
            DataError: It cannot be read, or its size is not the other's times a whole number.
        """
        try:
            with self.worse.open() as raster:
                rows, columns = raster.size_hw
            with self.better.open() as raster:
                image = raster.read()
        except ImageError as err:
            raise DataError(str(err)) from err
        height, width = image.size_hw
        if height % rows or width % columns or height // rows != width // columns:
            expected = f"expected {columns}x{rows} pixels or a whole multiple, as the worse picture has"
            raise DataError(f"{self.better.place}: {expected}, got {width}x{height}.")
        return image


def recognize(tree: Tree, hints: Hints) -> str | None:
    """Whether there are folders of worse and better pictures."""
    folders = [] if tree.chosen else facing(tree, WORSE, BETTER)
    if not any(pair.other for one, other in folders for pair in pairs(tree, one, other)):
        return None
    return f"worse pictures in {folders[0][0]}/ and better ones in {folders[0][1]}/"


def read(tree: Tree, hints: Hints) -> Dataset:
    """Every worse picture that has a better one.

    Raises:
        DataError: There are no such folders.
    """
    folders = facing(tree, WORSE, BETTER)
    found: dict[str, Pair] = {}
    for one, other in folders:
        for pair in pairs(tree, one, other):
            if pair.other or pair.picture not in found:
                found[pair.picture] = pair
    samples = [_sample(tree, pair.picture, pair.other, pair) for _, pair in sorted(found.items()) if pair.other]
    if not samples:
        raise DataError(f"{tree.root}: no pairs. Expected lq/a.png with gt/a.png, low/ and high/, or the like.")
    without = [name for name, pair in found.items() if not pair.other]
    faults = (Fault(without[0], "has no better picture", len(without)),) if without else ()
    said = " and ".join(f"{one}/ with {other}/" for one, other in folders[:4])
    remarks = (f"worse with better pictures: {said}",)
    return Dataset(tree.root, "pairs", "pair", (), tuple(samples), faults=faults, remarks=remarks)


def _sample(tree: Tree, worse: str, better: str, pair: Pair) -> Sample:
    picture = FilePicture(tree.places[worse])
    return Sample(worse, picture, BetterPicture(picture, FilePicture(tree.places[better])), pair.split)


LAYOUT = Layout("pairs", "folders of worse and of better pictures", frozenset({"pair"}), "arrangement", recognize, read)
