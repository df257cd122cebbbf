"""Star-convex polygons: the truth measured in label maps, the loss, and touching discs that are told apart."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from pixelwright import registry
from pixelwright.errors import UsageError
from pixelwright.models import starconvex
from pixelwright.models.architecture import Problem
from pixelwright.models.batch import Batch
from pixelwright.models.starconvex_loss import follow, loss, polar_loss, stars_of

SIDE = 64
PROBLEM = Problem("detect", ("cell", "other"), 1, (SIDE, SIDE), fixed=False, masks=True)


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    threads = torch.get_num_threads()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        torch.set_num_threads(1)
        yield
        torch.set_num_threads(threads)


def circle(instances: Tensor, which: int, x: float, y: float, radius: float) -> None:
    down, right = torch.meshgrid(torch.arange(SIDE) + 0.5, torch.arange(SIDE) + 0.5, indexing="ij")
    instances[torch.hypot(right - x, down - y) < radius] = which


def nothing() -> Tensor:
    return torch.zeros(1, SIDE, SIDE, dtype=torch.int32)


def batch(instances: Tensor, classes: list[int], ignored: list[bool] | None = None) -> Batch:
    return Batch(
        torch.zeros(len(instances), 1, SIDE, SIDE),
        boxes_xyxy=[torch.zeros(len(classes), 4)],
        box_classes=[torch.tensor(classes, dtype=torch.int64)],
        box_ignored=[torch.tensor(ignored or [False] * len(classes), dtype=torch.bool)],
        instances=instances,
    )


def truthful(instances: Tensor, classes: list[int]) -> dict[str, Tensor]:
    """Outputs that say exactly what is true: logits of how central places are, logarithms of distances in places."""
    half = SIDE // 2
    logits, rays = torch.full((1, 2, half, half), -20.0), torch.zeros(1, 32, half, half)
    stars = stars_of(instances, 32)
    picture, row, column, thing = stars.places
    every, _ = follow(instances, (picture, row, column), 32)
    central = stars.central.clamp(1e-6, 1 - 1e-6)
    logits[picture, torch.tensor(classes)[thing - 1], row, column] = torch.logit(central)
    rays[picture, :, row, column] = (every / 2).log()
    return {"objects": logits, "rays": rays}


def test_rays_end_half_a_step_before_the_edge() -> None:
    instances = nothing()
    instances[0, 10:21, 20:41] = 1
    place = (torch.tensor([0]), torch.tensor([7]), torch.tensor([15]))  # its pixel is (31, 15), center (31.5, 15.5)
    distances, known = follow(instances, place, 4)
    assert distances[0].tolist() == pytest.approx([9.5, 5.5, 11.5, 5.5], abs=0.25)  # right, down, left, up
    assert known.all()


def test_rays_end_where_another_thing_begins() -> None:
    instances = nothing()
    instances[0, 10:21, 20:30], instances[0, 10:21, 30:41] = 1, 2
    distances, _ = follow(instances, (torch.tensor([0]), torch.tensor([7]), torch.tensor([12])), 4)
    assert float(distances[0, 0]) == pytest.approx(4.5, abs=0.25)  # from 25.5 to 30


def test_rays_that_leave_the_picture_are_not_known() -> None:
    instances = nothing()
    instances[0, :11, :] = 1
    distances, known = follow(instances, (torch.tensor([0]), torch.tensor([0]), torch.tensor([16])), 4)
    assert known[0].tolist() == [False, True, False, False]
    assert float(distances[0, 1]) == pytest.approx(9.5, abs=0.25)


def test_the_middle_of_a_disc_is_central_and_its_edge_is_not() -> None:
    instances = nothing()
    circle(instances[0], 1, 33.5, 31.5, 12)
    stars = stars_of(instances, 32)
    _, row, column, _ = stars.places
    central = torch.zeros(SIDE // 2, SIDE // 2)
    central[row, column] = stars.central
    assert central.argmax() == 15 * 32 + 16 and float(central.max()) == 1
    assert float(central[15, 21]) < 0.25  # ten of twelve pixels to the right
    assert float(central[15, 19]) == pytest.approx(0.5, abs=0.1)  # six of twelve


def test_places_within_a_thing_that_the_picture_cuts_are_as_central_as_if_it_went_on() -> None:
    instances = nothing()
    instances[0, 0:20, 20:40] = 1  # goes on above
    stars = stars_of(instances, 32)
    _, row, column, _ = stars.places
    best = stars.central[(row == 0) & (column == 14)]
    assert float(best) > 0.85


def test_rays_are_followed_from_an_eighth_of_the_places() -> None:
    instances = nothing()
    instances[0, 8:40, 8:40] = 1
    stars = stars_of(instances, 32)
    assert len(stars.central) == 256 and len(stars.measured) == 32
    assert stars.distances.shape == stars.known.shape == (32, 32)


def test_the_truth_costs_nothing_beyond_its_own_uncertainty() -> None:
    instances = nothing()
    circle(instances[0], 1, 20, 30, 10)
    circle(instances[0], 2, 42, 30, 11)
    said = truthful(instances, [0, 1])
    parts = loss(said, batch(instances, [0, 1]), PROBLEM)
    assert float(parts["rays"]) < 1e-5
    wanted, entropy = torch.sigmoid(said["objects"]), torch.distributions.Bernoulli(logits=said["objects"]).entropy()
    assert float(parts["objects"]) == pytest.approx(float(entropy.sum() / wanted.sum()), rel=0.01)


def test_rays_are_pulled_to_the_truth_from_both_sides() -> None:
    instances = nothing()
    circle(instances[0], 1, 31, 31, 12)
    said = truthful(instances, [0])
    for change, sign in ((0.2, 1), (-0.2, -1)):
        rays = (said["rays"] + change).requires_grad_()
        loss({**said, "rays": rays}, batch(instances, [0]), PROBLEM)["rays"].backward()
        assert rays.grad is not None
        pulled = rays.grad[rays.grad != 0]
        assert len(pulled) and (torch.sign(pulled) == sign).all()


def test_the_polar_loss_is_the_logarithm_of_the_ratio_of_sums() -> None:
    one, other = torch.tensor([[2.0, 4.0, 9.0]]).log(), torch.tensor([[3.0, 3.0, 1.0]]).log()
    weights = torch.tensor([[1.0, 1.0, 0.0]])  # the third is not known
    assert float(polar_loss(one, other, weights)) == pytest.approx(math.log((3 + 4) / (2 + 3)))


def test_nothing_is_learned_at_what_is_to_be_ignored() -> None:
    instances = nothing()
    circle(instances[0], 1, 31, 31, 12)
    silent = {"objects": torch.full((1, 2, 32, 32), -20.0), "rays": torch.zeros(1, 32, 32, 32)}
    parts = loss(silent, batch(instances, [0], [True]), PROBLEM)
    assert float(parts["objects"]) < 1e-4 and float(parts["rays"]) == 0


def test_pictures_without_things_are_learned_from() -> None:
    logits = torch.zeros(1, 2, 32, 32, requires_grad=True)
    parts = loss({"objects": logits, "rays": torch.zeros(1, 32, 32, 32)}, batch(nothing(), []), PROBLEM)
    torch.stack(list(parts.values())).sum().backward()
    assert logits.grad is not None and (logits.grad > 0).all()


@pytest.mark.parametrize("name", starconvex.VARIANTS)
def test_maps_are_half_the_size_of_any_picture(name: str) -> None:
    net = starconvex.build(starconvex.fit(starconvex.VARIANTS[name], PROBLEM)).eval()
    with torch.no_grad():
        objects, rays = net(torch.zeros(1, 1, 32, 96))
    assert objects.shape == (1, 2, 16, 48) and rays.shape == (1, 32, 16, 48)


def test_the_small_variant_fits_into_a_megabyte_of_half_precision() -> None:
    net = starconvex.build(starconvex.fit(starconvex.VARIANTS["s"], PROBLEM))
    assert 2 * sum(one.numel() for one in net.state_dict().values()) < 1e6


def test_boxes_alone_are_refused() -> None:
    with pytest.raises(UsageError, match="onestage"):
        starconvex.fit(starconvex.VARIANTS["s"], Problem("detect", ("cell",), 3, (SIDE, SIDE)))


@pytest.mark.slow
def test_touching_discs_are_learned_and_told_apart() -> None:
    instances = torch.zeros(2, SIDE, SIDE, dtype=torch.int32)
    for picture, pairs in enumerate((((18, 20, 10), (37, 24, 9)), ((30, 40, 12), (46, 24, 11)))):
        for which, (x, y, radius) in enumerate(pairs):
            circle(instances[picture], which + 1, x, y, radius)
    images = (instances > 0).float()[:, None] + 0.1 * torch.randn(2, 1, SIDE, SIDE)  # no line between them
    classes = [torch.zeros(2, dtype=torch.int64)] * 2
    truth = Batch(images, boxes_xyxy=[torch.zeros(2, 4)] * 2, box_classes=classes, instances=instances)
    problem = Problem("detect", ("cell",), 1, (SIDE, SIDE), fixed=False, masks=True)
    config = starconvex.fit(starconvex.Config(widths=(16, 24, 32)), problem)
    net = starconvex.build(config)
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3)
    for _ in range(150):
        parts = loss(dict(zip(("objects", "rays"), net(images), strict=True)), truth, problem)
        optimizer.zero_grad()
        torch.stack(list(parts.values())).sum().backward()
        optimizer.step()
    with torch.no_grad():
        objects, rays = net.eval()(images)
    reading = starconvex.reading(config, problem)
    found = registry.get("decoder", reading.decoder).run(
        {"objects": objects.numpy(), "rays": rays.numpy()}, reading.parameters, input_hw=(SIDE, SIDE), threshold=0.4
    )
    for one, ids in zip(found, instances.numpy(), strict=True):
        assert len(one.scores) == 2 and one.mask_parts is not None
        for part in one.mask_parts(np.arange(2)):
            inside = part.logits > 0
            seen = ids[part.top : part.top + inside.shape[0], part.left : part.left + inside.shape[1]]
            shared = [np.count_nonzero(inside & (seen == which)) for which in (1, 2)]
            unions = [np.count_nonzero(ids == which) + np.count_nonzero(inside) for which in (1, 2)]
            assert max(np.divide(shared, np.subtract(unions, shared))) > 0.85
