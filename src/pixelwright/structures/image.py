"""An image in memory: pixels, and everything needed to know what they mean and to write them back without loss."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwright.errors import ShapeError

Pixels = npt.NDArray[Any]  # (H, W, C), one of DTYPES
Mask = npt.NDArray[Any]  # (H, W), the dtype of the pixels it belongs to

DTYPES = (np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.float32))
RGB_CHANNELS = ("red", "green", "blue")
GRAY_CHANNELS = ("gray",)


@dataclass(frozen=True, slots=True)
class Color:
    """How the channels are to be seen.

    Attributes:
        channels: A name for each channel, in order: `("gray",)`, `("red", "green", "blue")` or any other names.
        transfer: `srgb`, `linear`, `gamma`, `pq`, `hlg` or `unknown`: from stored value to light.
        primaries: `srgb`, `display-p3`, `adobe-rgb`, `bt2020` or `unknown`: the gamut.
        icc: The embedded ICC profile. Where present it decides, and the two names above are what it looks like.
    """

    channels: tuple[str, ...] = RGB_CHANNELS
    transfer: str = "srgb"
    primaries: str = "srgb"
    icc: bytes | None = field(default=None, repr=False)

    @property
    def is_rgb(self) -> bool:
        """Whether the channels are red, green and blue."""
        return self.channels == RGB_CHANNELS

    @property
    def is_gray(self) -> bool:
        """Whether there is one gray channel."""
        return self.channels == GRAY_CHANNELS

    @property
    def is_srgb(self) -> bool:
        """Whether the values are sRGB (or gray on the sRGB curve) and no profile says otherwise."""
        return self.icc is None and self.transfer == "srgb" and self.primaries == "srgb"


SRGB = Color()
GRAY = Color(channels=GRAY_CHANNELS)


@dataclass(frozen=True, slots=True)
class Capture:
    """What a file says about its making, kept to be written back.

    Attributes:
        exif: The TIFF structure of the EXIF block without the `Exif\\0\\0` prefix, its orientation reset to 1.
        xmp: The XMP packet as stored, its orientation reset to 1.
        dpi: Pixels per inch, (x, y).
    """

    exif: bytes | None = field(default=None, repr=False)
    xmp: bytes | None = field(default=None, repr=False)
    dpi: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """Where an image came from and what was done on reading.

    Attributes:
        path: File name, or a description of an in-memory source.
        format: Registry name of the file format, found from the content and not from the name.
        stored_size_hw: Size as stored, before orientation.
        orientation: The EXIF orientation (1..8) that was applied on reading; 1 where there was nothing to do.
        bits: Meaningful bits a channel, as the file states them.
        page: Which page or frame this is.
        pages: How many the file has.
        scale: Below 1 where a JPEG (n/8) or a frame of a video (1/n) was decoded at a reduced scale. Its size is
            rounded up: the last row and column as stored may reach beyond the full one.
        stored_color: What the file stores where that is not what was read, such as `cmyk` or `palette`.
    """

    path: str
    format: str = "memory"
    stored_size_hw: tuple[int, int] = (0, 0)
    orientation: int = 1
    bits: int = 8
    page: int = 0
    pages: int = 1
    scale: float = 1.0
    stored_color: str | None = None

    @property
    def upright_size_hw(self) -> tuple[int, int]:
        """Full-resolution size after orientation: the frame of all coordinates we report."""
        height, width = self.stored_size_hw
        return (width, height) if self.orientation >= 5 else (height, width)

    @property
    def backward_xy(self) -> tuple[bool, bool]:
        """Whether x and y of the upright image run against the axes of the file that they are."""
        return self.orientation in (2, 3, 6, 7), self.orientation in (3, 4, 7, 8)


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """Pixels (H, W, C), always three axes, upright, RGB order, never rescaled on the way in.

    Attributes:
        pixels: uint8, uint16 or float32. Alpha is not among the channels.
        color: What the channels are.
        white: The value of full white: 255, 65535 or 1.0 from the dtype unless the file says otherwise (4095).
        alpha: Opacity (H, W) of the pixels' dtype with the same white, not premultiplied; None where opaque.
        capture: Metadata to write back.
        source: Where it came from.
        spacing_mm: Physical pixel pitch (y, x) in millimeters, where known.
        warnings: What the reader had to overlook, one sentence each.

    Raises:
        ShapeError: Wrong number of axes, dtype, channel names or alpha shape.
    """

    pixels: Pixels
    color: Color = SRGB
    white: float = 0.0  # 0 stands for the dtype's own; replaced in __post_init__
    alpha: Mask | None = None
    capture: Capture = Capture()
    source: Source = Source("array")
    spacing_mm: tuple[float, float] | None = None
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        pixels = self.pixels
        if pixels.ndim != 3 or 0 in pixels.shape:
            raise ShapeError(f"pixels: expected (H, W, C) with at least one pixel, got shape {pixels.shape}.")
        if pixels.dtype not in DTYPES:
            raise ShapeError(f"pixels: expected uint8, uint16 or float32, got {pixels.dtype}. Convert it first.")
        if pixels.shape[2] != len(self.color.channels):
            raise ShapeError(f"pixels: {pixels.shape[2]} channels, but the names are {self.color.channels}.")
        if self.alpha is not None and (self.alpha.shape != pixels.shape[:2] or self.alpha.dtype != pixels.dtype):
            raise ShapeError(
                f"alpha: expected {pixels.shape[:2]} {pixels.dtype}, got {self.alpha.shape} {self.alpha.dtype}."
            )
        if not self.white:
            object.__setattr__(self, "white", white_of(pixels.dtype))
        if not self.source.stored_size_hw[0]:
            object.__setattr__(self, "source", replace(self.source, stored_size_hw=pixels.shape[:2]))

    @property
    def size_hw(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.pixels.shape[0], self.pixels.shape[1]

    def replace(self, **changes: Any) -> Image:
        """A copy with some fields changed, checked again."""
        return replace(self, **changes)

    def _repr_png_(self) -> bytes | None:
        """A preview for notebooks, at most 1024 pixels wide and high: 8 bit, without alpha and profile."""
        if not (self.color.is_rgb or self.color.is_gray):
            return None
        from io import BytesIO

        from PIL import Image as PillowImage

        step = -(-max(self.size_hw) // 1024)
        scaled = self.pixels[::step, ::step].astype(np.float32) * (255 / self.white)
        small = np.nan_to_num(np.rint(scaled)).clip(0, 255).astype(np.uint8)
        out = BytesIO()
        PillowImage.fromarray(small[:, :, 0] if self.color.is_gray else small).save(out, "PNG")
        return out.getvalue()


def white_of(dtype: npt.DTypeLike) -> float:
    """The value of full white that a dtype implies: its maximum for integers, 1.0 for floats."""
    dtype = np.dtype(dtype)
    return float(np.iinfo(dtype).max) if dtype.kind == "u" else 1.0
