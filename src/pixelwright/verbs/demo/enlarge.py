"""Experiment: a photo halved, then doubled again by bicubic interpolation and by the model."""

from __future__ import annotations

from dataclasses import dataclass

from pixelwright.ops import resample
from pixelwright.structures.image import Image
from pixelwright.structures.raster import crop
from pixelwright.verbs.demo.bench import Bench, megapixels
from pixelwright.verbs.demo.photos import Photo
from pixelwright.verbs.demo.scores import psnr_y
from pixelwright.verbs.demo.windows import DETAIL_PX, busiest

SCALE = 2


@dataclass(frozen=True, slots=True)
class View:
    """A picture and its magnified part."""

    link: str
    detail_link: str


@dataclass(frozen=True, slots=True)
class Enlarged:
    """A halved photo and what two ways of doubling made of it."""

    photo: Photo
    small_hw: tuple[int, int]
    original: View
    bicubic: View
    ours: View
    bicubic_db: float
    ours_db: float
    seconds: float

    @property
    def gain_db(self) -> float:
        """How much nearer to the original the model came than bicubic."""
        return self.ours_db - self.bicubic_db


def enlarge(bench: Bench, photo: Photo) -> Enlarged:
    """Half the photo with an antialiased bicubic filter, double it twice over, and compare with the photo."""
    original = photo.image
    size_hw = original.size_hw
    small_hw = (size_hw[0] // SCALE, size_hw[1] // SCALE)
    small = Image(resample.resize(original.pixels, small_hw, kernel="bicubic"))
    bicubic = Image(resample.resize(small.pixels, size_hw, kernel="bicubic"))
    with bench.timing("Enlarge ×2", megapixels(original.pixels)):
        ours = bench.enlarge(small)
    detail = busiest(original.pixels, DETAIL_PX)
    views = [
        View(bench.write(image, f"enlarge-{name}.png"), bench.write(crop(image, detail), f"enlarge-{name}-detail.png"))
        for name, image in (("original", original), ("bicubic", bicubic), ("model", ours))
    ]
    return Enlarged(
        photo,
        small_hw,
        *views,
        bicubic_db=psnr_y(original.pixels, bicubic.pixels, border_px=SCALE),
        ours_db=psnr_y(original.pixels, ours.pixels, border_px=SCALE),
        seconds=bench.seconds(),
    )
