"""How restoration is tested: the noise, the reduction, PSNR, and OpenCV's denoiser. Needs no PyTorch."""

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from photos import Pixels


def psnr(reference: NDArray, image: NDArray) -> float:
    """Peak signal-to-noise ratio in dB of images with white at 1.0, over all channels together."""
    return float(-10 * np.log10(np.mean(np.square(reference - image, dtype=np.float64))))


def add_noise(pixels: Pixels, sigma: int, seed: int) -> Pixels:
    """Gaussian noise by `RandomState(seed)`, then clipped and rounded to 8 bit as in a user's file."""
    noise = np.random.RandomState(seed).standard_normal(pixels.shape) * sigma
    return np.rint(np.clip(pixels + noise, 0, 255)).astype(np.uint8)


def halve(pixels: Pixels) -> Pixels:
    """The image at half size by Pillow's antialiased bicubic filter."""
    size = pixels.shape[1] // 2, pixels.shape[0] // 2
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))


def non_local_means(noisy: Pixels, strength: float) -> Pixels:
    """OpenCV's fast non-local means with its default windows, the same strength for lightness and color."""
    bgr = np.ascontiguousarray(noisy[..., ::-1])  # it splits lightness from color, and takes blue for the first channel
    return np.asarray(cv2.fastNlMeansDenoisingColored(bgr, None, strength, strength, 7, 21), np.uint8)[..., ::-1]
