"""An image that is read in windows, so that a big one never stands in memory whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

import numpy as np
import numpy.typing as npt

from pixelwright.errors import ShapeError
from pixelwright.structures.image import Capture, Color, Image, Source


@dataclass(frozen=True, slots=True)
class Window:
    """A rectangle of whole pixels: rows `top` to `top + height`, columns `left` to `left + width`."""

    top: int
    left: int
    height: int
    width: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Row and column slices for indexing an array."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)


Decode = Callable[[Window | None, tuple[int, int] | None], Image]


@dataclass(frozen=True, slots=True, eq=False)
class Raster:
    """What a reader knows from the header, and how to get at pixels: nothing is decoded before `read`.

    The fields are those of `Image`, for the upright full-resolution image. A raster is also how a result too big for
    memory is handed on: whoever writes it asks for its windows one by one.

    Attributes:
        size_hw: Upright size in pixels.
        dtype: uint8, uint16 or float32.
        decode: `(window, at_least_hw)` to image; windows are upright coordinates and lie inside.
        windowed: Whether a window is read without decoding everything else.
        release: Called by `close`.
    """

    size_hw: tuple[int, int]
    dtype: npt.DTypeLike
    color: Color
    white: float
    decode: Decode
    has_alpha: bool = False
    capture: Capture = Capture()
    source: Source = Source("array")
    spacing_mm: tuple[float, float] | None = None
    warnings: tuple[str, ...] = ()
    windowed: bool = False
    release: Callable[[], None] | None = None

    @classmethod
    def of(cls, image: Image) -> Raster:
        """A raster over an image that is already in memory."""

        def decode(window: Window | None, _at_least_hw: tuple[int, int] | None) -> Image:
            return image if window is None else crop(image, window)

        return cls(
            size_hw=image.size_hw,
            dtype=image.pixels.dtype,
            color=image.color,
            white=image.white,
            decode=decode,
            has_alpha=image.alpha is not None,
            capture=image.capture,
            source=image.source,
            spacing_mm=image.spacing_mm,
            warnings=image.warnings,
            windowed=True,
        )

    @property
    def nbytes(self) -> int:
        """Bytes of the whole image in memory, alpha included."""
        height, width = self.size_hw
        return height * width * (len(self.color.channels) + self.has_alpha) * np.dtype(self.dtype).itemsize

    def read(self, window: Window | None = None, *, at_least_hw: tuple[int, int] | None = None) -> Image:
        """The whole image, or a window of it.

        Args:
            window: In upright full-resolution pixels; None for everything.
            at_least_hw: A JPEG may be decoded at a reduced scale as long as it is no smaller than this.

        Raises:
            ShapeError: The window reaches outside.
            UnreadableImage: The file is damaged.
        """
        if window is not None:
            height, width = self.size_hw
            inside = 0 <= window.top < window.top + window.height <= height
            if not (inside and 0 <= window.left < window.left + window.width <= width):
                raise ShapeError(f"window {window} reaches outside the image of {height} rows, {width} columns.")
        return self.decode(window, at_least_hw)

    def close(self) -> None:
        """Let go of the file."""
        if self.release is not None:
            self.release()

    def __enter__(self) -> Raster:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def crop(image: Image, window: Window) -> Image:
    """A view of a window of an image."""
    alpha = None if image.alpha is None else image.alpha[window.slices]
    return image.replace(pixels=image.pixels[window.slices], alpha=alpha)
