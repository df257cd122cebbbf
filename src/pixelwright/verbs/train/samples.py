"""Samples in memory: each decoded once, by several threads; what does not fit is decoded whenever it is asked for."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np

from pixelwright.contract import Example
from pixelwright.data.dataset import Sample, without_path
from pixelwright.errors import PixelwrightError, TrainingError
from pixelwright.model import usable_cores
from pixelwright.verbs.train.config import TrainConfig

log = logging.getLogger(__name__)

Encode = Callable[[Sample], Example]

MEMORY_SHARE = 0.4  # of what is free: the network and the rest of the machine want some too
_AT_ONCE = 8  # samples for each thread: what may lie beyond the budget
_HANDED_OVER_S = 5e-4
_LISTED = 5  # faults that one message names


class Store:
    """Examples by the position of their samples.

    Attributes:
        held: How many are kept in memory; the others are decoded when they are asked for.
        lost: Samples that cannot be used, with the reason; they are left out of the order.
    """

    def __init__(self, samples: Sequence[Sample], encode: Encode, *, budget_bytes: int, threads: int) -> None:
        """Decode as many samples as the budget allows.

        Raises:
            TrainingError: None of the samples can be used.
        """
        self._encode = encode
        self._pool = ThreadPoolExecutor(max(threads, 1), thread_name_prefix="decode")
        self._samples: list[Sample] = []
        self._examples: list[Example | None] = []
        self.lost: list[tuple[str, str]] = []
        left, source = budget_bytes, iter(samples)
        several, begun = map, time.perf_counter()
        while chunk := list(islice(source, _AT_ONCE * max(threads, 1))):
            for sample, example in zip(chunk, several(self._attempt, chunk), strict=True):
                if isinstance(example, PixelwrightError):
                    self.lost.append((sample.id, str(example)))
                    continue
                left -= _bytes(example)
                self._samples.append(sample)
                self._examples.append(example if left >= 0 else None)
            if left < 0:
                break
            # What comes from an array takes less time than handing it to a thread.
            slow = time.perf_counter() - begun > _HANDED_OVER_S * len(self._samples)
            several = self._pool.map if slow else map
        for sample in source:
            self._samples.append(sample)
            self._examples.append(None)
        self.held = sum(example is not None for example in self._examples)
        if not self._samples:
            raise TrainingError(f"none of the {len(samples)} samples can be used. {lost_text(self.lost)}")

    def __len__(self) -> int:
        return len(self._samples)

    def get(self, places: Iterable[int]) -> list[Example]:
        """The examples at these places, in this order."""
        wanted = list(places)
        absent = [place for place in wanted if self._examples[place] is None]
        made = dict(zip(absent, self._pool.map(self._read, absent), strict=True))
        return [made.get(place) or self._examples[place] for place in wanted]  # type: ignore[misc]

    def _read(self, place: int) -> Example:
        """The example at a place; where it cannot be used that of the next one, which is the same in every run."""
        for following in range(len(self._samples)):
            other = (place + following) % len(self._samples)
            example = self._examples[other] or self._attempt(self._samples[other])
            if isinstance(example, Example):
                return example
            name = self._samples[other].id
            if name not in dict(self.lost):
                self.lost.append((name, str(example)))
                log.warning("%s The next one takes its place.", lost_text(self.lost[-1:]))
        raise TrainingError(f"none of the samples can be used any more. {lost_text(self.lost)}")

    def _attempt(self, sample: Sample) -> Example | PixelwrightError:
        try:
            return self._encode(sample)
        except PixelwrightError as err:  # what is wrong with a picture or its truth costs it alone
            return err


def lost_text(lost: Sequence[tuple[str, str]]) -> str:
    """The first of them in a sentence each."""
    listed = [f"{name}: {without_path(what, name)}" for name, what in lost[:_LISTED]]
    more = f" ... and {len(lost) - _LISTED} more." if len(lost) > _LISTED else ""
    return " ".join(listed) + more


def free_bytes() -> int:
    """Memory that can be had now: of the machine, and within the limit of a container; 4 GB where it is not said."""
    found = []
    try:
        fields = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
        found.append(int(fields["MemAvailable"].split()[0]) * 1024)
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        if limit != "max":
            found.append(int(limit) - int(Path("/sys/fs/cgroup/memory.current").read_text()))
    except (OSError, KeyError, ValueError):
        pass  # another system, or another kind of control groups
    return max(min(found, default=4_000_000_000), 0)


def threads_of(config: TrainConfig) -> int:
    """As many threads as were asked for, or else as this process has cores."""
    return config.machine.threads or usable_cores()


def _bytes(example: Example) -> int:
    return example.pixels.nbytes + sum(np.asarray(value).nbytes for value in example.target.values())
