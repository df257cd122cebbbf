"""What a JPEG file does to pictures, on whole batches: the arithmetic of the format, without the bytes."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

# ITU-R BT.601-7, section 2.5.1: luma from gamma-encoded red, green and blue.
LUMA = (0.299, 0.587, 0.114)
# ITU-T T.81 (JPEG), table K.1: quantization of luminance at quality 50, in units of white = 255.
QUANTIZATION = (
    (16, 11, 10, 16, 24, 40, 51, 61), (12, 12, 14, 19, 26, 58, 60, 55), (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62), (18, 22, 37, 56, 68, 109, 103, 77), (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101), (72, 92, 95, 98, 112, 100, 103, 99),
)  # fmt: skip
# ITU-T T.81 (JPEG), table K.2: quantization of chrominance at quality 50; 99 where nothing else is said.
QUANTIZATION_COLOR = (
    (17, 18, 24, 47, 99, 99, 99, 99), (18, 21, 26, 66, 99, 99, 99, 99), (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99), (99, 99, 99, 99, 99, 99, 99, 99), (99, 99, 99, 99, 99, 99, 99, 99),
    (99, 99, 99, 99, 99, 99, 99, 99), (99, 99, 99, 99, 99, 99, 99, 99),
)  # fmt: skip
BLOCK = 8
UNIT_PX = 16  # blocks of colors at half resolution cover so many pixels


def store_as_jpeg(images: Tensor, quality: Tensor, halved: Tensor) -> Tensor:
    """Pictures as a decoder gives them back: 0..1, in steps of 1/255.

    Args:
        images: (N, 1 or 3, H, W), 0..1 (others are clipped), of any size.
        quality: (N,) whole numbers, 1..100, as the Independent JPEG Group counts them.
        halved: (N,) bool: colors are kept at half resolution (4:2:0), by the mean of 2x2 pixels, and enlarged by
            triangles as libjpeg does.

    Source: ITU-T T.81, annexes A.3 and K.1; colors by ITU-T T.871 (JFIF), section 7; quality as in libjpeg, jcparam.c.
    """
    height, width = images.shape[2:]
    frame = (0, -width % UNIT_PX, 0, -height % UNIT_PX)
    levels = functional.pad((images.clamp(0, 1) * 255).round(), frame, mode="replicate")
    factor = factor_of(quality)
    if images.shape[1] == 1:
        return (quantized(levels, factor, QUANTIZATION)[:, :, :height, :width].round().clamp(0, 255)) / 255
    matrix = _to_luma_and_colors(images)
    # Centered at 0, where JFIF has 128: the transform works on that.
    planes = torch.einsum("ij,njhw->nihw", matrix, levels - 128).round()
    luma = quantized(planes[:, :1], factor, QUANTIZATION, offset=0).round()
    colors = planes[:, 1:]
    whole = quantized(colors, factor, QUANTIZATION_COLOR, offset=0).round()
    half = quantized(_halved(colors), factor, QUANTIZATION_COLOR, offset=0).round()
    colors = torch.where(halved.view(-1, 1, 1, 1), _doubled(half), whole)
    restored = torch.einsum("ij,njhw->nihw", torch.linalg.inv(matrix), torch.cat((luma, colors), dim=1)) + 128
    return restored[:, :, :height, :width].round().clamp(0, 255) / 255


def _halved(planes: Tensor) -> Tensor:
    """Means of 2x2 pixels; what is halfway goes down and up in turns (libjpeg, jcsample.c, h2v2_downsample)."""
    sums = functional.avg_pool2d(planes, 2, divisor_override=1)
    return ((sums + 1 + _odd(sums)) / 4).floor()


def _doubled(planes: Tensor) -> Tensor:
    """Between the four nearest by 9 : 3 : 3 : 1 (libjpeg, jdsample.c, h2v2_fancy_upsample), with its rounding."""
    sums = functional.interpolate(planes, scale_factor=2.0, mode="bilinear") * 16
    return ((sums.round() + 8 - _odd(sums)) / 16).floor()


def _odd(planes: Tensor) -> Tensor:
    """1 in every other column."""
    return torch.arange(planes.shape[3], device=planes.device, dtype=planes.dtype) % 2


def _to_luma_and_colors(like: Tensor) -> Tensor:
    """(3, 3) from RGB to Y, Cb, Cr."""
    red, green, blue = LUMA
    cb = (-red / (2 - 2 * blue), -green / (2 - 2 * blue), 0.5)
    cr = (0.5, -green / (2 - 2 * red), -blue / (2 - 2 * red))
    return like.new_tensor((LUMA, cb, cr))


def factor_of(quality: Tensor) -> Tensor:
    """By what the tables are multiplied, from quality above 0 to 100 (libjpeg, jcparam.c)."""
    return torch.where(quality < 50, 5000 / quality, 200 - 2 * quality).floor() / 100


def quantized(planes: Tensor, factor: Tensor, table: tuple[tuple[int, ...], ...], *, offset: float = 128) -> Tensor:
    """Planes (N, C, H, W) in whole blocks whose cosine coefficients are multiples of the table's steps.

    Args:
        planes: 0..255, or around 0.
        factor: (N,) of the table.
        table: (8, 8) steps.
        offset: What the planes have where the transform has 0.

    Source: ITU-T T.81, annex A.3.3.
    """
    steps = (factor.view(-1, 1, 1) * planes.new_tensor(table) + 0.5).floor().clamp(1, 255)[:, None, None, None]
    cells = (planes - offset).unflatten(3, (-1, BLOCK)).unflatten(2, (-1, BLOCK)).transpose(3, 4)
    basis = _cosines(planes)
    kept = (basis @ cells @ basis.T / steps).round() * steps
    return (basis.T @ kept @ basis).transpose(3, 4).flatten(4, 5).flatten(2, 3) + offset


def _cosines(like: Tensor) -> Tensor:
    """(8, 8) orthonormal cosine transform, a row a frequency."""
    frequency = torch.arange(BLOCK, device=like.device, dtype=like.dtype)[:, None]
    place = torch.arange(BLOCK, device=like.device, dtype=like.dtype) + 0.5
    basis = torch.cos(frequency * place * (math.pi / BLOCK)) / 2
    basis[0] /= math.sqrt(2)
    return basis
