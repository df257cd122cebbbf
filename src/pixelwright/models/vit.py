"""A small vision transformer.

Source: Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021, https://arxiv.org/abs/2010.11929. Written from
the paper; no code was copied.

Where ours differs, since it is to learn from thousands of pictures rather than from hundreds of millions:
- patches are made by a few 3x3 convolutions of stride 2 (Xiao et al., https://arxiv.org/abs/2106.14881), which give it
  the sense of locality that it would have to learn;
- positions are fixed sines and cosines in two dimensions, and the answer is the mean over all tokens (Beyer et al.,
  https://arxiv.org/abs/2205.01580), so that it takes pictures of other sizes;
- each branch begins near zero (LayerScale of Touvron et al., https://arxiv.org/abs/2103.17239) and is left out at
  random in training, the deeper the oftener (Huang et al., https://arxiv.org/abs/1603.09382).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.nn import functional

from pixelwright.models.architecture import Architecture, Problem, whole_picture

TOKENS_A_SIDE = 14  # at the most, for the shorter side: attention costs the fourth power of it


@dataclass(frozen=True)
class Config:
    """Width, depth and heads, how often patches are halved, and what the pictures are like."""

    width: int = 96
    depth: int = 6
    heads: int = 3
    halvings: int = 2
    drop_path: float = 0.1
    classes: int = 10
    image_channels: int = 3

    def __post_init__(self) -> None:
        if self.width % self.heads or self.width % 4:
            raise ValueError(f"width: expected a multiple of 4 and of {self.heads} heads, got {self.width}")


def positions(height: int, width: int, channels: int, like: Tensor) -> Tensor:
    """Sines and cosines of row and column at wavelengths from 2π to 20,000π tokens: (1, height·width, channels)."""
    quarter = channels // 4
    waves = torch.exp(torch.arange(quarter, device=like.device) * (-math.log(10_000.0) / max(quarter - 1, 1)))
    rows = torch.arange(height, device=like.device)[:, None] * waves
    columns = torch.arange(width, device=like.device)[:, None] * waves
    down = torch.cat([rows.sin(), rows.cos()], dim=1)[:, None, :].expand(height, width, 2 * quarter)
    across = torch.cat([columns.sin(), columns.cos()], dim=1)[None, :, :].expand(height, width, 2 * quarter)
    return torch.cat([down, across], dim=2).reshape(1, height * width, channels).to(like.dtype)


class Attention(nn.Module):
    """Every token looks at every other: (N, T, D) to the same (the paper's appendix A)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.ask = nn.Linear(width, 3 * width)
        self.mix = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        count, length, width = tokens.shape
        asked = self.ask(tokens).view(count, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(asked[0], asked[1], asked[2])
        return self.mix(seen.transpose(1, 2).reshape(count, length, width))


class Block(nn.Module):
    """Attention, then two dense layers, each added to what came in: (N, T, D) to the same."""

    def __init__(self, config: Config, drop_path: float) -> None:
        super().__init__()
        width = config.width
        self.drop_path = drop_path
        self.attend = nn.Sequential(nn.LayerNorm(width), Attention(width, config.heads))
        self.think = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )
        self.scales = nn.Parameter(torch.full((2, 1, 1, width), 0.1))

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self._kept(self.attend(tokens) * self.scales[0])
        return tokens + self._kept(self.think(tokens) * self.scales[1])

    def _kept(self, branch: Tensor) -> Tensor:
        if not self.training or not self.drop_path:
            return branch
        stays = torch.rand(len(branch), 1, 1, device=branch.device) >= self.drop_path
        return branch * stays.to(branch.dtype) / (1 - self.drop_path)


class VisionTransformer(nn.Module):
    """Maps images (N, C, H, W) to logits (N, K)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.undecayed = tuple(f"blocks.{number}.scales" for number in range(config.depth))
        widths = [config.image_channels]
        # Large pictures are halved more often than the width can be; no layer has fewer channels than the picture.
        halved = (config.width >> step for step in reversed(range(config.halvings)))
        widths += [max(width, config.image_channels) for width in halved]
        stem: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            stem += [nn.Conv2d(inputs, outputs, 3, 2, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
        self.patches = nn.Sequential(*stem, nn.Conv2d(config.width, config.width, 1))
        drops = [config.drop_path * number / max(config.depth - 1, 1) for number in range(config.depth)]
        self.blocks = nn.Sequential(*(Block(config, drop) for drop in drops))
        self.norm = nn.LayerNorm(config.width)
        self.classify = nn.Linear(config.width, config.classes)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)

    def forward(self, image: Tensor) -> Tensor:
        grid = self.patches(image)
        tokens = grid.flatten(2).transpose(1, 2)
        tokens = tokens + positions(grid.shape[2], grid.shape[3], tokens.shape[2], tokens)
        return self.classify(self.norm(self.blocks(tokens)).mean(dim=1))


def fit(config: Config, problem: Problem) -> Config:
    """The configuration for a problem: one output for each label, and patches for the pictures' size."""
    shorter = min(problem.size_hw)
    halvings = max(1, math.ceil(math.log2(max(shorter, 1) / TOKENS_A_SIDE))) if shorter > TOKENS_A_SIDE else 1
    return replace(config, halvings=halvings, classes=len(problem.labels), image_channels=problem.channels)


VARIANTS: Mapping[str, Config] = MappingProxyType(
    {
        "xs": Config(64, 4, 2),
        "s": Config(),
        "m": Config(192, 9, 3, drop_path=0.15),
    }
)

ARCHITECTURE = Architecture(
    name="vit",
    summary="A small vision transformer, with convolutions where it cuts patches",
    tasks=frozenset({"classify", "regress"}),
    source='Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021, https://arxiv.org/abs/2010.11929',
    variants=VARIANTS,
    fit=fit,
    build=VisionTransformer,
    outputs=("logits",),
    reading=whole_picture,
)
