"""Experiment: noise added to clean photos and taken away again, beside OpenCV's non-local means on the same pixels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pixelwright.io.images import read_image
from pixelwright.structures.image import Image
from pixelwright.verbs.demo.bench import Bench, megapixels
from pixelwright.verbs.demo.photos import Photo
from pixelwright.verbs.demo.scores import psnr

Pixels = npt.NDArray[np.uint8]

SIGMA = 25
JPEG_QUALITY = 75
SHOT, READ = 0.012, 0.006  # noise variance per unit of light, and standard deviation in the dark, of full white
GAMMA = 2.2
# OpenCV gets the best of these for each picture, chosen with the clean photo at hand: an advantage over the model.
OPENCV_STRENGTHS = (6, 10, 15, 22)


@dataclass(frozen=True, slots=True)
class Cleaned:
    """One way of cleaning: its picture, its PSNR in dB and the seconds it took."""

    link: str
    psnr_db: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Restored:
    """A photo spoiled in one way, and what became of it."""

    photo: Photo
    noise: str
    clean_link: str
    noisy_link: str
    noisy_db: float
    opencv: Cleaned
    opencv_strength: int
    ours: Cleaned

    @property
    def gain_db(self) -> float:
        """How much nearer to the clean photo the model came."""
        return self.ours.psnr_db - self.noisy_db

    @property
    def opencv_gain_db(self) -> float:
        """The same of OpenCV."""
        return self.opencv.psnr_db - self.noisy_db


@dataclass(frozen=True, slots=True)
class Noise:
    """A way to spoil a photo: its name, `(pixels, seed)` to pixels, and how the result is stored."""

    name: str
    add: Callable[[Pixels, int], Pixels]
    suffix: str
    quality: int | None = None


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


NOISES = (
    Noise(f"Gaussian noise, σ\u00a0{SIGMA}", add_gaussian, ".png"),
    Noise(f"High-ISO noise, then JPEG at quality {JPEG_QUALITY}", add_camera, ".jpg", JPEG_QUALITY),
)


def restore(bench: Bench, photo: Photo, index: int) -> list[Restored]:
    """The photo spoiled in each way and restored from the file it was stored in."""
    clean_link = bench.write(photo.image, f"photo-{index}.png")
    found = []
    for kind, noise in enumerate(NOISES):
        stem = f"photo-{index}-{'ab'[kind]}"
        spoiled = Image(noise.add(photo.image.pixels, index))
        noisy_link = bench.write(spoiled, f"{stem}-noisy{noise.suffix}", quality=noise.quality)
        noisy = read_image(bench.output / noisy_link)
        size = megapixels(noisy.pixels)
        with bench.timing("Denoise", size):
            cleaned = bench.denoise(noisy)
        ours_link = bench.write(Image(cleaned.pixels), f"{stem}-denoised.png")
        ours = Cleaned(ours_link, psnr(photo.image.pixels, cleaned.pixels), bench.seconds())
        opencv, strength = _non_local_means(bench, photo, noisy, f"{stem}-opencv.png")
        noisy_db = psnr(photo.image.pixels, noisy.pixels)
        found.append(Restored(photo, noise.name, clean_link, noisy_link, noisy_db, opencv, strength, ours))
    return found


def _non_local_means(bench: Bench, photo: Photo, noisy: Image, name: str) -> tuple[Cleaned, int]:
    """OpenCV's result at its best strength; the seconds are of that one run."""
    import cv2

    runs = []
    for strength in OPENCV_STRENGTHS:
        with bench.timing(f"OpenCV non-local means, {len(OPENCV_STRENGTHS)} strengths", megapixels(noisy.pixels)):
            seen = cv2.fastNlMeansDenoisingColored(noisy.pixels, None, strength, strength, 7, 21)
        seen = np.asarray(seen, np.uint8)
        runs.append((psnr(photo.image.pixels, seen), strength, bench.seconds(), seen))
    score_db, strength, seconds, seen = max(runs, key=lambda run: run[0])
    return Cleaned(bench.write(Image(seen), name), score_db, seconds), strength
