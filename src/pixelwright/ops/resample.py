"""Resizing, the one way every contract means it.

Antialiased kernels are Pillow's (the kernel is widened by the scale when shrinking; bicubic has a = -0.5), which is
what PyTorch's `antialias=True` and the image processors of `transformers` compute too. Without antialiasing the
kernels are OpenCV's, sampled at pixel centers.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from pixelwright.structures.spec import Resize

Kernel = Literal["nearest", "box", "bilinear", "bicubic", "lanczos"]


def resized_hw(size_hw: tuple[int, int], rule: Resize) -> tuple[int, int]:
    """The size that a resize rule makes of a size; of a letterbox, that of the image within the frame.

    Example:
        >>> resized_hw((300, 400), Resize(rule="shorter", size_hw=(256, 256)))
        (256, 341)
    """
    if rule.rule == "stretch":
        return rule.size_hw
    height, width = size_hw
    if rule.rule == "letterbox":
        scale = min(rule.size_hw[0] / height, rule.size_hw[1] / width)
        return max(1, round(height * scale)), max(1, round(width * scale))
    shorter = min(rule.size_hw)
    if height <= width:
        return shorter, max(1, shorter * width // height)
    return max(1, shorter * height // width), shorter


def resize(
    pixels: npt.NDArray[Any], size_hw: tuple[int, int], *, kernel: Kernel = "bilinear", antialias: bool = True
) -> npt.NDArray[Any]:
    """Pixels (H, W, C) at another size, in the same dtype; integers are rounded and clipped."""
    if pixels.shape[:2] == size_hw:
        return pixels
    if not antialias or kernel == "nearest":
        return _resize_opencv(pixels, size_hw, kernel)
    if pixels.dtype == np.uint8 and pixels.shape[2] in (1, 3):
        return _resize_pillow(pixels, size_hw, kernel)
    planes = [
        _resize_pillow(np.ascontiguousarray(pixels[:, :, c : c + 1], dtype=np.float32), size_hw, kernel)
        for c in range(pixels.shape[2])
    ]
    return _as_dtype(np.concatenate(planes, axis=2), pixels.dtype)


def _resize_pillow(pixels: npt.NDArray[Any], size_hw: tuple[int, int], kernel: Kernel) -> npt.NDArray[Any]:
    from PIL import Image as PillowImage

    flat = pixels[:, :, 0] if pixels.shape[2] == 1 else pixels
    resized = PillowImage.fromarray(flat).resize((size_hw[1], size_hw[0]), PillowImage.Resampling[kernel.upper()])
    return np.asarray(resized).reshape(*size_hw, pixels.shape[2])


def _resize_opencv(pixels: npt.NDArray[Any], size_hw: tuple[int, int], kernel: Kernel) -> npt.NDArray[Any]:
    import cv2

    interpolation = {
        "nearest": cv2.INTER_NEAREST_EXACT,
        "box": cv2.INTER_NEAREST_EXACT,
        "bilinear": cv2.INTER_LINEAR,
        "bicubic": cv2.INTER_CUBIC,
        "lanczos": cv2.INTER_LANCZOS4,
    }[kernel]
    resized = cv2.resize(pixels, size_hw[::-1], interpolation=interpolation)
    return resized.reshape(*size_hw, pixels.shape[2])


def _as_dtype(values: npt.NDArray[np.float32], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    if dtype.kind == "f":
        return values.astype(dtype, copy=False)
    return np.clip(np.rint(values), 0, np.iinfo(dtype).max).astype(dtype)
