"""Preparation against the published recipe of ImageNet evaluation, written out here with Pillow and NumPy alone.

Source: He et al., Deep Residual Learning, CVPR 2016, section 3.4 and its reference code as everybody runs it: shorter
side to 256 (bilinear, antialiased), center crop of 224, scaled to 0..1, mean and standard deviation of ImageNet.
"""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image as PillowImage

import tolerance
from pixelwright.ops.batch import prepare
from pixelwright.structures.image import Image
from pixelwright.structures.spec import InputSpec, Resize

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
CONTRACT = InputSpec(resize=Resize(rule="shorter", size_hw=(256, 256)), crop_hw=(224, 224), mean=MEAN, std=STD)


def reference(pixels: np.ndarray) -> np.ndarray:
    height, width = pixels.shape[:2]
    scale = 256 / min(height, width)
    size = (256, int(height * scale)) if width < height else (int(width * scale), 256)
    resized = np.asarray(PillowImage.fromarray(pixels).resize(size, PillowImage.Resampling.BILINEAR))
    top, left = (resized.shape[0] - 224) // 2, (resized.shape[1] - 224) // 2
    crop = resized[top : top + 224, left : left + 224] / 255
    return ((crop - MEAN) / STD).transpose(2, 0, 1)


@pytest.mark.parametrize("size_hw", [(300, 400), (400, 300), (256, 256), (512, 300), (231, 977), (1024, 1024)])
def test_preparation_is_that_of_the_published_evaluation(size_hw: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*size_hw, 3), np.uint8)
    made = prepare(Image(pixels), CONTRACT).tensor
    rtol, atol = tolerance.FLOAT32
    assert np.allclose(made, reference(pixels), rtol=rtol, atol=atol)
