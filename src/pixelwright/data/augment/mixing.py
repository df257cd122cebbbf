"""Pictures painted over in part, mixed with others, and sequences varied in time."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from pixelwright.data.augment.geometry import chance, uniform
from pixelwright.data.augment.policy import Policy
from pixelwright.data.augment.truth import cover_truth, inside
from pixelwright.models.batch import Batch


def cut_out(batch: Batch, policy: Policy, generator: torch.Generator) -> Batch:
    """A rectangle of half of the pictures in their mean color, and what is true of them as far as it is still seen.

    Source: DeVries, Taylor, Improved Regularization of Convolutional Neural Networks with Cutout, 2017,
    https://arxiv.org/abs/1708.04552. Ours draws the size too, and leaves half of the pictures as they are.
    """
    count = len(batch)
    height, width = batch.images.shape[2:]
    varied = chance(count, policy.share / 2, generator)
    shares = uniform((2, count), generator).abs() * policy.cutout * varied
    rectangles = _rectangles(shares, (height, width), generator).to(batch.images.device)
    hidden = inside(rectangles, (height, width))[:, None]
    mean = batch.images.mean(dim=(2, 3), keepdim=True)
    covered = cover_truth(batch, rectangles, policy)
    covered.images = torch.where(hidden, mean, batch.images)
    return covered


def mix(batch: Batch, policy: Policy, generator: torch.Generator) -> Batch:
    """Pictures mixed with others of the batch, evenly or by a rectangle, and their classes in the same shares.

    Source: Zhang et al., mixup: Beyond Empirical Risk Minimization, ICLR 2018, https://arxiv.org/abs/1710.09412; Yun
    et al., CutMix, ICCV 2019, https://arxiv.org/abs/1905.04899.
    """
    if batch.classes is None:
        return batch
    count, device = len(batch), batch.images.device
    height, width = batch.images.shape[2:]
    partner = torch.randperm(count, generator=generator, device=generator.device).to(device)
    by_rectangle = _chosen_way(count, policy, generator).to(device)
    even, cut = (_beta(alpha, count, generator).to(device) for alpha in (policy.mixup_alpha, policy.cutmix_alpha))
    sides = torch.sqrt(1 - cut).expand(2, count).to(generator.device)
    rectangles = _rectangles(sides, (height, width), generator, inner=False).to(device)
    rectangles = rectangles * by_rectangle[:, None]
    taken = inside(rectangles, (height, width))[:, None]
    own = torch.where(by_rectangle, 1 - taken.double().mean(dim=(1, 2, 3)), even).to(batch.images.dtype)
    weight = torch.where(by_rectangle, torch.ones_like(own), own)[:, None, None, None]
    others = batch.images[partner]
    images = torch.where(taken, others, torch.lerp(others, batch.images, weight))
    classes = torch.lerp(batch.classes[partner], batch.classes, own[:, None].to(batch.classes.dtype))
    return replace(batch, images=images, classes=classes)


def vary_sequences(batch: Batch, policy: Policy, generator: torch.Generator) -> Batch:
    """Sequences (N, T, F) with other strength, noise, and a stretch of their valid steps set to zero.

    Steps beyond the valid ones stay as they are.
    """
    values, device = batch.images, batch.images.device
    count, steps, features = values.shape
    lengths = torch.full((count,), steps, device=device) if batch.lengths is None else batch.lengths
    varied = chance(count, policy.share, generator).to(device)
    step = torch.arange(steps, device=device)
    valid = (step < lengths[:, None])[..., None]
    factor = torch.exp(uniform((count,), generator).to(device, values.dtype) * math.log1p(policy.gain))
    changed = values * factor[:, None, None]
    if policy.jitter:
        spread = values[valid[..., 0]].std(dim=0, correction=0)
        noise = torch.randn((count, steps, features), generator=generator, device=generator.device, dtype=values.dtype)
        strength = uniform((count,), generator).to(device, values.dtype).clamp(min=0) * policy.jitter
        changed = changed + noise.to(device) * strength[:, None, None] * spread
    if policy.mask:
        share, place = (uniform((2, count), generator).to(device) + 1) / 2
        longest = (share * policy.mask * lengths).floor()
        first = (place * (lengths - longest + 1)).floor()
        hidden = (step >= first[:, None]) & (step < (first + longest)[:, None])
        changed = changed.masked_fill(hidden[..., None], 0)
    return replace(batch, images=torch.where(valid & varied[:, None, None], changed, values))


def _rectangles(shares: Tensor, size_hw: tuple[int, int], generator: torch.Generator, *, inner: bool = True) -> Tensor:
    """(N, 4) int64 xyxy of whole pixels with sides of these shares (2, N), across and down, at random places.

    Args:
        shares: Of the picture's sides.
        size_hw: Of the pictures.
        generator: Of the places.
        inner: Whether they lie within the picture; otherwise their middles do, and they are cut at its edges.
    """
    sides = torch.tensor(((size_hw[1],), (size_hw[0],)), dtype=torch.float64, device=shares.device)
    extent = (shares * sides).round()
    place = (uniform((2, shares.shape[1]), generator) + 1) / 2
    low = (place * (sides - extent)).round() if inner else (place * sides - extent / 2).round()
    high = torch.minimum(low + extent, sides)
    return torch.cat((low.clamp(min=0), high)).T.long()


def _chosen_way(count: int, policy: Policy, generator: torch.Generator) -> Tensor:
    """(N,) bool: whether a picture is mixed by a rectangle."""
    share = 0.5 if policy.mixup_alpha and policy.cutmix_alpha else float(policy.cutmix_alpha > 0)
    return chance(count, share, generator)


def _beta(alpha: float, count: int, generator: torch.Generator) -> Tensor:
    """(N,) float64 from a beta distribution with both parameters alike; torch's own takes no generator."""
    seed = int(torch.randint(2**62, (), generator=generator, device=generator.device))
    drawn = np.random.default_rng(seed).beta(alpha, alpha, count) if alpha else np.ones(count)
    return torch.from_numpy(drawn)
