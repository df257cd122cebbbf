"""Images to train restoration on: openly licensed photos, straight out of photos-train.zip, and generated.

Only photos of the license classes cc0-pd, cc-by and cc-by-sa are read (`stock` is left out). Whole photos,
chosen by a hash of their file name, are kept for validation.
"""

import csv
import hashlib
import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]  # (H, W, 3), sRGB
Floats = NDArray[np.float32]  # the same, 0..1

LICENSE_CLASSES = frozenset({"cc0-pd", "cc-by", "cc-by-sa"})
SCALES = (1.0, 0.85, 0.72, 0.6)
TEXTURES = 64
TEXTURE_PX = 256
TEXTURE_SHARE = 0.15


def is_validation(name: str) -> bool:
    """Whether the photo of this file name is kept out of training (one in eleven)."""
    return int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) % 11 == 0


def read_manifest(archive: Path) -> list[dict[str, str]]:
    """The rows of the photos' list that are of the license classes above: file, author, license, source."""
    with zipfile.ZipFile(archive) as opened:
        name = next(name for name in opened.namelist() if name.endswith("MANIFEST.csv"))
        rows = csv.DictReader(io.StringIO(opened.read(name).decode()))
        return [row for row in rows if row["licence_class"] in LICENSE_CLASSES]


def read_photos(archive: Path) -> tuple[dict[str, Pixels], dict[str, Pixels]]:
    """The photos for training and those for validation, by file name."""
    training: dict[str, Pixels] = {}
    validation: dict[str, Pixels] = {}
    names = sorted(row["file"] for row in read_manifest(archive))
    with zipfile.ZipFile(archive) as opened:
        for name in names:
            with opened.open(f"photos/{name}") as file, Image.open(file) as image:
                pixels = np.asarray(image.convert("RGB"))
            (validation if is_validation(name) else training)[name] = pixels
    return training, validation


def read_folder(archive: Path, folder: str) -> dict[str, Pixels]:
    """All images under a folder of a zip file, by file name, sorted."""
    found: dict[str, Pixels] = {}
    with zipfile.ZipFile(archive) as opened:
        for name in sorted(opened.namelist()):
            if name.startswith(f"{folder}/") and not name.endswith("/"):
                with opened.open(name) as file, Image.open(file) as image:
                    found[Path(name).name] = np.asarray(image.convert("RGB"))
    return found


def to_float(pixels: Pixels) -> Floats:
    """8-bit values on a scale where white is 1."""
    return np.divide(pixels, 255, dtype=np.float32)


def downscale(pixels: Pixels, scale: float) -> Pixels:
    """The photo made smaller by Pillow's antialiased Lanczos filter."""
    if scale == 1.0:
        return pixels
    height, width = pixels.shape[:2]
    size = round(width * scale), round(height * scale)
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))


def pink_noise(rng: np.random.Generator, size: int) -> NDArray[np.float32]:
    """A random field `(size, size, 3)`, mean 0, deviation 1, with a power law spectrum as surfaces have."""
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None])
    frequency[0, 0] = 1.0
    slope = rng.uniform(0.4, 1.6)
    white = rng.standard_normal((3, size, size))
    if rng.random() < 0.6:  # mostly shading: the same in all colors
        white[1:] = white[:1] + 0.2 * white[1:]
    field = np.fft.irfft2(np.fft.rfft2(white) / frequency**slope, s=(size, size))
    field -= field.mean()
    return (field / field.std()).transpose(1, 2, 0).astype(np.float32)


def gratings(rng: np.random.Generator, size: int) -> NDArray[np.float32]:
    """Parallel stripes of random period and direction, gray, -1..1."""
    angle, period = rng.uniform(0, np.pi), rng.uniform(3, 24)
    rows, columns = np.mgrid[:size, :size].astype(np.float32)
    wave = np.sin((rows * np.sin(angle) + columns * np.cos(angle)) * (2 * np.pi / period))
    if rng.random() < 0.5:
        wave = np.clip(3 * wave, -1, 1)  # sharp stripes
    return wave[..., None].astype(np.float32)


def paint_leaves(
    rng: np.random.Generator,
    size: int,
    palette: NDArray[np.float64],
) -> tuple[NDArray, NDArray]:
    """Colors and strengths of texture `(size, size, 3)`, uint8, of shapes that cover each other."""
    colors = np.empty((size, size, 3), np.uint8)
    colors[:] = palette[0]
    strengths = np.zeros((size, size, 3), np.uint8)
    smallest, largest = rng.uniform(3, 10), size / 3
    for _ in range(int(rng.integers(150, 900))):
        # Radii with density r**-3 make the picture alike at all scales (Lee, Mumford, Huang, IJCV 2001).
        share = rng.random()
        radius = 1 / np.sqrt(share / largest**2 + (1 - share) / smallest**2)
        center = rng.uniform(-0.05, 1.05, 2) * size
        color = np.clip(palette[rng.integers(len(palette))] + rng.normal(0, 8, 3), 0, 255)
        strength = [float(v) for v in rng.integers(0, 256, 3) * (rng.random(3) < 0.5)]
        if rng.random() < 0.5:
            axes = (int(radius) + 1, int(radius * rng.uniform(0.3, 1)) + 1)
            middle, tilt = (int(center[0]), int(center[1])), int(rng.integers(360))
            shape = np.array(cv2.ellipse2Poly(middle, axes, tilt, 0, 360, 8), np.int32)
        else:
            angles = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(3, 8))))
            shape = (center + radius * np.stack((np.cos(angles), np.sin(angles)), 1)).astype(np.int32)
        cv2.fillPoly(colors, [shape], color.tolist())
        cv2.fillPoly(strengths, [shape], strength)
    return colors, strengths


def write_words(rng: np.random.Generator, colors: Pixels) -> None:
    """Lines of random letters over the picture, in place: edges and corners as in signs and screens."""
    size = len(colors)
    letters = list("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 .,:%/")
    for _ in range(int(rng.integers(4, 24))):
        words = "".join(rng.choice(letters, int(rng.integers(4, 30))))
        origin = int(rng.integers(-size // 4, size)), int(rng.integers(size))
        scale, thickness = float(rng.uniform(0.6, 2.5)), int(rng.integers(1, 5))
        color = [float(v) for v in rng.integers(0, 256, 3)]
        cv2.putText(colors, words, origin, int(rng.integers(0, 8)), scale, color, thickness)


def draw_texture(rng: np.random.Generator, photo: Pixels) -> Pixels:
    """A generated image of side `TEXTURE_PX` in a photo's colors: dead leaves with texture, at times text."""
    size = 2 * TEXTURE_PX  # twice as large, then averaged down: antialiased edges
    palette = photo.reshape(-1, 3)[rng.integers(photo.shape[0] * photo.shape[1], size=64)].astype(np.float64)
    colors, strengths = paint_leaves(rng, size, palette)
    if rng.random() < 0.3:
        write_words(rng, colors)
    surface = pink_noise(rng, size) * rng.uniform(0, 25) * (strengths[..., :1] / 255)
    stripes = gratings(rng, size) * rng.uniform(0, 60) * (strengths[..., 1:2] / 255)
    if rng.random() < 0.5:
        stripes *= gratings(rng, size)
    mixed = cv2.resize(colors + surface + stripes, (TEXTURE_PX, TEXTURE_PX), interpolation=cv2.INTER_AREA)
    if rng.random() < 0.4:  # out of focus, as backgrounds are
        mixed = cv2.GaussianBlur(mixed, (0, 0), float(rng.uniform(0.4, 2.0)))
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class Crops:
    """A source of random training crops."""

    photos: Sequence[Sequence[Pixels]]  # one entry a photo: its scales
    textures: Sequence[Pixels]

    def draw(self, rng: np.random.Generator, size: int) -> Pixels:
        """One crop `(size, size, 3)`, turned and mirrored at random."""
        if rng.random() < TEXTURE_SHARE:
            source = self.textures[int(rng.integers(len(self.textures)))]
        else:
            scales = self.photos[int(rng.integers(len(self.photos)))]
            source = scales[int(rng.integers(len(scales)))]
        top = int(rng.integers(source.shape[0] - size + 1))
        left = int(rng.integers(source.shape[1] - size + 1))
        crop = np.rot90(source[top : top + size, left : left + size], int(rng.integers(4)))
        return crop[:, ::-1] if rng.random() < 0.5 else crop


def open_crops(training: dict[str, Pixels], rng: np.random.Generator) -> Crops:
    """All scales of the training photos and freshly generated textures, in memory (about 250 MB)."""
    photos = list(training.values())
    textures = [draw_texture(rng, photos[int(rng.integers(len(photos)))]) for _ in range(TEXTURES)]
    return Crops([[downscale(photo, scale) for scale in SCALES] for photo in photos], textures)
