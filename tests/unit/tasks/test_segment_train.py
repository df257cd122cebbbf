"""What segmentation learns from: crops of pictures and maps that stay together, and a loss that leaves void out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch.nn import functional

from pixelwright.contract import Example, LossOptions
from pixelwright.data.dataset import Dataset
from pixelwright.errors import DataError, ShapeError, UnknownName
from pixelwright.models import unet
from pixelwright.models.architecture import Problem
from pixelwright.models.batch import VOID, Batch
from pixelwright.structures.image import GRAY, Image
from pixelwright.structures.label_map import LabelMap
from pixelwright.structures.spec import InputSpec, Resize
from pixelwright.structures.targets import Classes
from pixelwright.tasks.segment.train import TRAINING, shares

LABELS = ("ground", "disk", "square")
PROBLEM = Problem("segment", LABELS, 3, (32, 32), fixed=False, void_id=3)
NOTHING = Dataset(Path("data"), "masks", "map", LABELS, ())


@pytest.fixture(autouse=True)
def seeded() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def coded(ids: npt.NDArray[np.uint8]) -> Image:
    """A picture whose color says its class: 60 times the id."""
    return Image(np.repeat(ids[:, :, None] * np.uint8(60), 3, axis=2))


def example(ids: Sequence[Sequence[int]] | npt.NDArray[np.uint8], problem: Problem = PROBLEM) -> Example:
    array = np.asarray(ids, np.uint8)
    return TRAINING.encode(coded(array), LabelMap(array, LABELS, 3), problem, InputSpec())


def loss_of(logits: torch.Tensor, ids: Sequence[Sequence[int]], name: str = "", **options: object) -> float:
    batch = Batch(torch.zeros(1, 3, 2, 2), maps=torch.tensor([ids]))
    (value,) = TRAINING.loss({"logits": logits}, batch, PROBLEM, LossOptions(name, **options)).values()  # type: ignore[arg-type]
    return float(value)


def test_void_pixels_count_for_nothing() -> None:
    """Two pixels are known: p = softmax(2, 0, 0) = e² / (e² + 2) right, and (0, 0, 0), a third."""
    logits = torch.zeros(1, 3, 2, 2)
    logits[0, 0, 0, 0] = 2.0
    logits[0, 1, 1, 0] = 50.0  # wrong, and void
    right = math.e**2 / (math.e**2 + 2)
    assert loss_of(logits, [[0, 2], [VOID, VOID]]) == pytest.approx(-(math.log(right) + math.log(1 / 3)) / 2, rel=1e-6)


def test_class_weights_weigh_the_mean() -> None:
    """Weights 1 and 4 of a certain hit and of a third: (0 + 4 log 3) / 5."""
    logits = torch.zeros(1, 3, 1, 2)
    logits[0, 0, 0, 0] = 200.0
    assert loss_of(logits, [[0, 2]], class_weights=(1.0, 2.0, 4.0)) == pytest.approx(4 * math.log(3) / 5, rel=1e-6)


@pytest.mark.parametrize("name", ["cross-entropy", "dice", "focal"])
def test_a_batch_of_void_alone_teaches_nothing(name: str) -> None:
    logits = torch.randn(1, 3, 4, 4, requires_grad=True)
    batch = Batch(torch.zeros(1, 3, 8, 8), maps=torch.full((1, 8, 8), VOID))
    (value,) = TRAINING.loss({"logits": logits}, batch, PROBLEM, LossOptions(name)).values()
    value.backward()
    assert logits.grad is not None
    assert (float(value.detach()), float(logits.grad.abs().max())) == (0.0, 0.0)


def test_coarse_logits_are_held_against_every_pixel() -> None:
    logits = torch.randn(2, 3, 4, 6)
    maps = torch.randint(0, 3, (2, 16, 24))
    maps[0, :5, :7] = VOID
    batch = Batch(torch.zeros(2, 3, 16, 24), maps=maps)
    weights = (1.0, 3.0, 0.5)
    (value,) = TRAINING.loss({"logits": logits}, batch, PROBLEM, LossOptions(class_weights=weights)).values()
    repeated = logits.repeat_interleave(4, dim=2).repeat_interleave(4, dim=3)
    expected = functional.cross_entropy(repeated, maps, torch.tensor(weights), ignore_index=VOID)
    assert float(value) == pytest.approx(float(expected), rel=1e-5)


def test_logits_of_a_padded_picture_reach_beyond_its_map() -> None:
    """A picture of 10x13 that was padded to 16x16 has logits of 8x8, and what they say of the padding is nothing."""
    logits, maps = torch.randn(1, 3, 8, 8), torch.randint(0, 3, (1, 10, 13))
    batch = Batch(torch.zeros(1, 3, 10, 13), maps=maps)
    (value,) = TRAINING.loss({"logits": logits}, batch, PROBLEM, LossOptions()).values()
    repeated = logits.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)[:, :, :10, :13]
    assert float(value) == pytest.approx(float(functional.cross_entropy(repeated, maps)), rel=1e-5)


def test_shares_of_a_cell_are_counted() -> None:
    maps = torch.tensor([[[0, 0, 2, VOID], [0, 1, VOID, VOID]]])
    assert shares(maps, 2, 3)[0, :, 0].T.tolist() == [[0.75, 0.25, 0.0], [0.0, 0.0, 0.25]]


def test_an_unknown_loss_is_named() -> None:
    with pytest.raises(UnknownName, match="crossentropy"):
        loss_of(torch.zeros(1, 3, 2, 2), [[0, 0], [0, 0]], "crossentropy")


def test_crops_cut_pictures_and_maps_alike() -> None:
    """Rectangles whose color says their class: away from edges, which are blended, both must agree in every crop."""
    ids = np.zeros((50, 70), np.uint8)
    ids[10:40, 20:60] = 1
    ids[25:45, 5:30] = 2
    one = example(ids)
    for seed in range(20):
        batch = TRAINING.collate([one] * 3, np.random.default_rng(seed), PROBLEM)
        assert batch.maps is not None
        known = batch.maps != VOID
        agrees = (batch.images[:, 0] * 255 / 60).round() == batch.maps
        assert batch.images.shape == (3, 3, 32, 32)
        assert float(agrees[known].float().mean()) > 0.9


def test_crops_of_the_whole_picture_in_its_own_size_are_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pixelwright.tasks.segment.train.SCALES", (1.0, 1.0))
    ids = np.random.default_rng(0).integers(0, 4, (32, 32)).astype(np.uint8)
    batch = TRAINING.collate([example(ids)], np.random.default_rng(0), PROBLEM)
    assert batch.maps is not None
    assert torch.equal(batch.maps[0], torch.from_numpy(np.where(ids == 3, VOID, ids.astype(np.int64))))
    assert torch.equal((batch.images[0] * 255).round(), torch.from_numpy(ids * 60.0).float().expand(3, 32, 32))


def test_beyond_a_small_picture_nothing_is_known() -> None:
    batch = TRAINING.collate([example([[1, 1, 1], [1, 1, 1]])], np.random.default_rng(0), PROBLEM)
    assert batch.maps is not None
    assert batch.images.unique().tolist() == pytest.approx([60 / 255])  # its edge goes on
    assert sorted(batch.maps.unique().tolist()) == [VOID, 1]


def test_one_generator_gives_one_batch() -> None:
    one = example(np.random.default_rng(1).integers(0, 3, (64, 64)).astype(np.uint8))
    first, again = (TRAINING.collate([one, one], np.random.default_rng(5), PROBLEM) for _ in range(2))
    assert torch.equal(first.images, again.images)
    assert not torch.equal(first.images[0], first.images[1])


def test_a_map_of_another_size_is_refused_with_both_sizes() -> None:
    picture = Image(np.zeros((4, 6, 3), np.uint8))
    with pytest.raises(ShapeError, match=r"4 rows and 6 columns, its label map 4 and 5\b"):
        TRAINING.encode(picture, LabelMap(np.zeros((4, 5), np.uint8), LABELS), PROBLEM, InputSpec())


def test_another_truth_than_a_map_is_refused() -> None:
    with pytest.raises(DataError, match="expected a label map, got Classes"):
        TRAINING.encode(Image(np.zeros((4, 6, 3), np.uint8)), Classes((0,)), PROBLEM, InputSpec())


def test_a_class_without_a_label_is_refused() -> None:
    many = LabelMap(np.array([[0, 4]], np.uint8), (*LABELS, "more", "and more"))
    with pytest.raises(DataError, match="class 4, and there are 3 labels"):
        TRAINING.encode(Image(np.zeros((1, 2, 3), np.uint8)), many, PROBLEM, InputSpec())


def test_void_of_any_number_is_void() -> None:
    ids = np.array([[0, 255, 2]], np.uint8)
    made = TRAINING.encode(Image(np.zeros((1, 3, 3), np.uint8)), LabelMap(ids, LABELS, 255), PROBLEM, InputSpec())
    assert made.target["map"].tolist() == [[0, VOID, 2]]


def test_a_picture_of_void_alone_is_no_fault() -> None:
    made = example([[3, 3], [3, 3]])
    assert TRAINING.amounts is not None
    assert TRAINING.amounts(made, PROBLEM).tolist() == [0, 0, 0]


def test_amounts_are_shares_of_the_picture() -> None:
    assert TRAINING.amounts is not None
    assert TRAINING.amounts(example([[0, 0, 1, 3]]), PROBLEM).tolist() == [0.5, 0.25, 0.0]


def test_maps_follow_a_picture_that_the_contract_makes_smaller() -> None:
    """Each pixel of the half-size picture has the class of the lower right of the four around its center."""
    ids = np.arange(16, dtype=np.uint8).reshape(4, 4) % 3
    spec = InputSpec(resize=Resize(rule="shorter", size_hw=(2, 2)))
    made = TRAINING.encode(coded(ids), LabelMap(ids, LABELS), PROBLEM, spec)
    assert made.pixels.shape == (2, 2, 3)
    assert made.target["map"].tolist() == ids[1::2, 1::2].tolist()


@pytest.mark.parametrize(
    ("pixels", "channels"),
    [(np.full((4, 4, 1), 65535, np.uint16), "rgb"), (np.full((4, 4, 3), 255, np.uint8), "gray")],
    ids=["16 bit gray for color", "color for gray"],
)
def test_depths_and_channels_become_those_of_the_contract(pixels: npt.NDArray[np.uint8], channels: str) -> None:
    picture = Image(pixels, GRAY) if pixels.shape[2] == 1 else Image(pixels)
    spec = InputSpec(channels=channels)  # type: ignore[arg-type]
    made = TRAINING.encode(picture, LabelMap(np.zeros((4, 4), np.uint8), LABELS), PROBLEM, spec)
    assert made.pixels.dtype == np.uint8
    assert made.pixels.shape == (4, 4, 3 if channels == "rgb" else 1)
    assert made.pixels.min() == 255


def test_pictures_of_one_camera_keep_their_size() -> None:
    assert TRAINING.input(NOTHING, [(360, 480), (360, 480)], 3) == InputSpec()


def test_pictures_of_all_sizes_get_one() -> None:
    spec = TRAINING.input(NOTHING, [(300, 400), (480, 320), (1000, 800)], 1)
    assert spec.channels == "gray"
    assert spec.resize == Resize(rule="shorter", size_hw=(320, 320))


def test_nothing_can_be_proposed_without_pictures() -> None:
    with pytest.raises(DataError, match="expected pictures"):
        TRAINING.input(NOTHING, [], 3)


def shapes(random: np.random.Generator) -> Example:
    """A disk and a square of random places, sizes and light on noise."""
    ids = np.zeros((48, 48), np.uint8)
    rows, columns = np.mgrid[:48, :48]
    y, x, radius = *random.uniform(10, 38, 2), random.uniform(5, 10)
    ids[np.hypot(rows - y, columns - x) < radius] = 1
    top, left, side = (int(drawn) for drawn in random.integers((2, 2, 8), (30, 30, 16)))
    ids[top : top + side, left : left + side] = 2
    light = random.uniform(40, 60) + 70.0 * ids
    pixels = np.clip(light[:, :, None] + random.normal(0, 12, (48, 48, 3)), 0, 255).astype(np.uint8)
    return TRAINING.encode(Image(pixels), LabelMap(ids, LABELS), PROBLEM, InputSpec())


@pytest.mark.slow
def test_generated_shapes_are_learned() -> None:
    """Mean IoU above 0.9 on shapes that were not learned from."""
    torch.set_num_threads(1)
    random = np.random.default_rng(0)
    learned, kept = [shapes(random) for _ in range(64)], [shapes(random) for _ in range(32)]
    net = unet.build(unet.fit(unet.Config(channels=(12, 16, 24)), PROBLEM))
    optimizer = torch.optim.AdamW(net.parameters())
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=200)
    for _ in range(200):
        batch = TRAINING.collate([learned[i] for i in random.integers(64, size=8)], random, PROBLEM)
        optimizer.zero_grad()
        sum(TRAINING.loss({"logits": net(batch.images)}, batch, PROBLEM, LossOptions()).values()).backward()  # type: ignore[union-attr]
        optimizer.step()
        rate.step()
    assert mean_iou(net.eval(), kept) > 0.9


@torch.no_grad()
def mean_iou(net: torch.nn.Module, examples: Sequence[Example]) -> float:
    images = torch.from_numpy(np.stack([one.pixels for one in examples])).permute(0, 3, 1, 2) / 255
    found = net(images).argmax(dim=1).numpy()
    truth = np.stack([one.target["map"] for one in examples])
    pairs = [((found == one) & (truth == one), (found == one) | (truth == one)) for one in range(len(LABELS))]
    return float(np.mean([both.sum() / either.sum() for both, either in pairs]))


def test_the_problem_may_have_more_labels_than_are_there() -> None:
    problem = replace(PROBLEM, labels=(*LABELS, "unicorn"))
    assert TRAINING.amounts is not None
    assert TRAINING.amounts(example([[0, 1]], problem), problem).tolist() == [0.5, 0.5, 0, 0]
