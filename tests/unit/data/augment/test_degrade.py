"""Worse pictures are worse by as much as was asked, and in the way that cameras and files make them so."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image as PillowImage
from torch import Tensor

from pixelwright.data.augment.degrade import degrade
from pixelwright.data.augment.jpeg import store_as_jpeg
from pixelwright.errors import ShapeError, UnknownName, UsageError
from pixelwright.structures.degradation import PRESETS, Degradation

GAUSSIAN = Degradation(gaussian=1.0, gaussian_sigma=(0.1, 0.1), rounded=0.0)
SENSOR = Degradation(sensor=1.0, rounded=0.0, sensor_correlated=0.0, sensor_linear=0.0, sensor_read=(0.0, 0.0))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def gray(value: float, count: int = 4, side: int = 64) -> Tensor:
    return torch.full((count, 3, side, side), value)


def scene(height: int = 48, width: int = 64) -> npt.NDArray[np.uint8]:
    """Gradients, stripes and an edge, in color."""
    rows, columns = np.mgrid[:height, :width].astype(np.float64)
    planes = (60 + 2.5 * columns, 200 - 3 * rows, 128 + 60 * np.sin(columns / 2.5) * (rows > height / 2))
    return np.clip(np.stack(planes, axis=-1), 0, 255).astype(np.uint8)


def planes_of(pixels: npt.NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255


def levels_of(pictures: Tensor) -> npt.NDArray[np.int64]:
    return (pictures[0].permute(1, 2, 0) * 255).round().long().numpy()


@pytest.mark.parametrize("sigma", [15 / 255, 50 / 255])
def test_gaussian_noise_is_as_strong_as_asked(sigma: float) -> None:
    """The deviation of 49,152 draws is within 1 % (a standard error is 0.32 %)."""
    worse = degrade(gray(0.5), replace(GAUSSIAN, gaussian_sigma=(sigma, sigma)), generator())
    noise = worse - 0.5
    assert float(noise.std()) == pytest.approx(sigma, rel=0.01)
    assert abs(float(noise.mean())) < 0.02 * sigma


def test_each_picture_draws_its_own_strength_within_the_range() -> None:
    worse = degrade(gray(0.5, count=40, side=32), replace(GAUSSIAN, gaussian_sigma=(0.02, 0.08)), generator())
    found = worse.flatten(1).std(dim=1)
    assert 0.018 < float(found.min()) < 0.03 < 0.07 < float(found.max()) < 0.084


def test_the_variance_of_sensor_noise_grows_with_the_light() -> None:
    """gain * light, the gain 0.01 times 0.6 to 1.6 by channel: at 0.64 four times that at 0.16."""
    degradation = replace(SENSOR, sensor_gain=(0.01, 0.01))
    dark, bright = ((degrade(gray(light), degradation, generator()) - light).var(dim=(2, 3)) for light in (0.16, 0.64))
    assert (bright / dark).numpy() == pytest.approx(np.full((4, 3), 4.0), rel=1e-3)
    assert 0.6 * 0.0016 * 0.9 < float(dark.min()) < float(dark.max()) < 1.6 * 0.0016 * 1.1


def test_without_light_the_read_noise_is_left() -> None:
    worse = degrade(gray(0.0), replace(SENSOR, sensor_read=(0.03, 0.03)), generator())
    assert float(worse.std()) == pytest.approx(0.03, rel=0.01)


def test_correlated_noise_resembles_its_neighbor() -> None:
    def likeness(correlated: float) -> float:
        degradation = replace(SENSOR, sensor_correlated=correlated)
        noise = degrade(gray(0.5, count=16), degradation, generator()) - 0.5
        ahead, behind = noise[..., 1:].flatten().numpy(), noise[..., :-1].flatten().numpy()
        return float(np.corrcoef(ahead, behind)[0, 1])

    assert abs(likeness(0.0)) < 0.02
    assert likeness(1.0) > 0.3


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_one_seed_gives_one_result(name: str) -> None:
    clean, degradation = planes_of(scene()).repeat(6, 1, 1, 1), Degradation.named(name)
    first, again, other = (degrade(clean, degradation, generator(seed)) for seed in (7, 7, 8))
    assert torch.equal(first, again)
    assert degradation.downscale > 1 or not torch.equal(first, other)


def test_chances_are_those_asked_for() -> None:
    """Of 400 pictures about half get Gaussian noise, and 3 % stay; four standard errors are 0.1 and 0.034."""
    worse = degrade(gray(0.5, count=400, side=8), replace(GAUSSIAN, gaussian=0.5, sensor=0.47), generator())
    intact = (worse == 0.5).flatten(1).all(dim=1)
    fixed = (worse - 0.5).flatten(1).std(dim=1).sub(0.1).abs() < 0.03
    assert 0.005 < float(intact.float().mean()) < 0.065
    assert 0.4 < float(fixed.float().mean()) < 0.7


def test_rounded_values_are_those_of_a_file() -> None:
    worse = degrade(gray(0.9), replace(GAUSSIAN, rounded=1.0), generator())
    assert float((worse * 255 - (worse * 255).round()).abs().max()) < 1e-4
    assert (float(worse.min()) >= 0.0, float(worse.max())) == (True, 1.0)


def test_values_that_are_not_rounded_go_beyond_white() -> None:
    assert float(degrade(gray(0.95), GAUSSIAN, generator()).max()) > 1.05


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_smaller_pictures_are_those_of_pillow(scale: int) -> None:
    """Its antialiased bicubic filter, in 8 bits; fixed-point sums may differ by one level."""
    pixels = scene(48, 72)
    size = (pixels.shape[1] // scale, pixels.shape[0] // scale)
    expected = np.asarray(PillowImage.fromarray(pixels).resize(size, PillowImage.Resampling.BICUBIC), np.int64)
    made = levels_of(degrade(planes_of(pixels), Degradation(downscale=scale), generator()))
    assert np.abs(made - expected).max() <= 1


def test_sides_that_cannot_be_divided_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"multiples of 2, got \(47, 64\)"):
        degrade(planes_of(scene(47, 64)), Degradation(downscale=2), generator())


@pytest.mark.parametrize("halved", [False, True], ids=["4:4:4", "4:2:0"])
@pytest.mark.parametrize("quality", [20, 50, 75, 95])
def test_jpeg_is_what_libjpeg_makes(quality: int, halved: bool) -> None:
    """Within 0.6 levels in the mean: libjpeg counts in whole numbers, and 0.54 was measured, at quality 20."""
    pixels, file = scene(45, 61), io.BytesIO()
    PillowImage.fromarray(pixels).save(file, "JPEG", quality=quality, subsampling=2 if halved else 0)
    expected = np.asarray(PillowImage.open(file), np.int64)
    made = levels_of(store_as_jpeg(planes_of(pixels), torch.tensor([quality]), torch.tensor([halved])))
    assert np.abs(made - expected).mean() < 0.6
    assert np.abs(expected - pixels).mean() > 2 * np.abs(made - expected).mean()


def test_gray_jpeg_is_what_libjpeg_makes() -> None:
    pixels, file = scene(40, 50)[:, :, :1], io.BytesIO()
    PillowImage.fromarray(pixels[:, :, 0]).save(file, "JPEG", quality=30)
    expected = np.asarray(PillowImage.open(file), np.int64)[:, :, None]
    made = levels_of(store_as_jpeg(planes_of(pixels), torch.tensor([30]), torch.tensor([True])))
    assert np.abs(made - expected).mean() < 0.2


def test_pictures_of_one_channel_are_degraded_too() -> None:
    worse = degrade(gray(0.5)[:, :1], Degradation.named("denoise"), generator())
    assert worse.shape == (4, 1, 64, 64)
    assert torch.isfinite(worse).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gaussian": 1.5}, r"gaussian: expected 0\.\.1, got 1\.5"),
        ({"gaussian": 0.6, "sensor": 0.6}, r"gaussian \+ sensor: expected 1 at most, got 1\.2"),
        ({"gaussian_sigma": (0.2, 0.1)}, "gaussian_sigma: expected two numbers .* ascending, got 0.2, 0.1"),
        ({"downscale": 0}, "downscale: expected a whole number"),
        ({"jpeg_quality": (0, 95)}, "jpeg_quality"),
    ],
    ids=lambda one: next(iter(one)) if isinstance(one, dict) else "",
)
def test_values_out_of_range_are_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Degradation(**changes)  # type: ignore[arg-type]


def test_an_unknown_preset_is_named_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="denoise"):
        Degradation.named("denoize")
