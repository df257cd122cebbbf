"""A small three-scale U-Net of NAF blocks without global pooling, for restoring RGB images.

Source: Chen, Chu, Zhang, Sun, "Simple Baselines for Image Restoration", ECCV 2022,
https://arxiv.org/abs/2204.04676 (NAFNet; the authors' code is MIT). Written from the paper; no code was copied.

Where ours differs:
- no simplified channel attention: it averages over the whole image, so a tile would not get the answer of the
  whole image. Here every output pixel depends on a finite neighborhood (`RECEPTIVE_RADIUS_PX`) and on no more;
- the image enters through a PixelUnshuffle(2): a quarter of the positions, so a quarter of the cost;
- three scales, few channels, 1x1 convolution + PixelShuffle on the way up, added (not concatenated) skips.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.nn import functional

MULTIPLE_PX = 8  # PixelUnshuffle(2), then two strides of 2: height and width must be multiples of this


@dataclass(frozen=True)
class Config:
    """Channels and numbers of blocks of the three scales (1/2, 1/4 and 1/8 of the input)."""

    channels: tuple[int, int, int] = (32, 64, 96)
    encoder_blocks: tuple[int, int] = (2, 2)
    middle_blocks: int = 4
    decoder_blocks: tuple[int, int] = (1, 2)  # at 1/4, then at 1/2
    image_channels: int = 3

    def __post_init__(self) -> None:
        if len(self.channels) != 3 or min(self.channels) < 1:
            raise ValueError(f"channels: expected three positive integers, got {self.channels!r}")
        if len(self.encoder_blocks) != 2 or len(self.decoder_blocks) != 2:
            raise ValueError(
                "encoder_blocks, decoder_blocks: expected two integers each, "
                f"got {self.encoder_blocks!r} and {self.decoder_blocks!r}"
            )


class ChannelNorm(nn.Module):
    """Layer normalization over the channels of each pixel: no statistic crosses space."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, features: Tensor) -> Tensor:
        # In channels_last memory both permutations are free.
        last = features.permute(0, 2, 3, 1)
        last = functional.layer_norm(last, (features.shape[1],), self.weight, self.bias, 1e-6)
        return last.permute(0, 3, 1, 2)


def gate(features: Tensor) -> Tensor:
    """The product of the two halves of the channels (the paper's SimpleGate)."""
    left, right = features.chunk(2, dim=1)
    return left * right


class NafBlock(nn.Module):
    """Paper figure 2c without its channel attention: a depthwise part and a pointwise part, both residual."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm_spatial = ChannelNorm(channels)
        self.expand = nn.Conv2d(channels, 2 * channels, 1)
        self.depthwise = nn.Conv2d(2 * channels, 2 * channels, 3, padding=1, groups=2 * channels)
        self.project = nn.Conv2d(channels, channels, 1)
        self.norm_pointwise = ChannelNorm(channels)
        self.widen = nn.Conv2d(channels, 2 * channels, 1)
        self.narrow = nn.Conv2d(channels, channels, 1)
        # Zero at the start: each block begins as the identity, which lets the deep net train at once.
        self.scale_spatial = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.scale_pointwise = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, features: Tensor) -> Tensor:
        spatial = self.project(gate(self.depthwise(self.expand(self.norm_spatial(features)))))
        features = features + spatial * self.scale_spatial
        pointwise = self.narrow(gate(self.widen(self.norm_pointwise(features))))
        return features + pointwise * self.scale_pointwise


def chain(channels: int, blocks: int) -> nn.Sequential:
    """`blocks` NAF blocks, one after the other."""
    return nn.Sequential(*(NafBlock(channels) for _ in range(blocks)))


class NafUNet(nn.Module):
    """Maps an image `(N, C, H, W)`, 0..1, to its restoration of the same shape; H and W multiples of 8."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        fine, half, coarse = config.channels
        packed = 4 * config.image_channels
        self.head = nn.Conv2d(packed, fine, 3, padding=1)
        self.encoder_fine = chain(fine, config.encoder_blocks[0])
        self.down_half = nn.Conv2d(fine, half, 2, stride=2)
        self.encoder_half = chain(half, config.encoder_blocks[1])
        self.down_coarse = nn.Conv2d(half, coarse, 2, stride=2)
        self.middle = chain(coarse, config.middle_blocks)
        self.up_half = nn.Conv2d(coarse, 4 * half, 1, bias=False)
        self.decoder_half = chain(half, config.decoder_blocks[0])
        self.up_fine = nn.Conv2d(half, 4 * fine, 1, bias=False)
        self.decoder_fine = chain(fine, config.decoder_blocks[1])
        self.tail = nn.Conv2d(fine, packed, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        fine = self.encoder_fine(self.head(functional.pixel_unshuffle(image, 2)))
        half = self.encoder_half(self.down_half(fine))
        coarse = self.middle(self.down_coarse(half))
        half = self.decoder_half(functional.pixel_shuffle(self.up_half(coarse), 2) + half)
        fine = self.decoder_fine(functional.pixel_shuffle(self.up_fine(half), 2) + fine)
        return image + functional.pixel_shuffle(self.tail(fine), 2)


VARIANTS: Mapping[str, Config] = MappingProxyType({"small": Config()})


def build(config: Config) -> nn.Module:
    """A freshly initialized network of this configuration."""
    return NafUNet(config)
