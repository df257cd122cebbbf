"""What star-convex polygons learn: how central a place is in its thing, and how far the thing goes in each direction.

Source: Schmidt et al., MICCAI 2018, https://arxiv.org/abs/1806.03535, section 2 (the two maps: the distance to the edge
over the largest in the thing, and rays followed until the label changes); Xie et al., PolarMask, CVPR 2020,
https://arxiv.org/abs/1912.04488, equation 8 (the polar IoU).

Where ours differs: rays that leave the picture are not learned, and its border makes no place less central, since the
thing goes on, or may.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from pixelwright.models.architecture import Outputs, Problem
from pixelwright.models.batch import Batch

OBJECTS, RAYS = "objects", "rays"
STRIDE = 2
STEP_PX = 0.5  # rays are followed in such steps; their ends are known to half of it
RAY_WEIGHT = 4.0  # with 1 the rays came to a seventh of what the objects did, and masks stayed coarse
FEWEST = 1.0  # a picture without things is divided by this
OUTSIDE = -1  # label of what is beyond the picture


@dataclass(frozen=True, slots=True, eq=False)
class Stars:
    """The truth at P places that lie in a thing.

    Attributes:
        places: Index tensors (P,) of the maps: picture, row, column; and the thing's row, counted from 1.
        central: (P,) distance to the edge over the largest in the same thing, 0..1.
        measured: (Q,) those of the places from which all rays were followed.
        distances: (Q, R) in pixels, from the center of the place's pixel.
        known: (Q, R) which of them end within the picture.
    """

    places: tuple[Tensor, Tensor, Tensor, Tensor]
    central: Tensor
    measured: Tensor
    distances: Tensor
    known: Tensor


def loss(outputs: Outputs, batch: Batch, problem: Problem) -> Mapping[str, Tensor]:
    """Binary cross-entropy of how central places are, and -log of the polar IoU weighted by that.

    Raises:
        ValueError: The batch has no masks.
    """
    del problem
    if batch.instances is None or batch.box_classes is None:
        raise ValueError("star-convex polygons are learned from masks; the batch has none.")
    logits, rays = outputs[OBJECTS].float(), outputs[RAYS].float()
    with torch.no_grad():
        stars = stars_of(batch.instances, rays.shape[1])
        picture, row, column, thing = stars.places
        classes, ignored = _columns(batch, logits.device)
        counted = ~ignored[picture, thing - 1]
        wanted = torch.zeros_like(logits)
        wanted[picture, classes[picture, thing - 1], row, column] = stars.central
        weights = torch.ones_like(logits[:, :1])
        weights[picture, 0, row, column] = counted.float()
        known = stars.known * (stars.central * counted)[stars.measured, None]
    entropies = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    predicted = rays.permute(0, 2, 3, 1)[tuple(one[stars.measured] for one in (picture, row, column))]
    return {
        "objects": (entropies * weights).sum() / (wanted * weights).sum().clamp_min(FEWEST),
        "rays": RAY_WEIGHT * polar_loss(predicted + math.log(STRIDE), stars.distances.log(), known),
    }


def polar_loss(one: Tensor, other: Tensor, weights: Tensor) -> Tensor:
    """-log of the polar IoU: log(sum of the longer rays / sum of the shorter ones), of logarithms of rays (P, R).

    Args:
        one: Predicted.
        other: True.
        weights: (P, R) of the rays; those of a place are equal, or 0 where a ray is not known.
    """
    larger, smaller = torch.maximum(one, other).exp(), torch.minimum(one, other).exp()
    known = weights > 0
    shares = weights.amax(dim=1)
    seen = shares > 0
    ratio = (larger * known).sum(dim=1)[seen].log() - (smaller * known).sum(dim=1)[seen].log()
    return (ratio * shares[seen]).sum() / shares.sum().clamp_min(FEWEST)


def _columns(batch: Batch, device: torch.device) -> tuple[Tensor, Tensor]:
    """Classes and whether nothing is learned, of every thing: (N, M), padded."""
    given = batch.box_classes or []
    most = max((len(one) for one in given), default=0) or 1
    aside = batch.box_ignored or [torch.zeros(len(one), dtype=torch.bool) for one in given]
    classes = torch.zeros((len(given), most), dtype=torch.int64, device=device)
    ignored = torch.zeros((len(given), most), dtype=torch.bool, device=device)
    for row, (one, flags) in enumerate(zip(given, aside, strict=True)):
        classes[row, : len(one)], ignored[row, : len(one)] = one, flags
    return classes, ignored


def stars_of(instances: Tensor, rays: int) -> Stars:
    """The truth of label maps (N, H, W), 0 where nothing is, at the middle pixel of every place."""
    middle = slice(STRIDE // 2, None, STRIDE)
    labels, depths = instances[:, middle, middle], _depths(instances)[:, middle, middle]
    picture, row, column = places = labels.nonzero(as_tuple=True)
    thing, depth = labels[places].long(), depths[places]
    most = int(thing.max()) + 1 if len(thing) else 1
    keys = picture * most + thing
    deepest = torch.zeros(len(instances) * most, device=keys.device).scatter_reduce(0, keys, depth, "amax")
    # Following rays takes longest, and neighbors tell nearly the same: an eighth of the places suffices.
    measured = ((row + 3 * column) % 8 == 0).nonzero(as_tuple=True)[0]
    distances, known = follow(instances, (picture[measured], row[measured], column[measured]), rays)
    return Stars((picture, row, column, thing), depth / deepest[keys], measured, distances, known)


def _depths(instances: Tensor) -> Tensor:
    """Distance (N, H, W) in pixels to the nearest with another label, give or take half a pixel.

    The picture's border is none of a thing.
    """
    ids = instances.cpu().numpy()
    same = np.ones(ids.shape, np.uint8)
    for before, after in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:, :, :-1], np.s_[:, :, 1:])):
        differ = ids[before] != ids[after]
        same[before][differ] = 0
        same[after][differ] = 0
    found = np.stack([_to_edge(one) for one in same])
    return torch.from_numpy(found).to(instances.device) + 1  # a pixel at the edge is one from the next label


def _to_edge(same: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Distance (H, W) to the nearest zero; without any, as far as the picture is large."""
    if same.all():
        return np.full(same.shape, max(same.shape), np.float32)
    return cv2.distanceTransform(same, cv2.DIST_L2, cv2.DIST_MASK_PRECISE).astype(np.float32, copy=False)


def follow(instances: Tensor, places: tuple[Tensor, ...], rays: int) -> tuple[Tensor, Tensor]:
    """How far things reach from the middle pixels of places (picture, row, column), in directions evenly around.

    Returns:
        Distances (P, rays) in pixels, half a step before the first sample with another label; and whether that lies
        within the picture (P, rays).
    """
    picture, row, column = places
    height, width = instances.shape[1:]
    flat = functional.pad(instances, (1, 1, 1, 1), value=OUTSIDE).flatten()
    # All rays start at centers of pixels, so that a step along one of them leads as many pixels on from everywhere.
    start = (picture * (height + 2) + row * STRIDE + STRIDE // 2 + 1) * (width + 2) + column * STRIDE + STRIDE // 2 + 1
    angles = torch.arange(rays, dtype=torch.float64, device=flat.device) * (2 * math.pi / rays)
    ray = torch.arange(rays, device=flat.device).repeat(len(start))
    start = start.repeat_interleave(rays)
    label = flat[start]
    alive = torch.arange(len(start), device=flat.device)
    distances = torch.zeros(len(start), device=flat.device)
    known = torch.zeros(len(start), dtype=torch.bool, device=flat.device)
    reach = 0.0
    while len(alive):  # one entry for each ray still within its thing
        reach += STEP_PX
        down, right = ((0.5 + reach * way).floor().long() for way in (angles.sin(), angles.cos()))
        met = flat[start + (down * (width + 2) + right)[ray]]
        ended = met != label
        distances[alive[ended]] = reach - STEP_PX / 2
        known[alive[ended]] = met[ended] != OUTSIDE
        left = (~ended).nonzero(as_tuple=True)[0]
        alive, start, ray, label = alive[left], start[left], ray[left], label[left]
    return distances.view(-1, rays), known.view(-1, rays)
