"""Frames of a video: which one it is, and its pixels as a raster that is converted only when it is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import gcd
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwright.errors import ImageTooLarge, PixelwrightError
from pixelwright.io import orientation
from pixelwright.io.border import reading
from pixelwright.io.profiles import color_of_codes
from pixelwright.structures.image import RGB_CHANNELS, Color, Image, Source
from pixelwright.structures.raster import Raster, Window, crop

# Codes of ITU-T H.273. What is neither linear nor HDR is shown as if it were sRGB, as every player does.
_UNSPECIFIED, _NOT_SDR, _WIDE = 2, (8, 16, 18), (9, 12)
_LIMITED, _FULL = 1, 2
_ITU709, _ITU601 = 1, 5  # libswscale's numbers for the matrices
_HD_HW = (720, 1280)  # from this size on a video that does not say is BT.709


@dataclass(frozen=True, slots=True)
class FrameRef:
    """Which frame of what.

    Attributes:
        path: The video or camera.
        number: From 0, in the order of showing; frames that cannot be decoded are counted.
        time_s: Seconds from the beginning; None where the file does not say.
    """

    path: str
    number: int
    time_s: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A frame, or why there is none.

    Attributes:
        ref: Which one.
        raster: Its pixels, upright; None where it failed.
        error: Why it failed.
        captured_s: When it was taken, on the clock of `time.monotonic`; only of what runs in real time.
    """

    ref: FrameRef
    raster: Raster | None = None
    error: PixelwrightError | None = None
    captured_s: float | None = None

    def open(self) -> Raster:
        """The raster.

        Raises:
            ImageError: The frame could not be decoded.
        """
        if self.raster is None:
            raise self.error or PixelwrightError(f"{self.ref.path}: frame {self.ref.number} has no pixels.")
        return self.raster


@dataclass(frozen=True, slots=True)
class Turn:
    """How the frames of a video are turned, as an EXIF orientation, and what was overlooked."""

    orientation: int = 1
    warnings: tuple[str, ...] = ()

    @classmethod
    def of(cls, decoded: Any) -> Turn:
        """As a frame's display matrix says.

        Not to be asked of every frame: looking at its side data ties a frame of PyAV into a circle, and its memory is
        then held until Python looks for circles.
        """
        stored = decoded.side_data.get("DISPLAYMATRIX")
        if stored is None:
            return cls()
        matrix: Sequence[int] = np.frombuffer(bytes(stored), np.int32).tolist()
        turned = orientation.of_display_matrix(matrix)
        return (
            cls(turned) if turned else cls(1, ("the file turns the picture by no right angle; it was left as it is",))
        )


def raster_of(decoded: Any, ref: FrameRef, codec: str, turn: Turn, *, max_pixels: int) -> Raster:
    """An upright 8-bit RGB raster over a frame of PyAV.

    Reading it converts with the matrix and range that the frame states; where it states no matrix, BT.709 from
    1280x720 on and BT.601 below. A reduced size is a whole fraction of the full one.

    Args:
        decoded: The frame. Its buffers are the decoder's, and stay valid as long as it is held.
        ref: Which frame it is.
        codec: Name of the codec.
        turn: How it is turned.
        max_pixels: Refuse more.

    Raises:
        ImageTooLarge: The frame has more pixels.
    """
    size_hw = (decoded.height, decoded.width)
    if size_hw[0] * size_hw[1] > max_pixels:
        raise ImageTooLarge(ref.path, size_hw, max_pixels)
    warnings = turn.warnings
    color, bits = _color(decoded), decoded.format.components[0].bits
    if bits > 8:
        warnings = (*warnings, f"{bits} bits a channel were read as 8")
    source = Source(ref.path, codec, size_hw, turn.orientation, bits, page=ref.number)

    def decode(window: Window | None, at_least_hw: tuple[int, int] | None) -> Image:
        with reading(ref.path):
            pixels = _rgb(decoded)
        divisor = 1 if at_least_hw is None or window is not None else _divisor(size_hw, at_least_hw)
        if divisor > 1:
            pixels = _reduced(pixels, divisor)
        image = Image(pixels, color, source=replace(source, scale=1 / divisor), warnings=warnings)
        return image if window is None else crop(image, window)

    return orientation.upright(Raster(size_hw, np.uint8, color, 255.0, decode, source=source, warnings=warnings))


def of_array(pixels: npt.NDArray[np.uint8], ref: FrameRef, codec: str) -> Raster:
    """A raster over RGB pixels that a camera gave."""
    return Raster.of(Image(pixels, source=Source(ref.path, codec, pixels.shape[:2], page=ref.number)))


def is_hd(size_hw: tuple[int, int]) -> bool:
    """Whether a video of this size that does not name its matrix is taken for BT.709."""
    return size_hw[0] >= _HD_HW[0] or size_hw[1] >= _HD_HW[1]


def _color(decoded: Any) -> Color:
    primaries = decoded.color_primaries if decoded.color_primaries in _WIDE else _UNSPECIFIED
    transfer = decoded.color_trc if decoded.color_trc in _NOT_SDR else _UNSPECIFIED
    return color_of_codes(RGB_CHANNELS, primaries, transfer)


def _rgb(decoded: Any) -> npt.NDArray[np.uint8]:
    # swscale's quick way, as players and OpenCV take it: within 2 of 255 of the exact one in flat areas, and on a
    # 720p frame 0.4 ms against 6.
    unstated = decoded.colorspace == _UNSPECIFIED
    matrix = (_ITU709 if is_hd((decoded.height, decoded.width)) else _ITU601) if unstated else None
    converted = decoded.reformat(
        format="rgb24",
        src_colorspace=matrix,
        dst_colorspace=_ITU709,
        dst_color_range=_FULL,
        src_color_range=decoded.color_range or None,
        threads=1,  # frames are converted on several threads already
    )
    return np.ascontiguousarray(converted.to_ndarray())


def _divisor(size_hw: tuple[int, int], at_least_hw: tuple[int, int]) -> int:
    """The largest whole number that divides both sides and leaves neither smaller than asked for."""
    most = min(size_hw[0] // max(1, at_least_hw[0]), size_hw[1] // max(1, at_least_hw[1]))
    common = gcd(*size_hw)
    return next((number for number in range(most, 1, -1) if common % number == 0), 1)


def _reduced(pixels: npt.NDArray[np.uint8], divisor: int) -> npt.NDArray[np.uint8]:
    # Letting swscale scale while it converts costs 1.5 ms for half of a 720p frame; this, with the conversion, 0.5.
    import cv2

    height, width = pixels.shape[:2]
    reduced = cv2.resize(pixels, (width // divisor, height // divisor), interpolation=cv2.INTER_AREA)
    return np.asarray(reduced, np.uint8)
