"""SwiftNet, small: a residual encoder, dilated bottlenecks, and a light ladder back up, for label maps of whole scenes.

Source: Oršić, Krešo, Bevandić, Šegvić, "In Defense of Pre-trained ImageNet Architectures for Real-time Semantic
Segmentation of Road-Driving Images", CVPR 2019, https://arxiv.org/abs/1903.08469. Written from the paper; no code was
copied.

Where ours differs:
- narrow, and made to be trained from fresh weights in an hour: no weights of ImageNet;
- the coarsest scale is 1/16 of the input; dilated bottlenecks (Yu, Koltun, Funkhouser, "Dilated Residual Networks",
  CVPR 2017, https://arxiv.org/abs/1705.09914) there see as far as two more halvings would, for fewer weights;
- of the pyramid of pooled features the whole picture's mean is kept, the one that the dilated blocks do not have;
- features at half of the input's resolution enter the ladder's last step as blocks of pixels, and logits leave it in
  the same way: poles are a few pixels wide, and only the first layer is convolved at that resolution.

The mean over the whole picture means that a picture cannot be cut into tiles. `unet` can.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from torch import Tensor, nn
from torch.nn import functional

from pixelwright.errors import UsageError
from pixelwright.models.architecture import Architecture, Problem, Reading
from pixelwright.models.layers import normalized

MULTIPLE_PX = 16


@dataclass(frozen=True)
class Config:
    """Channels at 1/2, 1/4, 1/8 and 1/16 of the input, blocks of the latter three, and what comes in and out."""

    channels: tuple[int, int, int, int] = (16, 32, 64, 96)
    blocks: tuple[int, int] = (1, 2)  # at 1/4 and at 1/8
    dilations: tuple[int, ...] = (1, 2, 4, 8)  # a bottleneck for each, at 1/16
    classes: int = 2
    image_channels: int = 3

    def __post_init__(self) -> None:
        if min(*self.channels, *self.blocks, *self.dilations, self.classes, self.image_channels) < 1:
            raise ValueError(f"expected positive integers, got {self!r}")


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions added to their input (He et al., 2016); the first may halve the size."""

    def __init__(self, inputs: int, outputs: int, *, stride: int = 1) -> None:
        super().__init__()
        self.first = normalized(inputs, outputs, stride=stride)
        self.second = normalized(outputs, outputs)

    def forward(self, features: Tensor) -> Tensor:
        return functional.relu(features + self.second(functional.relu(self.first(features))))


class Bottleneck(nn.Module):
    """Half of the channels through a dilated 3x3 convolution, added to the input."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        inner = channels // 2
        self.narrow = normalized(channels, inner, 1)
        self.look = normalized(inner, inner, dilation=dilation)
        self.widen = normalized(inner, channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        inner = functional.relu(self.look(functional.relu(self.narrow(features))))
        return functional.relu(features + self.widen(inner))


class Down(nn.Module):
    """Half the size, more channels, then residual blocks."""

    def __init__(self, inputs: int, outputs: int, *blocks: nn.Module) -> None:
        super().__init__()
        self.halve = normalized(inputs, outputs, stride=2)
        self.blocks = nn.Sequential(*blocks)

    def forward(self, features: Tensor) -> Tensor:
        return self.blocks(functional.relu(self.halve(features)))


class Up(nn.Module):
    """Coarse features doubled in size, added to the finer ones beside them, and blended."""

    def __init__(self, coarse: int, fine: int) -> None:
        super().__init__()
        self.narrow = normalized(coarse, fine, 1)
        self.blend = normalized(fine, fine)

    def forward(self, coarse: Tensor, beside: Tensor) -> Tensor:
        raised = functional.interpolate(self.narrow(coarse), scale_factor=2.0, mode="bilinear")
        return functional.relu(self.blend(functional.relu(raised + beside)))


class SwiftNet(nn.Module):
    """Maps images `(N, C, H, W)` to logits `(N, classes, H / 2, W / 2)`; H and W multiples of 16."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        half, quarter, eighth, coarse = config.channels
        self.stem = normalized(config.image_channels, half, stride=2)
        self.quarter = Down(half, quarter, *(ResidualBlock(quarter, quarter) for _ in range(config.blocks[0])))
        self.eighth = Down(quarter, eighth, *(ResidualBlock(eighth, eighth) for _ in range(config.blocks[1])))
        self.coarse = Down(eighth, coarse, *(Bottleneck(coarse, one) for one in config.dilations))
        self.scene = nn.Conv2d(coarse, coarse, 1)
        self.beside_eighth = normalized(eighth, eighth, 1)
        self.up_eighth = Up(coarse, eighth)
        self.beside_quarter = normalized(quarter, quarter, 1)
        self.beside_half = normalized(4 * half, quarter, 1)
        self.up_quarter = Up(eighth, quarter)
        self.classify = nn.Conv2d(quarter, 4 * config.classes, 1)

    def forward(self, image: Tensor) -> Tensor:
        half = functional.relu(self.stem(image))
        quarter = self.quarter(half)
        eighth = self.eighth(quarter)
        coarse = self.coarse(eighth)
        coarse = coarse + functional.relu(self.scene(coarse.mean(dim=(2, 3), keepdim=True)))
        raised = self.up_eighth(coarse, self.beside_eighth(eighth))
        beside = self.beside_quarter(quarter) + self.beside_half(functional.pixel_unshuffle(half, 2))
        return functional.pixel_shuffle(self.classify(self.up_quarter(raised, beside)), 2)


# 439,900 parameters for 11 classes.
VARIANTS: Mapping[str, Config] = MappingProxyType({"s": Config()})


def build(config: Config) -> nn.Module:
    """A freshly initialized network of this configuration."""
    return SwiftNet(config)


def fit(config: Config, problem: Problem) -> Config:
    """The configuration with as many channels and classes as the problem has.

    Raises:
        UsageError: There are not two classes, or the pictures are so small that nothing is left to look at.
    """
    if len(problem.labels) < 2:
        raise UsageError(
            f"swiftnet: expected two classes or more, got {len(problem.labels)}. What is around a thing is a class too."
        )
    if min(problem.size_hw) < 2 * MULTIPLE_PX:
        raise UsageError(
            f"swiftnet: expected sides of {2 * MULTIPLE_PX} pixels or more, got {problem.size_hw}. Choose unet, or a "
            "larger size."
        )
    return replace(config, classes=len(problem.labels), image_channels=problem.channels)


def reading(config: Config, problem: Problem) -> Reading:
    """A map of logits; every pixel depends on the whole picture, which so cannot be cut."""
    del config, problem
    return Reading("argmax-map", MappingProxyType({"output": "logits"}), multiple_of=MULTIPLE_PX)


ARCHITECTURE = Architecture(
    name="swiftnet",
    summary="Residual encoder, dilated bottlenecks and a light ladder: fast label maps of whole scenes.",
    tasks=frozenset({"segment"}),
    source="https://arxiv.org/abs/1903.08469",
    variants=VARIANTS,
    fit=fit,
    build=build,
    outputs=("logits",),
    reading=reading,
)
