"""What a detector without anchor boxes learns: which cells answer for which thing, and how wrong they are.

Source: Feng et al., TOOD, ICCV 2021, https://arxiv.org/abs/2108.07755, equations 1 (alignment of a cell with a thing),
5 and 6 (its share in the loss); Tian et al., FCOS, ICCV 2019, https://arxiv.org/abs/1904.01355, for cells being
candidates only inside of a thing; Rezatofighi et al., GIoU, CVPR 2019, https://arxiv.org/abs/1902.09630.

Where ours differs: of the cells of things smaller than a cell the nearest is a candidate, so that none goes unlearned.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from pixelwright.models.architecture import Outputs, Problem
from pixelwright.models.batch import Batch

STRIDES = (8, 16, 32)
BOX = 4

# Alignment = score^ALPHA * IoU^BETA, and the cells of a thing that are aligned best answer for it (TOOD, section 4.1).
ALPHA, BETA, MOST_CELLS = 1.0, 6.0, 13
BOX_WEIGHT = 2.0  # of GIoU against the classification (RTMDet, section 3.3)
FEWEST_POSITIVE = 1.0  # a picture without things is divided by this
TINY = 1e-9
TINIEST = 1e-30  # sixth powers of the overlaps of a fresh network are below the other
MOST_EXPONENT = 12.0  # of sides in cells: beyond every picture, and no overflow early in the training


@dataclass(frozen=True, slots=True, eq=False)
class Truths:
    """Things of N pictures, padded to the largest count G.

    Attributes:
        boxes_xyxy: (N, G, 4).
        classes: (N, G) int64.
        real: (N, G) which rows are things to be found.
        ignored: (N, G) which are things at which nothing is learned.
    """

    boxes_xyxy: Tensor
    classes: Tensor
    real: Tensor
    ignored: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """What each of A cells should say.

    Attributes:
        scores: (N, A, K), 0..1.
        boxes_xyxy: (N, A, 4), of the cells that answer for a thing.
        shares: (N, A) of a cell in the loss of boxes; 0 where it answers for nothing.
        counted: (N, A) whether its scores count: not within what is to be ignored.
    """

    scores: Tensor
    boxes_xyxy: Tensor
    shares: Tensor
    counted: Tensor


def loss(outputs: Outputs, batch: Batch, problem: Problem) -> Mapping[str, Tensor]:
    """Binary cross-entropy of the classes against aligned scores, and GIoU of the boxes; both per aligned cell."""
    rows = outputs["predictions"].float()  # in half precision small boxes would have no overlap
    size_hw = (batch.images.shape[2], batch.images.shape[3])
    truths = truths_of(batch, rows.device)
    places, strides = grid(size_hw, rows.device)
    boxes = boxes_of(rows[:, :, :BOX], places, strides)
    logits = rows[:, :, BOX:]
    with torch.no_grad():
        targets = assign(logits.sigmoid(), boxes, (places + 0.5) * strides, strides, truths)
    weight = targets.shares.sum().clamp_min(FEWEST_POSITIVE)
    entropies = functional.binary_cross_entropy_with_logits(logits, targets.scores, reduction="none")
    positive = targets.shares > 0
    far = 1 - giou(boxes[positive], targets.boxes_xyxy[positive])
    return {
        "classes": (entropies.sum(dim=2) * targets.counted).sum() / weight,
        "boxes": BOX_WEIGHT * (far * targets.shares[positive]).sum() / weight,
    }


def truths_of(batch: Batch, device: torch.device) -> Truths:
    """The batch's boxes as padded columns.

    Raises:
        ValueError: It has none.
    """
    if batch.boxes_xyxy is None or batch.box_classes is None:
        raise ValueError("a detector learns from boxes and their classes; the batch has none.")
    boxes = [one.to(device, torch.float32).reshape(-1, BOX) for one in batch.boxes_xyxy]
    aside = batch.box_ignored or [torch.zeros(len(one), dtype=torch.bool) for one in boxes]
    there = [torch.ones(len(one), dtype=torch.bool, device=device) for one in boxes]
    padded = pad_sequence(boxes, batch_first=True)
    classes = pad_sequence([one.to(device) for one in batch.box_classes], batch_first=True)
    ignored = pad_sequence([one.to(device) for one in aside], batch_first=True)
    return Truths(padded, classes, pad_sequence(there, batch_first=True) & ~ignored, ignored)


def grid(size_hw: tuple[int, int], device: torch.device) -> tuple[Tensor, Tensor]:
    """Column and row of every cell of all grids (A, 2), and its stride (A, 1)."""
    places, strides = [], []
    for stride in STRIDES:
        high, wide = (-(-side // stride) for side in size_hw)
        rows, columns = torch.meshgrid(torch.arange(high), torch.arange(wide), indexing="ij")
        places.append(torch.stack((columns.flatten(), rows.flatten()), dim=1))
        strides.append(torch.full((high * wide, 1), float(stride)))
    return torch.cat(places).to(device, torch.float32), torch.cat(strides).to(device)


def boxes_of(values: Tensor, places: Tensor, strides: Tensor) -> Tensor:
    """Raw values (N, A, 4) as boxes in pixels of the input."""
    centers = (places + values[..., :2]) * strides
    half = values[..., 2:].clamp(max=MOST_EXPONENT).exp() * strides / 2
    return torch.cat((centers - half, centers + half), dim=-1)


def assign(scores: Tensor, boxes: Tensor, centers: Tensor, strides: Tensor, truths: Truths) -> Targets:
    """For every cell what it should say, given what it says now.

    Args:
        scores: (N, A, K), 0..1.
        boxes: (N, A, 4) predicted.
        centers: (A, 2) of the cells.
        strides: (A, 1) of the cells.
        truths: The things.
    """
    images, cells, labels = scores.shape
    things = truths.classes.shape[1]
    if not things:
        nothing = scores.new_zeros(images, cells)
        return Targets(torch.zeros_like(scores), torch.zeros_like(boxes), nothing, torch.ones_like(nothing).bool())
    overlaps = iou(truths.boxes_xyxy[:, :, None], boxes[:, None])  # (N, G, A)
    said = scores.transpose(1, 2).gather(1, truths.classes[:, :, None].expand(-1, -1, cells))
    alignments = said**ALPHA * overlaps**BETA
    candidates = _candidates(centers, strides, truths)
    chosen = _best(torch.where(candidates, alignments, -1.0), MOST_CELLS) & candidates
    # A cell wanted by several things answers for that which its box overlaps most.
    owner = torch.where(chosen, overlaps, -1.0).argmax(dim=1)  # (N, A)
    chosen &= functional.one_hot(owner, things).transpose(1, 2).bool()
    # The best aligned cell of a thing should score as high as its box is good, the others in proportion.
    kept = torch.where(chosen, alignments, 0.0)
    top = torch.where(chosen, overlaps, 0.0).amax(dim=2, keepdim=True)
    shares = (kept / kept.amax(dim=2, keepdim=True).clamp_min(TINIEST) * top).amax(dim=1)
    shares = shares * chosen.any(dim=1)
    wanted = functional.one_hot(truths.classes.gather(1, owner), labels) * shares[:, :, None]
    inside = _inside(centers, truths.boxes_xyxy) & truths.ignored[:, :, None]
    targets = truths.boxes_xyxy.gather(1, owner[:, :, None].expand(-1, -1, BOX))
    return Targets(wanted, targets, shares, ~inside.any(dim=1) | chosen.any(dim=1))


def _candidates(centers: Tensor, strides: Tensor, truths: Truths) -> Tensor:
    """Which cells may answer for which things (N, G, A): centers inside, or the nearest of all where there is none."""
    inside = _inside(centers, truths.boxes_xyxy)
    middles = (truths.boxes_xyxy[..., :2] + truths.boxes_xyxy[..., 2:]) / 2
    far = (middles[:, :, None] - centers).square().sum(dim=-1) + strides[:, 0]  # of equally near cells the finest
    nearest = functional.one_hot(far.argmin(dim=2), len(centers)).bool()
    return (inside | nearest & ~inside.any(dim=2, keepdim=True)) & truths.real[:, :, None]


def _inside(points: Tensor, boxes: Tensor) -> Tensor:
    """Which points (A, 2) lie in which boxes (N, G, 4), as (N, G, A)."""
    low, high = boxes[:, :, None, :2], boxes[:, :, None, 2:]
    return ((points > low) & (points < high)).all(dim=-1)


def _best(values: Tensor, count: int) -> Tensor:
    """Which are among the largest `count` along the last axis."""
    places = values.topk(min(count, values.shape[-1]), dim=-1).indices
    return torch.zeros_like(values, dtype=torch.bool).scatter_(-1, places, True)


def iou(one: Tensor, other: Tensor) -> Tensor:
    """Intersection over union of boxes (..., 4), broadcast."""
    shared, union = _shared(one, other)
    return shared / union.clamp_min(TINY)


def giou(one: Tensor, other: Tensor) -> Tensor:
    """Generalized intersection over union (GIoU, algorithm 1) of boxes (..., 4), -1..1."""
    shared, union = _shared(one, other)
    hull = (torch.maximum(one[..., 2:], other[..., 2:]) - torch.minimum(one[..., :2], other[..., :2])).prod(dim=-1)
    return shared / union.clamp_min(TINY) - (hull - union) / hull.clamp_min(TINY)


def _shared(one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    low, high = torch.maximum(one[..., :2], other[..., :2]), torch.minimum(one[..., 2:], other[..., 2:])
    shared = (high - low).clamp_min(0).prod(dim=-1)
    areas = [(boxes[..., 2:] - boxes[..., :2]).prod(dim=-1) for boxes in (one, other)]
    return shared, areas[0] + areas[1] - shared
