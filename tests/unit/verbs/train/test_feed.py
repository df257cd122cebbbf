"""Batches: which samples are in them, in which parts they are taken, and what the network sees of them."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable

import numpy as np
import pytest
import torch

from pixelwright.models.batch import Batch
from pixelwright.ops import batch as inference
from pixelwright.structures.image import Image
from pixelwright.structures.spec import InputSpec
from pixelwright.verbs.train.learning.feed import FEED_NICE, Order, ahead, normalized, parts


def test_every_sample_is_seen_once_an_epoch_in_batches_of_one_size() -> None:
    order = Order(count=10, batch_size=4, seed=0)
    batches = [order.batch(step) for step in range(5)]
    assert [len(batch) for batch in batches] == [4] * 5
    seen = np.concatenate(batches)
    assert sorted(seen[:10]) == sorted(seen[10:]) == list(range(10))
    assert list(seen[:10]) != list(seen[10:])


def test_a_batch_may_be_larger_than_the_data() -> None:
    assert sorted(Order(count=3, batch_size=6, seed=1).batch(2)) == [0, 0, 1, 1, 2, 2]


def test_a_batch_depends_on_nothing_but_seed_and_step() -> None:
    order = Order(count=50, batch_size=8, seed=3)
    for step in (40, 2):
        np.testing.assert_array_equal(order.batch(step), Order(count=50, batch_size=8, seed=3).batch(step))


@pytest.mark.parametrize(("epochs", "steps"), [(1, 25), (0.5, 12), (0.001, 1), (5, 125)])
def test_epochs_are_so_many_steps(epochs: float, steps: int) -> None:
    assert Order(count=100, batch_size=4, seed=0).steps(epochs) == steps


def test_samples_are_drawn_by_their_chances() -> None:
    order = Order(count=4, batch_size=4, seed=0, chances=np.array([0.0, 0.5, 0.5, 0.0]))
    drawn = np.concatenate([order.batch(step) for step in range(200)])
    assert set(drawn) == {1, 2}
    assert np.mean(drawn == 1) == pytest.approx(0.5, abs=0.05)


def test_an_epoch_is_drawn_once_for_all_its_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    order = Order(count=100, batch_size=10, seed=5, chances=np.full(100, 0.01))
    drawn: list[object] = []
    make = np.random.default_rng
    monkeypatch.setattr(np.random, "default_rng", lambda seed: drawn.append(seed) or make(seed))
    for step in range(10):
        order.batch(step)
    assert len(drawn) == 1


def test_the_next_batch_is_made_ahead_and_a_step_may_be_asked_for_again() -> None:
    made: list[int] = []

    def make(step: int) -> Batch:
        made.append(step)
        return Batch(torch.full((1, 1, 1, 1), float(step)))

    with ahead(make, 5, gives_way=False) as take:
        assert [float(take(step).images) for step in (5, 6, 6, 7)] == [5, 6, 6, 7]
    assert made[:2] == [5, 6]


def test_a_fault_in_making_a_batch_is_told_where_it_is_asked_for() -> None:
    def make(step: int) -> Batch:
        raise ValueError(f"step {step}")

    with ahead(make, 0, gives_way=True) as take, pytest.raises(ValueError, match="step 0"):
        take(0)


@pytest.mark.skipif(sys.platform != "linux", reason="priorities of threads are Linux's")
@pytest.mark.parametrize("gives_way", [True, False])
def test_who_works_ahead_gives_way_to_the_network_where_they_share_cores(gives_way: bool) -> None:
    def priority() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    def make(step: int) -> Batch:
        del step
        return Batch(torch.full((1, 1, 1, 1), float(priority())))

    before = priority()
    with ahead(make, 0, gives_way=gives_way) as take:
        assert float(take(0).images) == (min(before + FEED_NICE, 19) if gives_way else before)
    assert priority() == before


def test_parts_of_a_batch_have_all_of_it_in_order() -> None:
    batch = Batch(
        images=torch.arange(5.0).view(5, 1, 1, 1),
        classes=torch.eye(5),
        boxes_xyxy=[torch.full((1, 4), float(row)) for row in range(5)],
        ids=("a", "b", "c", "d", "e"),
    )
    found = parts(batch, 2)
    assert [len(part) for part in found] == [2, 2, 1]
    assert [name for part in found for name in part.ids] == ["a", "b", "c", "d", "e"]
    assert [float(boxes[0, 0]) for part in found for boxes in part.boxes_xyxy or ()] == [0, 1, 2, 3, 4]
    assert found[1].values is None


CONTRACTS: list[Callable[[], InputSpec]] = [
    lambda: InputSpec(),
    lambda: InputSpec(mean=[0.5, 0.4, 0.3], std=[0.2, 0.3, 0.4]),
    lambda: InputSpec(white=255.0, mean=[10.0], std=[2.0], channels="bgr"),
    lambda: InputSpec(multiple_of=4, mean=[0.1, 0.2, 0.3], layout="NHWC"),
]


@pytest.mark.parametrize("contract", CONTRACTS)
def test_the_network_sees_in_training_what_it_sees_later(contract: Callable[[], InputSpec]) -> None:
    spec = contract()
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    later = inference.prepare(Image(pixels), spec).tensor
    images = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
    np.testing.assert_allclose(normalized(images, spec)[0].numpy(), later, rtol=1e-5, atol=1e-5)
