"""Where every pixel goes: exact turns of some pictures, and one resampling of the others, by one matrix each.

Coordinates are pixels with centers at +0.5, which is `align_corners=False` of torch once they are divided by half the
side. A matrix of `Motion` maps places of the picture as it was to places as it becomes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from pixelwright.data.augment.policy import Outside, Policy

PADDING: dict[Outside, str] = {"edge": "border", "black": "zeros", "reflect": "reflection"}
ELASTIC_CELLS = 5  # of the coarse field across each side: a wave length of about half the picture
NEAREST_DEPTH = 1e-3  # what a strong perspective puts behind the camera, or nearly,
FARTHEST_PX = -1e6  # is taken to be as far outside of the picture
INVERSION_STEPS = 6  # by each the error becomes a fifth or less, up to displacements of 2 %


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """How each of N pictures (H, W) moves.

    Attributes:
        size_hw: Of the pictures.
        mirrored: (N,) left and right are exchanged, first of all.
        flipped: (N,) then top and bottom.
        quarters: (N,) int64 then turns by 90 degrees to the left, 0..3.
        warped: (N,) whether the picture is resampled, which mirrors and turns it too.
        matrix: (N, 3, 3) float64 of all of it, pixels to pixels.
        back: (N, 3, 3) float64 of all of it, from where it leads back to where it comes from, with -1..1 from edge to
            edge.
        bends: (N, 2, cells, cells) coarse field (x, y) in units of -1..1, or None.
    """

    size_hw: tuple[int, int]
    mirrored: Tensor
    flipped: Tensor
    quarters: Tensor
    warped: Tensor
    matrix: Tensor
    back: Tensor
    bends: Tensor | None


def uniform(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Numbers evenly from -1 to 1, float64, on the generator's device."""
    return torch.rand(shape, generator=generator, dtype=torch.float64, device=generator.device) * 2 - 1


def chance(count: int, share: float, generator: torch.Generator) -> Tensor:
    """(N,) bool, each true with this chance."""
    return torch.rand(count, generator=generator, device=generator.device) < share


def draw_motion(count: int, size_hw: tuple[int, int], policy: Policy, generator: torch.Generator) -> Motion:
    """What the generator has in store for N pictures."""
    height, width = size_hw
    mirrored = chance(count, policy.mirror, generator)
    flipped = chance(count, policy.vertical, generator)
    turned = chance(count, policy.quarter_turns, generator)
    quarters = torch.randint(1, 4, (count,), generator=generator, device=generator.device)
    quarters = (quarters if height == width else torch.full_like(quarters, 2)) * turned
    warped = chance(count, policy.share if policy.warps else 0.0, generator)
    drawn = _drawn_matrix(count, size_hw, policy, generator)
    forward = torch.where(warped[:, None, None], drawn, torch.eye(3, dtype=torch.float64, device=drawn.device))
    matrix = forward @ _turn_matrix(mirrored, flipped, quarters, size_hw)
    to_unit = _to_unit(size_hw, matrix)
    back = to_unit @ torch.linalg.inv(matrix) @ torch.linalg.inv(to_unit)
    bends = _bends(count, size_hw, policy, generator) if policy.elastic else None
    if bends is not None:
        bends = bends * warped[:, None, None, None]
    return Motion(size_hw, mirrored, flipped, quarters, warped, matrix, back, bends)


def to_device(motion: Motion, device: torch.device) -> Motion:
    """The same motion where the pictures are."""
    moved = {name: getattr(motion, name).to(device) for name in ("mirrored", "flipped", "quarters", "warped")}
    bends = None if motion.bends is None else motion.bends.to(device)
    return Motion(motion.size_hw, **moved, matrix=motion.matrix.to(device), back=motion.back.to(device), bends=bends)


def move_pictures(pictures: Tensor, motion: Motion, outside: Outside) -> Tensor:
    """Pictures (N, C, h, w) of any size that stands for `size_hw`, resampled between their pixels."""
    rows = motion.warped.nonzero()[:, 0]
    if not len(rows):
        return _turned(pictures, motion)
    every = len(rows) == len(pictures)
    places = _sources(motion, rows, (pictures.shape[2], pictures.shape[3])).to(pictures.dtype)
    warped = functional.grid_sample(
        pictures if every else pictures[rows],
        places,
        mode="bilinear",
        padding_mode=PADDING[outside],
        align_corners=False,
    )
    return warped if every else _turned(pictures, motion).index_copy_(0, rows, warped)


def move_ids(ids: Tensor, motion: Motion, void: int, outside: Outside = "black") -> Tensor:
    """Whole numbers (N, h, w): each pixel takes that of the nearest one.

    Where nothing comes from inside it takes `void` where that is black, else what `move_pictures` shows there.
    """
    rows = motion.warped.nonzero()[:, 0]
    if not len(rows):
        return _turned(ids, motion)
    height, width = ids.shape[1:]
    places = _sources(motion, rows, (height, width))
    inside = (places.abs() < 1).all(dim=-1)
    if outside == "reflect":
        places = torch.where(inside[..., None], places, ((places - 1).remainder(4) - 2).abs() - 1)
    x = ((places[..., 0] + 1) * (width / 2)).floor().long().clamp_(0, width - 1)
    y = ((places[..., 1] + 1) * (height / 2)).floor().long().clamp_(0, height - 1)
    nearest = ids[rows].flatten(1).gather(1, (y * width + x).flatten(1)).view_as(x)
    if outside == "black":
        nearest = torch.where(inside, nearest, torch.full_like(nearest, void))
    return _turned(ids, motion).index_copy_(0, rows, nearest)


def move_points(points_xy: Tensor, motion: Motion, samples: Tensor) -> Tensor:
    """P places of each of M things (M, P, 2), float64; `samples` (M,) says in which picture a thing is."""
    matrix = motion.matrix[samples]
    whole = points_xy.double() @ matrix[:, :, :2].mT + matrix[:, None, :, 2]
    depth = whole[..., 2:]
    return unbend(torch.where(depth > NEAREST_DEPTH, whole[..., :2] / depth, FARTHEST_PX), motion, samples)


def unbend(points_xy: Tensor, motion: Motion, samples: Tensor) -> Tensor:
    """Where places (M, P, 2) that the matrix gave come to lie through the distortion, which is defined backward."""
    if motion.bends is None or not points_xy.numel():
        return points_xy
    height, width = motion.size_hw
    half = torch.tensor((width / 2, height / 2), dtype=torch.float64, device=points_xy.device)
    wanted = points_xy / half - 1
    found, bends = wanted, motion.bends[samples]
    for _ in range(INVERSION_STEPS):
        places = found[:, None]
        bent = functional.grid_sample(bends, places, mode="bicubic", padding_mode="border", align_corners=False)
        found = wanted - bent[:, :, 0].mT
    return (found + 1) * half


def _turned(pictures: Tensor, motion: Motion) -> Tensor:
    """A copy, in which those that are not resampled are mirrored and turned pixel for pixel.

    The last two axes are y and x. One picture after the other: turning the whole batch copies it for each kind of turn.
    """
    moved = pictures.clone()
    still = (~motion.warped).nonzero()[:, 0].tolist()
    flags = torch.stack((motion.mirrored, motion.flipped, motion.quarters)).T.tolist()
    for sample in still:
        mirrored, flipped, quarters = flags[sample]
        axes = [axis for axis, wanted in ((-1, mirrored), (-2, flipped)) if wanted]
        if axes or quarters:
            moved[sample] = pictures[sample].flip(axes).rot90(quarters, (-2, -1))
    return moved


def _turn_matrix(mirrored: Tensor, flipped: Tensor, quarters: Tensor, size_hw: tuple[int, int]) -> Tensor:
    height, width = size_hw
    plain = torch.eye(3, dtype=torch.float64, device=mirrored.device)

    def matrix(rows: tuple[tuple[float, float, float], ...]) -> Tensor:
        return torch.tensor((*rows, (0.0, 0.0, 1.0)), dtype=torch.float64, device=mirrored.device)

    mirror = matrix(((-1.0, 0.0, width), (0.0, 1.0, 0.0)))
    flip = matrix(((1.0, 0.0, 0.0), (0.0, -1.0, height)))
    quarter = matrix(((0.0, 1.0, 0.0), (-1.0, 0.0, width)))  # to the left, with y down
    half = matrix(((-1.0, 0.0, width), (0.0, -1.0, height)))
    turns = torch.stack((plain, quarter, half, half @ quarter))
    first = torch.where(mirrored[:, None, None], mirror, plain)
    second = torch.where(flipped[:, None, None], flip, plain)
    return turns[quarters] @ second @ first


def _drawn_matrix(count: int, size_hw: tuple[int, int], policy: Policy, generator: torch.Generator) -> Tensor:
    """Size, lean, turn, perspective and shift around the middle of the picture, pixels to pixels."""
    height, width = size_hw
    # All are drawn whatever the policy says, so that what one limit is does not change what the others draw.
    turn, lean, size, ratio, right, down, far_x, far_y = uniform((8, count), generator)
    size = torch.exp(size * math.log1p(policy.scale))
    ratio = torch.exp(ratio * (math.log1p(policy.aspect) / 2))
    sin, cos = torch.sin(turn * policy.rotate_rad), torch.cos(turn * policy.rotate_rad)
    lean = torch.tan(lean * policy.shear_rad)
    wide, high = size * ratio, size / ratio
    zero, one = torch.zeros_like(turn), torch.ones_like(turn)
    # From one edge to the other sizes change by (1 + p / 2) / (1 - p / 2), about 1 + p.
    far_x, far_y = far_x * policy.perspective / width, far_y * policy.perspective / height
    affine = _matrix(
        (cos * wide, (cos * lean - sin) * high, right * policy.shift * width),
        (sin * wide, (sin * lean + cos) * high, down * policy.shift * height),
        (zero, zero, one),
    )
    # Last, so that the horizon lies outside of the new picture however small the old one has become.
    perspective = _matrix((one, zero, zero), (zero, one, zero), (far_x, far_y, one))
    center = _matrix((one, zero, one * width / 2), (zero, one, one * height / 2), (zero, zero, one))
    return center @ perspective @ affine @ torch.linalg.inv(center)


def _matrix(*rows: tuple[Tensor, ...]) -> Tensor:
    """(N, 3, 3) of nine columns (N,)."""
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)


def _to_unit(size_hw: tuple[int, int], like: Tensor) -> Tensor:
    height, width = size_hw
    rows = ((2 / width, 0.0, -1.0), (0.0, 2 / height, -1.0), (0.0, 0.0, 1.0))
    return torch.tensor(rows, dtype=like.dtype, device=like.device)


def _bends(count: int, size_hw: tuple[int, int], policy: Policy, generator: torch.Generator) -> Tensor:
    height, width = size_hw
    short = min(size_hw)
    field = uniform((count, 2, ELASTIC_CELLS, ELASTIC_CELLS), generator) * (2 * policy.elastic)
    return (
        field * torch.tensor((short / width, short / height), dtype=torch.float64, device=field.device)[:, None, None]
    )


def _sources(motion: Motion, rows: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """For pictures of this size: (n, h, w, 2) float32 where each pixel's value comes from, in -1..1."""
    height, width = size_hw
    back = motion.back[rows].float()
    flat = not bool(back[:, 2, :2].any())  # no perspective: nothing to divide by
    if flat:
        back = back[:, :2] / back[:, 2:, 2:]
    x = (torch.arange(width, device=back.device) + 0.5) * (2 / width) - 1
    y = (torch.arange(height, device=back.device) + 0.5) * (2 / height) - 1
    matrix = back[:, None, None]
    if motion.bends is None:  # products a row and a column, and no grid of places in between
        whole = x[:, None] * matrix[..., 0] + (y[:, None, None] * matrix[..., 1] + matrix[..., 2])
    else:
        # The same curve as that of `unbend`, and quicker where the places are a grid.
        bent = functional.interpolate(motion.bends[rows].float(), size_hw, mode="bicubic", align_corners=False)
        across, down = bent[:, 0] + x, bent[:, 1] + y[:, None]
        whole = across[..., None] * matrix[..., 0] + down[..., None] * matrix[..., 1] + matrix[..., 2]
    return whole if flat else whole[..., :2] / whole[..., 2:]
