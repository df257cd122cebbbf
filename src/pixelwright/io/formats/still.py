"""What the formats share: one header record, one raster made of it, alpha undone, and the way through Pillow."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwright.errors import UnreadableImage
from pixelwright.io import exif, profiles, xmp
from pixelwright.io.exchange import to_numpy
from pixelwright.io.stored import Stored
from pixelwright.structures.image import GRAY_CHANNELS, RGB_CHANNELS, Capture, Color, Image, Source, white_of
from pixelwright.structures.raster import Raster, Window, crop


@dataclass(frozen=True, slots=True)
class Still:
    """What a header says.

    Attributes:
        size_hw: As the decoder delivers it, before `orientation`.
        format: Registry name.
        bits: 8, or more for uint16.
        gray: Whether there is one channel of color.
        alpha: Whether there is alpha.
        premultiplied: Whether the decoder delivers colors multiplied by it.
        orientation: How to turn what the decoder delivers; None to follow the EXIF block.
        white: None for the dtype's own.
        color: None to derive it from `profile`.
        profile: ICC profile.
        exif: EXIF block.
        xmp: XMP packet.
        dpi: Resolution where not in the EXIF block.
        stored_color: As in `Source`.
        page: Which frame.
        pages: How many.
        warnings: What was overlooked.
    """

    size_hw: tuple[int, int]
    format: str
    bits: int = 8
    gray: bool = False
    alpha: bool = False
    premultiplied: bool = False
    orientation: int | None = None
    white: float | None = None
    color: Color | None = None
    profile: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None
    stored_color: str | None = None
    page: int = 0
    pages: int = 1
    warnings: tuple[str, ...] = ()


def check_page(name: str, page: int, pages: int = 1) -> None:
    """Refuses a page that is not there.

    Raises:
        UnreadableImage: `page` is `pages` or more.
    """
    if page >= pages:
        what = f"has {pages} page{'s' * (pages > 1)}; page {page} was asked for (they count from 0)."
        raise UnreadableImage(name, what)


def raster_of(stored: Stored, still: Still, samples: Callable[[], npt.NDArray[np.generic]]) -> Raster:
    """A raster as stored.

    Args:
        stored: The file.
        still: Its header.
        samples: Decodes everything to (H, W) or (H, W, C), alpha last; gray may come spread over three channels.
    """
    check_page(stored.name, still.page, still.pages)
    block = exif.read(still.exif)
    channels = GRAY_CHANNELS if still.gray else RGB_CHANNELS
    color, faults = (still.color, ()) if still.color else profiles.color_of(channels, still.profile)
    dtype = np.dtype(np.uint8 if still.bits <= 8 else np.uint16)
    white = still.white or white_of(dtype)
    capture = Capture(block.block, xmp.reset(still.xmp), still.dpi or block.dpi)
    warnings = (*still.warnings, *faults)
    source = Source(
        path=stored.name,
        format=still.format,
        stored_size_hw=still.size_hw,
        orientation=block.orientation if still.orientation is None else still.orientation,
        bits=still.bits,
        page=still.page,
        pages=still.pages,
        stored_color=still.stored_color,
    )

    def decode(window: Window | None, _at_least_hw: tuple[int, int] | None) -> Image:
        pixels, alpha = split(samples(), still, dtype, stored.name)
        if still.premultiplied and alpha is not None:
            pixels = straight(pixels, alpha, white)
        image = Image(pixels, color, white, alpha, capture, source, warnings=warnings)
        return image if window is None else crop(image, window)

    return Raster(
        still.size_hw, dtype, color, white, decode, still.alpha, capture=capture, source=source, warnings=warnings
    )


def split(
    samples: npt.NDArray[np.generic], still: Still, dtype: np.dtype[np.generic], name: str
) -> tuple[npt.NDArray[np.generic], npt.NDArray[np.generic] | None]:
    """Pixels (H, W, 1 or 3) and alpha, exactly as the header promised.

    Raises:
        UnreadableImage: The decoder delivered something else.
    """
    if samples.ndim == 2:
        samples = samples[..., None]
    count = samples.shape[2]
    if samples.dtype != dtype or count not in ((1, 2, 3, 4) if still.gray else (3, 4)):
        raise UnreadableImage(name, f"is damaged: the header and the {samples.dtype} samples {samples.shape} disagree.")
    alpha = np.ascontiguousarray(samples[..., -1]) if count in (2, 4) else None
    pixels = np.ascontiguousarray(samples[..., : 1 if still.gray else 3])
    if still.alpha and alpha is None:
        alpha = np.full(samples.shape[:2], still.white or white_of(dtype), dtype)
    return pixels, alpha if still.alpha else None


@np.errstate(all="ignore")
def straight(pixels: npt.NDArray[Any], alpha: npt.NDArray[Any], white: float) -> npt.NDArray[Any]:
    """Undoes multiplication by alpha; where nothing is left of the color, black."""
    out = np.zeros_like(pixels)
    rows = max(1, 2**18 // pixels.shape[1])  # strips keep the float64 copies small
    for top in range(0, len(pixels), rows):
        part = pixels[top : top + rows].astype(np.float64)
        opacity = alpha[top : top + rows, :, None].astype(np.float64)
        color = np.divide(part * white, opacity, out=np.zeros_like(part), where=opacity > 0)
        if pixels.dtype.kind == "u":
            color = np.minimum(np.rint(color), white)
        out[top : top + rows] = color
    return out


def decode_pillow(opened: Any, mode: str | None = None) -> npt.NDArray[Any]:
    """Samples of a picture that one of Pillow's plugins opened, in a mode if need be; closes it."""
    with opened as picture:
        picture.load()
        return np.asarray(picture if mode in (None, picture.mode) else picture.convert(mode))


def encode_pillow(image: Image, form: str, **options: Any) -> memoryview:
    """An 8-bit image as a file of one of Pillow's formats, with its metadata where that has a place for it."""
    from PIL import Image as PillowImage

    samples = to_numpy(image)
    target = io.BytesIO()  # Pillow would otherwise seek in and name the user's file
    PillowImage.fromarray(samples[..., 0] if samples.shape[2] == 1 else samples).save(
        target,
        form,
        icc_profile=profiles.profile_of(image.color) or b"",
        exif=exif.to_embed(image.capture) or b"",
        xmp=image.capture.xmp or b"",
        **options,
    )
    return target.getbuffer()


def as_rgb(image: Image) -> Image:
    """Gray as RGB with three equal channels, for formats that know no gray; others as they are."""
    if not image.color.is_gray:
        return image
    return image.replace(pixels=np.repeat(image.pixels, 3, axis=2), color=profiles.spread(image.color))
