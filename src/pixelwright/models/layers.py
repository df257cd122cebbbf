"""Layers that several architectures are made of. State dictionaries go by their places: they must not change."""

from __future__ import annotations

from torch import nn


def normalized(
    inputs: int,
    outputs: int,
    kernel: int = 3,
    *,
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
    for_relu: bool = False,
) -> nn.Sequential:
    """A convolution with batch normalization that keeps the size but for its stride: (N, C, H, W) to (N, C', H', W').

    `for_relu` has its weights begin with the variance that keeps that of gradients through ReLU (He et al., "Delving
    Deep into Rectifiers", ICCV 2015, https://arxiv.org/abs/1502.01852, equation 14); else they begin as PyTorch's do.
    """
    padding = dilation * (kernel // 2)
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation, groups, bias=False)
    if for_relu:
        nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs))


def pair(inputs: int, outputs: int) -> nn.Sequential:
    """Two normalized 3x3 convolutions, each with ReLU: (N, C, H, W) to (N, C', H, W)."""
    return nn.Sequential(*normalized(inputs, outputs), nn.ReLU(), *normalized(outputs, outputs), nn.ReLU())
