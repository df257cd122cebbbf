"""A plain convolutional classifier for small images: pairs of 3x3 convolutions, then the mean over space.

Source: the layer pattern of Simonyan, Zisserman, "Very Deep Convolutional Networks", ICLR 2015,
https://arxiv.org/abs/1409.1556, with batch normalization (https://arxiv.org/abs/1502.03167) and global
average pooling (https://arxiv.org/abs/1312.4400). Written from the papers; no code was copied.

Where ours differs: three stages of a few channels, no dense layers but the last.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from types import MappingProxyType

from torch import Tensor, nn

from pixelwright.errors import UsageError
from pixelwright.models.architecture import Architecture, Problem, whole_picture
from pixelwright.models.layers import pair


@dataclass(frozen=True)
class Config:
    """Channels of the stages (each halves the image), of the input, and the number of classes."""

    channels: tuple[int, ...] = (16, 40, 80)
    classes: int = 10
    image_channels: int = 1

    def __post_init__(self) -> None:
        if not self.channels or min(self.channels) < 1:
            raise ValueError(f"channels: expected positive integers, got {self.channels!r}")
        if self.classes < 2:
            raise ValueError(f"classes: expected 2 or more, got {self.classes!r}")


class PlainCnn(nn.Module):
    """Maps images `(N, C, H, W)`, 0..1, to logits `(N, classes)`."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        widths = (config.image_channels, *config.channels)
        self.stages = nn.ModuleList(pair(before, after) for before, after in pairwise(widths))
        self.pool = nn.MaxPool2d(2)
        self.classify = nn.Linear(widths[-1], config.classes)

    def forward(self, image: Tensor) -> Tensor:
        features = self.stages[0](image - 0.5)  # 0.5: black on white and white on black lie alike around zero
        for following in self.stages[1:]:
            features = following(self.pool(features))
        return self.classify(features.mean(dim=(2, 3)))


VARIANTS: Mapping[str, Config] = MappingProxyType({"digits": Config(), "m": Config(channels=(32, 64, 128))})


def build(config: Config) -> nn.Module:
    """A freshly initialized network of this configuration."""
    return PlainCnn(config)


def fit(config: Config, problem: Problem) -> Config:
    """The configuration with as many channels and classes as the problem has.

    Raises:
        UsageError: There is one class, or the pictures are too small to be halved by every stage but the first.
    """
    halvings = len(config.channels) - 1
    if len(problem.labels) < 2:
        raise UsageError(f"plaincnn: expected 2 classes or more, got {len(problem.labels)}.")
    if min(problem.size_hw) < 2**halvings:
        raise UsageError(f"plaincnn: expected sides of {2**halvings} pixels or more, got {problem.size_hw}.")
    return replace(config, classes=len(problem.labels), image_channels=problem.channels)


ARCHITECTURE = Architecture(
    name="plaincnn",
    summary="Pairs of 3x3 convolutions and the mean over space, for small images.",
    tasks=frozenset({"classify"}),
    source="https://arxiv.org/abs/1409.1556",
    variants=VARIANTS,
    fit=fit,
    build=build,
    outputs=("logits",),
    reading=whole_picture,
    mean_std=(0.0, 1.0),  # the network itself subtracts a half
)
