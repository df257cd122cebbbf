"""Experiment: an underexposed 16-bit photo in a wide gamut, denoised, read back and brightened."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from pixelwright.io.icc import to_srgb, to_srgb8
from pixelwright.io.images import read_image
from pixelwright.io.profiles import TO_XYZ_D50
from pixelwright.ops import color
from pixelwright.structures.image import Color, Image
from pixelwright.verbs.demo.bench import Bench, megapixels
from pixelwright.verbs.demo.photos import Photo
from pixelwright.verbs.demo.scores import psnr

Light = npt.NDArray[np.float64]

STOPS = 5  # how much too dark the photo was taken
READ_NOISE = 0.0003  # of full white, in linear light
WIDE = Color(transfer="srgb", primaries="display-p3")


@dataclass(frozen=True, slots=True)
class Kept:
    """What a file was before and after.

    Attributes:
        before: The file as it was read in, `after` as it was read back.
        levels: Distinct values in each.
        same_profile: Whether the embedded profile came back byte for byte.
    """

    photo: Photo
    source_link: str
    result_link: str
    before: Image
    after: Image
    levels: tuple[int, int]
    squeezed_levels: int
    same_profile: bool
    dark_link: str
    kept_link: str
    squeezed_link: str
    kept_db: float
    squeezed_db: float


def keep_depth(bench: Bench, photo: Photo) -> Kept:
    """Store the photo five stops too dark as a 16-bit TIFF, denoise it, and brighten what comes out.

    Beside it the same with the input squeezed to 8 bit first, which is what a reader that returns bytes hands on.
    """
    source_link = bench.write(_underexposed(photo.image), "sixteen-bit.tif")
    size = megapixels(photo.image.pixels)
    with bench.timing("16-bit TIFF: read, denoise, write", size):
        result = bench.denoise(bench.output / source_link)
        result_link = bench.write(result, "sixteen-bit-denoised.tif")
    before, after = read_image(bench.output / source_link), read_image(bench.output / result_link)
    squeezed = bench.denoise(color.to_8_bit(before))
    lifted = [_brightened(image, STOPS) for image in (after, squeezed)]
    return Kept(
        photo,
        source_link,
        result_link,
        before,
        after,
        levels=(_levels(before), _levels(after)),
        squeezed_levels=_levels(squeezed),
        same_profile=before.color.icc is not None and before.color.icc == after.color.icc,
        dark_link=bench.write(_brightened(before, 0), "sixteen-bit-dark.png"),
        kept_link=bench.write(lifted[0], "sixteen-bit-lifted.png"),
        squeezed_link=bench.write(lifted[1], "eight-bit-lifted.png"),
        kept_db=psnr(photo.image.pixels, lifted[0].pixels),
        squeezed_db=psnr(photo.image.pixels, lifted[1].pixels),
    )


def _underexposed(image: Image) -> Image:
    """The photo as 16-bit Display P3, `STOPS` darker, with a sensor's dark noise: every value is a real 16-bit one."""
    to_wide = np.linalg.solve(TO_XYZ_D50["display-p3"], TO_XYZ_D50["srgb"])
    light = _to_light(image.pixels / 255.0) @ to_wide.T / 2**STOPS
    noisy = light + np.random.RandomState(0).standard_normal(light.shape) * READ_NOISE
    return Image(np.rint(65535 * _to_values(noisy)).astype(np.uint16), color=WIDE)


def _brightened(image: Image, stops: int) -> Image:
    """The image `stops` brighter, as 8-bit sRGB for the page."""
    light = _to_light(image.pixels / image.white) * 2**stops
    pixels = np.rint(65535 * _to_values(light)).astype(np.uint16)
    bright = Image(pixels, color=image.color, source=replace(image.source, bits=16))
    return Image(color.to_8_bit(to_srgb(bright)).pixels)


def _to_light(values: Light) -> Light:
    """Source: IEC 61966-2-1, the sRGB curve, which Display P3 shares."""
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def _to_values(light: Light) -> Light:
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def _levels(image: Image) -> int:
    return int(np.unique(image.pixels).size)
