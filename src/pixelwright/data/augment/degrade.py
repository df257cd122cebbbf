"""Degrade: worse pictures made of better ones, whole batches at once: smaller, noisy, stored.

What is done, and how strongly, is a `Degradation`. Every picture of a batch draws its own values.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from pixelwright.data.augment.jpeg import store_as_jpeg
from pixelwright.errors import ShapeError
from pixelwright.structures.degradation import Degradation, Range

GAMMA = 2.2
GAIN_SPREAD = (0.6, 1.6)  # between the channels of a picture, as white balance amplifies them differently
LINEAR_VARIANCE = 0.3  # gamma opens the shadows: noise in linear light has to be weaker to look alike
SMOOTHING_PX = (0.35, 1.1)  # standard deviation of a camera's own smoothing
SMOOTHING_REACH_PX = 3
LEAST_DEVIATION = 0.2  # to which smoothed noise is taken to have fallen at the most, when it is amplified again
# What bilinear demosaicing of an RGGB sensor makes of one sample of red or blue, and of green.
RED_BLUE = ((1, 2, 1), (2, 4, 2), (1, 2, 1))
GREEN = ((0, 1, 0), (1, 4, 1), (0, 1, 0))


@torch.no_grad()
def degrade(clean: Tensor, degradation: Degradation, generator: torch.Generator) -> Tensor:
    """Worse versions (N, C, H / downscale, W / downscale) of clean pictures; with noise unrounded, also beyond 0..1.

    Args:
        clean: (N, 1 or 3, H, W) float32, 0..1.
        degradation: What is done.
        generator: Decides everything; of the CPU.

    Raises:
        ShapeError: The sides are no multiples of the downscaling.

    Example:
        >>> pictures = torch.full((2, 3, 32, 32), 0.5)
        >>> noise = Degradation(gaussian=1.0, gaussian_sigma=(0.1, 0.1), rounded=0.0)
        >>> worse = degrade(pictures, noise, torch.Generator().manual_seed(0))
        >>> round(float(worse.std()), 2)
        0.1
    """
    step = degradation.downscale
    if clean.shape[2] % step or clean.shape[3] % step:
        raise ShapeError(f"clean: expected sides that are multiples of {step}, got {tuple(clean.shape[2:])}.")
    worse = clean
    if step > 1:
        # Pillow's and torch's antialiased bicubic kernel (a = -0.5) goes a little beyond the values it is given.
        worse = functional.interpolate(worse, scale_factor=1 / step, mode="bicubic", antialias=True).clamp(0, 1)
    draw = _chances(len(clean), generator)
    gaussian = (draw < degradation.gaussian).nonzero()[:, 0]
    sensor = (draw >= 1 - degradation.sensor).nonzero()[:, 0]
    if len(gaussian) or len(sensor):
        worse = worse.clone() if worse is clean else worse
    if len(gaussian):
        sigma = _drawn(len(gaussian), degradation.gaussian_sigma, generator)
        worse[gaussian] += _column(sigma) * _noise(worse[gaussian], generator)
    if len(sensor):
        worse[sensor] = _with_sensor_noise(worse[sensor], degradation, generator)
    return _stored(worse, degradation, generator)


def _with_sensor_noise(clean: Tensor, degradation: Degradation, generator: torch.Generator) -> Tensor:
    """Shot and read noise of each picture: Poisson's variance by a Gaussian.

    Source: Foi, Trimeche, Katkovnik, Egiazarian, "Practical Poissonian-Gaussian noise modeling and fitting for
    single-image raw-data", IEEE Transactions on Image Processing 17(10), 2008, equation 4.
    """
    count, channels = clean.shape[:2]
    noise = _noise(clean, generator)
    correlated = (_chances(count, generator) < degradation.sensor_correlated).nonzero()[:, 0]
    if len(correlated):
        noise[correlated] = _correlated(noise[correlated], generator)
    low, high = (math.log(value) for value in degradation.sensor_gain)
    gain = torch.exp(_drawn(count, (low, high), generator))[:, None]
    gain = gain * _drawn(count * channels, GAIN_SPREAD, generator).view(count, channels)
    gain, read = gain[:, :, None, None], _column(_drawn(count, degradation.sensor_read, generator))
    linear = _chances(count, generator) < degradation.sensor_linear
    made = torch.empty_like(clean)
    for rows, gamma, weaker in ((~linear, 1.0, 1.0), (linear, GAMMA, LINEAR_VARIANCE)):
        light = clean[rows].clamp(min=0) ** gamma
        noisy = light + noise[rows] * torch.sqrt(weaker * (gain[rows] * light + read[rows] ** 2))
        made[rows] = noisy.clamp(min=0) ** (1 / gamma) if gamma != 1 else noisy
    return made


def _correlated(noise: Tensor, generator: torch.Generator) -> Tensor:
    """White noise as cameras leave it: demosaiced one half of the time, where there are colors, else smoothed."""
    count, channels = noise.shape[:2]
    demosaiced = _chances(count, generator) < (0.5 if channels == 3 else 0.0)
    smoothed = ~demosaiced
    made = torch.empty_like(noise)
    if demosaiced.any():
        made[demosaiced] = _demosaiced(noise[demosaiced])
    if smoothed.any():
        smooth = _smoothed(noise[smoothed], _drawn(int(smoothed.sum()), SMOOTHING_PX, generator))
        # Smoothing takes most of the noise away; a part is given back, or strong correlated noise is never seen.
        deviation = smooth.flatten(1).std(dim=1).clamp(min=LEAST_DEVIATION)
        made[smoothed] = smooth * _column(1 + (1 / deviation - 1) * _chances(len(smooth), generator))
    return made


def _demosaiced(noise: Tensor) -> Tensor:
    """Every pixel keeps the color of its sensor cell (RGGB), and the others come from around it."""
    height, width = noise.shape[2:]
    even_row = (torch.arange(height) % 2 == 0)[:, None]
    even_column = torch.arange(width) % 2 == 0
    cells = torch.stack((even_row & even_column, even_row ^ even_column, ~even_row & ~even_column))
    kernels = noise.new_tensor((RED_BLUE, GREEN, RED_BLUE))[:, None] / 4
    sampled = functional.pad(noise * cells, (1, 1, 1, 1), mode="reflect")
    return functional.conv2d(sampled, kernels, groups=3)


def _smoothed(noise: Tensor, sigma_px: Tensor) -> Tensor:
    """Gaussian blur, each picture with its own width."""
    count, channels = noise.shape[:2]
    places = torch.arange(-SMOOTHING_REACH_PX, SMOOTHING_REACH_PX + 1, dtype=noise.dtype)
    weights = torch.exp(-((places / sigma_px[:, None]) ** 2) / 2)
    weights = (weights / weights.sum(dim=1, keepdim=True)).repeat_interleave(channels, dim=0)
    lined = functional.pad(noise, [SMOOTHING_REACH_PX] * 4, mode="replicate")
    lined = lined.reshape(1, count * channels, *lined.shape[2:])
    lined = functional.conv2d(lined, weights[:, None, None, :], groups=count * channels)
    return functional.conv2d(lined, weights[:, None, :, None], groups=count * channels).view(noise.shape)


def _stored(worse: Tensor, degradation: Degradation, generator: torch.Generator) -> Tensor:
    """Pictures as a file holds them."""
    count = len(worse)
    rounded = _chances(count, generator) < degradation.rounded
    as_jpeg = _chances(count, generator) < degradation.jpeg
    low, high = degradation.jpeg_quality
    quality = _drawn(count, (low, high + 1), generator).floor().clamp(max=high)
    halved = _chances(count, generator) < degradation.jpeg_half
    stored = torch.where(_column(rounded), (worse.clamp(0, 1) * 255).round_() / 255, worse)
    rows = as_jpeg.nonzero()[:, 0]
    if len(rows):
        stored = stored.index_copy(0, rows, store_as_jpeg(worse[rows], quality[rows], halved[rows]))
    return stored


def _noise(like: Tensor, generator: torch.Generator) -> Tensor:
    """White Gaussian noise of deviation 1."""
    return torch.randn(like.shape, generator=generator)


def _chances(count: int, generator: torch.Generator) -> Tensor:
    """(N,) numbers evenly from 0 to 1."""
    return torch.rand(count, generator=generator)


def _drawn(count: int, limits: Range, generator: torch.Generator) -> Tensor:
    """(N,) numbers evenly within limits."""
    low, high = limits
    return low + (high - low) * torch.rand(count, generator=generator)


def _column(values: Tensor) -> Tensor:
    """(N,) as (N, 1, 1, 1)."""
    return values.view(-1, 1, 1, 1)
