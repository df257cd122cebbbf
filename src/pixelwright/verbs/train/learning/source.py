"""Source: batches for one device, from samples to tensors that are varied and on the device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from pixelwright.contract import Example, Training
from pixelwright.data.augment.apply import augment
from pixelwright.data.augment.policy import Policy
from pixelwright.data.dataset import Sample
from pixelwright.models.architecture import Problem
from pixelwright.models.batch import Batch
from pixelwright.ops.batch import decode_hw
from pixelwright.verbs.train.learning.feed import Order, ahead, generator_of, moved
from pixelwright.verbs.train.planning.plan import Plan
from pixelwright.verbs.train.samples.store import Store


@dataclass(frozen=True, slots=True)
class Source:
    """Batches by the number of their step.

    Attributes:
        store: Examples.
        order: Which of them are in a step.
        training: How they become a batch.
        problem: What is learned.
        policy: How they are varied.
        device: Where batches go.
        rank: Which of the devices this is.
        world: How many there are.
    """

    store: Store
    order: Order
    training: Training
    problem: Problem
    policy: Policy
    device: torch.device
    rank: int = 0
    world: int = 1

    @contextmanager
    def ahead(self, first: int) -> Iterator[Callable[[int], Batch]]:
        """A function to ask for one batch after the other. The next is made in the meantime, up to the device."""
        on_cpu = self.device.type == "cpu"
        with ahead(self.made, first, gives_way=on_cpu) as take:
            yield take if on_cpu else lambda step: self._sent(take(step), step)

    def made(self, step: int) -> Batch:
        """A batch on the CPU; a GPU varies it itself."""
        random = generator_of(self.order.seed, step, self.rank)
        examples = self.store.get(self.order.batch(step)[self.rank :: self.world])
        batch = self.training.collate(examples, random, self.problem)
        return self._varied(batch, step) if self.device.type == "cpu" else batch

    def _sent(self, batch: Batch, step: int) -> Batch:
        return self._varied(moved(batch, self.device), step)

    def _varied(self, batch: Batch, step: int) -> Batch:
        if self.policy == Policy():
            return batch
        seed = int(generator_of(self.order.seed, step, self.rank).integers(2**62))
        return augment(batch, self.policy, torch.Generator(self.device).manual_seed(seed))


def encode(plan: Plan, sample: Sample) -> Example:
    """A sample as it is kept for training.

    Raises:
        ImageError: Its picture cannot be read.
        DataError: Its truth cannot, or does not fit the problem.
        ShapeError: Its picture does not fit the contract.
    """
    with sample.picture.open() as raster:
        image = raster.read(at_least_hw=decode_hw(raster.size_hw, plan.spec.input))
    return plan.training().encode(image, sample.truth(), plan.problem, plan.spec.input)
