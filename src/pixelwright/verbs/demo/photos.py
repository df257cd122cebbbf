"""Pictures for the demo: the user's own, or the sample photos in an installed scikit-image, which is not imported."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from pixelwright.errors import PixelwrightError, ShapeError, UsageError
from pixelwright.io.icc import to_srgb8
from pixelwright.io.images import open_raster
from pixelwright.io.sources import list_images
from pixelwright.structures.image import Image
from pixelwright.structures.raster import Raster, Window

MOST_PHOTOS = 4
LEAST_SIDE_PX = 64  # less shows nothing and measures nothing
CROP_HW = (512, 720)  # of a bigger photo its center is processed, at full resolution

# File in the wheel, what it shows, and its terms as scikit-image states them.
SAMPLES = (
    ("coffee.png", "A cup of coffee", "Rachel Michetti, CC0"),
    ("chelsea.png", "Chelsea the cat", "Stefan van der Walt, CC0"),
    ("rocket.jpg", "A rocket before dawn", "SpaceX, public domain"),
    ("astronaut.png", "Eileen Collins, astronaut", "NASA, public domain"),
)


@dataclass(frozen=True, slots=True, eq=False)
class Photo:
    """A clean picture to start from.

    Attributes:
        title: What the page calls it: a sample's subject, or a file's name.
        credit: Author and terms; empty for the user's own.
        image: 8-bit sRGB, three channels, at most `CROP_HW`, with no metadata of the file.
        whole_hw: Upright size of the file it was cut from.
    """

    title: str
    credit: str
    image: Image
    whole_hw: tuple[int, int]

    @property
    def is_crop(self) -> bool:
        """Whether it is only a part of its file; a row or column cut to make the size even does not count."""
        return any(whole - part > 1 for whole, part in zip(self.whole_hw, self.image.size_hw, strict=True))


@dataclass(frozen=True, slots=True)
class Album:
    """The photos of a run, at least one, and the files that could not be used, as (path, reason)."""

    photos: tuple[Photo, ...]
    refused: tuple[tuple[str, str], ...]

    def pick(self, index: int) -> Photo:
        """A photo for a purpose; with few photos one serves several."""
        return self.photos[index % len(self.photos)]


def open_album(folder: Path | None, *, leave_out: Path) -> Album:
    """The photos of a folder, or the sample photos.

    Args:
        folder: The user's; None for the samples.
        leave_out: A folder below it not to enter: the page's own.

    Raises:
        UsageError: There is no such folder, no readable photo in it, or no sample photo installed.
    """
    return _samples() if folder is None else _own(folder, leave_out)


def _own(folder: Path, leave_out: Path) -> Album:
    if not folder.exists():
        raise UsageError(f"--photos {folder}: there is no such folder. Name one that holds photos.")
    photos: list[Photo] = []
    refused: list[tuple[str, str]] = []
    for item in list_images([str(folder)], leave_out=leave_out):
        try:
            photos.append(_read(Path(item.path), item.name, ""))
        except PixelwrightError as err:
            refused.append((item.name, str(err)))
        if len(photos) == MOST_PHOTOS:
            break
    if not photos:
        tried = f"{len(refused)} tried; the first: {refused[0][1]}" if refused else "it holds no picture files."
        raise UsageError(f"--photos {folder}: no readable photo: {tried} Name a folder with photos.")
    return Album(tuple(photos), tuple(refused))


def _samples() -> Album:
    # The specification of a top-level package is found without running any of its code.
    package = find_spec("skimage")
    folders = (package.submodule_search_locations or ()) if package else ()
    found = [
        _read(path, title, credit)
        for folder in folders
        for name, title, credit in SAMPLES
        if (path := Path(folder) / "data" / name).is_file()
    ]
    if not found:
        raise UsageError(
            "there are no sample photos here. Use your own: pixelwright demo --photos DIR, "
            "or install some: pip install --no-deps scikit-image"
        )
    return Album(tuple(found), ())


def _read(path: Path, title: str, credit: str) -> Photo:
    with open_raster(path) as raster:
        image = to_srgb8(raster.read(_center(raster)))
        whole_hw = raster.size_hw
    if min(image.size_hw) < LEAST_SIDE_PX:
        height, width = image.size_hw
        raise ShapeError(f"{path}: {width}x{height} is too small here. Use photos of {LEAST_SIDE_PX} pixels or more.")
    # A new image: where and with what a photo was taken is nobody's business on a page that gets passed on.
    return Photo(title, credit, Image(image.pixels), whole_hw)


def _center(raster: Raster) -> Window:
    """The middle of a raster, of even size, so that it can be halved and doubled exactly."""
    height, width = (min(side, most) for side, most in zip(raster.size_hw, CROP_HW, strict=True))
    height, width = max(1, height - height % 2), max(1, width - width % 2)
    return Window((raster.size_hw[0] - height) // 2, (raster.size_hw[1] - width) // 2, height, width)
