"""One look at each sample: its picture read whole as a training would, and what is true of it."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pixelwright.data.dataset import Dataset, Sample
from pixelwright.errors import ImageError, PixelwrightError
from pixelwright.ops.appearance import THUMB_PX, TINT_PX
from pixelwright.pipeline import flow
from pixelwright.structures.image import Image
from pixelwright.structures.raster import Raster
from pixelwright.structures.targets import Annotations, Classes, Target, Values
from pixelwright.verbs.doctor.truths import Problem, problems_of, stated_problems
from pixelwright.verbs.features import small_copies

READ_PX = 256  # JPEGs may be decoded at a reduced scale down to this; all of their data is read nevertheless
FLAT = 1.0  # of 255: the largest deviation of a picture that shows nothing


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What is kept of a sample.

    Attributes:
        problems: What is wrong with it alone.
        facts: Of the picture; None where it could not be read.
        digest: SHA-256 of the stored bytes; empty where they could not be read.
        class_ids: Of what is true of it: each class once.
        things: How many things of each of these classes there are.
        answer: The truth in a form in which equal ones are equal, of classes and values; else None.
    """

    problems: tuple[Problem, ...]
    facts: Facts | None
    digest: bytes
    class_ids: tuple[int, ...] = ()
    things: tuple[int, ...] = ()
    answer: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """Of a picture that was read.

    Attributes:
        size_hw: Upright.
        channels: Names, as in `Color`, or how they are stored (`cmyk`).
        bits: Of a channel.
        alpha: Whether it has any.
        orientation: EXIF, as stored.
        pages: In its file.
        format: Registry name.
        flat: Whether it shows nothing.
        thumb: (32, 32) uint8 gray.
        tint: (8, 8, 3) uint8 RGB.
    """

    size_hw: tuple[int, int]
    channels: str
    bits: int
    alpha: bool
    orientation: int
    pages: int
    format: str
    flat: bool
    thumb: npt.NDArray[np.uint8]
    tint: npt.NDArray[np.uint8]


def look_at_all(dataset: Dataset, workers: int) -> Generator[tuple[Sample, Look]]:
    """Every sample with what was seen of it, in order; a few at a time are in memory."""

    def look(sample: Sample) -> Look:
        return look_at(sample, dataset)

    outcomes = flow(dataset.samples, look, _as_they_are, key=lambda _: 0, workers=workers)
    try:
        for done in outcomes:
            if done.error is not None:
                raise done.error
            if done.result is not None:
                yield done.item, done.result
    finally:
        outcomes.close()


def _as_they_are(looks: Sequence[Look]) -> Sequence[Look]:
    return looks


def look_at(sample: Sample, dataset: Dataset) -> Look:
    """What there is to see of one sample."""
    problems: list[Problem] = []
    digest, facts, raster = b"", None, None
    try:
        digest = bytes.fromhex(sample.picture.digest())
        with sample.picture.open() as raster:
            facts = _facts(raster, problems, sequence=dataset.sequence)
    except ImageError as err:
        problems.append(Problem("unreadable", str(err).removeprefix(f"{err.path}: ")))  # the case says which it is
    except (PixelwrightError, OSError, MemoryError) as err:
        problems.append(Problem("unreadable", str(err) or type(err).__name__))
    target: Target | None = None
    size_hw = None if facts is None else facts.size_hw
    stated = stated_problems(sample, size_hw, None if raster is None else raster.source)
    try:
        target = sample.truth()
    except (PixelwrightError, OSError) as err:
        turned = [one for one in stated if one.name == "box-turned"]
        if facts is not None and not turned:  # a truth may need its picture's size
            stated = [Problem("label-unreadable", str(err)), *(one for one in stated if one.name != "box-outside")]
    problems += stated
    if target is not None or not problems:
        problems += [one for one in problems_of(target, dataset, size_hw) if not (stated and one.name == "background")]
    class_ids, things = _classes(target, dataset)
    return Look(tuple(problems), facts, digest, class_ids, things, _answer(target))


def _facts(raster: Raster, problems: list[Problem], *, sequence: bool) -> Facts | None:
    image = raster.read() if sequence else raster.read(at_least_hw=_at_least(raster.size_hw))
    problems += [Problem("overlooked", said) for said in image.warnings]
    if image.pixels.dtype.kind == "f" and not np.isfinite(image.pixels).all():
        problems.append(Problem("not-finite", "holds NaN or infinity"))
        image = image.replace(pixels=np.nan_to_num(image.pixels, posinf=0.0, neginf=0.0))
    thumb, tint = (np.zeros((THUMB_PX, THUMB_PX), np.uint8), np.zeros((TINT_PX, TINT_PX, 3), np.uint8))
    flat = bool(image.pixels.min() == image.pixels.max())
    if not sequence:
        thumb, tint = small_copies(image)
    if flat and not sequence:
        problems.append(Problem("blank", f"every value is {float(image.pixels.flat[0]):g}"))
    source = raster.source
    channels = source.stored_color or "+".join(raster.color.channels)
    return Facts(
        raster.size_hw, channels, source.bits if source.format != "array" else image.pixels.dtype.itemsize * 8,
        raster.has_alpha, source.orientation, source.pages, source.format, float(thumb.std()) < FLAT, thumb, tint,
    )  # fmt: skip


def _at_least(size_hw: tuple[int, int]) -> tuple[int, int]:
    scale = min(1.0, READ_PX / min(size_hw))
    return max(1, round(size_hw[0] * scale)), max(1, round(size_hw[1] * scale))


def _classes(target: Target | None, dataset: Dataset) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Each class that is there, with how many things are of it; of label maps, of which classes there are pixels."""
    if isinstance(target, Classes):
        return target.ids, (1,) * len(target.ids)
    if isinstance(target, Annotations):
        ids, counts = np.unique(target.class_ids, return_counts=True)
        return tuple(ids.tolist()), tuple(counts.tolist())
    if dataset.kind == "map" and target is not None and not isinstance(target, Values | Image):
        ids = [one for one in np.unique(target.ids).tolist() if one != target.void_id]
        return tuple(ids), (1,) * len(ids)
    return (), ()


def _answer(target: Target | None) -> tuple[float, ...] | None:
    return target.ids if isinstance(target, Classes) else target.values if isinstance(target, Values) else None
