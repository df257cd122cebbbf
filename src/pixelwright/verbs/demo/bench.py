"""The demo's workbench: loaded models, the folder that pictures go to, and a clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pixelwright.io.images import write_image
from pixelwright.model import Model, load
from pixelwright.structures.image import Image
from pixelwright.verbs.demo.photos import Album

WARM_UP_PX = 64


@dataclass(frozen=True, slots=True)
class DemoModels:
    """Zoo names or bundle folders of the three models that the demo runs."""

    denoise: str = "denoise"
    enlarge: str = "super-resolve-x2"
    digits: str = "digits"


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the time table; `megapixels` is None where pixels are no measure."""

    name: str
    seconds: float
    megapixels: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Bench:
    """What every experiment needs.

    Attributes:
        output: The page's folder; pictures go to `images/` below it.
        album: The photos to start from.
        tick: To be called after each step.
        steps: What was timed so far.
    """

    output: Path
    album: Album
    tick: Callable[[], None]
    denoise: Model
    enlarge: Model
    digits: Model
    steps: list[Step] = field(default_factory=list)

    @classmethod
    def open(cls, output: Path, album: Album, models: DemoModels, tick: Callable[[], None]) -> Bench:
        """The bench with its models loaded and warmed up, so that no step pays for another's start."""
        start = time.perf_counter()
        denoise = load(models.denoise, task="enhance")
        enlarge = load(models.enlarge, task="enhance")
        digits = load(models.digits, task="classify")
        gray = np.full((WARM_UP_PX, WARM_UP_PX, 3), 128, np.uint8)
        for model in (denoise, enlarge, digits):
            model(gray)
        bench = cls(output, album, tick, denoise, enlarge, digits)
        bench.steps.append(Step("Load three models, verify their checksums", time.perf_counter() - start, None))
        return bench

    @contextmanager
    def timing(self, name: str, megapixels: float | None = None) -> Iterator[None]:
        """Times a block; steps of one name are added up."""
        start = time.perf_counter()
        yield
        self.steps.append(Step(name, time.perf_counter() - start, megapixels))

    def seconds(self) -> float:
        """What the latest step took."""
        return self.steps[-1].seconds

    def write(self, image: Image, name: str, *, quality: int | None = None) -> str:
        """Writes a picture with the product's own writer; returns the link relative to the page."""
        target = self.output / "images" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        write_image(image, target, quality=quality)
        return f"images/{name}"

    def summed(self) -> list[Step]:
        """The steps in the order of their first appearance, those of one name added up."""
        sums: dict[str, Step] = {}
        for step in self.steps:
            before = sums.get(step.name, Step(step.name, 0.0, None))
            pixels = None if step.megapixels is None else (before.megapixels or 0.0) + step.megapixels
            sums[step.name] = Step(step.name, before.seconds + step.seconds, pixels)
        return list(sums.values())


def megapixels(pixels: npt.NDArray[np.generic]) -> float:
    """How many million pixels an array (H, W, ...) has."""
    return pixels.shape[0] * pixels.shape[1] / 1e6
