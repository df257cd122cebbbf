"""SPAN: plain 3x3 convolutions gated by their own output, for image super-resolution.

Source: Wan, Yu, Chen, Wang, Liu, Liu, Tang, "Swift Parameter-free Attention Network for Efficient
Super-Resolution", CVPRW 2024 (NTIRE), https://arxiv.org/abs/2311.12770 (the authors' code is Apache-2.0).
Written from the paper; no code was copied.

Where ours differs:
- plain convolutions already at training time (no re-parameterized branches), fewer blocks;
- the network predicts what to add to the replicated input, so it starts as nearest-neighbor enlargement;
- values are 0..1 and no data-set mean is subtracted.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.nn import functional

from pixelwright.models.architecture import Architecture, Problem, Reading
from pixelwright.structures.spec import Tiling


@dataclass(frozen=True)
class Config:
    """Enlargement, width and depth."""

    scale: int = 2
    channels: int = 32
    blocks: int = 5
    image_channels: int = 3

    def __post_init__(self) -> None:
        if self.scale < 1:
            raise ValueError(f"scale: expected a positive integer, got {self.scale!r}")
        if self.blocks < 3:
            raise ValueError(f"blocks: expected 3 or more (three results are merged), got {self.blocks!r}")


class AttentionBlock(nn.Module):
    """Three convolutions whose output, through an odd function, also weighs the sum (paper, eq. 3 to 6)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.third = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        change = self.third(functional.silu(self.second(functional.silu(self.first(features)))))
        return (features + change) * (torch.sigmoid(change) - 0.5)


class Span(nn.Module):
    """Maps an image `(N, C, H, W)`, 0..1, to `(N, C, scale * H, scale * W)`; any H and W."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        width = config.channels
        self.scale = config.scale
        self.head = nn.Conv2d(config.image_channels, width, 3, padding=1)
        self.body = nn.ModuleList(AttentionBlock(width) for _ in range(config.blocks))
        self.close = nn.Conv2d(width, width, 3, padding=1)
        self.merge = nn.Conv2d(4 * width, width, 1)
        self.tail = nn.Conv2d(width, config.image_channels * config.scale**2, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        head = self.head(image)
        kept = [features := self.body[0](head)]
        for block in self.body[1:]:
            kept.append(features := block(features))
        # As in the paper: the shallow features, the first block, the last but one and the (closed) last.
        merged = self.merge(torch.cat((head, self.close(kept[-1]), kept[0], kept[-2]), dim=1))
        # Replication as a channel repeat before the shuffle: one cheap operation that every runtime has.
        replicated = image.repeat_interleave(self.scale**2, dim=1)
        return functional.pixel_shuffle(self.tail(merged) + replicated, self.scale)


# 156,460 parameters, 39.0 kMAC per pixel of the output.
VARIANTS: Mapping[str, Config] = MappingProxyType({"x2-small": Config()})


def receptive_radius_px(config: Config) -> int:
    """The farthest pixel of the small image, in rows or columns, that can change an output pixel.

    Counted from the small pixel in which the output pixel lies: 1 for each 3x3 convolution in a row, which are three in
    each block, and the head, the one that closes the body, and the tail.
    """
    return 3 * config.blocks + 3


def build(config: Config) -> nn.Module:
    """A freshly initialized network of this configuration."""
    return Span(config)


def fit(config: Config, problem: Problem) -> Config:
    """The configuration for the problem's channels and enlargement, which may be 1."""
    return replace(config, scale=problem.scale, image_channels=problem.channels)


def reading(config: Config, problem: Problem) -> Reading:
    """The picture, as large as it is to be; it can be cut into tiles."""
    del problem
    parameters = MappingProxyType({"output": "restored", "scale": config.scale})
    return Reading("image", parameters, tiling=Tiling(receptive_radius_px(config)))


ARCHITECTURE = Architecture(
    name="span",
    summary="Plain convolutions gated by their own output, which enlarge pictures, or keep their size.",
    tasks=frozenset({"enhance"}),
    source="https://arxiv.org/abs/2311.12770",
    variants=VARIANTS,
    fit=fit,
    build=build,
    outputs=("restored",),
    reading=reading,
    mean_std=(0.0, 1.0),
)
