"""Arrays and pictures of other libraries to images and back. RGB order here, whatever order there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pixelwright.errors import ShapeError, UnsupportedImage
from pixelwright.io import exif, orientation, profiles, xmp
from pixelwright.io.border import reading, swapped
from pixelwright.structures.image import (
    DTYPES,
    GRAY_CHANNELS,
    RGB_CHANNELS,
    Capture,
    Color,
    Image,
    Source,
)

if TYPE_CHECKING:
    from PIL import Image as PillowImage

_ORDERS = "expected (H, W), (H, W, 1), (H, W, 2) gray and alpha, (H, W, 3) or (H, W, 4) with alpha"


def from_numpy(array: npt.NDArray[Any], *, color: Color | None = None, white: float = 0.0) -> Image:
    """An image over an array: gray, gray and alpha, RGB, or RGB and alpha, in that order of channels.

    Args:
        array: (H, W) or (H, W, 1..4), uint8, uint16 or float32; used as it is, not copied.
        color: What the channels are; sRGB or gray by default. Where it names as many channels as there are, none is
            taken for alpha.
        white: The value of full white; 0 for the dtype's own (255, 65535, 1.0).

    Raises:
        ShapeError: Another shape or dtype.

    Example:
        >>> import numpy as np
        >>> from_numpy(np.zeros((4, 6, 4), np.uint8)).alpha.shape
        (4, 6)
    """
    array = np.asarray(array)
    if array.dtype not in DTYPES:
        raise ShapeError(f"array: expected uint8, uint16 or float32, got {array.dtype}. Convert it first.")
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or 0 in array.shape:
        raise ShapeError(f"array: {_ORDERS}, got shape {array.shape}.")
    count = array.shape[2]
    if color is not None and len(color.channels) == count:
        return Image(array, color, white)
    if count > 4:
        raise ShapeError(f"array: {_ORDERS}, got {count} channels. Name them with color=Color(channels=(...)).")
    alpha = np.ascontiguousarray(array[..., -1]) if count in (2, 4) else None
    pixels = array if alpha is None else np.ascontiguousarray(array[..., :-1])
    return Image(pixels, color or Color(GRAY_CHANNELS if count <= 2 else RGB_CHANNELS), white, alpha)


def to_numpy(image: Image) -> npt.NDArray[Any]:
    """(H, W, C) with alpha, where there is one, as the last channel; contiguous."""
    if image.alpha is None:
        return np.ascontiguousarray(image.pixels)
    return np.concatenate([image.pixels, image.alpha[..., None]], axis=2)


def from_opencv(array: npt.NDArray[Any], *, color: Color | None = None, white: float = 0.0) -> Image:
    """An image of an array in OpenCV's order: gray, BGR or BGRA.

    Raises:
        ShapeError: Another shape or dtype.
    """
    image = from_numpy(array, color=color, white=white)
    return image.replace(pixels=swapped(image.pixels))


def to_opencv(image: Image) -> npt.NDArray[Any]:
    """What OpenCV's functions take: (H, W) for gray, (H, W, 3) BGR, (H, W, 4) BGRA; gray with alpha as BGRA."""
    array = to_numpy(image)
    if image.color.is_gray:
        return np.ascontiguousarray(array[..., 0] if array.shape[2] == 1 else array[..., (0, 0, 0, 1)])
    if not image.color.is_rgb:
        return array
    return swapped(array)


def from_pillow(picture: PillowImage.Image) -> Image:
    """An image of a Pillow picture: EXIF orientation applied; profile, EXIF, XMP, resolution and transparency kept.

    Raises:
        UnsupportedImage: A mode whose meaning is not certain (32-bit integers, Lab, YCbCr, HSV).
        UnreadableImage: The picture was opened lazily and its file is damaged.
    """
    name = str(getattr(picture, "filename", "") or "<Pillow image>")
    with reading(name):
        info = dict(picture.info)
        samples, gray, alpha = _samples(picture, name)
        block = exif.read(info.get("exif") if isinstance(info.get("exif"), bytes) else _exif_of(picture))
    if samples.ndim == 2:
        samples = samples[..., None]
    icc = info.get("icc_profile")
    color, warnings = profiles.color_of(
        GRAY_CHANNELS if gray else RGB_CHANNELS, None if picture.mode == "CMYK" else icc
    )
    samples = orientation.turn(samples, block.orientation)
    height, width = picture.height, picture.width
    return Image(
        pixels=np.ascontiguousarray(samples[..., :-1]) if alpha else samples,
        color=color,
        alpha=np.ascontiguousarray(samples[..., -1]) if alpha else None,
        capture=Capture(block.block, _xmp(info), _dpi(info) or block.dpi),
        source=Source(name, stored_size_hw=(height, width), orientation=block.orientation),
        warnings=warnings,
    )


def _samples(picture: PillowImage.Image, name: str) -> tuple[npt.NDArray[Any], bool, bool]:
    """(samples, whether gray, whether the last channel is alpha)."""
    transparent = "transparency" in picture.info
    mode = picture.mode
    if mode in ("P", "PA") or (mode in ("RGB", "L", "1") and transparent):
        gray = mode in ("L", "1")
        wanted = ("LA" if gray else "RGBA") if transparent or mode == "PA" else "RGB"
        turned = picture.convert("RGBA").convert("LA") if wanted == "LA" else picture.convert(wanted)
        return np.asarray(turned), gray, wanted in ("LA", "RGBA")
    if mode in ("1", "L", "LA", "RGB", "RGBA", "F"):
        return np.asarray(picture.convert("L") if mode == "1" else picture), mode[0] in "1LF", mode in ("LA", "RGBA")
    if mode == "RGBX":
        return np.asarray(picture)[..., :3], False, False
    if mode in ("La", "RGBa"):
        return np.asarray(picture.convert(mode.upper())), mode == "La", True
    if mode.startswith("I;16"):
        return np.asarray(picture).astype(np.uint16), True, False
    if mode == "CMYK":
        from pixelwright.io import lcms

        return lcms.cmyk_to_rgb(np.asarray(picture), picture.info.get("icc_profile")), False, False
    raise UnsupportedImage(name, f"has the Pillow mode {mode}. Convert it to L, I;16, RGB or RGBA first.")


def _exif_of(picture: PillowImage.Image) -> bytes | None:
    """The EXIF block of a picture whose file format keeps it elsewhere (TIFF), or that was set by hand."""
    found = picture.getexif()
    return found.tobytes() if found else None


def _xmp(info: dict[Any, Any]) -> bytes | None:
    packet = info.get("xmp")
    return xmp.reset(packet) if isinstance(packet, bytes) else None


def _dpi(info: dict[Any, Any]) -> tuple[float, float] | None:
    dpi = info.get("dpi")
    if isinstance(dpi, tuple) and len(dpi) == 2 and all(value > 0 for value in dpi):
        return float(dpi[0]), float(dpi[1])
    return None


def to_pillow(image: Image) -> PillowImage.Image:
    """A Pillow picture: 8-bit L, LA, RGB or RGBA, 16-bit gray as `I;16`, float gray as `F`, with profile and metadata.

    Raises:
        UnsupportedImage: Pillow has no mode for it, such as 16-bit RGB.
        ShapeError: The channels are neither gray nor RGB.
    """
    from PIL import Image as PillowImage

    if not (image.color.is_gray or image.color.is_rgb):
        raise ShapeError(f"image: Pillow shows gray or RGB, got the channels {', '.join(image.color.channels)}.")
    array = to_numpy(image)
    if array.dtype != np.uint8 and array.shape[2] > 1:
        kind = f"{array.dtype.name} {'RGB' if image.color.is_rgb else 'gray with alpha'}"
        raise UnsupportedImage(image.source.path, f"Pillow has no mode for {kind}. Use to_opencv, or to_srgb8 first.")
    picture = PillowImage.fromarray(np.ascontiguousarray(array[..., 0] if array.shape[2] == 1 else array))
    icc = profiles.profile_of(image.color)
    if icc:
        picture.info["icc_profile"] = icc
    if image.capture.exif:
        picture.info["exif"] = exif.PREFIX + image.capture.exif
    if image.capture.xmp:
        picture.info["xmp"] = image.capture.xmp
    if image.capture.dpi:
        picture.info["dpi"] = image.capture.dpi
    return picture
