"""U-Net: down through halved scales and up again, with what each scale knew beside it, for label maps of anything.

Source: Ronneberger, Fischer, Brox, "U-Net: Convolutional Networks for Biomedical Image Segmentation", MICCAI 2015,
https://arxiv.org/abs/1505.04597. Written from the paper; no code was copied.

Where ours differs:
- convolutions are padded, so that the map is as large as the picture, and normalized over the batch;
- channels grow in steps, not by doubling, from a few: less than a 50th of the weights;
- unless `packed` is 1, the picture enters with blocks of pixels as channels and the logits leave in the same way, at a
  fraction of the cost of convolutions at full resolution.

Nothing is averaged over space: a pixel's class depends on a finite neighborhood, and large pictures may be cut into
tiles.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.nn import functional

from pixelwright.errors import UsageError
from pixelwright.models.architecture import Architecture, Problem, Reading
from pixelwright.models.layers import pair
from pixelwright.structures.spec import Tiling


@dataclass(frozen=True)
class Config:
    """Channels of the scales, finest first, each half as large as the one before; what comes in and out.

    `packed` is the side of the blocks of pixels that enter as channels: the first scale is 1/packed of the input.
    """

    channels: tuple[int, ...] = (24, 48, 72, 96)
    packed: int = 2
    classes: int = 2
    image_channels: int = 3

    def __post_init__(self) -> None:
        if not self.channels or min(*self.channels, self.packed, self.classes, self.image_channels) < 1:
            raise ValueError(f"expected positive integers, got {self!r}")

    @property
    def multiple_px(self) -> int:
        """Height and width of the input must be multiples of this: the coarsest cell."""
        return self.packed * 2 ** (len(self.channels) - 1)


class UNet(nn.Module):
    """Maps images `(N, C, H, W)` to logits `(N, classes, H, W)`; H and W multiples of `Config.multiple_px`."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.packed = config.packed
        block = config.packed**2
        widths = (config.image_channels * block, *config.channels)
        self.down = nn.ModuleList(pair(before, after) for before, after in pairwise(widths))
        steps = [(coarse, fine) for fine, coarse in pairwise(config.channels)][::-1]
        self.raised = nn.ModuleList(nn.ConvTranspose2d(coarse, fine, 2, stride=2) for coarse, fine in steps)
        self.up = nn.ModuleList(pair(2 * fine, fine) for _, fine in steps)
        self.classify = nn.Conv2d(config.channels[0], config.classes * block, 1)

    def forward(self, image: Tensor) -> Tensor:
        features = self.down[0](functional.pixel_unshuffle(image, self.packed))
        beside = []
        for blend in self.down[1:]:
            beside.append(features)
            features = blend(functional.max_pool2d(features, 2))
        for raised, blend, fine in zip(self.raised, self.up, beside[::-1], strict=True):
            features = blend(torch.cat((raised(features), fine), dim=1))
        return functional.pixel_shuffle(self.classify(features), self.packed)


# For 3 channels and 11 classes 528,380 and 948,667 parameters.
VARIANTS: Mapping[str, Config] = MappingProxyType(
    {"s": Config(), "m": Config(channels=(16, 32, 64, 96, 128), packed=1)}
)


def receptive_radius_px(config: Config) -> int:
    """The farthest input pixel, in rows or columns, that can change a logit.

    A 3x3 convolution at 1/s of the input's size adds s, and the pixel's place in the coarsest cell the rest; what goes
    down and up between the scales stays within a cell.
    """
    scales = [config.packed * 2**level for level in range(len(config.channels))]
    return 4 * sum(scales[:-1]) + 2 * scales[-1] + config.multiple_px - 1


def build(config: Config) -> nn.Module:
    """A freshly initialized network of this configuration."""
    return UNet(config)


def fit(config: Config, problem: Problem) -> Config:
    """The configuration with as many channels and classes as the problem has.

    Raises:
        UsageError: There are not two classes, or the pictures are smaller than the coarsest cell.
    """
    if len(problem.labels) < 2:
        raise UsageError(
            f"unet: expected two classes or more, got {len(problem.labels)}. What is around a thing is a class too."
        )
    if min(problem.size_hw) < config.multiple_px:
        raise UsageError(
            f"unet: expected sides of {config.multiple_px} pixels or more, got {problem.size_hw}. Choose a larger "
            "size, or fewer scales (network.channels)."
        )
    return replace(config, classes=len(problem.labels), image_channels=problem.channels)


def reading(config: Config, problem: Problem) -> Reading:
    """A map of logits, as large as the input; it can be cut into tiles."""
    del problem
    multiple = config.multiple_px
    halo_px = -(-receptive_radius_px(config) // multiple) * multiple
    parameters = MappingProxyType({"output": "logits"})
    return Reading("argmax-map", parameters, tiling=Tiling(halo_px, multiple), multiple_of=multiple)


ARCHITECTURE = Architecture(
    name="unet",
    summary="U-Net: down through halved scales and up again; label maps of anything, of any size in tiles.",
    tasks=frozenset({"segment"}),
    source="https://arxiv.org/abs/1505.04597",
    variants=VARIANTS,
    fit=fit,
    build=build,
    outputs=("logits",),
    reading=reading,
)
