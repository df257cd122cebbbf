"""What is true of a picture, after the picture has moved or was painted over: boxes, masks of things, keypoints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from pixelwright.data.augment.geometry import FARTHEST_PX, NEAREST_DEPTH, Motion, move_ids, move_points, unbend
from pixelwright.data.augment.policy import Policy
from pixelwright.models.batch import VOID, Batch

LEAST_SIDE_PX = 1.0  # of what is left of a box


def move_truth(batch: Batch, motion: Motion, policy: Policy) -> Batch:
    """The batch with its truth moved; its pictures are still where they were."""
    moved = replace(batch)
    if batch.maps is not None:
        moved.maps = move_ids(batch.maps, motion, VOID)
    if batch.instances is not None:
        # What is drawn out or mirrored of a thing is no ground.
        moved.instances = move_ids(batch.instances, motion, 0, policy.outside)
    if batch.keypoints is not None:
        moved.keypoints = _of_all(batch.keypoints, lambda rows, samples: _move_keypoints(rows, motion, samples, policy))
    if batch.boxes_xyxy is not None:
        whole = _of_all(batch.boxes_xyxy, lambda rows, samples: move_boxes(rows, motion, samples))
        growth = _of_all(batch.boxes_xyxy, lambda rows, samples: _growth(rows, motion, samples))
        still = _still(motion)
        within = None if batch.instances is None else move_ids(batch.instances, motion, 0)
        for row in range(len(batch)):
            if not still[row]:
                fate = (whole[row], _cut(whole[row], motion.size_hw), growth[row])
                _settle(batch, moved, row, fate, policy, within=within)
    return moved


def cover_truth(batch: Batch, covered: Tensor, policy: Policy) -> Batch:
    """The batch with its truth after pixels were painted over: void in maps, no part of a thing's mask.

    Args:
        batch: As it was.
        covered: (N, 4) int64, the rectangles xyxy that were painted over, of the pictures' pixels.
        policy: Says how much of a thing must be left.
    """
    left = replace(batch)
    if batch.maps is None and batch.boxes_xyxy is None:
        return left
    height, width = batch.images.shape[2:]
    if batch.maps is not None:
        left.maps = batch.maps.masked_fill(inside(covered, (height, width)), VOID)
    if batch.instances is not None:
        left.instances = batch.instances.masked_fill(inside(covered, (height, width)), 0)
    for row, boxes in enumerate(batch.boxes_xyxy or ()):
        whole, over = boxes.double(), covered[row].double()
        seen = 1 - _areas(_common(whole, over)) / _areas(whole)
        _settle(batch, left, row, (whole, whole, torch.ones_like(seen)), policy, seen=seen)
    return left


def inside(rectangles: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """(N, H, W) bool: the pixels of rectangles (N, 4) xyxy."""
    y = torch.arange(size_hw[0], device=rectangles.device)
    x = torch.arange(size_hw[1], device=rectangles.device)
    left, top, right, bottom = rectangles.T[:, :, None]
    return ((y >= top) & (y < bottom))[:, :, None] & ((x >= left) & (x < right))[:, None, :]


def _of_all(columns: list[Tensor], of: Callable[[Tensor, Tensor], Tensor]) -> list[Tensor]:
    """What a function makes of the rows of all pictures at once, by rows and their pictures; for each picture again."""
    counts = [len(one) for one in columns]
    samples = torch.arange(len(columns)).repeat_interleave(torch.tensor(counts)).to(columns[0].device)
    return list(of(torch.cat(columns), samples).split(counts))


def move_boxes(boxes_xyxy: Tensor, motion: Motion, samples: Tensor) -> Tensor:
    """The boxes (M, 4) of things that fill theirs as ellipses do, not cut at the picture's edges; float64.

    The ellipse's dual conic C becomes H C Hᵀ, and its upright tangents are the roots of c₃₃x² - 2 c₁₃x + c₁₁ = 0.
    For mirrored, shifted, scaled and quarter-turned boxes that is exact whatever the thing's form; for turned ones it
    is right on average, where the box of the turned corners is always too large.

    Source: Hartley, Zisserman, Multiple View Geometry, 2nd edition, section 2.2.3 (dual conics); Kalra et al., Towards
    Rotation Invariance in Object Detection, ICCV 2021, https://arxiv.org/abs/2109.13488 (ellipses for boxes).
    """
    boxes = boxes_xyxy.double()
    centers, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
    place = torch.eye(3, dtype=torch.float64, device=boxes.device).repeat(len(boxes), 1, 1)
    place[:, :2, 2] = centers
    place[:, 0, 0], place[:, 1, 1] = half.T
    frame = motion.matrix[samples] @ place
    conic = (frame * torch.tensor((1.0, 1.0, -1.0), dtype=torch.float64, device=frame.device)) @ frame.mT
    last = conic[:, 2, 2, None]  # negative, as long as all of the thing is before the camera
    across = conic[:, :2, 2]
    squares = torch.diagonal(conic, dim1=1, dim2=2)[:, :2]
    before = (last < -NEAREST_DEPTH) & (frame[:, 2, 2, None] > 0)
    middle = torch.where(before, across / last, FARTHEST_PX)
    reach = torch.where(before, torch.sqrt((across**2 - squares * last).clamp(min=0)) / last.abs(), 0.0)
    turned = _unbent(middle - reach, middle + reach, motion, samples)
    corners = move_points(boxes.view(-1, 2, 2), motion, samples)
    exact = torch.cat((corners.amin(dim=1), corners.amax(dim=1)), dim=1)
    return torch.where(motion.warped[samples, None], turned, exact)  # without the rounding of a root


def _unbent(low: Tensor, high: Tensor, motion: Motion, samples: Tensor) -> Tensor:
    """Boxes through the distortion: by the middles of their sides."""
    if motion.bends is None:
        return torch.cat((low, high), dim=1)
    middle = (low + high) / 2
    left, right = torch.stack((low[:, 0], middle[:, 1]), -1), torch.stack((high[:, 0], middle[:, 1]), -1)
    top, bottom = torch.stack((middle[:, 0], low[:, 1]), -1), torch.stack((middle[:, 0], high[:, 1]), -1)
    places = unbend(torch.stack((left, right, top, bottom), dim=1), motion, samples)
    return torch.cat((places.amin(dim=1), places.amax(dim=1)), dim=1)


def _growth(boxes_xyxy: Tensor, motion: Motion, samples: Tensor) -> Tensor:
    """(M,) how many times larger areas become at the middles of boxes: det H / w³."""
    matrix = motion.matrix[samples]
    centers = (boxes_xyxy[:, :2] + boxes_xyxy[:, 2:]).double() / 2
    depth = (centers * matrix[:, 2, :2]).sum(dim=1) + matrix[:, 2, 2]
    return (torch.linalg.det(motion.matrix)[samples] / depth**3).abs()


def _still(motion: Motion) -> list[bool]:
    """Which pictures are where they were."""
    return (~(motion.mirrored | motion.flipped | motion.warped | (motion.quarters > 0))).tolist()


def _cut(boxes_xyxy: Tensor, size_hw: tuple[int, int]) -> Tensor:
    far = boxes_xyxy.new_tensor((size_hw[1], size_hw[0]) * 2)
    return torch.minimum(boxes_xyxy.clamp(min=0), far)


def _common(boxes_xyxy: Tensor, others_xyxy: Tensor) -> Tensor:
    """What boxes share with others: no area where they are apart."""
    low = torch.maximum(boxes_xyxy[..., :2], others_xyxy[..., :2])
    return torch.cat((low, torch.minimum(boxes_xyxy[..., 2:], others_xyxy[..., 2:])), dim=-1)


def _areas(boxes_xyxy: Tensor) -> Tensor:
    sides = (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]).clamp(min=0)
    return sides[:, 0] * sides[:, 1]


def _settle(
    before: Batch,
    after: Batch,
    row: int,
    fate: tuple[Tensor, Tensor, Tensor],
    policy: Policy,
    *,
    seen: Tensor | None = None,
    within: Tensor | None = None,
) -> None:
    """Keep those things of a picture of which enough is left, with the boxes of what is left; in place in `after`.

    What is hardly in view any more is to be ignored, where the batch can say so, and is let go elsewhere.

    Args:
        before: The batch as it was.
        after: Its pictures' truth, moved, but for the columns of things.
        row: Which picture.
        fate: Of each thing: its whole box afterward (M, 4), what of it is within the picture, by what its area grew.
        policy: Says how much must be left.
        seen: (M,) share of each box that is left; None for what the cut left.
        within: (N, H, W) the things without what is drawn out or mirrored of them beyond the pictures' edges, by which
            they are no larger than they were; None for what is left of them in their boxes.
    """
    whole, cut, growth = fate
    share = _areas(cut) / _areas(whole).clamp(min=1e-9) if seen is None else seen
    there = share > 0
    if before.instances is not None and after.instances is not None:
        pixels, _ = extents(before.instances[row], len(whole))
        shown_pixels, shown_boxes = extents(after.instances[row], len(whole))
        if within is None:
            kept_pixels, kept_boxes = shown_pixels, _common(shown_boxes, whole)
        else:
            kept_pixels, kept_boxes = extents(within[row], len(whole))
        masked = pixels > 0  # a row without pixels, such as a crowd's, goes by its box
        itself = _areas(kept_boxes) > 0  # of others only what is drawn out or mirrored is in view
        cut = torch.where(masked[:, None], torch.where(itself[:, None], kept_boxes, shown_boxes), cut)
        share = torch.where(masked, kept_pixels * itself / (pixels * growth).clamp(min=1e-9), share)
        there = torch.where(masked, shown_pixels, share) > 0
    there &= (cut[:, 2:] - cut[:, :2] >= LEAST_SIDE_PX).all(dim=1)
    enough = there & (share > 0) & (share >= policy.least_left)
    if before.box_ignored is None:
        there = enough
    _write_rows(before, after, row, cut, there)
    if before.box_ignored is not None:
        _column(after, "box_ignored")[row] = (before.box_ignored[row] | ~enough)[there]


def _write_rows(before: Batch, after: Batch, row: int, boxes_xyxy: Tensor, there: Tensor) -> None:
    """Those rows of a picture's columns that stay."""
    for name in ("boxes_xyxy", "box_classes", "keypoints"):
        if getattr(after, name) is not None:
            column = _column(after, name)
            values = boxes_xyxy.to(column[row].dtype) if name == "boxes_xyxy" else column[row]
            column[row] = values[there]
    if after.instances is not None and not bool(there.all()):
        if after.instances is before.instances:
            after.instances = after.instances.clone()
        places = torch.zeros(len(there) + 1, dtype=after.instances.dtype, device=there.device)
        places[1:][there] = torch.arange(1, int(there.sum()) + 1, dtype=places.dtype, device=there.device)
        after.instances[row] = places[after.instances[row].long()]


def _column(batch: Batch, name: str) -> list[Tensor]:
    """A column of `batch` as a list of its own: that of the batch it was made from stays as it is."""
    column = list(getattr(batch, name))
    setattr(batch, name, column)
    return column


def extents(ids: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Pixels (M,) and boxes (M, 4), float64, of the things 1 to M in a map (H, W); zeros for those without pixels."""
    y, x = ids.nonzero(as_tuple=True)
    which = ids[y, x].long() - 1
    pixels = torch.bincount(which, minlength=count).double()
    edges = torch.stack((x, y, x + 1, y + 1), dim=1).double()
    rows = which[:, None].expand(-1, 2)
    low = edges.new_zeros((count, 2)).scatter_reduce(0, rows, edges[:, :2], "amin", include_self=False)
    high = edges.new_zeros((count, 2)).scatter_reduce(0, rows, edges[:, 2:], "amax", include_self=False)
    return pixels, torch.cat((low, high), dim=1)


def _move_keypoints(keypoints: Tensor, motion: Motion, samples: Tensor, policy: Policy) -> Tensor:
    """Keypoints (M, K, 3): those that leave the picture are not labeled any more; a mirror exchanges the sides."""
    height, width = motion.size_hw
    places = move_points(keypoints[..., :2], motion, samples).to(keypoints.dtype)
    within = (places >= 0).all(dim=-1) & (places[..., 0] < width) & (places[..., 1] < height)
    labeled = within & (keypoints[..., 2] > 0)
    moved = torch.cat((places, keypoints[..., 2:]), dim=-1) * labeled[..., None]
    order = list(range(keypoints.shape[1]))
    for one, other in policy.keypoint_swaps:
        order[one], order[other] = other, one
    exchanged = (motion.mirrored ^ motion.flipped)[samples]
    return torch.where(exchanged[:, None, None], moved[:, order], moved)
