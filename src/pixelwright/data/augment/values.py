"""How values change while pixels stay in their places: light, color, strokes, blur, JPEG's blocks, noise."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from pixelwright.data.augment.geometry import chance, uniform
from pixelwright.data.augment.jpeg import BLOCK, LUMA, QUANTIZATION, factor_of, quantized
from pixelwright.data.augment.policy import Policy

BLUR_REACH = 3.0  # standard deviations: beyond lie 0.3 % of the weight
WORST_QUALITY = 10  # of `blocks` 1; 100 at 0


def change_values(images: Tensor, policy: Policy, generator: torch.Generator) -> Tensor:
    """Pictures (N, C, H, W) of 0..1 in other light, other colors and of worse quality; 0..1 again."""
    varied = chance(len(images), policy.share, generator).to(images.device)
    before = images
    if policy.stroke_px:
        images = _stroke(images, _drawn(images, policy.stroke_px, varied, generator))
    if policy.recolors:
        images = _recolor(images, policy, varied, generator)
    if policy.gamma:
        exponent = torch.exp(_drawn(images, math.log1p(policy.gamma), varied, generator))
        light = torch.clamp(
            images, 0, 1, out=None if images is before else images
        )  # memory anew costs more than a power
        images = light.pow_(exponent[:, None, None, None])
    if policy.relight:
        images = _relight(images, _drawn_one_way(images, policy.relight, varied, generator), generator)
    if policy.blur_px:
        images = _blur(images, _drawn_one_way(images, policy.blur_px, varied, generator), policy.blur_px)
    if policy.blocks:
        images = _blocks(images, _drawn_one_way(images, policy.blocks, varied, generator))
    if policy.noise:
        strength = _drawn_one_way(images, policy.noise, varied, generator)
        noise = torch.randn(images.shape, generator=generator, device=generator.device, dtype=images.dtype)
        images = torch.addcmul(images, noise.to(images.device), strength[:, None, None, None])
    return images if images is before else images.clamp_(0, 1)


def _drawn(images: Tensor, limit: float, varied: Tensor, generator: torch.Generator) -> Tensor:
    """(N,) numbers within a limit to both sides; 0 for pictures that are left alone."""
    drawn = uniform((len(images),), generator).to(images.device, images.dtype)
    return drawn * varied * limit


def _drawn_one_way(images: Tensor, limit: float, varied: Tensor, generator: torch.Generator) -> Tensor:
    """(N,) numbers from 0 to a limit, of which half are 0."""
    return _drawn(images, limit, varied, generator).clamp(min=0)


def _recolor(images: Tensor, policy: Policy, varied: Tensor, generator: torch.Generator) -> Tensor:
    """One matrix and one offset a picture: hue, saturation, white balance, contrast, brightness, negative."""
    count, channels = images.shape[:2]
    factor = {
        name: torch.exp(_drawn(images, math.log1p(getattr(policy, name)), varied, generator))
        for name in ("contrast", "saturation")
    }
    added = _drawn(images, policy.brightness, varied, generator)
    turned = _drawn(images, policy.hue_rad, varied, generator)
    gains = uniform((count, channels), generator).to(images.device, images.dtype)
    negative = varied & chance(count, policy.invert, generator).to(images.device)
    matrix = torch.eye(channels, dtype=images.dtype, device=images.device).repeat(count, 1, 1)
    if channels == 3:
        luma = images.new_tensor(LUMA).expand(3, 3)
        saturated = luma + factor["saturation"][:, None, None] * (matrix - luma)
        balance = torch.exp(gains * varied[:, None] * math.log1p(policy.white_balance))
        matrix = balance[:, :, None] * (saturated @ _hue_turn(turned))
    matrix = matrix * factor["contrast"][:, None, None]
    offset = (1 - factor["contrast"]) / 2 + added
    sign = torch.where(negative, -1.0, 1.0).to(images.dtype)
    offset = torch.where(negative, 1 - offset, offset)
    # Rounding alone made others of those that are left alone.
    matrix = torch.where(varied[:, None, None], matrix * sign[:, None, None], torch.eye(channels).to(matrix))
    offset = offset[:, None, None].expand(-1, channels, 1)
    return torch.baddbmm(offset, matrix, images.flatten(2)).view_as(images)


def _hue_turn(angles_rad: Tensor) -> Tensor:
    """(N, 3, 3) turns of RGB around the line of grays (Rodrigues' formula)."""
    sin, cos = torch.sin(angles_rad)[:, None, None], torch.cos(angles_rad)[:, None, None]
    axis = 1 / math.sqrt(3)
    cross = angles_rad.new_tensor(((0, -axis, axis), (axis, 0, -axis), (-axis, axis, 0)))
    plain = torch.eye(3, dtype=angles_rad.dtype, device=angles_rad.device)
    return cos * plain + sin * cross + (1 - cos) / 3


def _relight(images: Tensor, strength: Tensor, generator: torch.Generator) -> Tensor:
    """Light that falls off in one direction through the middle of the picture."""
    height, width = images.shape[2:]
    angle = uniform((len(images),), generator).to(images.device, images.dtype) * math.pi
    y = ((torch.arange(height, device=images.device, dtype=images.dtype) + 0.5) * (2 / height) - 1)[:, None]
    x = (torch.arange(width, device=images.device, dtype=images.dtype) + 0.5) * (2 / width) - 1
    toward = torch.cos(angle)[:, None, None] * x + torch.sin(angle)[:, None, None] * y
    return images * (1 + strength[:, None, None] * toward)[:, None]


def _stroke(images: Tensor, grown_px: Tensor) -> Tensor:
    """Bright strokes grown by a part of a pixel at each side, or dark ones where the number is negative."""
    amount = grown_px[:, None, None, None]
    bright, dark = _extreme(images, torch.maximum), _extreme(images, torch.minimum)
    return images + amount.clamp(min=0) * (bright - images) + amount.clamp(max=0) * (images - dark)


def _extreme(images: Tensor, of: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """The largest or smallest of 3x3 pixels, a direction after the other: much quicker than torch's pooling."""
    wide = functional.pad(images, (1, 1, 1, 1), mode="replicate")
    high = of(of(wide[..., :-2], wide[..., 1:-1]), wide[..., 2:])
    return of(of(high[..., :-2, :], high[..., 1:-1, :]), high[..., 2:, :])


def _blur(images: Tensor, sigma_px: Tensor, most_px: float) -> Tensor:
    """Gaussian blur of those pictures that are to be blurred, each with its own width."""
    rows = (sigma_px > 0).nonzero()[:, 0]
    if not len(rows):
        return images
    count, (channels, height, width) = len(rows), images.shape[1:]
    reach = math.ceil(BLUR_REACH * most_px)
    places = torch.arange(-reach, reach + 1, device=images.device, dtype=images.dtype)
    weights = torch.exp(-((places / sigma_px[rows, None]) ** 2) / 2)
    weights = (weights / weights.sum(dim=1, keepdim=True)).repeat_interleave(channels, dim=0)
    lined = images[rows].reshape(1, count * channels, height, width)
    lined = functional.pad(lined, (reach, reach, reach, reach), mode="replicate")
    lined = functional.conv2d(lined, weights[:, None, None, :], groups=count * channels)
    lined = functional.conv2d(lined, weights[:, None, :, None], groups=count * channels)
    return images.index_copy(0, rows, lined.view(count, channels, height, width))


def _blocks(images: Tensor, loss: Tensor) -> Tensor:
    """What JPEG's quantization does to each channel, of those pictures that lose by it."""
    rows = (loss > 0).nonzero()[:, 0]
    if not len(rows):
        return images
    height, width = images.shape[2:]
    frame = (0, -width % BLOCK, 0, -height % BLOCK)
    levels = functional.pad(images[rows] * 255, frame, mode="replicate")
    quality = 100 - (100 - WORST_QUALITY) * loss[rows]
    restored = quantized(levels, factor_of(quality), QUANTIZATION)[:, :, :height, :width] / 255
    return images.index_copy(0, rows, restored)
