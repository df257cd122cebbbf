"""The picture that converted models are tried on: made by a formula of whole numbers, the same bytes everywhere.

It has what photographs have (smooth gradients, edges at all angles, fine stripes, noise) and belongs to nobody.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pixelwright.io.exchange import from_numpy
from pixelwright.ops import batch
from pixelwright.structures.spec import InputSpec

FREE_HW = (96, 128)  # where the contract takes any size
NOISE = 16  # levels of 255


def probe_picture(size_hw: tuple[int, int], variant: int = 0) -> npt.NDArray[np.uint8]:
    """A picture (H, W, 3), RGB; another variant shows other colors, mirrored, with other noise."""
    height, width = size_hw
    rows, columns = np.mgrid[:height, :width].astype(np.int64)
    if variant % 2:
        columns = width - 1 - columns
    down, right = rows * 255 // max(1, height - 1), columns * 255 // max(1, width - 1)
    planes = [40 + right * 3 // 5, 210 - down * 3 // 5, 90 + (down + right) // 5]
    for shape, colors in _shapes(rows, columns, height, width):
        planes = [np.where(shape, color, plane) for color, plane in zip(colors, planes, strict=True)]
    turned = planes[variant % 3 :] + planes[: variant % 3]
    pixels = np.stack([plane + _noise(rows, columns, 3 * variant + c) for c, plane in enumerate(turned)], axis=-1)
    return np.clip(pixels, 0, 255).astype(np.uint8)


def prepared(spec: InputSpec, variant: int = 0) -> npt.NDArray[np.generic]:
    """The probe picture as a contract wants it, with a batch axis.

    The picture has the size that the contract resizes to, so that no resampling stands between the formula and the
    network: the values are those that any other executor gets from the same formula.
    """
    picture = from_numpy(probe_picture(_size_hw(spec), variant))
    return batch.prepare(picture, spec).tensor[None]


def _size_hw(spec: InputSpec) -> tuple[int, int]:
    if spec.resize is None:
        height, width = spec.crop_hw or FREE_HW
        return max(height, FREE_HW[0]), max(width, FREE_HW[1])
    if spec.resize.rule == "shorter":
        side = min(spec.resize.size_hw)
        return side, side
    return spec.resize.size_hw


def _shapes(
    rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64], height: int, width: int
) -> list[tuple[npt.NDArray[np.bool_], tuple[int, int, int]]]:
    """Where each shape is and its color: a disk, a tilted bar, stripes, and a dark frame around a light box."""
    radius = max(1, min(height, width) // 5)
    disk = (rows - height // 3) ** 2 + (columns - width // 3) ** 2 <= radius**2
    bar = np.abs(2 * rows + columns - height - width // 2) <= max(1, min(height, width) // 12)
    stripes = (rows > height * 3 // 4) & (columns < width // 2) & ((columns // 2) % 2 == 0)
    box = (np.abs(rows - height * 2 // 3) < height // 7) & (np.abs(columns - width * 3 // 4) < width // 7)
    inside = (np.abs(rows - height * 2 // 3) < height // 9) & (np.abs(columns - width * 3 // 4) < width // 9)
    return [
        (disk, (225, 180, 150)),
        (bar, (30, 60, 120)),
        (stripes, (245, 245, 245)),
        (box, (20, 20, 25)),
        (inside, (235, 220, 60)),
    ]


def _noise(rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64], seed: int) -> npt.NDArray[np.int64]:
    """A hash of the place, -NOISE/2 to NOISE/2; NumPy's own generators may change with its versions."""
    mixed = (rows * 73_856_093 ^ columns * 19_349_663 ^ (seed + 1) * 83_492_791) & 0x7FFF_FFFF
    mixed = (mixed ^ mixed >> 13) * 1_274_126_177 & 0x7FFF_FFFF
    return (mixed ^ mixed >> 16) % (NOISE + 1) - NOISE // 2
