"""Experiment: a JPEG stored sideways with an orientation tag, enhanced upright exactly once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pixelwright.io.images import read_image
from pixelwright.metrics.fidelity import psnr
from pixelwright.structures.image import Image
from pixelwright.verbs.demo.bench import Bench, megapixels
from pixelwright.verbs.demo.markup import Part, size
from pixelwright.verbs.report.markup import facts, figure, grid, section

ORIENTATION_TAG = 0x0112
SIDEWAYS = 6  # stored rows are the picture's columns, right to left: a phone held upright
CAMERA = {0x010F: "Pixelwright", 0x0110: "Demo camera", 0x0132: "2026:01:31 12:00:00"}  # make, model, date and time
GRAIN = 10  # standard deviation of the noise to take away


def turn_upright(bench: Bench) -> Part:
    """Write a photo sideways with orientation 6, denoise the file, and look at what came out."""
    upright = bench.album.pick(1).image.pixels
    grain = np.random.RandomState(0).standard_normal(upright.shape) * GRAIN
    noisy = np.rint(np.clip(upright + grain, 0, 255)).astype(np.uint8)
    stored = np.ascontiguousarray(np.rot90(noisy))
    stored_link = bench.write(Image(stored), "sideways-stored.png")  # without the tag: no browser turns it
    source = bench.output / "images" / "sideways.jpg"
    _write_sideways(stored, source)
    with bench.timing("Sideways JPEG: read, denoise, write", megapixels(stored)):
        result_link = bench.write(bench.denoise(source), "sideways-denoised.jpg", quality=92)
    result = read_image(bench.output / result_link).pixels
    before, after = _tags(source), _tags(bench.output / result_link)
    tags = before.get(ORIENTATION_TAG, 1), after.get(ORIENTATION_TAG, 1)
    turns = _quarter_turns(upright, result)
    source_db = psnr(upright, read_image(source).pixels)
    result_db = psnr(upright, result) if result.shape == upright.shape else 0.0
    pictures = (
        figure(stored_link, "The stored pixels", stored.shape, f"<b>As stored</b>, {size(stored.shape)}"),
        figure("images/sideways.jpg", "As the tag means it", upright.shape, f"<b>As tag {tags[0]} means it</b>"),
        figure(result_link, "Denoised, upright", result.shape, f"<b>Denoised</b>, {size(result.shape)}"),
    )
    rows = [
        ("Orientation tag", f"{tags[0]} → <b>{tags[1]}</b>"),
        ("Fits the upright photo", f"after {turns} quarter turns" if turns or tags[1] != 1 else "<b>as it is</b>"),
        ("Camera and time in EXIF", "kept" if all(after.get(tag) == text for tag, text in CAMERA.items()) else "lost"),
        ("PSNR against the photo", f"{source_db:.1f} → <b>{result_db:.1f} dB</b>"),
    ]
    lead = (
        f"A JPEG as a phone stores it: rows sideways, orientation {tags[0]} in its EXIF, some grain "
        f"(σ\u00a0{GRAIN}). It has to come out upright, turned exactly once, with the tag reset, or the "
        "next program turns it again."
    )
    parts = grid("row", *pictures), grid("split", facts(rows))
    return Part(
        *("turned", "Orientation tag", f"{tags[0]} → {tags[1]}", "turned upright once"),
        section("turned", "Sideways files come out upright", lead, *parts),
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
