"""The eight orientations of EXIF: the only place that turns pixels, and the windows onto them.

Source: Exif 2.32, tag 0x0112. Orientation n says which transform brings the stored picture upright:
2 mirror, 3 half turn, 4 flip, 5 transpose, 6 quarter turn clockwise, 7 transverse, 8 quarter turn counter-clockwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from pixelwright.structures.image import Image
from pixelwright.structures.raster import Raster, Window

_TRANSPOSED = (5, 6, 7, 8)
_MIRRORED = (2, 3, 6, 7)  # left and right swapped, after transposing
_FLIPPED = (3, 4, 7, 8)  # top and bottom swapped, after transposing
_OF_STEPS = {
    (transposed, mirrored, flipped): number
    for number in range(1, 9)
    for transposed, mirrored, flipped in [(number in _TRANSPOSED, number in _MIRRORED, number in _FLIPPED)]
}


def turn(array: npt.NDArray[np.generic], orientation: int) -> npt.NDArray[np.generic]:
    """The upright version of an array (H, W, ...) stored with an orientation 1..8, contiguous."""
    if orientation in _TRANSPOSED:
        array = array.swapaxes(0, 1)
    if orientation in _MIRRORED:
        array = array[:, ::-1]
    if orientation in _FLIPPED:
        array = array[::-1]
    return np.ascontiguousarray(array)


def turn_size(size_hw: tuple[int, int], orientation: int) -> tuple[int, int]:
    """The upright size of a stored one, or the other way round."""
    return (size_hw[1], size_hw[0]) if orientation in _TRANSPOSED else size_hw


def stored_window(window: Window, upright_size_hw: tuple[int, int], orientation: int) -> Window:
    """Where a window of the upright picture lies in the stored one."""
    height, width = upright_size_hw
    top, left = window.top, window.left
    if orientation in _MIRRORED:
        left = width - left - window.width
    if orientation in _FLIPPED:
        top = height - top - window.height
    if orientation in _TRANSPOSED:
        return Window(left, top, window.width, window.height)
    return Window(top, left, window.height, window.width)


def of_box_properties(quarter_turns_left: int, mirror_axis: int | None) -> int:
    """The EXIF orientation that equals HEIF's `irot` followed by `imir`.

    Args:
        quarter_turns_left: The angle of `irot`, counter-clockwise, 0..3.
        mirror_axis: 0 swaps top and bottom, 1 swaps left and right, None where there is no `imir`.

    Source: ISO/IEC 23008-12:2022, 6.5.10 and 6.5.12.
    """
    transposed, mirrored, flipped = {
        0: (False, False, False),
        1: (True, False, True),
        2: (False, True, True),
        3: (True, True, False),
    }[quarter_turns_left]
    return _OF_STEPS[transposed, mirrored != (mirror_axis == 1), flipped != (mirror_axis == 0)]


def of_display_matrix(matrix: Sequence[int]) -> int | None:
    """The EXIF orientation that equals the display matrix of a video; None where it turns by no right angle.

    Args:
        matrix: Its nine numbers, row by row: a picture's (x, y) is shown at (m0 x + m3 y, m1 x + m4 y).

    Source: ISO/IEC 14496-12:2022, 6.2.2.
    """
    a, b, c, d = matrix[0], matrix[1], matrix[3], matrix[4]
    transposed = not a and not d
    x_step, y_step = (c, b) if transposed else (a, d)
    rest = (a, d) if transposed else (b, c)
    if any(rest) or not x_step or not y_step:
        return None
    return _OF_STEPS[transposed, x_step < 0, y_step < 0]


def upright(raster: Raster) -> Raster:
    """A raster over the same pixels, turned as its `source.orientation` says."""
    orientation = raster.source.orientation
    if orientation == 1:
        return raster
    size_hw = turn_size(raster.size_hw, orientation)

    def decode(window: Window | None, at_least_hw: tuple[int, int] | None) -> Image:
        inner = None if window is None else stored_window(window, size_hw, orientation)
        image = raster.decode(inner, None if at_least_hw is None else turn_size(at_least_hw, orientation))
        alpha = None if image.alpha is None else turn(image.alpha, orientation)
        spacing = image.spacing_mm and turn_spacing(image.spacing_mm, orientation)
        capture = replace(image.capture, dpi=_turn_dpi(image.capture.dpi, orientation))
        return image.replace(pixels=turn(image.pixels, orientation), alpha=alpha, spacing_mm=spacing, capture=capture)

    spacing_mm = raster.spacing_mm and turn_spacing(raster.spacing_mm, orientation)
    capture = replace(raster.capture, dpi=_turn_dpi(raster.capture.dpi, orientation))
    return replace(raster, size_hw=size_hw, decode=decode, spacing_mm=spacing_mm, capture=capture)


def turn_spacing(spacing_mm: tuple[float, float], orientation: int) -> tuple[float, float]:
    """Pixel pitch (y, x) of the upright picture."""
    return (spacing_mm[1], spacing_mm[0]) if orientation in _TRANSPOSED else spacing_mm


def _turn_dpi(dpi: tuple[float, float] | None, orientation: int) -> tuple[float, float] | None:
    return (dpi[1], dpi[0]) if dpi and orientation in _TRANSPOSED else dpi
