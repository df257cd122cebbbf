"""Networks for label maps and for better pictures: what they answer, how far they look, and how that is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from pixelwright import registry
from pixelwright.errors import UsageError
from pixelwright.models import resunet, span, swiftnet, unet
from pixelwright.models.architecture import Architecture, Problem

LABELS = ("sky", "road", "car")
MAPS = Problem("segment", LABELS, 3, (64, 96), fixed=False)
PICTURES = Problem("enhance", (), 3, (64, 64), fixed=False)
TINY_UNET = unet.Config(channels=(4, 6, 8), packed=2)


@pytest.fixture(autouse=True)
def seeded() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def parameters(net: nn.Module) -> int:
    return sum(one.numel() for one in net.parameters())


def farthest(net: nn.Module, *, scale: int, multiple: int, side: int) -> int:
    """How far the pixel is that changes an output pixel, over all places in a cell: by the support of the gradient.

    With positive weights and normalization that changes nothing, contributions cannot cancel.
    """
    for weight in net.parameters():
        weight.data.abs_().clamp_(min=0.01)
    net.double().eval()
    found = 0
    for place in range(side // 2 // multiple * multiple, side // 2 // multiple * multiple + multiple):
        image = torch.rand(1, 3, side, side, dtype=torch.float64, requires_grad=True)
        net(image)[0, :, scale * place, scale * place].sum().backward()
        assert image.grad is not None
        rows = image.grad.abs().amax(dim=(0, 1, 3)).nonzero()[:, 0]
        found = max(found, int((rows - place).abs().max()))
    return found


@pytest.mark.parametrize(
    ("name", "variant", "cell"), [("unet", "s", 1), ("unet", "m", 1), ("swiftnet", "s", 2)], ids=str
)
def test_a_map_has_a_row_of_logits_for_each_class(name: str, variant: str, cell: int) -> None:
    record: Architecture = registry.get("architecture", name)
    config = record.fit(record.variants[variant], MAPS)
    made = record.build(config).eval()(torch.rand(2, 3, 64, 96))
    assert made.shape == (2, len(LABELS), 64 // cell, 96 // cell)


@pytest.mark.parametrize("name", ["unet", "swiftnet"])
def test_gray_pictures_have_one_channel(name: str) -> None:
    record: Architecture = registry.get("architecture", name)
    variant = next(iter(record.variants.values()))
    assert record.build(record.fit(variant, replace(MAPS, channels=1))).eval()(torch.rand(1, 1, 32, 32)).ndim == 4


@pytest.mark.parametrize("name", ["unet", "swiftnet"])
def test_the_networks_for_maps_are_small(name: str) -> None:
    """In half precision 1 MB holds 500,000 weights; U-Net has a few more."""
    record: Architecture = registry.get("architecture", name)
    config = record.fit(next(iter(record.variants.values())), replace(MAPS, labels=LABELS * 4))
    assert 300_000 < parameters(record.build(config)) < 550_000


@pytest.mark.parametrize("name", ["unet", "swiftnet"])
def test_a_picture_smaller_than_the_coarsest_cells_is_refused(name: str) -> None:
    record: Architecture = registry.get("architecture", name)
    with pytest.raises(UsageError, match=f"{name}: expected sides of .* got \\(8, 96\\)"):
        record.fit(next(iter(record.variants.values())), replace(MAPS, size_hw=(8, 96)))


@pytest.mark.parametrize("name", ["unet", "swiftnet"])
def test_one_class_alone_is_refused(name: str) -> None:
    record: Architecture = registry.get("architecture", name)
    with pytest.raises(UsageError, match="expected two classes or more, got 1"):
        record.fit(next(iter(record.variants.values())), replace(MAPS, labels=("road",)))


def test_u_net_looks_as_far_as_its_tiling_says() -> None:
    net = unet.build(TINY_UNET)
    measured = farthest(net, scale=1, multiple=TINY_UNET.multiple_px, side=128)
    assert measured == unet.receptive_radius_px(TINY_UNET) == 47
    assert unet.reading(TINY_UNET, MAPS).tiling is not None


def test_the_denoiser_looks_as_far_as_its_tiling_says() -> None:
    config = resunet.VARIANTS["small"]
    measured = farthest(resunet.build(config), scale=1, multiple=resunet.MULTIPLE_PX, side=128)
    assert measured == resunet.receptive_radius_px(config) == 55


def test_the_enlarger_looks_as_far_as_its_tiling_says() -> None:
    config = span.VARIANTS["x2-small"]
    assert farthest(span.build(config), scale=2, multiple=1, side=48) == span.receptive_radius_px(config) == 18


def test_a_network_that_averages_over_the_picture_has_no_tiles() -> None:
    assert swiftnet.reading(swiftnet.VARIANTS["s"], MAPS).tiling is None


def test_halos_are_whole_cells() -> None:
    for config in (*unet.VARIANTS.values(), TINY_UNET):
        tiling = unet.reading(config, MAPS).tiling
        assert tiling is not None
        assert tiling.halo_px % config.multiple_px == 0
        assert tiling.halo_px >= unet.receptive_radius_px(config)


def test_the_denoiser_refuses_to_enlarge() -> None:
    with pytest.raises(UsageError, match=r"keeps the size of a picture, and 2 times it is wanted\. Choose span"):
        resunet.fit(resunet.VARIANTS["small"], replace(PICTURES, scale=2))


def test_the_enlarger_takes_the_scale_and_channels_of_the_problem() -> None:
    for scale in (1, 3):
        config = span.fit(span.VARIANTS["x2-small"], replace(PICTURES, scale=scale, channels=1))
        assert span.build(config)(torch.rand(1, 1, 7, 5)).shape == (1, 1, 7 * scale, 5 * scale)
        assert span.reading(config, PICTURES).parameters["scale"] == scale


@pytest.mark.parametrize("changes", [{"channels": ()}, {"channels": (0, 1)}, {"packed": 0}], ids=str)
def test_u_net_refuses_sizes_below_one(changes: Mapping[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected positive integers"):
        unet.Config(**changes)
