"""The convolutional network of the textbooks: two convolutions, each with ReLU and pooling, and two dense layers.

Source: the pattern of LeCun, Bottou, Bengio, Haffner, "Gradient-Based Learning Applied to Document Recognition",
Proceedings of the IEEE 86, 1998, section II, with the ReLU and max pooling of today. Written from the paper; no code
was copied.

Convolutions of 3x3 to 32 and to 64 channels, padding 1; 2x2 pooling halves both sides, rounding down, so that
64·⌊H/4⌋·⌊W/4⌋ numbers go into the dense layers of 128 and of one output for each class. These are nearly all of its
weights, and they tie it to one size of pictures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import torch
from torch import Tensor, nn

from pixelwright.errors import UsageError
from pixelwright.models.architecture import Architecture, Problem, whole_picture


@dataclass(frozen=True)
class Config:
    """Channels of both convolutions, width of the dense layer, and what the pictures are like."""

    channels: tuple[int, int] = (32, 64)
    hidden: int = 128
    classes: int = 10
    image_channels: int = 3
    size_hw: tuple[int, int] = (32, 32)

    def __post_init__(self) -> None:
        if min(self.size_hw) < 4:
            raise UsageError(f"cnn: expected pictures of 4x4 pixels or more, got {self.size_hw}. Choose a larger size.")


class Cnn(nn.Module):
    """Maps images (N, C, H, W) of one size to logits (N, K)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        first, second = config.channels
        height, width = config.size_hw
        self.conv1 = nn.Conv2d(config.image_channels, first, 3, padding=1)
        self.conv2 = nn.Conv2d(first, second, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.hidden = nn.Linear(second * (height // 4) * (width // 4), config.hidden)
        self.classify = nn.Linear(config.hidden, config.classes)

    def forward(self, image: Tensor) -> Tensor:
        half = self.pool(torch.relu(self.conv1(image)))
        quarter = self.pool(torch.relu(self.conv2(half)))
        return self.classify(torch.relu(self.hidden(torch.flatten(quarter, 1))))


def fit(config: Config, problem: Problem) -> Config:
    """The configuration for a problem: one output for each label, dense layers for the pictures' size."""
    if not problem.fixed:
        raise UsageError("cnn: its dense layers need pictures of one size. Set a size, or choose another architecture.")
    return replace(config, classes=len(problem.labels), image_channels=problem.channels, size_hw=problem.size_hw)


VARIANTS: Mapping[str, Config] = MappingProxyType({"classic": Config()})

ARCHITECTURE = Architecture(
    name="cnn",
    summary="The textbook's network: two convolutions with pooling, two dense layers",
    tasks=frozenset({"classify", "regress"}),
    source='LeCun et al., "Gradient-Based Learning Applied to Document Recognition", 1998, '
    "https://doi.org/10.1109/5.726791",
    variants=VARIANTS,
    fit=fit,
    build=Cnn,
    outputs=("logits",),
    reading=whole_picture,
    mean_std=(0.5, 0.5),
)
