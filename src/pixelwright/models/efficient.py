"""A modern efficient convolutional network: fused inverted bottlenecks early, universal ones later.

Source: Qin et al., "MobileNetV4: Universal Models for the Mobile Ecosystem", ECCV 2024,
https://arxiv.org/abs/2404.10518 (figure 4: the universal inverted bottleneck), with the fused blocks of Tan, Le,
"EfficientNetV2", ICML 2021, https://arxiv.org/abs/2104.00298. Written from the papers; no code was copied.

Why this family: it has nothing but convolutions, batch normalization and ReLU, and so becomes nothing but convolutions
once the normalization is folded into them on export, which a CPU runtime runs at its best; layer normalization, GELU,
squeeze-and-excitation and attention each cost such a network more time than their share of the multiplications. Fused
blocks take the early stages, where depthwise convolutions of few channels are bound by memory.

Where ours differs: three or four small stages, a stem without stride for pictures of 64 pixels or less, one dense layer
after the mean over space.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import NamedTuple

from torch import Tensor, nn

from pixelwright.models.architecture import Architecture, Problem, whole_picture
from pixelwright.models.layers import normalized

SMALL_PX = 64  # up to here the stem halves nothing


class Stage(NamedTuple):
    """Blocks of one size of map: the first of them halves it.

    `start` and `middle` are the sizes of the depthwise kernels before and within the expansion, 0 for none; a stage
    whose `fused` is set expands by a full 3x3 convolution in place of both.
    """

    channels: int
    blocks: int
    expansion: int
    fused: bool = False
    start: int = 0
    middle: int = 3


@dataclass(frozen=True)
class Config:
    """Channels of the stem, the stages, and what the pictures are like."""

    stem: int = 24
    stages: tuple[Stage, ...] = (
        Stage(32, 1, 2, fused=True),
        Stage(64, 2, 3, start=3, middle=3),
        Stage(96, 2, 3, start=5, middle=0),
    )
    small_stem: bool = True
    dropout: float = 0.1
    classes: int = 10
    image_channels: int = 3


def convolution(inputs: int, outputs: int, size: int, stride: int = 1, *, depthwise: bool = False) -> nn.Sequential:
    """A normalized convolution, of all channels together or of each alone."""
    groups = inputs if depthwise else 1
    return normalized(inputs, outputs, size, stride=stride, groups=groups, for_relu=True)


class Bottleneck(nn.Module):
    """Expands, looks around, and narrows again; added to its input where both have one shape.

    (N, C, H, W) to (N, C', H/stride, W/stride). The narrow end has no ReLU: it would lose what it clips.
    """

    def __init__(self, inputs: int, stage: Stage, stride: int) -> None:
        super().__init__()
        wide = inputs * stage.expansion
        layers: list[nn.Module] = []
        if stage.fused:
            layers += [convolution(inputs, wide, 3, stride), nn.ReLU()]
        else:
            if stage.start:
                first = stride if not stage.middle else 1
                layers.append(convolution(inputs, inputs, stage.start, first, depthwise=True))
            layers += [convolution(inputs, wide, 1), nn.ReLU()]
            if stage.middle:
                layers += [convolution(wide, wide, stage.middle, stride, depthwise=True), nn.ReLU()]
        narrow = convolution(wide, stage.channels, 1)
        self.residual = stride == 1 and inputs == stage.channels
        if self.residual:
            nn.init.zeros_(narrow[1].weight)  # pyright: ignore[reportArgumentType]
        self.layers = nn.Sequential(*layers, narrow)

    def forward(self, features: Tensor) -> Tensor:
        changed = self.layers(features)
        return features + changed if self.residual else changed


class Efficient(nn.Module):
    """Maps images (N, C, H, W) of any size to logits (N, K)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        width = config.stem
        self.stem = nn.Sequential(
            convolution(config.image_channels, width, 3, 1 if config.small_stem else 2), nn.ReLU()
        )
        layers: list[nn.Module] = []
        for stage in config.stages:
            for block in range(stage.blocks):
                layers.append(Bottleneck(width, stage, 1 if block else 2))
                width = stage.channels
        self.stages = nn.Sequential(*layers)
        self.head = nn.Sequential(convolution(width, 2 * width, 1), nn.ReLU())
        self.dropout = nn.Dropout(config.dropout)
        self.classify = nn.Linear(2 * width, config.classes)

    def forward(self, image: Tensor) -> Tensor:
        features = self.head(self.stages(self.stem(image))).mean(dim=(2, 3))
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
        "s": Config(),
        "m": Config(
            32,
            (
                Stage(48, 2, 3, fused=True),
                Stage(80, 3, 4, start=3, middle=3),
                Stage(128, 3, 4, start=5, middle=3),
                Stage(192, 2, 3, start=5, middle=0),
            ),
        ),
        "l": Config(
            32,
            (
                Stage(64, 2, 4, fused=True),
                Stage(112, 4, 4, start=3, middle=3),
                Stage(176, 5, 4, start=5, middle=3),
                Stage(256, 3, 4, start=5, middle=0),
            ),
            dropout=0.2,
        ),
    }
)

ARCHITECTURE = Architecture(
    name="efficient",
    summary="A modern efficient convolutional network, fast on a CPU",
    tasks=frozenset({"classify", "regress"}),
    source='Qin et al., "MobileNetV4", ECCV 2024, https://arxiv.org/abs/2404.10518; '
    'Tan, Le, "EfficientNetV2", ICML 2021, https://arxiv.org/abs/2104.00298',
    variants=VARIANTS,
    fit=fit,
    build=Efficient,
    outputs=("logits",),
    reading=whole_picture,
)
