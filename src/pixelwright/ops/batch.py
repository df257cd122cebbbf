"""From images to the tensors a graph takes: the only place where the input contract is carried out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwright.errors import ShapeError
from pixelwright.ops import color, resample, tiles
from pixelwright.structures.image import Image
from pixelwright.structures.spec import InputSpec, Resize

Points = npt.NDArray[np.float32]  # (N, 2): x, y


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a prepared tensor lies in the original image: `original = prepared * scale_xy + offset_xy`."""

    scale_xy: tuple[float, float]
    offset_xy: tuple[float, float]

    def to_original(self, points_xy: Points) -> Points:
        """Points (N, 2) of the tensor in pixels of the upright full-resolution image."""
        return (points_xy * np.asarray(self.scale_xy) + np.asarray(self.offset_xy)).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """One image as a graph wants it, without the batch axis."""

    tensor: npt.NDArray[Any]
    placement: Placement
    original_hw: tuple[int, int]


def decode_hw(full_hw: tuple[int, int], spec: InputSpec) -> tuple[int, int] | None:
    """The least size a JPEG may be decoded at under the contract; None where every pixel counts."""
    if not spec.reduced_decode or spec.resize is None:
        return None
    height, width = resample.resized_hw(full_hw, spec.resize)
    return ceil(height * spec.reduced_decode), ceil(width * spec.reduced_decode)


def prepare(image: Image, spec: InputSpec) -> Prepared:
    """An image as the tensor its contract describes.

    Args:
        image: In sRGB already, where the contract says `srgb`.
        spec: The input contract.

    Raises:
        ShapeError: The contract refuses this kind of image; the sentence says why.
    """
    original_hw, scale_xy, offset_xy = _origin(image)
    if spec.is_sequence:
        return Prepared(tensor(_sequence(image), spec), Placement((1.0, 1.0), (0.0, 0.0)), original_hw)
    fitting = _channels(_alpha(image, spec), spec)
    if spec.depth == "8-bit":
        fitting = color.to_8_bit(fitting)
    if spec.resize is not None:
        before_hw = fitting.size_hw
        size_hw = resample.resized_hw(original_hw, spec.resize)
        pixels = resample.resize(fitting.pixels, size_hw, kernel=spec.resize.kernel, antialias=spec.resize.antialias)
        scale_xy = scale_xy * np.divide(before_hw[::-1], size_hw[::-1])
        top, left = _room(size_hw, spec.resize)
        fitting = fitting.replace(pixels=_framed(pixels, top, left, spec.resize, fitting.white))
        offset_xy = offset_xy - np.array([left, top]) * scale_xy
    if spec.crop_hw is not None:
        top, left = _center(fitting, spec.crop_hw)
        height, width = spec.crop_hw
        fitting = fitting.replace(pixels=fitting.pixels[top : top + height, left : left + width])
        offset_xy = offset_xy + np.array([left, top]) * scale_xy
    placement = Placement((float(scale_xy[0]), float(scale_xy[1])), (float(offset_xy[0]), float(offset_xy[1])))
    return Prepared(tensor(fitting, spec), placement, original_hw)


def tensor(image: Image, spec: InputSpec) -> npt.NDArray[Any]:
    """An image (gray or RGB, as the graph wants it) as one entry of a batch: padded, scaled, normalized, laid out.

    A sequence, of one channel, becomes (T, F).

    Raises:
        ShapeError: The pixels hold NaN or infinity, which a network would spread over its neighborhood.
    """
    color.check_finite(image)
    pixels = tiles.pad_to_multiple(image.pixels, spec.multiple_of)
    if spec.channels == "bgr":
        pixels = pixels[:, :, ::-1]
    # One pass over the values: (v / white_in * white - mean) / std, as a factor and a summand for each channel.
    std = np.asarray(spec.std or [1.0])
    factor = (spec.white / image.white / std).astype(np.float32)
    summand = (-np.asarray(spec.mean or [0.0]) / std).astype(np.float32)
    if spec.layout == "NCHW":
        pixels, factor, summand = pixels.transpose(2, 0, 1), factor[:, None, None], summand[:, None, None]
    elif spec.is_sequence:
        pixels = pixels[:, :, 0]
    values = pixels.astype(np.float32, order="C")
    values *= factor
    if summand.any():
        values += summand
    if spec.dtype == "float32":
        return values
    limits = np.iinfo(spec.dtype)
    return np.clip(np.rint(values), limits.min, limits.max).astype(spec.dtype)


def sides(shape: Sequence[int], spec: InputSpec) -> tuple[int, int]:
    """Rows and columns of a tensor of this shape, with or without its batch axis; steps and features of a sequence."""
    *_, height, width = shape[:-1] if spec.layout == "NHWC" else shape
    return height, width


def stack(prepared: Sequence[Prepared]) -> npt.NDArray[Any]:
    """Tensors of one shape as a batch."""
    if len(prepared) == 1:
        return prepared[0].tensor[None]
    return np.stack([one.tensor for one in prepared])


def _origin(image: Image) -> tuple[tuple[int, int], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Size of the original that a decoded image stands for, and how its pixels lie in it: scale and offset (x, y)."""
    source = image.source
    if source.scale >= 1:  # also a crop, which stands for itself
        return image.size_hw, np.ones(2), np.zeros(2)
    height, width = source.upright_size_hw
    # Sizes are rounded up: what is too much lies at the file's right and bottom, which may be the left and top here.
    beyond = np.array(image.size_hw[::-1]) / source.scale - (width, height)
    return (height, width), np.full(2, 1 / source.scale), -beyond * source.backward_xy


def _room(size_hw: tuple[int, int], rule: Resize) -> tuple[int, int]:
    """Rows above and columns left of an image that is fitted into a frame."""
    if rule.rule != "letterbox" or rule.align == "corner":
        return 0, 0
    return (rule.size_hw[0] - size_hw[0]) // 2, (rule.size_hw[1] - size_hw[1]) // 2


def _framed(pixels: npt.NDArray[Any], top: int, left: int, rule: Resize, white: float) -> npt.NDArray[Any]:
    """Pixels within the frame of a letterbox; other rules have none."""
    if rule.rule != "letterbox" or pixels.shape[:2] == rule.size_hw:
        return pixels
    frame = np.full((*rule.size_hw, pixels.shape[2]), rule.fill * white / 255, pixels.dtype)
    frame[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
    return frame


def _sequence(image: Image) -> Image:
    # Numbers of a sensor have no white: a picture of bytes in their place would be scaled by a guess.
    if image.pixels.dtype != np.float32 or image.pixels.shape[2] != 1 or image.alpha is not None:
        raise ShapeError(
            f"{image.source.path}: expected a sequence of T steps of F numbers, float32 (T, F), got "
            f"{image.pixels.dtype} {image.pixels.shape}. This model takes no pictures."
        )
    return image


def _alpha(image: Image, spec: InputSpec) -> Image:
    if image.alpha is None or spec.alpha == "keep":
        return image
    if spec.alpha == "refuse":
        raise ShapeError(f"{image.source.path}: has an alpha channel, which this model refuses. Flatten it first.")
    return color.flatten_alpha(image)


def _channels(image: Image, spec: InputSpec) -> Image:
    if spec.channels == "gray":
        return color.to_gray(image)
    if image.color.is_gray and spec.gray == "refuse":
        raise ShapeError(f"{image.source.path}: is gray, and this model takes color only. Choose another model.")
    return color.to_rgb(image)


def _center(image: Image, crop_hw: tuple[int, int]) -> tuple[int, int]:
    height, width = image.size_hw
    if height < crop_hw[0] or width < crop_hw[1]:
        crop = f"{crop_hw[1]}x{crop_hw[0]}"
        raise ShapeError(f"{image.source.path}: {width}x{height} is smaller than the {crop} this model crops.")
    return (height - crop_hw[0]) // 2, (width - crop_hw[1]) // 2
