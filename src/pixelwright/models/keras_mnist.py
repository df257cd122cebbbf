"""The convolutional network of the Keras and TensorFlow tutorials on MNIST, 93,322 parameters for 28x28 gray pictures.

Source: "Convolutional Neural Network (CNN)", https://www.tensorflow.org/tutorials/images/cnn, whose text stands under
CC BY 4.0 and whose code under Apache-2.0: the layers are taken from there, at the size of MNIST. No code was copied.

Three convolutions of 3x3 without padding (32, 64 and 64 channels, ReLU), 2x2 max pooling after the first two, a dense
layer of 64 with ReLU, then the logits. Weights begin as Keras lets them begin: uniform after Glorot, biases at zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import torch
from torch import Tensor, nn

from pixelwright.errors import UsageError
from pixelwright.models.architecture import Architecture, Problem, whole_picture

SMALLEST_PX = 18  # leaves one position after the last convolution


@dataclass(frozen=True)
class Config:
    """Channels of the convolutions, width of the dense layer, and what the pictures are like."""

    channels: tuple[int, int, int] = (32, 64, 64)
    hidden: int = 64
    classes: int = 10
    image_channels: int = 1
    size_hw: tuple[int, int] = (28, 28)

    def __post_init__(self) -> None:
        if min(self.size_hw) < SMALLEST_PX:
            size = f"{SMALLEST_PX}x{SMALLEST_PX}"
            raise UsageError(f"keras-mnist: expected pictures of {size} pixels or more, got {self.size_hw}.")


class KerasMnist(nn.Module):
    """Maps images (N, C, H, W) of one size to logits (N, K)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        first, second, third = config.channels
        self.conv1 = nn.Conv2d(config.image_channels, first, 3)
        self.conv2 = nn.Conv2d(first, second, 3)
        self.conv3 = nn.Conv2d(second, third, 3)
        self.pool = nn.MaxPool2d(2)
        height, width = (((side - 2) // 2 - 2) // 2 - 2 for side in config.size_hw)
        self.hidden = nn.Linear(third * height * width, config.hidden)
        self.classify = nn.Linear(config.hidden, config.classes)
        for layer in (self.conv1, self.conv2, self.conv3, self.hidden, self.classify):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)  # pyright: ignore[reportArgumentType]

    def forward(self, image: Tensor) -> Tensor:
        features = self.pool(torch.relu(self.conv1(image)))
        features = self.pool(torch.relu(self.conv2(features)))
        features = torch.relu(self.conv3(features))
        return self.classify(torch.relu(self.hidden(torch.flatten(features, 1))))


def fit(config: Config, problem: Problem) -> Config:
    """The configuration for a problem: one output for each label, dense layers for the pictures' size."""
    if not problem.fixed:
        raise UsageError(
            "keras-mnist: its dense layers need pictures of one size. Set a size, or choose another architecture."
        )
    return replace(config, classes=len(problem.labels), image_channels=problem.channels, size_hw=problem.size_hw)


VARIANTS: Mapping[str, Config] = MappingProxyType({"classic": Config()})

ARCHITECTURE = Architecture(
    name="keras-mnist",
    summary="The network of the Keras tutorials: three convolutions, two dense layers",
    tasks=frozenset({"classify", "regress"}),
    source="TensorFlow tutorials, Convolutional Neural Network, https://www.tensorflow.org/tutorials/images/cnn",
    variants=VARIANTS,
    fit=fit,
    build=KerasMnist,
    outputs=("logits",),
    reading=whole_picture,
    mean_std=(0.0, 1.0),  # pixels / 255, nothing else
)
