"""Data sets: pictures with what is true of them, whatever layout they come in.

Nothing is decoded when a data set is opened. A sample knows where its picture and its truth are and reads them when
asked, so that a million of them fit into memory.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Protocol

from pixelwright.data.digests import Stored, digests_of
from pixelwright.structures.image import Image
from pixelwright.structures.raster import Raster
from pixelwright.structures.targets import Target

# What is true of a sample:
#   classes     one class or several                     `Classes`
#   values      numbers                                  `Values`
#   boxes       things with boxes                        `Annotations`
#   instances   things with masks                        `Annotations` with masks
#   keypoints   things with keypoints                    `Annotations` with keypoints
#   map         a class for each pixel                   `LabelMap`
#   pair        a better picture of the same             `Image`
#   clean       nothing: the picture is the better one, and the worse is made from it
Kind = Literal["classes", "values", "boxes", "instances", "keypoints", "map", "pair", "clean"]
SplitName = Literal["", "train", "calibration", "validation", "test"]

# What a fault is about, for whoever sorts them:
#   outside     a thing reaches out of its picture
#   empty       a thing without an area
#   thing       something else is wrong with a thing; these three are also told by the `faults` of a sample's truth
#   split       a part without a sample
#   alike       labels that differ by case or spaces alone
#   doubt       a file or folder seems to say what is true, and is not understood
#   stop        why nothing can be learned of the data
#   other       whatever else there is
FaultKind = Literal["outside", "empty", "thing", "split", "alike", "doubt", "stop", "other"]


class Picture(Stored, Protocol):
    """Where a picture is. Implementations are small, immutable, and can be pickled (workers may be spawned).

    The digest is that of the file, the archive's member, or the array's row with its shape and dtype.
    """

    def open(self) -> Raster:
        """Its header, ready to be decoded.

        Raises:
            ImageError: It cannot be read.
        """
        ...


class Truth(Stored, Protocol):
    """What is true of a picture. Implementations are small, immutable, and can be pickled."""

    def __call__(self) -> Target | None:
        """It, in pixels of the upright full-resolution image.

        Raises:
            DataError: It cannot be read, or does not fit the picture.
        """
        ...


@dataclass(frozen=True, slots=True)
class Sample:
    """One picture, or one sequence (an "image" of T rows, F columns and one float32 channel), and its truth.

    Attributes:
        id: Unique in the data set and the same on every machine: the path relative to the root with `/`, or
            `file#row` for arrays and archives.
        picture: Where the picture is.
        truth: What is true of it.
        split: What the data itself says, or nothing.
        group: Samples of one group are never parted by a split; each is its own where this is empty.
    """

    id: str
    picture: Picture
    truth: Truth
    split: SplitName = ""
    group: str = ""

    def read(self) -> Image:
        """The picture: upright, all of it, with its own depth.

        Raises:
            ImageError: It cannot be read.
        """
        with self.picture.open() as raster:
            return raster.read()


@dataclass(frozen=True, slots=True)
class Fault:
    """Something of the data that could not be used, or was used in a way that the user should know.

    Attributes:
        where: File, and row or entry within.
        what: A sentence: expected and found.
        lost: How many samples or things were left out for it; 0 for a mere remark.
        kind: What it is about.
    """

    where: str
    what: str
    lost: int = 0
    kind: FaultKind = "other"

    @classmethod
    def of(cls, where: str, err: Exception) -> Fault:
        """An error that costs one sample, without the name of the file that its message begins with."""
        return cls(where, without_path(str(err), where), lost=1)


def without_path(message: str, name: str) -> str:
    """A message without the path of a file that it begins with, for a line that begins with the file's name."""
    folder, named, what = message.partition(f"{name}: ")
    return what if named and (not folder or folder.endswith(("/", "\\"))) else message


@dataclass(frozen=True, slots=True)
class Dataset:
    """A data set as understood.

    Attributes:
        root: The folder or file it was opened from.
        layout: Registry name of the layout.
        kind: What is true of its samples.
        labels: Names of the classes in order, or of the values.
        samples: Sorted by id.
        exclusive: Whether a sample has exactly one class.
        sequence: Whether the samples are sequences: of the "picture" a row is a step and a column a feature.
        void_id: The class of label maps that means "not known", or None.
        keypoints: Names of the keypoints, in order.
        skeleton: Which of them are joined.
        mirrored: For each keypoint the position of the one that takes its place in a mirrored picture, itself where it
            lies in the middle; empty where the data do not say.
        faults: What could not be used.
        remarks: What was understood, a sentence each, to be shown: `classes from the folders' names`.
    """

    root: Path
    layout: str
    kind: Kind
    labels: tuple[str, ...]
    samples: tuple[Sample, ...]
    exclusive: bool = True
    sequence: bool = False
    void_id: int | None = None
    keypoints: tuple[str, ...] = ()
    skeleton: tuple[tuple[str, str], ...] = ()
    mirrored: tuple[int, ...] = ()
    faults: tuple[Fault, ...] = field(default=())
    remarks: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What the data are called: as their folder, file or link, also where that was given as `.` or `..`."""
        return Path(os.path.abspath(self.root)).name  # noqa: PTH100 (a link has its own name)

    def __len__(self) -> int:
        return len(self.samples)

    def only(self, samples: Iterable[Sample]) -> Dataset:
        """The same data set with some of its samples."""
        return replace(self, samples=tuple(samples))


def fingerprint(dataset: Dataset) -> str:
    """SHA-256 over the sorted digests of all pictures: the same pictures give the same text, whatever their names.

    In place of the digest of a picture that cannot be read stands its id, so that one damaged file ends nothing and is
    yet noticed when it has been mended.
    """
    digests = digests_of(sample.picture for sample in dataset.samples)
    lines = [found or f"unreadable {one.id}" for one, found in zip(dataset.samples, digests, strict=True)]
    return hashlib.sha256("\n".join(sorted(lines)).encode("utf-8", "surrogateescape")).hexdigest()
