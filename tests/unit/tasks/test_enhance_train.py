"""What restoration learns from: pairs that stay together, and clean pictures made worse by as much as was asked."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from pixelwright.contract import Example, LossOptions
from pixelwright.data.dataset import Dataset
from pixelwright.errors import DataError, ShapeError, UnknownName
from pixelwright.metrics.fidelity import psnr
from pixelwright.models import resunet, span
from pixelwright.models.architecture import Problem
from pixelwright.models.batch import Batch
from pixelwright.structures.degradation import Degradation
from pixelwright.structures.image import GRAY, Image
from pixelwright.structures.spec import InputSpec
from pixelwright.structures.targets import Classes
from pixelwright.tasks.enhance.train import TRAINING

SPEC = InputSpec(color="as-is", depth="keep")
PAIRS = Problem("enhance", (), 3, (16, 24), fixed=False)
NOISE = Degradation(gaussian=1.0, gaussian_sigma=(0.1, 0.1), rounded=0.0)
CLEAN = replace(PAIRS, degradation=NOISE)
LARGER = replace(PAIRS, scale=2, degradation=Degradation(downscale=2))


@pytest.fixture(autouse=True)
def seeded() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def picture(height: int, width: int, seed: int = 0, dtype: type[np.unsignedinteger] = np.uint8) -> Image:
    """Smooth in both directions, different in each color."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    waves = [np.sin(rows / random.uniform(3, 9) + columns / random.uniform(3, 9)) for _ in range(3)]
    return Image(((np.stack(waves, axis=-1) * 0.4 + 0.5) * np.iinfo(dtype).max).astype(dtype))


def pair(worse: npt.NDArray[np.uint8], clean: npt.NDArray[np.uint8], problem: Problem = PAIRS) -> Example:
    return TRAINING.encode(Image(worse), Image(clean), problem, SPEC)


def clean_batch(problem: Problem, *pictures: Image, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    examples = [TRAINING.encode(one, None, problem, SPEC) for one in pictures]
    batch = TRAINING.collate(examples, np.random.default_rng(seed), problem)
    assert batch.clean is not None
    return batch.images, batch.clean


@pytest.mark.parametrize("scale", [1, 2, 3])
def test_crops_of_a_pair_show_the_same_part(scale: int) -> None:
    """Each pixel of the worse picture has a color of its own, and the better one repeats it."""
    worse = np.random.default_rng(0).integers(0, 256, (40, 50, 3)).astype(np.uint8)
    clean = worse.repeat(scale, axis=0).repeat(scale, axis=1)
    problem = replace(PAIRS, scale=scale)
    batch = TRAINING.collate([pair(worse, clean, problem)] * 4, np.random.default_rng(1), problem)
    assert batch.clean is not None
    assert batch.images.shape == (4, 3, 16, 24)
    assert torch.equal(batch.clean[:, :, ::scale, ::scale], batch.images)
    assert batch.clean.shape == (4, 3, 16 * scale, 24 * scale)
    assert not torch.equal(batch.images[0], batch.images[1])


def test_what_is_smaller_than_a_crop_goes_on_as_its_mirror_image() -> None:
    worse = np.random.default_rng(0).integers(0, 256, (10, 30, 3)).astype(np.uint8)
    batch = TRAINING.collate([pair(worse, worse)], np.random.default_rng(0), PAIRS)
    assert batch.clean is not None
    assert torch.equal(batch.images, batch.clean)
    assert torch.equal(batch.images[:, :, 10:], batch.images[:, :, 4:10].flip(2))


def test_clean_crops_get_the_noise_that_was_asked_for() -> None:
    """-20 log10(0.1) = 20 dB: the PSNR of a network that changes nothing."""
    worse, clean = clean_batch(CLEAN, *[picture(120, 130, seed) for seed in range(8)])
    assert worse.shape == clean.shape == (8, 3, 16, 24)
    assert float((worse - clean).std()) == pytest.approx(0.1, rel=0.03)
    assert psnr(clean.numpy(), worse.numpy(), white=1.0) == pytest.approx(20.0, abs=0.2)


def test_clean_crops_are_made_smaller_where_they_lie() -> None:
    """A worse pixel stands for 2x2 clean ones: of a smooth picture, their mean."""
    worse, clean = clean_batch(LARGER, *[picture(140, 150, seed) for seed in range(3)])
    assert clean.shape == (3, 3, 32, 48)
    means = torch.nn.functional.avg_pool2d(clean, 2)
    assert float((worse - means).abs().mean()) < 0.02
    assert float((worse.roll(1, dims=3) - means)[..., 1:].abs().mean()) > 0.04  # a pixel aside


def test_a_clean_picture_smaller_than_the_crop_can_be_learned_from() -> None:
    worse, clean = clean_batch(CLEAN, picture(9, 7))
    assert worse.shape == clean.shape == (1, 3, 16, 24)
    assert float((worse - clean).std()) == pytest.approx(0.1, rel=0.1)


def test_clean_pictures_are_shown_at_several_scales() -> None:
    """Stripes two pixels wide: where they are made smaller, they blur."""
    stripes = Image(np.tile(np.array([0, 0, 255, 255], np.uint8), (200, 60))[:, :, None].repeat(3, axis=2))
    batches = [clean_batch(CLEAN, stripes, seed=seed)[1] for seed in range(16)]
    assert {bool(((one > 0.1) & (one < 0.9)).any()) for one in batches} == {True, False}


def test_one_generator_gives_one_batch() -> None:
    first, again, other = (clean_batch(CLEAN, picture(80, 90), seed=seed)[0] for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_sixteen_bits_are_kept() -> None:
    made = TRAINING.encode(picture(30, 40, dtype=np.uint16), None, CLEAN, SPEC)
    assert made.pixels.dtype == np.uint16
    images = TRAINING.collate([made], np.random.default_rng(0), replace(CLEAN, degradation=Degradation(rounded=0.0)))
    assert float((images.images * 255).frac().abs().max()) > 0.01  # finer than 8 bits


def test_a_white_of_its_own_becomes_one() -> None:
    pixels = np.full((4, 4, 3), 4095, np.uint16)
    made = TRAINING.encode(Image(pixels, white=4095.0), None, CLEAN, SPEC)
    assert (made.pixels.dtype, made.pixels.max()) == (np.float32, 1.0)


@pytest.mark.parametrize(("channels", "axes"), [("rgb", 3), ("gray", 1)])
def test_gray_pictures_get_the_channels_of_the_contract(channels: str, axes: int) -> None:
    spec = InputSpec(channels=channels, color="as-is", depth="keep")  # type: ignore[arg-type]
    made = TRAINING.encode(Image(np.full((4, 4, 1), 7, np.uint8), GRAY), None, CLEAN, spec)
    assert made.pixels.shape == (4, 4, axes)


def test_a_pair_that_does_not_fit_is_refused_with_both_sizes() -> None:
    with pytest.raises(ShapeError, match=r"20 rows and 30 columns, and its better picture 40 and 61; expected 2 times"):
        pair(picture(20, 30).pixels, picture(40, 61).pixels, replace(PAIRS, scale=2))  # type: ignore[arg-type]


@pytest.mark.parametrize("target", [None, Classes((0,))], ids=["nothing", "classes"])
def test_a_pair_without_its_better_half_is_refused(target: Classes | None) -> None:
    with pytest.raises(DataError, match="expected a better picture of the same, got"):
        TRAINING.encode(picture(20, 30), target, PAIRS, SPEC)


def test_the_loss_is_charbonniers() -> None:
    """√(0.3² + 0.001²) where all differ by 0.3."""
    batch = Batch(torch.zeros(1, 3, 4, 4), clean=torch.full((1, 3, 4, 4), 0.3))
    (value,) = TRAINING.loss({"restored": torch.zeros(1, 3, 4, 4)}, batch, PAIRS, LossOptions()).values()
    assert float(value) == pytest.approx(math.hypot(0.3, 0.001), rel=1e-6)


def test_what_a_network_makes_of_the_padding_counts_for_nothing() -> None:
    restored = torch.full((1, 3, 8, 8), 9.0)
    restored[:, :, :5, :6] = 0.0
    batch = Batch(torch.zeros(1, 3, 5, 6), clean=torch.full((1, 3, 5, 6), 0.5))
    (value,) = TRAINING.loss({"restored": restored}, batch, PAIRS, LossOptions("mse")).values()
    assert float(value) == pytest.approx(0.25)


def test_a_loss_of_classes_is_refused() -> None:
    with pytest.raises(UnknownName, match="dice"):
        batch = Batch(torch.zeros(1, 3, 4, 4), clean=torch.zeros(1, 3, 4, 4))
        TRAINING.loss({"restored": torch.zeros(1, 3, 4, 4)}, batch, PAIRS, LossOptions("dice"))


def trial(image: Image, problem: Problem, number: int) -> tuple[Image, Image]:
    assert TRAINING.trial is not None
    worse, clean = TRAINING.trial(image, None, problem, number)
    assert isinstance(clean, Image)
    return worse, clean


def test_validation_sees_the_same_noise_each_time() -> None:
    first, again, other = (trial(picture(40, 50), CLEAN, number)[0].pixels for number in (5, 5, 6))
    assert (first == again).all()
    assert (first != other).any()


def test_validation_leaves_no_picture_as_it_is() -> None:
    problem = replace(CLEAN, degradation=Degradation(gaussian=0.01, gaussian_sigma=(0.1, 0.1)))
    for number in range(20):
        worse, clean = trial(picture(40, 50), problem, number)
        assert psnr(clean.pixels / 255, worse.pixels / 255, white=1.0) == pytest.approx(20, abs=0.7)  # clipping helps


def test_validation_cuts_to_whole_pixels_of_the_small_picture() -> None:
    worse, clean = trial(picture(41, 51), LARGER, 0)
    assert (worse.size_hw, clean.size_hw) == ((20, 25), (40, 50))


def test_validation_of_pairs_changes_nothing() -> None:
    assert TRAINING.trial is not None
    worse, clean = picture(10, 10), picture(10, 10, 1)
    assert TRAINING.trial(worse, clean, PAIRS, 3) == (worse, clean)


def test_pictures_come_as_they_are() -> None:
    dataset = Dataset(Path("data"), "clean", "clean", (), ())
    spec = TRAINING.input(dataset, [(10, 20), (300, 400)], 1)
    assert (spec.channels, spec.color, spec.depth, spec.alpha, spec.resize) == ("gray", "as-is", "keep", "keep", None)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["denoise", "enlarge"])
def test_restoration_is_learned(name: str) -> None:
    """By 2.5 dB less noise, and 3 dB nearer than repeated pixels, on pictures that were not learned from."""
    torch.set_num_threads(1)
    strong = replace(CLEAN, degradation=replace(NOISE, gaussian_sigma=(0.2, 0.2)))
    problem = replace(strong if name == "denoise" else LARGER, size_hw=(32, 32))
    config = resunet.Config((8, 12, 16)) if name == "denoise" else span.Config(channels=8, blocks=3)
    net = resunet.build(config) if isinstance(config, resunet.Config) else span.build(config)
    examples = [TRAINING.encode(picture(96, 96, seed), None, problem, SPEC) for seed in range(16)]
    optimizer = torch.optim.AdamW(net.parameters())
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=150)
    random = np.random.default_rng(0)
    for _ in range(150):
        batch = TRAINING.collate(examples[:8], random, problem)
        optimizer.zero_grad()
        sum(TRAINING.loss({"restored": net(batch.images)}, batch, problem, LossOptions()).values()).backward()  # type: ignore[union-attr]
        optimizer.step()
        rate.step()
    batch = TRAINING.collate(examples[8:], random, problem)
    assert batch.clean is not None
    with torch.no_grad():
        restored = net(batch.images).numpy()
    before = batch.images.repeat_interleave(problem.scale, 2).repeat_interleave(problem.scale, 3).numpy()
    gained = psnr(batch.clean.numpy(), restored, white=1.0) - psnr(batch.clean.numpy(), before, white=1.0)
    assert gained > (2.5 if name == "denoise" else 3)
