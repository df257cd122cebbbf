"""Experiment: noise added to clean photos and taken away again, beside OpenCV's non-local means on the same pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pixelwright.io.exchange import from_opencv, to_opencv
from pixelwright.io.images import read_image
from pixelwright.metrics.fidelity import psnr
from pixelwright.structures.image import Image
from pixelwright.verbs.demo.bench import Bench, megapixels
from pixelwright.verbs.demo.markup import Layer, Part, compare, credited, gain
from pixelwright.verbs.demo.photos import Photo
from pixelwright.verbs.report.markup import grid, section, table, text

Pixels = npt.NDArray[np.uint8]

PHOTOS = 3
SIGMA = 25
JPEG_QUALITY = 75
SHOT, READ = 0.012, 0.006  # noise variance per unit of light, and standard deviation in the dark, of full white
GAMMA = 2.2
# OpenCV gets the best of these for each picture, chosen with the clean photo at hand: an advantage over the model.
OPENCV_STRENGTHS = (6, 10, 15, 22)


@dataclass(frozen=True, slots=True)
class Seen:
    """A picture of the page, its PSNR against the clean photo, and the seconds it took to make."""

    link: str
    psnr_db: float
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Restored:
    """A photo spoiled in one way, and what became of it."""

    photo: Photo
    noise: str
    clean_link: str
    noisy: Seen
    opencv: Seen
    ours: Seen

    def gain_db(self, seen: Seen) -> float:
        """How much nearer to the clean photo a cleaned picture is than the noisy one."""
        return seen.psnr_db - self.noisy.psnr_db


def add_gaussian(pixels: Pixels, seed: int) -> Pixels:
    """White noise of `SIGMA` on every value, clipped and rounded to 8 bit."""
    noise = np.random.RandomState(seed).standard_normal(pixels.shape) * SIGMA
    return np.rint(np.clip(pixels + noise, 0, 255)).astype(np.uint8)


def add_camera(pixels: Pixels, seed: int) -> Pixels:
    """What a small sensor does at high ISO: shot and read noise in linear light, smeared a little by demosaicing."""
    import cv2

    light = (pixels / 255.0) ** GAMMA
    grain = cv2.GaussianBlur(np.random.RandomState(seed).standard_normal(pixels.shape), (0, 0), 0.6)
    grain /= grain.std()
    noisy = light + grain * np.sqrt(SHOT * light + READ**2)
    return np.rint(255 * np.clip(noisy, 0, 1) ** (1 / GAMMA)).astype(np.uint8)


# Name, `(pixels, seed)` to pixels, and how the result is stored
NOISES: tuple[tuple[str, Callable[[Pixels, int], Pixels], str, int | None], ...] = (
    (f"Gaussian noise, σ\u00a0{SIGMA}", add_gaussian, ".png", None),
    (f"High-ISO noise, then JPEG at quality {JPEG_QUALITY}", add_camera, ".jpg", JPEG_QUALITY),
)


def restore(bench: Bench) -> Part:
    """Each photo spoiled in each way and restored from the file it was stored in: sliders, then the table."""
    found: list[Restored] = []
    for number, photo in enumerate(bench.album.photos[:PHOTOS], 1):
        found += _restored(bench, photo, number)
        bench.tick()
    ours, opencv = (
        sum(one.gain_db(seen) for one, seen in zip(found, of, strict=True)) / len(found)
        for of in ([one.ours for one in found], [one.opencv for one in found])
    )
    lead = (
        "Each clean photo was spoiled in two ways and stored; the model got the stored file and no hint how much noise "
        "it holds. Drag across a picture, or focus it and use the arrow keys. PSNR is measured against the clean photo."
    )
    is_own = not all(one.photo.credit for one in found)
    own = '<p class="note">Your photos count as clean: their own grain is part of what is compared with.</p>'
    sliders = [_slider(one, f"denoise-{number}") for number, one in enumerate(found)]
    parts = [_refused(bench), grid("pair", *sliders), *_scores(found), own if is_own else ""]
    return Part(
        *("denoise", "Denoising", f"{gain(ours)} <small>dB</small>", f"OpenCV {gain(opencv)} dB"),
        section("denoise", "Noise removed", lead, *parts),
    )


def _restored(bench: Bench, photo: Photo, index: int) -> list[Restored]:
    clean = photo.image.pixels
    clean_link = bench.write(photo.image, f"photo-{index}.png")
    found = []
    for kind, (name, add, suffix, quality) in enumerate(NOISES):
        stem = f"photo-{index}-{'ab'[kind]}"
        noisy_link = bench.write(Image(add(clean, index)), f"{stem}-noisy{suffix}", quality=quality)
        noisy = read_image(bench.output / noisy_link)
        with bench.timing("Denoise", megapixels(noisy.pixels)):
            cleaned = bench.denoise(noisy)
        link = bench.write(Image(cleaned.pixels), f"{stem}-denoised.png")
        ours = Seen(link, psnr(clean, cleaned.pixels), bench.seconds())
        opencv = _non_local_means(bench, clean, noisy, f"{stem}-opencv.png")
        found.append(Restored(photo, name, clean_link, Seen(noisy_link, psnr(clean, noisy.pixels)), opencv, ours))
    return found


def _non_local_means(bench: Bench, clean: Pixels, noisy: Image, name: str) -> Seen:
    """OpenCV's result at its best strength; the seconds are of that one run."""
    import cv2

    runs = []
    for strength in OPENCV_STRENGTHS:
        with bench.timing(f"OpenCV non-local means, {len(OPENCV_STRENGTHS)} strengths", megapixels(noisy.pixels)):
            made = cv2.fastNlMeansDenoisingColored(to_opencv(noisy), None, strength, strength, 7, 21)
        seen = from_opencv(np.asarray(made, np.uint8)).pixels
        runs.append((psnr(clean, seen), bench.seconds(), seen))
    score_db, seconds, seen = max(runs, key=lambda run: run[0])
    return Seen(bench.write(Image(seen), name), score_db, seconds)


def _slider(one: Restored, key: str) -> str:
    before = [
        Layer(one.noisy.link, f"Noisy {one.noisy.psnr_db:.1f} dB", "noisy"),
        Layer(one.opencv.link, f"OpenCV {one.opencv.psnr_db:.1f} dB", "OpenCV"),
        Layer(one.clean_link, "Clean", "clean"),
    ]
    after = Layer(one.ours.link, f"Denoised {one.ours.psnr_db:.1f} dB")
    caption = f"<b>{text(one.noise)}.</b> {credited(one.photo)}"
    return compare(before, after, one.photo.image.size_hw, caption, key=key)


def _scores(found: Sequence[Restored]) -> list[str]:
    values = [seen.psnr_db for one in found for seen in (one.noisy, one.opencv, one.ours)]
    low, high = min(values) - 0.5, max(values) + 0.5
    rows = [
        [
            f"{text(one.photo.title)}<br><span class=note>{text(one.noise)}</span>",
            _track(one, low, high),
            f"{one.noisy.psnr_db:.2f}",
            f"{one.opencv.psnr_db:.2f}",
            f"<b>{one.ours.psnr_db:.2f}</b>",
            gain(one.gain_db(one.opencv)),
            f"<b>{gain(one.gain_db(one.ours))}</b>",
            f"{one.opencv.seconds:.2f}",
            f"{one.ours.seconds:.2f}",
        ]
        for one in found
    ]
    axis = f'<span class="key"><span>{low:.0f} dB</span><span>{high:.0f} dB</span></span>'
    headings = ["Picture", axis, "Noisy<br>dB", "OpenCV<br>dB", "Model<br>dB"]
    headings += ["OpenCV<br>gain", "Model<br>gain", "OpenCV<br>s", "Model<br>s"]
    note = (
        '<p class="note">OpenCV is <code>fastNlMeansDenoisingColored</code>, windows 7 and 21. For each picture it got '
        f"the best of {len(OPENCV_STRENGTHS)} strengths, chosen with the clean photo at hand; its seconds are of that "
        "one run. The model chooses nothing. Both used all cores, in the same run.</p>"
    )
    scores = table("PSNR over all channels, higher is better", headings, rows, numbers=range(2, 9))
    key = "".join(
        f'<span><span class="track"><i class="{css}"></i></span>{name}</span>'
        for css, name in (("", "noisy"), ("opencv", "OpenCV"), ("ours", "model"))
    )
    return [scores, f'<p class="key">{key}</p>', note]


def _track(one: Restored, low: float, high: float) -> str:
    """Three marks on a common axis, the model's gain as a line."""
    noisy, opencv, ours = (100 * (seen.psnr_db - low) / (high - low) for seen in (one.noisy, one.opencv, one.ours))
    return (
        '<span class="track" aria-hidden="true">'
        f'<i class="gain" style="left:{min(noisy, ours):.1f}%;width:{abs(ours - noisy):.1f}%"></i>'
        f'<i style="left:{noisy:.1f}%"></i><i class="opencv" style="left:{opencv:.1f}%"></i>'
        f'<i class="ours" style="left:{ours:.1f}%"></i></span>'
    )


def _refused(bench: Bench) -> str:
    if not bench.album.refused:
        return ""
    rows = "".join(f"<li><b>{text(name)}</b>: {text(reason)}</li>" for name, reason in bench.album.refused)
    return f'<p class="note">These files could not be used:</p><ul class="refused">{rows}</ul>'
