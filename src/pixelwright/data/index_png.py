"""Masks in files: the numbers as stored, which the readers of pictures would turn into colors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import numpy.typing as npt

from pixelwright.data.place import Place
from pixelwright.errors import UnreadableImage
from pixelwright.io.border import reading
from pixelwright.io.images import MAX_PIXELS

if TYPE_CHECKING:  # Pillow loads on first use
    from PIL import Image as PillowImage

Ids = npt.NDArray[Any]  # (H, W) uint8 or uint16
Colors = npt.NDArray[np.uint8]  # (H, W, 3)

_HIGHEST = 65535
_FORMATS = ("PNG", "TIFF", "BMP", "GIF", "WEBP", "JPEG", "PPM")  # Pillow's others run programs, such as Ghostscript


def read_stored(place: Place) -> Ids | Colors:
    """The numbers of a mask (H, W) uint8 or uint16: indices of a palette, gray values, or 0 and 1 of one bit.

    A mask in colors comes as (H, W, 3) uint8; alpha is left out.

    Raises:
        ImageError: It cannot be read, or is no such picture.
    """
    name = str(place)
    with reading(name), place.open() as file, _opened(file, name) as stored:
        width, height = stored.size
        if width * height > MAX_PIXELS:
            raise UnreadableImage(name, f"is a mask of {width}x{height} pixels; at most {MAX_PIXELS:,} are read.")
        mode = stored.mode
        if mode in ("LA", "RGBA", "PA"):
            stored = stored.convert({"LA": "L", "RGBA": "RGB", "PA": "P"}[mode])
        values = np.asarray(stored)
    if values.dtype == bool:
        return values.astype(np.uint8)
    if values.dtype in (np.uint8, np.uint16):
        return values
    if values.ndim == 2 and values.dtype.kind in "iu" and values.size and 0 <= values.min() <= values.max() <= _HIGHEST:
        return values.astype(np.uint16)
    raise UnreadableImage(name, f"is a mask of mode {mode!r}; expected whole numbers from 0 to {_HIGHEST}, or colors.")


def _opened(file: BinaryIO, name: str) -> PillowImage.Image:
    from PIL import Image as PillowImage
    from PIL import UnidentifiedImageError

    try:
        return PillowImage.open(file, formats=_FORMATS)
    except UnidentifiedImageError as err:
        file.seek(0)
        raise UnreadableImage(name, f"is not an image, or a damaged one: it begins with {file.read(16)!r}.") from err


def read_ids(place: Place) -> Ids:
    """The numbers of a mask (H, W) uint8 or uint16.

    Raises:
        ImageError: It cannot be read, or is in colors that are not three times the same.
    """
    values = read_stored(place)
    if values.ndim == 2:
        return values
    if (values[:, :, :1] == values).all():  # gray, saved as colors
        return np.ascontiguousarray(values[:, :, 0])
    raise UnreadableImage(str(place), "is a mask in colors; expected an index or gray PNG, a number for each class.")


def coded(colors: Colors) -> npt.NDArray[np.uint32]:
    """Each color (H, W, 3) as one number (H, W)."""
    wide = colors.astype(np.uint32)
    return (wide * np.array([1 << 16, 1 << 8, 1], np.uint32)).sum(axis=2, dtype=np.uint32)
