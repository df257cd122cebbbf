"""Channels, depth and alpha: each conversion is asked for by name, none happens by itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwright.errors import ShapeError
from pixelwright.structures.image import GRAY_CHANNELS, RGB_CHANNELS, Image

# ITU-R BT.601-7, section 2.5.1: luma from gamma-encoded red, green and blue.
BT601_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)


def to_float(image: Image) -> npt.NDArray[np.float32]:
    """Pixels as float32 with full white at 1.0; values above white stay above 1.0.

    Raises:
        ShapeError: The pixels hold NaN or infinity, which a network would spread over its neighborhood.
    """
    check_finite(image)
    values = image.pixels.astype(np.float32)
    values /= np.float32(image.white)
    return values


def check_finite(image: Image) -> None:
    """Refuse pixels that are no numbers.

    Raises:
        ShapeError: The pixels hold NaN or infinity.
    """
    if image.pixels.dtype.kind != "f":
        return
    finite = np.isfinite(image.pixels)
    if not finite.all():
        bad, count = int(finite.size - finite.sum()), finite.size
        raise ShapeError(f"{image.source.path}: {bad} of {count} values are NaN or infinite. Replace them first.")


def from_float(values: npt.NDArray[np.float32], dtype: npt.DTypeLike, white: float) -> npt.NDArray[Any]:
    """Float values (1.0 = white) as a dtype: integers are rounded and clipped to 0..white, floats are not clipped."""
    dtype = np.dtype(dtype)
    scaled = values * np.float32(white)
    if dtype.kind == "f":
        return scaled.astype(dtype, copy=False)
    np.rint(scaled, out=scaled)
    np.clip(scaled, 0, white, out=scaled)
    return scaled.astype(dtype)


def to_8_bit(image: Image) -> Image:
    """The image with uint8 pixels and white at 255, rounded (never the low byte, never a guess from the maximum)."""
    if image.pixels.dtype == np.uint8 and image.white == 255:
        return image
    alpha = None
    if image.alpha is not None:
        alpha = from_float(image.alpha.astype(np.float32) / np.float32(image.white), np.uint8, 255)
    return image.replace(pixels=from_float(to_float(image), np.uint8, 255), white=255.0, alpha=alpha)


def flatten_alpha(image: Image) -> Image:
    """The image over white, without alpha."""
    if image.alpha is None:
        return image
    opacity = (image.alpha.astype(np.float32) / np.float32(image.white))[:, :, None]
    over = (to_float(image) * opacity + (1 - opacity)).astype(np.float32, copy=False)
    return image.replace(pixels=from_float(over, image.pixels.dtype, image.white), alpha=None)


def to_gray(image: Image) -> Image:
    """One gray channel: the BT.601 luma of a color image.

    Raises:
        ShapeError: The image is neither gray nor RGB.
    """
    if image.color.is_gray:
        return image
    if not image.color.is_rgb:
        raise ShapeError(f"{image.source.path}: channels {image.color.channels} have no luma. Choose one channel.")
    luma = image.pixels.astype(np.float32) @ BT601_LUMA
    if image.pixels.dtype.kind == "u":
        luma = np.rint(luma)
    color = _named(image, GRAY_CHANNELS)
    return image.replace(pixels=luma.astype(image.pixels.dtype)[:, :, None], color=color)


def to_rgb(image: Image) -> Image:
    """Three equal channels of a gray image; an RGB image as it is.

    Raises:
        ShapeError: The image is neither gray nor RGB.
    """
    if image.color.is_rgb:
        return image
    if not image.color.is_gray:
        raise ShapeError(f"{image.source.path}: channels {image.color.channels} are not a picture. Choose three.")
    return image.replace(pixels=np.repeat(image.pixels, 3, axis=2), color=_named(image, RGB_CHANNELS))


def _named(image: Image, channels: tuple[str, ...]) -> Any:
    from dataclasses import replace

    # A profile describes a number of channels; it would be wrong for another.
    return replace(image.color, channels=channels, icc=None)
