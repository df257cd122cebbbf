"""The shipped models still answer as they did when they were packaged, and do what they are for."""

from __future__ import annotations

import numpy as np
import pytest
import skimage.data

import pixelwright as pw
from pixelwright import hub
from pixelwright.verbs.models import verify_models

Pixels = np.ndarray


def psnr(one: Pixels, other: Pixels) -> float:
    return float(10 * np.log10(255**2 / np.mean((one.astype(float) - other) ** 2)))


@pytest.mark.parametrize("name", hub.names())
def test_a_model_gives_the_answers_stored_with_it(name: str) -> None:
    (verdict,) = verify_models([name])
    assert verdict.ok, verdict


def test_the_denoiser_wins_back_most_of_what_noise_took() -> None:
    clean = skimage.data.coffee()[100:300, 150:450]
    noise = np.random.RandomState(0).standard_normal(clean.shape) * 25
    noisy = np.clip(np.rint(clean + noise), 0, 255).astype(np.uint8)
    made = pw.to_numpy(pw.load("denoise")(noisy))
    # 8 dB and more on every photo tried; a broken contract (range, layout, padding) costs far more than 2.
    assert psnr(clean, made) > psnr(clean, noisy) + 8


def test_the_enlarger_beats_bicubic() -> None:
    from PIL import Image

    photo = skimage.data.astronaut()
    small = Image.fromarray(photo).resize((256, 256), Image.Resampling.BICUBIC)
    bicubic = np.asarray(small.resize((512, 512), Image.Resampling.BICUBIC))
    made = pw.to_numpy(pw.load("super-resolve-x2")(small))
    assert psnr(photo, made) > psnr(photo, bicubic) + 2
