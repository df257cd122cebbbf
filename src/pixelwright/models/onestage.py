"""One-stage detector without anchor boxes: every cell of three grids says what it is in, and where that ends.

Source: Feng, Zhong, Gao, Scott, Huang, "TOOD: Task-aligned One-stage Object Detection", ICCV 2021,
https://arxiv.org/abs/2108.07755, for which cells answer for which thing and what score they learn; Ge, Liu, Wang, Li,
Sun, "YOLOX", 2021, https://arxiv.org/abs/2107.08430, for the box of a cell; Lyu et al., "RTMDet", 2022,
https://arxiv.org/abs/2212.07784, for depthwise 5x5 kernels, and heads whose convolutions all grids share. Written from
the papers; no code was copied.

Where ours differs:
- less than half a million parameters: blocks are inverted residuals (MobileNetV2, https://arxiv.org/abs/1801.04381);
- the neck goes down and up again with one block a grid; features are added, not stacked;
- boxes are four numbers, not distributions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.nn import functional

from pixelwright.errors import UsageError
from pixelwright.models.architecture import Architecture, Problem, Reading
from pixelwright.models.layers import normalized
from pixelwright.models.onestage_loss import STRIDES, loss
from pixelwright.structures.spec import Suppression

OUTPUT = "predictions"
BOX = 4
PRIOR = 0.01  # of a cell being in a thing, at first: else thousands of empty cells drown the rest (RetinaNet, 4.1)
FIRST_SIDE = 4.0  # of the boxes of a fresh network, in cells
IOU_THRESHOLD = 0.6


@dataclass(frozen=True, slots=True)
class Config:
    """Sizes.

    Attributes:
        labels: How many classes.
        channels: Of the input.
        widths: Channels at 1/2, 1/4, 1/8, 1/16 and 1/32 of the input's sides.
        blocks: How many blocks each of the last four has.
        neck: Channels of the neck and the heads.
    """

    labels: int = 1
    channels: int = 3
    widths: tuple[int, int, int, int, int] = (16, 32, 64, 96, 128)
    blocks: tuple[int, int, int, int] = (1, 2, 2, 1)
    neck: int = 64


class Separable(nn.Sequential):
    """A 3x3 convolution as a depthwise and a pointwise one (MobileNet, https://arxiv.org/abs/1704.04861)."""

    def __init__(self, before: int, after: int, *, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(before, before, 3, stride, 1, groups=before, bias=False),
            nn.Conv2d(before, after, 1, bias=False),
            nn.BatchNorm2d(after),
        )


class Block(nn.Module):
    """Two separable convolutions, added to what came in."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(Separable(channels, channels), nn.SiLU(), Separable(channels, channels))

    def forward(self, features: Tensor) -> Tensor:
        return functional.silu(features + self.body(features))


class Neck(nn.Module):
    """Tells the grids of each other: from the coarse to the fine, and back (PANet, https://arxiv.org/abs/1803.01534)."""

    def __init__(self, widths: tuple[int, int, int], channels: int) -> None:
        super().__init__()
        self.sides = nn.ModuleList(normalized(width, channels, 1) for width in widths)
        self.finer = nn.ModuleList(Block(channels) for _ in range(2))
        self.down = nn.ModuleList(Separable(channels, channels, stride=2) for _ in range(2))
        self.coarser = nn.ModuleList(Block(channels) for _ in range(2))

    def forward(self, levels: list[Tensor]) -> list[Tensor]:
        fine, middle, coarse = (side(level) for side, level in zip(self.sides, levels, strict=True))
        middle = self.finer[0](middle + functional.interpolate(coarse, size=middle.shape[2:]))
        fine = self.finer[1](fine + functional.interpolate(middle, size=fine.shape[2:]))
        middle = self.coarser[0](middle + self.down[0](fine))
        coarse = self.coarser[1](coarse + self.down[1](middle))
        return [fine, middle, coarse]


class Head(nn.Module):
    """Two branches, one for what and one for where; convolutions are shared by all grids, normalizations are not."""

    def __init__(self, channels: int, values: int) -> None:
        super().__init__()
        self.deep = nn.ModuleList(
            nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False) for _ in range(2)
        )
        self.wide = nn.ModuleList(nn.Conv2d(channels, channels, 1, bias=False) for _ in range(2))
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels) for _ in range(2 * len(STRIDES)))
        self.last = nn.Conv2d(channels, values, 1)

    def forward(self, features: Tensor, level: int) -> Tensor:
        for deep, wide, norm in zip(self.deep, self.wide, self.norms[2 * level : 2 * level + 2], strict=True):
            features = functional.silu(norm(wide(deep(features))))
        return self.last(features)


class OneStage(nn.Module):
    """Images (N, C, H, W), sides multiples of 32, to raw rows (N, A, 4 + K): x, y, width, height, logits of classes.

    Center = (cell + x, y) * stride, sides = exp(width, height) * stride; finest grid first, row by row.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        first, *rest = config.widths
        # Normalizing the largest of all maps would take as long as computing it.
        self.stem = nn.Sequential(nn.Conv2d(config.channels, first, 3, 2, 1), nn.SiLU())
        self.stages = nn.ModuleList(
            nn.Sequential(normalized(before, after, stride=2), nn.SiLU(), *(Block(after) for _ in range(count)))
            for before, after, count in zip(config.widths, rest, config.blocks, strict=False)
        )
        self.neck = Neck((rest[1], rest[2], rest[3]), config.neck)
        self.boxes = Head(config.neck, BOX)
        self.classes = Head(config.neck, config.labels)
        nn.init.constant_(_bias(self.classes), math.log(PRIOR / (1 - PRIOR)))
        with torch.no_grad():
            _bias(self.boxes).copy_(torch.tensor([0.5, 0.5, math.log(FIRST_SIDE), math.log(FIRST_SIDE)]))

    def forward(self, images: Tensor) -> Tensor:
        features, levels = self.stem(images), []
        for stage in self.stages:
            levels.append(features := stage(features))
        rows = [
            torch.cat((self.boxes(one, level), self.classes(one, level)), dim=1).flatten(2).transpose(1, 2)
            for level, one in enumerate(self.neck(levels[1:]))
        ]
        return torch.cat(rows, dim=1)


def _bias(head: Head) -> Tensor:
    assert head.last.bias is not None  # narrows the type: the convolution was made with one
    return head.last.bias


VARIANTS: Mapping[str, Config] = MappingProxyType(
    {
        "n": Config(widths=(16, 24, 40, 64, 96), blocks=(1, 1, 1, 1), neck=48),
        "s": Config(),
        "m": Config(widths=(24, 48, 96, 160, 224), blocks=(1, 2, 3, 2), neck=96),
    }
)


def fit(config: Config, problem: Problem) -> Config:
    """The configuration for a problem.

    Raises:
        UsageError: Things have no labels, or have masks or keypoints, which it would leave out.
    """
    if not problem.labels:
        raise UsageError("onestage: expected at least one class, got none. Name the classes of the data.")
    if problem.masks:
        raise UsageError("onestage: finds boxes, and this data has masks. Use --model starconvex, or --kind boxes.")
    if problem.keypoints:
        raise UsageError(f"onestage: finds boxes, not the {problem.keypoints} keypoints of this data.")
    return replace(config, labels=len(problem.labels), channels=problem.channels)


def build(config: Config) -> nn.Module:
    """A freshly initialized network of this configuration."""
    return OneStage(config)


def reading(config: Config, problem: Problem) -> Reading:
    """How its rows are read."""
    del config, problem
    parameters = {"output": OUTPUT, "layout": "rows", "strides": list(STRIDES), "activation": "sigmoid"}
    return Reading(
        "yolo-anchor-free",
        MappingProxyType(parameters),
        Suppression(iou_threshold=IOU_THRESHOLD, per_class=True),
        multiple_of=max(STRIDES),
    )


ARCHITECTURE = Architecture(
    name="onestage",
    summary="Detector in one stage without anchor boxes, task-aligned; 0.1 to 1.1 million parameters",
    tasks=frozenset({"detect"}),
    source="TOOD, https://arxiv.org/abs/2108.07755; RTMDet, https://arxiv.org/abs/2212.07784",
    variants=VARIANTS,
    fit=fit,
    build=build,
    outputs=(OUTPUT,),
    reading=reading,
    loss=loss,
)
