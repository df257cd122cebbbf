"""A small residual network.

Source: He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition", CVPR 2016, https://arxiv.org/abs/1512.03385:
the basic blocks and, for small pictures, the plan of section 4.2. Written from the paper; no code was copied.

Where ours differs:
- where a stage halves the picture the shortcut is a 2x2 mean and a 1x1 convolution, which looks at all pixels rather
  than at one in four (He et al., https://arxiv.org/abs/1812.01187, section 4.2);
- the last scale of each block begins at zero, so that the network begins as a shallow one (the same, section 3.1);
- pictures of more than 64 pixels enter through two 3x3 convolutions of stride 2, in place of a 7x7 and pooling.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import torch
from torch import Tensor, nn

from pixelwright.models.architecture import Architecture, Problem, whole_picture
from pixelwright.models.layers import normalized

SMALL_PX = 64  # up to here nothing is halved before the first block


@dataclass(frozen=True)
class Config:
    """Channels of the stages (each but the first halves the picture), blocks a stage, what the pictures are like."""

    channels: tuple[int, ...] = (16, 32, 64)
    blocks: tuple[int, ...] = (2, 2, 2)
    small_stem: bool = True
    dropout: float = 0.0
    classes: int = 10
    image_channels: int = 3

    def __post_init__(self) -> None:
        if len(self.channels) != len(self.blocks) or not self.channels:
            raise ValueError(f"channels, blocks: expected one of each a stage, got {self.channels}, {self.blocks}")


class BasicBlock(nn.Module):
    """Two 3x3 convolutions whose result is added to the input: (N, C, H, W) to (N, C', H/stride, W/stride)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = normalized(inputs, outputs, stride=stride, for_relu=True)
        self.second = normalized(outputs, outputs, for_relu=True)
        nn.init.zeros_(self.second[1].weight)  # pyright: ignore[reportArgumentType]
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1:
            self.shortcut = nn.Sequential(
                nn.AvgPool2d(2, ceil_mode=True), normalized(inputs, outputs, 1, for_relu=True)
            )
        elif inputs != outputs:
            self.shortcut = normalized(inputs, outputs, 1, for_relu=True)

    def forward(self, features: Tensor) -> Tensor:
        changed = self.second(torch.relu(self.first(features)))
        return torch.relu(self.shortcut(features) + changed)


class Residual(nn.Module):
    """Maps images (N, C, H, W) of any size to logits (N, K)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        width = config.channels[0]
        first = normalized(config.image_channels, width, stride=1 if config.small_stem else 2, for_relu=True)
        stem = [first, nn.ReLU()]
        if not config.small_stem:
            stem += [normalized(width, width, stride=2, for_relu=True), nn.ReLU()]
        self.stem = nn.Sequential(*stem)
        layers = []
        for stage, (channels, blocks) in enumerate(zip(config.channels, config.blocks, strict=True)):
            for block in range(blocks):
                layers.append(BasicBlock(width, channels, 2 if stage and not block else 1))
                width = channels
        self.stages = nn.Sequential(*layers)
        self.dropout = nn.Dropout(config.dropout)
        self.classify = nn.Linear(width, config.classes)

    def forward(self, image: Tensor) -> Tensor:
        features = self.stages(self.stem(image)).mean(dim=(2, 3))
        return self.classify(self.dropout(features))


def fit(config: Config, problem: Problem) -> Config:
    """The configuration for a problem: one output for each label, and the stem for the pictures' size."""
    return replace(
        config,
        classes=len(problem.labels),
        image_channels=problem.channels,
        small_stem=min(problem.size_hw) <= SMALL_PX,
    )


VARIANTS: Mapping[str, Config] = MappingProxyType(
    {
        "xs": Config((16, 32, 64), (1, 1, 1)),  # 76 thousand parameters at 10 classes
        "s": Config((24, 48, 96), (2, 2, 2)),
        "m": Config((32, 64, 128, 256), (2, 2, 2, 2)),
        "l": Config((64, 128, 256, 512), (2, 2, 2, 2)),  # the ResNet-18 of the paper
    }
)

ARCHITECTURE = Architecture(
    name="residual",
    summary="A small residual network: robust, and good with little tuning",
    tasks=frozenset({"classify", "regress"}),
    source='He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, https://arxiv.org/abs/1512.03385',
    variants=VARIANTS,
    fit=fit,
    build=Residual,
    outputs=("logits",),
    reading=whole_picture,
)
