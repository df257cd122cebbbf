"""Instance segmenter for round things, touching or not: a small U-Net tells from each place how far its thing goes.

Source: Schmidt, Weigert, Broaddus, Myers, "Cell Detection with Star-convex Polygons", MICCAI 2018,
https://arxiv.org/abs/1806.03535; Ronneberger, Fischer, Brox, "U-Net", MICCAI 2015, https://arxiv.org/abs/1505.04597.
Written from the papers; no code was copied.

Where ours differs:
- places lie on every second pixel, and distances are predicted as logarithms, so that small things count as large ones;
- distances are learned by the polar IoU (see `starconvex_loss`), not by their absolute error;
- half a million or a million parameters: residual blocks on the way down, one convolution a scale on the way up but for
  the finest, skips added and not stacked.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from torch import Tensor, nn
from torch.nn import functional

from pixelwright.errors import UsageError
from pixelwright.models.architecture import Architecture, Problem, Reading
from pixelwright.models.layers import normalized
from pixelwright.models.starconvex_loss import OBJECTS, RAYS, STRIDE, loss

PRIOR = 0.1  # of a place being the middle of a thing, at first
FIRST_RADIUS = 4.0  # of the things of a fresh network, in places


@dataclass(frozen=True, slots=True)
class Config:
    """Sizes.

    Attributes:
        labels: How many classes.
        channels: Of the input.
        rays: Directions in which the distance to the edge is told, counterclockwise as seen with y down, from x on.
        widths: Channels at 1/2, 1/4, ... of the input's sides.
        head: Channels of the last layer but one.
    """

    labels: int = 1
    channels: int = 3
    rays: int = 32
    widths: tuple[int, ...] = (32, 32, 48, 64, 64)
    head: int = 64


class Block(nn.Module):
    """Two 3x3 convolutions, added to what came in."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(normalized(channels, channels), nn.SiLU(), normalized(channels, channels))

    def forward(self, features: Tensor) -> Tensor:
        return functional.silu(features + self.body(features))


class Up(nn.Module):
    """Coarse features, enlarged and added to fine ones, then a 3x3 convolution."""

    def __init__(self, coarse: int, fine: int) -> None:
        super().__init__()
        self.side = nn.Conv2d(coarse, fine, 1)
        self.body = nn.Sequential(normalized(fine, fine), nn.SiLU())

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        return self.body(fine + functional.interpolate(self.side(coarse), size=fine.shape[2:]))


class StarConvex(nn.Module):
    """Images (N, C, H, W), sides multiples of 32, to logits of being central (N, K, H/2, W/2) and logarithms of
    distances in places of 2 pixels (N, R, H/2, W/2).
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        first, *rest = config.widths
        # Normalizing the largest of all maps would take as long as computing it.
        self.stem = nn.Sequential(nn.Conv2d(config.channels, first, 3, STRIDE, 1), nn.SiLU())
        self.down = nn.ModuleList(
            nn.Sequential(normalized(before, after, stride=2), nn.SiLU(), Block(after))
            for before, after in zip(config.widths, rest, strict=False)
        )
        self.up = nn.ModuleList(
            Up(coarse, fine) for fine, coarse in reversed(list(zip(config.widths, rest, strict=False)))
        )
        # Things of a few pixels, and where they touch, are seen at the finest scale alone.
        self.fine = Block(first)
        self.head = nn.Sequential(nn.Conv2d(first, config.head, 3, padding=1), nn.SiLU())
        self.objects = nn.Conv2d(config.head, config.labels, 1)
        self.rays = nn.Conv2d(config.head, config.rays, 1)
        for layer, start in ((self.objects, math.log(PRIOR / (1 - PRIOR))), (self.rays, math.log(FIRST_RADIUS))):
            assert layer.bias is not None  # narrows the type: the convolutions were made with one
            nn.init.constant_(layer.bias, start)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        scales = [features := self.stem(images)]
        for stage in self.down:
            scales.append(features := stage(features))
        for stage, fine in zip(self.up, reversed(scales[:-1]), strict=True):
            features = stage(features, fine)
        features = self.head(self.fine(features))
        return self.objects(features), self.rays(features)


VARIANTS: Mapping[str, Config] = MappingProxyType(
    {
        "s": Config(),
        "m": Config(widths=(48, 48, 72, 96, 96), head=96),
    }
)


def fit(config: Config, problem: Problem) -> Config:
    """The configuration for a problem.

    Raises:
        UsageError: Things have no masks, no labels, or have keypoints.
    """
    if not problem.masks:
        raise UsageError("starconvex: learns from masks, and this data has boxes alone. Use --model onestage.")
    if not problem.labels or problem.keypoints:
        raise UsageError(
            f"starconvex: expected classes and no keypoints, got {len(problem.labels)} and {problem.keypoints}."
        )
    return replace(config, labels=len(problem.labels), channels=problem.channels)


def build(config: Config) -> nn.Module:
    """A freshly initialized network of this configuration."""
    return StarConvex(config)


def reading(config: Config, problem: Problem) -> Reading:
    """How its maps are read; what overlaps is settled by the decoder, which knows the masks."""
    del problem
    parameters = {"objects": OBJECTS, "rays": RAYS, "stride": STRIDE}
    return Reading("star-polygons", MappingProxyType(parameters), multiple_of=STRIDE * 2 ** (len(config.widths) - 1))


ARCHITECTURE = Architecture(
    name="starconvex",
    summary="Masks of round things that may touch, such as cells: star-convex polygons from a small U-Net",
    tasks=frozenset({"detect"}),
    source="Schmidt et al., Cell Detection with Star-convex Polygons, https://arxiv.org/abs/1806.03535",
    variants=VARIANTS,
    fit=fit,
    build=build,
    outputs=(OBJECTS, RAYS),
    reading=reading,
    loss=loss,
)
