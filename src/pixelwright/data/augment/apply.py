"""Augmentation: whole batches varied at once, where they lie, with what is true of them."""

from __future__ import annotations

from dataclasses import replace

import torch

from pixelwright.data.augment.geometry import draw_motion, move_pictures, to_device
from pixelwright.data.augment.mixing import cut_out, mix, vary_sequences
from pixelwright.data.augment.policy import Policy
from pixelwright.data.augment.truth import move_truth
from pixelwright.data.augment.values import change_values
from pixelwright.errors import ShapeError
from pixelwright.models.batch import Batch


@torch.no_grad()
def augment(batch: Batch, policy: Policy, generator: torch.Generator) -> Batch:
    """A batch varied within a policy; the one given stays as it is.

    Pictures are mirrored and turned pixel for pixel, or resampled once, by one matrix each, which turns them too;
    boxes, masks, maps, keypoints and better pictures follow. Then values change, of `images` alone; then a rectangle is
    painted over; then pictures of one batch are mixed. A policy without limits gives the same tensors.

    Args:
        batch: Pictures or sequences, on any device.
        policy: What is allowed. It is not asked here whether it suits the labels: see `without_forbidden`.
        generator: Decides everything. One of the batch's own device saves the copying of noise.

    Raises:
        ShapeError: The images are neither (N, C, H, W) nor (N, T, F), or not float.

    Example:
        >>> generator = torch.Generator().manual_seed(0)
        >>> before = Batch(torch.eye(3)[None, None], boxes_xyxy=[torch.tensor([[0.0, 0.0, 1.0, 1.0]])])
        >>> after = augment(before, Policy(mirror=1.0), generator)
        >>> after.images[0, 0].tolist()
        [[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
        >>> after.boxes_xyxy[0].tolist()
        [[2.0, 0.0, 3.0, 1.0]]
    """
    images = batch.images
    if images.ndim not in (3, 4) or not images.is_floating_point():
        raise ShapeError(f"images: expected (N, C, H, W) or (N, T, F) float, got {tuple(images.shape)} {images.dtype}.")
    if not len(batch):
        return replace(batch)
    if images.ndim == 3:
        return vary_sequences(batch, policy, generator)
    if policy.turns or policy.warps:
        batch = _move(batch, policy, generator)
    varied = replace(batch, images=change_values(batch.images, policy, generator))
    if policy.cutout and batch.clean is None:  # what cannot be seen cannot be restored
        varied = cut_out(varied, policy, generator)
    if policy.mixes and batch.classes is not None:
        varied = mix(varied, policy, generator)
    return varied


def _move(batch: Batch, policy: Policy, generator: torch.Generator) -> Batch:
    height, width = batch.images.shape[2:]
    motion = to_device(draw_motion(len(batch), (height, width), policy, generator), batch.images.device)
    moved = move_truth(batch, motion, policy)
    moved.images = move_pictures(batch.images, motion, policy.outside)
    if batch.clean is not None:
        moved.clean = move_pictures(batch.clean, motion, policy.outside)
    return moved
