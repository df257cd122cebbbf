"""Things: what a label file says of the boxes, masks and keypoints in a picture, and how that becomes `Annotations`.

All layouts with boxes end here, so that a box that reaches outside or is empty is treated the same in each: cut off at
the border of the picture, and left out where nothing of it remains.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pixelwright.data.dataset import Fault, FaultKind, Picture
from pixelwright.data.polygons import LONGEST_PX, fill, length_fault
from pixelwright.errors import DataError, ImageError, ShapeError
from pixelwright.structures.masks import Masks, Runs, decode_runs, encode_runs, text_to_runs
from pixelwright.structures.targets import Annotations

Box = tuple[float, float, float, float]
Ring = tuple[float, ...]  # x, y, x, y ... of a polygon

# A box may be this much over the border without a word: annotators count pixels from 0 or from 1.
TOLERATED_PX = 1.5
TOLERATED_SHARE = 0.01

FARTHEST_PX = 2e5  # of a corner of a polygon, which is walked all the way
_MOST_RUN = 2**32  # of one count
TURNED = 5  # EXIF orientations from here on change rows for columns


@dataclass(frozen=True, slots=True)
class Coded:
    """A mask as run lengths: COCO's text, or its counts."""

    counts: str | tuple[int, ...]
    size_hw: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Thing:
    """One thing as it stands in the file.

    Attributes:
        class_id: Position in the labels.
        box: Left, top, right, bottom; None stands for that of the mask.
        mask: Polygons, or run lengths; None where it has none.
        keypoints: x, y, visibility of each.
        area: In pixels, where the file states it.
    """

    class_id: int
    box: Box | None
    mask: tuple[Ring, ...] | Coded | None = None
    keypoints: tuple[float, ...] = ()
    crowd: bool = False
    ignore: bool = False
    area: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Things:
    """The truth of one picture; calling it gives the `Annotations`.

    Attributes:
        picture: Whose size counts.
        where: File and row, for messages.
        things: In the order of the file.
        in_shares: Whether coordinates are shares of width and height rather than pixels.
        stated_hw: Rows and columns as the file states them; None where it does not.
        masks: Whether masks are wanted.
        keypoints: How many keypoints each has.
    """

    picture: Picture
    where: str
    things: tuple[Thing, ...]
    in_shares: bool = False
    stated_hw: tuple[int, int] | None = None
    masks: bool = False
    keypoints: int = 0

    @property
    def path(self) -> None:
        """They have no file of their own."""

    def digest(self) -> str:
        """SHA-256 of the things as stated, in hexadecimal."""
        return hashlib.sha256(repr((self.things, self.in_shares, self.stated_hw)).encode()).hexdigest()

    def __call__(self) -> Annotations:
        """The things in pixels of the picture, cut off at its border.

        Raises:
            DataError: The picture cannot be read, or has another size than stated.
        """
        try:
            with self.picture.open() as raster:
                size_hw, orientation = raster.size_hw, raster.source.orientation
        except ImageError as err:
            raise DataError(f"{self.where}: {err}") from err
        if self.stated_hw not in (None, size_hw):
            raise DataError(f"{self.where}: {self._made_for(size_hw, orientation)}")
        try:
            return self._annotations(size_hw)
        except ShapeError as err:
            raise DataError(f"{self.where}: {err}") from err

    def _made_for(self, size_hw: tuple[int, int], orientation: int) -> str:
        """Why things that were made for a picture of the stated size do not fit one of this size, and what to do."""
        stated, actual = (f"{size[1]}x{size[0]}" for size in (self.stated_hw or size_hw, size_hw))
        what = f"made for a picture of {stated}, which has {actual}"
        if orientation < TURNED or self.stated_hw != size_hw[::-1]:
            return f"{what}. Was it resized or turned? Make the annotations anew."
        why = f"{what} once its EXIF orientation ({orientation}) turns it upright"
        return f"{why}. Turn the annotations too, or store the picture upright."

    @property
    def class_ids(self) -> Sequence[int]:
        """The class of each thing as stated, for whoever counts them: what `pictures.class_ids_of` asks for."""
        return [thing.class_id for thing in self.things]

    def faults(self, size_hw: tuple[int, int] | None = None) -> list[Fault]:
        """What is wrong with the boxes, as far as it can be seen without the picture, or with its rows and columns."""
        if self.in_shares:
            size_hw, tolerated = (1, 1), TOLERATED_SHARE
        else:
            size_hw, tolerated = size_hw or self.stated_hw, TOLERATED_PX
        found = (_fault(self.where, thing, size_hw, tolerated) for thing in self.things)
        return [fault for fault in found if fault is not None]

    def _annotations(self, size_hw: tuple[int, int]) -> Annotations:
        height, width = size_hw
        scale = (width, height) if self.in_shares else (1, 1)
        kept: list[Thing] = []
        boxes: list[Box] = []
        masks: list[Runs] = []
        for thing in self.things:
            runs = _runs(thing, size_hw, scale)
            box = _scaled(thing.box, scale) if thing.box else _around(thing, runs, size_hw, scale)
            clipped = _clipped(box, size_hw)
            if clipped is None or (self.masks and not runs[1::2].any()):
                continue
            kept.append(thing)
            boxes.append(clipped)
            masks.append(runs)
        return Annotations(
            np.array(boxes, np.float32).reshape(-1, 4),
            np.array([thing.class_id for thing in kept], np.int32),
            masks=Masks(size_hw, tuple(masks)) if self.masks else None,
            keypoints=_points(kept, scale, self.keypoints) if self.keypoints else None,
            crowd=np.array([thing.crowd for thing in kept], bool),
            ignore=np.array([thing.ignore for thing in kept], bool),
            areas=_areas(kept, boxes),
        )


def _fault(where: str, thing: Thing, size_hw: tuple[int, int] | None, tolerated: float) -> Fault | None:
    """What is wrong with the box of a thing."""
    if thing.box is None:
        return None
    left, top, right, bottom = thing.box
    height, width = size_hw or (math.inf, math.inf)
    kind: FaultKind
    if not all(map(math.isfinite, thing.box)) or right <= left or bottom <= top:
        what, lost, kind = "is empty: expected left < right and top < bottom; it is left out", 1, "empty"
    elif right <= 0 or bottom <= 0 or left >= width or top >= height:
        what, lost, kind = "lies outside of the picture; it is left out", 1, "outside"
    elif min(left, top) < -tolerated or right > width + tolerated or bottom > height + tolerated:
        what, lost, kind = "reaches outside of the picture; it is cut off at the border", 0, "outside"
    else:
        return None
    return Fault(where, f"box {left:g}, {top:g}, {right:g}, {bottom:g} {what}", lost, kind)


def _scaled(box: Box, scale: tuple[float, float]) -> Box:
    return box[0] * scale[0], box[1] * scale[1], box[2] * scale[0], box[3] * scale[1]


def _clipped(box: Box | None, size_hw: tuple[int, int]) -> Box | None:
    """What of a box lies in the picture; None where that is nothing."""
    if box is None or not all(map(math.isfinite, box)):
        return None
    height, width = size_hw
    left, top, right, bottom = max(box[0], 0.0), max(box[1], 0.0), min(box[2], float(width)), min(box[3], float(height))
    # As float32, in which they are kept, they may be the same although they differ here.
    return (
        (left, top, right, bottom)
        if np.float32(right) > np.float32(left) and np.float32(bottom) > np.float32(top)
        else None
    )


def _runs(thing: Thing, size_hw: tuple[int, int], scale: tuple[float, float]) -> Runs:
    """The mask of a thing; of one without, its box filled."""
    mask = thing.mask
    if isinstance(mask, Coded):
        if fault := mask_fault(thing, size_hw):
            raise ShapeError(fault)
        return text_to_runs(mask.counts) if isinstance(mask.counts, str) else np.array(mask.counts, np.uint32)
    if mask is None:
        left, top, right, bottom = _scaled(thing.box or (0, 0, 0, 0), scale)
        mask, scale = ((left, top, right, top, right, bottom, left, bottom),), (1, 1)
    rings = [np.array(ring, float).reshape(-1, 2) * scale for ring in mask]
    if len(rings) == 1:
        return fill(rings[0], size_hw)
    joined = np.zeros(size_hw, bool)
    for ring in rings:
        joined |= decode_runs(fill(ring, size_hw), size_hw)
    return encode_runs(joined)


def _around(thing: Thing, runs: Runs, size_hw: tuple[int, int], scale: tuple[float, float]) -> Box | None:
    """The box around a mask: of polygons exactly, of run lengths in whole pixels."""
    if isinstance(thing.mask, tuple):
        points = np.array([value for ring in thing.mask for value in ring], float).reshape(-1, 2) * scale
        low, high = points.min(axis=0), points.max(axis=0)
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])
    rows, columns = np.nonzero(decode_runs(runs, size_hw))
    if not rows.size:
        return None
    return float(columns.min()), float(rows.min()), float(columns.max()) + 1, float(rows.max()) + 1


def _points(things: Sequence[Thing], scale: tuple[float, float], count: int) -> npt.NDArray[np.float32]:
    points = np.zeros((len(things), count, 3), np.float32)
    for row, thing in enumerate(things):
        if thing.keypoints:
            points[row] = np.array(thing.keypoints, float).reshape(count, 3) * (*scale, 1)
    return points


def _areas(things: Sequence[Thing], boxes: Sequence[Box]) -> npt.NDArray[np.float32] | None:
    """What the file states; None where it states nothing."""
    if not things or any(thing.area is None for thing in things):
        return None
    return np.array([thing.area for thing in things], np.float32)


def _count_fault(mask: Coded) -> str | None:
    """What is wrong with run lengths by themselves."""
    if isinstance(mask.counts, str):
        try:
            counts = text_to_runs(mask.counts).tolist()
        except ShapeError as err:
            return str(err)
    else:
        counts = mask.counts
    height, width = mask.size_hw
    if min(counts, default=0) < 0 or max(counts, default=0) >= _MOST_RUN or sum(counts) != height * width:
        return f"a mask has counts of {sum(counts):,} pixels; expected {width}x{height}, each from 0 up"
    return None


def mask_fault(thing: Thing, size_hw: tuple[int, int] | None) -> str | None:
    """Why the mask of a thing cannot be in a picture of this size, where that is known."""
    if not isinstance(thing.mask, Coded) or size_hw is None or thing.mask.size_hw == size_hw:
        return None
    return "a mask has {1}x{0} pixels, the picture {3}x{2}".format(*thing.mask.size_hw, *size_hw)


def shape_fault(thing: Thing) -> str | None:
    """What is wrong with the mask or the keypoints of a thing, for which it has to be left out; boxes are cut off."""
    if isinstance(thing.mask, tuple):
        short = [ring for ring in thing.mask if len(ring) < 6 or len(ring) % 2]
        if short or not thing.mask:
            counts = ", ".join(str(len(ring)) for ring in short) or "no"
            return f"a polygon has {counts} numbers; expected x and y of 3 points or more"
        if not all(abs(value) <= FARTHEST_PX for ring in thing.mask for value in ring):
            return f"a polygon has a corner that is not finite, or more than {FARTHEST_PX:,.0f} pixels away"
        for ring in thing.mask:
            longest = len(ring) * max(map(abs, ring))  # two a corner, and an edge is no longer than twice the largest
            if longest > LONGEST_PX and (fault := length_fault(np.array(ring, float).reshape(-1, 2))):
                return fault
    elif thing.mask is not None and (fault := _count_fault(thing.mask)):
        return fault
    if not all(map(math.isfinite, thing.keypoints)):
        return "a keypoint has numbers that are not finite"
    return None
