"""Cutting an image so that the pieces, put together, equal the whole.

A convolutional network with a finite receptive field computes an output pixel from the input within `halo_px` of it.
So a tile is computed from a window larger by the halo and only its core is kept. Windows start at multiples of the
network's stride, so that pooling and pixel shuffling see the same grid as in the whole image; where a window ends at
the image's edge it is padded there exactly as the whole would be.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwright.structures.raster import Window
from pixelwright.structures.spec import Tiling


@dataclass(frozen=True, slots=True)
class Tile:
    """A piece of work: compute `context`, keep `core` (both in coordinates of the whole image)."""

    core: Window
    context: Window


def tiles(window: Window, size_hw: tuple[int, int], tiling: Tiling, *, tile_px: int) -> Iterator[Tile]:
    """The tiles that cover a window of an image, row by row.

    Args:
        window: What is wanted, in pixels of the image.
        size_hw: Size of the whole image.
        tiling: The network's halo and stride.
        tile_px: Side of a core; rounded up to the stride.
    """
    step = _up(max(tile_px, 1), tiling.multiple)
    for top, height in _spans(window.top, window.height, step):
        for left, width in _spans(window.left, window.width, step):
            core = Window(top, left, height, width)
            yield Tile(core, _context(core, size_hw, tiling))


def pad_to_multiple(pixels: npt.NDArray[Any], multiple: int) -> npt.NDArray[Any]:
    """Pixels (H, W, C) with the last row and column repeated until both sides are multiples."""
    height, width = pixels.shape[:2]
    rows, columns = -height % multiple, -width % multiple
    if not rows and not columns:
        return pixels
    return np.pad(pixels, ((0, rows), (0, columns), (0, 0)), mode="edge")


def _spans(start: int, length: int, step: int) -> Iterator[tuple[int, int]]:
    # Cut at multiples of the step counted from the image's origin, whatever the window: the same cores every time.
    at, stop = start, start + length
    while at < stop:
        end = min(stop, (at // step + 1) * step)
        yield at, end - at
        at = end


def _context(core: Window, size_hw: tuple[int, int], tiling: Tiling) -> Window:
    top, bottom = _reach(core.top, core.top + core.height, size_hw[0], tiling)
    left, right = _reach(core.left, core.left + core.width, size_hw[1], tiling)
    return Window(top, left, bottom - top, right - left)


def _reach(start: int, stop: int, size: int, tiling: Tiling) -> tuple[int, int]:
    before = max(0, start - tiling.halo_px) // tiling.multiple * tiling.multiple
    return before, min(size, _up(stop + tiling.halo_px, tiling.multiple))


def _up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
