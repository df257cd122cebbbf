"""Experiment: a JPEG stored sideways with an orientation tag, enhanced upright exactly once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pixelwright.io.images import read_image
from pixelwright.structures.image import Image
from pixelwright.verbs.demo.bench import Bench, megapixels
from pixelwright.verbs.demo.photos import Photo
from pixelwright.verbs.demo.scores import psnr

ORIENTATION_TAG = 0x0112
SIDEWAYS = 6  # stored rows are the picture's columns, right to left: a phone held upright
CAMERA = {0x010F: "Pixelwright", 0x0110: "Demo camera", 0x0132: "2026:01:31 12:00:00"}  # make, model, date and time
GRAIN = 10  # standard deviation of the noise to take away


@dataclass(frozen=True, slots=True)
class Turned:
    """A sideways file and its enhanced result.

    Attributes:
        stored_link: The pixels as they lie in the file, without the tag, so that no browser turns them.
        source_link: The file itself, which a browser shows upright.
        quarter_turns: By how many quarter turns the result must be turned to fit the photo best; 0 is right.
        tags: The orientation tag of the file and of the result (1 where there is none).
        camera_kept: Whether make, model and time came through.
    """

    photo: Photo
    stored_link: str
    source_link: str
    result_link: str
    stored_hw: tuple[int, int]
    result_hw: tuple[int, int]
    tags: tuple[int, int]
    quarter_turns: int
    camera_kept: bool
    source_db: float
    result_db: float


def turn_upright(bench: Bench, photo: Photo) -> Turned:
    """Write the photo sideways with orientation 6, denoise the file, and look at what came out."""
    upright = photo.image.pixels
    grain = np.random.RandomState(0).standard_normal(upright.shape) * GRAIN
    noisy = np.rint(np.clip(upright + grain, 0, 255)).astype(np.uint8)
    stored = np.ascontiguousarray(np.rot90(noisy))
    stored_link = bench.write(Image(stored), "sideways-stored.png")
    source_link = "images/sideways.jpg"
    source = bench.output / source_link
    _write_sideways(stored, source)
    with bench.timing("Sideways JPEG: read, denoise, write", megapixels(stored)):
        result_link = bench.write(bench.denoise(source), "sideways-denoised.jpg", quality=92)
    result = read_image(bench.output / result_link).pixels
    tags_before, tags_after = _tags(source), _tags(bench.output / result_link)
    return Turned(
        photo,
        stored_link,
        source_link,
        result_link,
        stored.shape[:2],
        result.shape[:2],
        tags=(int(tags_before.get(ORIENTATION_TAG, 1)), int(tags_after.get(ORIENTATION_TAG, 1))),
        quarter_turns=_quarter_turns(upright, result),
        camera_kept=all(tags_after.get(tag) == text for tag, text in CAMERA.items()),
        source_db=psnr(upright, read_image(source).pixels),
        result_db=psnr(upright, result) if result.shape == upright.shape else 0.0,
    )


def _write_sideways(pixels: np.ndarray, path: Path) -> None:
    # By Pillow: our own writer resets the tag, as it must.
    from PIL import Image as PillowImage

    exif = PillowImage.Exif()
    exif[ORIENTATION_TAG] = SIDEWAYS
    exif.update(CAMERA)
    PillowImage.fromarray(pixels).save(path, quality=92, subsampling=0, exif=exif)


def _tags(path: Path) -> dict[int, Any]:
    """The EXIF tags as another library reads them."""
    from PIL import Image as PillowImage

    with PillowImage.open(path) as picture:
        return dict(picture.getexif())


def _quarter_turns(truth: np.ndarray, seen: np.ndarray) -> int:
    """How many quarter turns to the left bring `seen` nearest to `truth`."""
    turned = {count: np.rot90(seen, count) for count in range(4)}
    fitting = {count: psnr(truth, image) for count, image in turned.items() if image.shape == truth.shape}
    return max(fitting, key=lambda count: fitting[count])
