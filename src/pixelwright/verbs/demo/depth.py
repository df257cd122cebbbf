"""Experiment: an underexposed 16-bit photo in a wide gamut, enlarged, read back and brightened."""

from __future__ import annotations

import numpy as np

from pixelwright.io.icc import srgb_encode, to_srgb8
from pixelwright.io.images import read_image
from pixelwright.io.profiles import SRGB_CURVE, TO_XYZ_D50
from pixelwright.metrics.fidelity import psnr
from pixelwright.ops import color, resample
from pixelwright.structures.image import Color, Image
from pixelwright.structures.raster import crop
from pixelwright.verbs.demo.bench import Bench, megapixels
from pixelwright.verbs.demo.markup import Layer, Part, compare, credited, details, size
from pixelwright.verbs.demo.measure import calmest
from pixelwright.verbs.demo.photos import Photo
from pixelwright.verbs.report.markup import facts, grid, section, text

STOPS = 5  # how much too dark the photo was taken
READ_NOISE = 0.00002  # of full white, in linear light: what a good sensor has at base sensitivity
WIDE = Color(transfer="srgb", primaries="display-p3")

LEAD = (
    f"The photo was halved, made {STOPS} stops too dark, and stored as a 16-bit TIFF in Display P3. The model doubled "
    "it; the result was written and read back. Beside it the same file by way of 8 bit, as readers that return bytes "
    f"would have it. Both are shown {STOPS} stops brighter, as an editor would do next."
)


def keep_depth(bench: Bench) -> Part:
    """Store a photo halved and too dark as a 16-bit TIFF, enlarge the file, and brighten what comes out.

    Beside it the same with the input squeezed to 8 bit first, which is what a reader that returns bytes hands on.
    """
    photo = bench.album.pick(2)
    stored = bench.write(_underexposed(photo.image), "sixteen-bit.tif")
    with bench.timing("16-bit TIFF: read, enlarge ×2, write", megapixels(photo.image.pixels)):
        result = bench.write(bench.enlarge(bench.output / stored), "sixteen-bit-enlarged.tif")
    before, after = read_image(bench.output / stored), read_image(bench.output / result)
    squeezed = bench.enlarge(color.to_8_bit(before))
    levels = {name: f"{_levels(seen):,}" for name, seen in (("before", before), ("after", after), ("8", squeezed))}
    same_profile = before.color.icc is not None and before.color.icc == after.color.icc
    rows = [
        ("File read", f"{before.pixels.dtype}, {size(before.size_hw)}"),
        ("Result read back", f"<b>{after.pixels.dtype}</b>, {size(after.size_hw)}"),
        ("Gamut of the result", text(after.color.primaries)),
        ("Its profile", "<b>the file’s own, byte for byte</b>" if same_profile else "changed"),
        ("Distinct values in the file", levels["before"]),
        ("Distinct values in the result", f"<b>{levels['after']}</b>"),
        ("The same by way of 8 bit", levels["8"]),
        ("Files", f'<a href="{stored}">stored</a>, <a href="{result}">enlarged</a>'),
    ]
    slider, magnified = _pictures(bench, photo, _brightened(squeezed), _brightened(after))
    return Part(
        *("depth", "16-bit values kept", levels["after"], f"by way of 8 bit: {levels['8']}"),
        section("depth", "Sixteen bit stays sixteen bit", LEAD, grid("split", slider, facts(rows)), magnified),
    )


def _pictures(bench: Bench, photo: Photo, squeezed: Image, kept: Image) -> tuple[str, str]:
    """The slider, and the same smooth part of both and of the photo."""
    truth = photo.image
    before = bench.write(squeezed, "eight-bit-brightened.png")
    after = bench.write(kept, "sixteen-bit-brightened.png")
    slider = compare(
        [Layer(before, f"By way of 8 bit, {psnr(truth.pixels, squeezed.pixels):.1f} dB")],
        Layer(after, f"16 bit kept, {psnr(truth.pixels, kept.pixels):.1f} dB"),
        truth.size_hw,
        f"{credited(photo)}. PSNR against the photo.",
        key="depth-slider",
    )
    part = calmest(truth.pixels)
    cut = [
        bench.write(crop(image, part), f"depth-detail-{name}.png")
        for name, image in (("squeezed", squeezed), ("kept", kept), ("photo", truth))
    ]
    names = ("By way of 8 bit", "16 bit kept", "The photo")
    words = (", the smoothest part magnified", "", "")
    return slider, details(*zip(names, words, cut, strict=True))


def _underexposed(image: Image) -> Image:
    """The photo at half size as 16-bit Display P3, `STOPS` darker, with a sensor's dark noise.

    It is halved and darkened in float, so that every value is a real 16-bit one and not an 8-bit one multiplied.
    """
    half_hw = (image.size_hw[0] // 2, image.size_hw[1] // 2)
    values = resample.resize(image.pixels.astype(np.float32) / 255, half_hw, kernel="bicubic")
    to_wide = np.linalg.solve(TO_XYZ_D50["display-p3"], TO_XYZ_D50["srgb"])
    light = SRGB_CURVE(np.clip(values, 0, 1)) @ to_wide.T / 2**STOPS  # Display P3 shares the curve
    noisy = light + np.random.RandomState(0).standard_normal(light.shape) * READ_NOISE
    return Image(np.rint(65535 * srgb_encode(np.clip(noisy, 0, 1))).astype(np.uint16), color=WIDE)


def _brightened(image: Image) -> Image:
    """The image `STOPS` brighter, as 8-bit sRGB for the page."""
    light = np.clip(SRGB_CURVE(image.pixels / image.white) * 2**STOPS, 0, 1)
    pixels = np.rint(65535 * srgb_encode(light)).astype(np.uint16)
    return Image(to_srgb8(Image(pixels, color=image.color)).pixels)


def _levels(image: Image) -> int:
    return int(np.unique(image.pixels).size)
