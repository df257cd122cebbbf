"""Feed: which samples make which batch, and batches made while the network is at work.

Batch k is a pure function of the seed, k, and the number of devices. So nothing of it has to be kept in a checkpoint,
and a run that is continued sees what it would have seen.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pixelwright.models.batch import Batch
from pixelwright.structures.spec import InputSpec

ORDER, VARIATION = 0, 1  # streams of random numbers that must not be the same
FEED_NICE = 10


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """An endless stream of samples, cut into batches: epoch after epoch, without partial batches.

    Attributes:
        count: How many samples there are.
        batch_size: In one step, over all devices.
        seed: Of the shuffling.
        chances: (count,) how likely each is drawn; None for a permutation in each epoch.
    """

    count: int
    batch_size: int
    seed: int
    chances: npt.NDArray[np.float64] | None = None

    def batch(self, step: int) -> npt.NDArray[np.int64]:
        """Places of the samples in a step, counted from 0."""
        first = step * self.batch_size
        epochs = range(first // self.count, (first + self.batch_size - 1) // self.count + 1)
        start = first - epochs[0] * self.count
        streams = [_epoch(self, epoch) for epoch in epochs]
        stream = streams[0] if len(streams) == 1 else np.concatenate(streams)  # copies take time
        return stream[start : start + self.batch_size]

    def steps(self, epochs: float) -> int:
        """How many steps so many epochs are, at least one."""
        return max(round(epochs * self.count / self.batch_size), 1)


@lru_cache(maxsize=2)  # every batch of an epoch asks again, and 50,000 places take a millisecond to shuffle
def _epoch(order: Order, epoch: int) -> npt.NDArray[np.int64]:
    random = np.random.default_rng((order.seed, ORDER, epoch))
    if order.chances is None:
        return random.permutation(order.count)
    return random.choice(order.count, order.count, p=order.chances)


@contextmanager
def ahead(make: Callable[[int], Batch], first: int, *, gives_way: bool) -> Iterator[Callable[[int], Batch]]:
    """A function to ask for batches one after the other; the next is made by a thread in the meantime.

    Args:
        make: Makes the batch of a step.
        first: The step that will be asked for first.
        gives_way: Whether the network runs on the same cores. It waits for the slowest of its threads, so the one that
            works ahead must not hold up any of them, and takes the time that they leave. Two trainings at once on two
            cores were as fast with this as without.
    """
    pool = ThreadPoolExecutor(1, thread_name_prefix="feed", initializer=_give_way if gives_way else None)
    coming: tuple[int, Future[Batch]] = first, pool.submit(make, first)

    def take(step: int) -> Batch:
        nonlocal coming
        known, future = coming
        batch = future.result() if known == step else make(step)
        coming = step + 1, pool.submit(make, step + 1)
        return batch

    try:
        yield take
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _give_way() -> None:
    if sys.platform == "linux":  # elsewhere a priority is that of the whole process
        thread = threading.get_native_id()
        with suppress(OSError):  # a sandbox may refuse
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + FEED_NICE)


def generator_of(seed: int, step: int, rank: int) -> np.random.Generator:
    """The random numbers for what varies in one batch of one device."""
    return np.random.default_rng((seed, VARIATION, step, rank))


def normalized(images: Tensor, spec: InputSpec) -> Tensor:
    """Images (N, C, H, W), 0..1, as the network takes them by its input contract: what `ops.batch.tensor` does.

    Of sequences (N, T, F) only mean and standard deviation change.
    """
    if spec.is_sequence:
        return (images - (spec.mean or [0.0])[0]) / (spec.std or [1.0])[0]
    if spec.channels == "bgr":
        images = images.flip(1)
    bottom, right = (-images.shape[-2]) % spec.multiple_of, (-images.shape[-1]) % spec.multiple_of
    if bottom or right:
        images = torch.nn.functional.pad(images, (0, right, 0, bottom), mode="replicate")
    if spec.mean or spec.std or spec.white != 1:
        std = images.new_tensor(spec.std or [1.0]).view(-1, 1, 1)
        mean = images.new_tensor(spec.mean or [0.0]).view(-1, 1, 1)
        images = images * (spec.white / std) - mean / std
    return images.permute(0, 2, 3, 1) if spec.layout == "NHWC" else images


def moved(batch: Batch, device: torch.device) -> Batch:
    """The batch on a device."""
    return _mapped(batch, lambda value: value.to(device, non_blocking=True))


def parts(batch: Batch, size: int) -> list[Batch]:
    """The batch in parts of so many pictures at the most."""
    if len(batch) <= size:
        return [batch]
    return [_slice(batch, slice(start, start + size)) for start in range(0, len(batch), size)]


def _slice(batch: Batch, rows: slice) -> Batch:
    columns: dict[str, Any] = {field.name: getattr(batch, field.name) for field in fields(batch)}
    return replace(batch, **{name: column[rows] for name, column in columns.items() if column is not None})


def _mapped(batch: Batch, change: Callable[[Tensor], Tensor]) -> Batch:
    columns: dict[str, Any] = {field.name: getattr(batch, field.name) for field in fields(batch)}
    for name, column in columns.items():
        if isinstance(column, Tensor):
            columns[name] = change(column)
        elif isinstance(column, list):
            columns[name] = [change(value) for value in column]
    return Batch(**columns)
