"""Batch: pictures and what is true of them as tensors, the one form that augmentation and losses know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor


@dataclass(slots=True, eq=False)
class Batch:
    """N training samples; of the truth those fields are there that the task has.

    Attributes:
        images: (N, C, H, W) float32, 0..1, before the contract's mean and std; (N, T, F) for sequences.
        lengths: (N,) int64 valid steps of sequences.
        classes: (N, K) float32, the weight of each class, 0..1: one-hot, several, or mixed by mixup and cutmix.
        values: (N, V) float32.
        boxes_xyxy: For each picture (M, 4) float32 in pixels of `images`.
        box_classes: For each picture (M,) int64.
        box_ignored: For each picture (M,) bool: crowds and difficult things, at which nothing is learned.
        keypoints: For each picture (M, K, 3) float32: x, y in pixels of `images`, visibility.
        instances: (N, H, W) int32: 0 nothing, i + 1 where row i of the boxes is; for things with masks.
        maps: (N, H, W) int64 class of each pixel, `VOID` where nothing is known.
        clean: (N, C, sH, sW) float32, the better pictures.
        ids: Of the samples, N texts.
    """

    images: Tensor
    lengths: Tensor | None = None
    classes: Tensor | None = None
    values: Tensor | None = None
    boxes_xyxy: list[Tensor] | None = None
    box_classes: list[Tensor] | None = None
    box_ignored: list[Tensor] | None = None
    keypoints: list[Tensor] | None = None
    instances: Tensor | None = None
    maps: Tensor | None = None
    clean: Tensor | None = None
    ids: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.images)


def stacked_pictures(pixels: Sequence[npt.NDArray[Any]]) -> Tensor:
    """Pictures (H, W, C) of one size and dtype as (N, C, H, W) float32, 0..1."""
    stacked = np.stack(pixels)
    white = float(np.iinfo(stacked.dtype).max) if stacked.dtype.kind == "u" else 1.0
    return torch.from_numpy(stacked).permute(0, 3, 1, 2).contiguous().float().div_(white)


def filled_sequences(pixels: Sequence[npt.NDArray[np.float32]]) -> tuple[Tensor, Tensor]:
    """Sequences (T, F, 1) filled up with zeros to the longest, (N, T, F) float32, and their lengths (N,) int64."""
    lengths = np.array([len(one) for one in pixels], np.int64)
    steps = np.zeros((len(pixels), lengths.max(), pixels[0].shape[1]), np.float32)
    for row, one in zip(steps, pixels, strict=True):
        row[: len(one)] = one[:, :, 0]
    return torch.from_numpy(steps), torch.from_numpy(lengths)


VOID = -100  # torch's `ignore_index`
