"""The photos that benchmarks start from, and random crops of them; needs Pillow and NumPy only."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

SUFFIXES = (".webp", ".png", ".jpg", ".jpeg")
LEAST_SIDE_PX = 256


@dataclass(frozen=True)
class Crop:
    """A part of a photo: `zoom` of each side, placed by fractions of the rest."""

    photo: Path
    zoom: float
    across: float
    down: float

    def read(self, size_wh: tuple[int, int]) -> Image.Image:
        """The part, resized."""
        with Image.open(self.photo) as photo:
            width, height = photo.size
            crop_w, crop_h = int(width * self.zoom), int(height * self.zoom)
            left, top = int((width - crop_w) * self.across), int((height - crop_h) * self.down)
            crop = photo.convert("RGB").crop((left, top, left + crop_w, top + crop_h))
        return crop.resize(size_wh, Image.Resampling.BICUBIC)


def list_photos(folder: Path) -> list[Path]:
    """The color photos of a folder that are not tiny, sorted; ends the script where there are none."""
    files = (path for path in sorted(folder.rglob("*")) if path.suffix.lower() in SUFFIXES)
    found = [path for path in files if _is_color_photo(path)]
    if not found:
        sys.exit(f"--photos {folder}: there is no color photo of at least {LEAST_SIDE_PX} pixels a side in it.")
    return found


def draw_crops(photos: list[Path], count: int, *, seed: int, least_zoom: float) -> Iterator[Crop]:
    """`count` crops, from one photo after the other; the same for the same seed."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        yield Crop(photos[number % len(photos)], rng.uniform(least_zoom, 1), rng.random(), rng.random())


def _is_color_photo(path: Path) -> bool:
    with Image.open(path) as photo:
        return photo.mode == "RGB" and min(photo.size) >= LEAST_SIDE_PX
