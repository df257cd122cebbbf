"""Experiment: an underexposed 16-bit photo in a wide gamut, enlarged, read back and brightened."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pixelwright.io.icc import to_srgb8
from pixelwright.io.images import read_image
from pixelwright.io.profiles import TO_XYZ_D50
from pixelwright.ops import color, resample
from pixelwright.structures.image import Color, Image
from pixelwright.structures.raster import crop
from pixelwright.verbs.demo.bench import Bench, megapixels
from pixelwright.verbs.demo.photos import Photo
from pixelwright.verbs.demo.scores import psnr
from pixelwright.verbs.demo.windows import DETAIL_PX, calmest

Light = npt.NDArray[np.float64]

STOPS = 5  # how much too dark the photo was taken
READ_NOISE = 0.00002  # of full white, in linear light: what a good sensor has at base sensitivity
WIDE = Color(transfer="srgb", primaries="display-p3")


@dataclass(frozen=True, slots=True)
class Kept:
    """What a file was before and after.

    Attributes:
        before: The file as it was read in, `after` the result as it was read back.
        levels: Distinct values in each.
        squeezed_levels: Distinct values in the result where the input was squeezed to 8 bit first.
        same_profile: Whether the embedded profile came back byte for byte.
        kept_link: The result, and `squeezed_link` that by way of 8 bit, `STOPS` brighter.
        detail_links: Of those two and of the photo, the same smooth part.
    """

    photo: Photo
    source_link: str
    result_link: str
    before: Image
    after: Image
    levels: tuple[int, int]
    squeezed_levels: int
    same_profile: bool
    kept_link: str
    squeezed_link: str
    detail_links: tuple[str, str, str]
    kept_db: float
    squeezed_db: float


def keep_depth(bench: Bench, photo: Photo) -> Kept:
    """Store the photo halved and too dark as a 16-bit TIFF, enlarge the file, and brighten what comes out.

    Beside it the same with the input squeezed to 8 bit first, which is what a reader that returns bytes hands on.
    """
    source_link = bench.write(_underexposed(photo.image), "sixteen-bit.tif")
    with bench.timing("16-bit TIFF: read, enlarge ×2, write", megapixels(photo.image.pixels)):
        result_link = bench.write(bench.enlarge(bench.output / source_link), "sixteen-bit-enlarged.tif")
    before, after = read_image(bench.output / source_link), read_image(bench.output / result_link)
    squeezed = bench.enlarge(color.to_8_bit(before))
    kept_bright, squeezed_bright = _brightened(after), _brightened(squeezed)
    detail = calmest(photo.image.pixels, DETAIL_PX)
    kept_detail, squeezed_detail, photo_detail = (
        bench.write(crop(image, detail), f"depth-detail-{name}.png")
        for name, image in (("kept", kept_bright), ("squeezed", squeezed_bright), ("photo", photo.image))
    )
    return Kept(
        photo,
        source_link,
        result_link,
        before,
        after,
        levels=(_levels(before), _levels(after)),
        squeezed_levels=_levels(squeezed),
        same_profile=before.color.icc is not None and before.color.icc == after.color.icc,
        kept_link=bench.write(kept_bright, "sixteen-bit-brightened.png"),
        squeezed_link=bench.write(squeezed_bright, "eight-bit-brightened.png"),
        detail_links=(kept_detail, squeezed_detail, photo_detail),
        kept_db=psnr(photo.image.pixels, kept_bright.pixels),
        squeezed_db=psnr(photo.image.pixels, squeezed_bright.pixels),
    )


def _underexposed(image: Image) -> Image:
    """The photo at half size as 16-bit Display P3, `STOPS` darker, with a sensor's dark noise.

    It is halved and darkened in float, so that every value is a real 16-bit one and not an 8-bit one multiplied.
    """
    half_hw = (image.size_hw[0] // 2, image.size_hw[1] // 2)
    values = resample.resize(image.pixels.astype(np.float32) / 255, half_hw, kernel="bicubic")
    to_wide = np.linalg.solve(TO_XYZ_D50["display-p3"], TO_XYZ_D50["srgb"])
    light = _to_light(np.clip(values, 0, 1)) @ to_wide.T / 2**STOPS
    noisy = light + np.random.RandomState(0).standard_normal(light.shape) * READ_NOISE
    return Image(np.rint(65535 * _to_values(noisy)).astype(np.uint16), color=WIDE)


def _brightened(image: Image) -> Image:
    """The image `STOPS` brighter, as 8-bit sRGB for the page."""
    light = _to_light(image.pixels / image.white) * 2**STOPS
    pixels = np.rint(65535 * _to_values(light)).astype(np.uint16)
    return Image(to_srgb8(Image(pixels, color=image.color)).pixels)


def _to_light(values: Light) -> Light:
    """Source: IEC 61966-2-1, the sRGB curve, which Display P3 shares."""
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def _to_values(light: Light) -> Light:
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def _levels(image: Image) -> int:
    return int(np.unique(image.pixels).size)
