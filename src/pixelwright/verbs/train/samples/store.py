"""Samples in memory: each decoded once, by several threads; what does not fit is decoded whenever it is asked for."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import numpy as np

from pixelwright.contract import Example
from pixelwright.data.dataset import Sample, without_path
from pixelwright.errors import PixelwrightError, TrainingError

log = logging.getLogger(__name__)

Encode = Callable[[Sample], Example]
Lost = tuple[str, str]  # the id of a sample, and why it cannot be used

MEMORY_SHARE = 0.4  # of what is free: the network and the rest of the machine want some too
_AT_ONCE = 8  # samples for each thread: what may lie beyond the budget
_HANDED_OVER_S = 5e-4
_LISTED = 5  # faults that one message names


class Store:
    """Examples by the position of their samples.

    For a sample that cannot be used the next one stands in, whether that shows here or only when it is asked for: what
    is at a place must not depend on how much memory there is.

    Attributes:
        beyond: How many are decoded whenever they are asked for, because they do not fit into the budget.
        lost: Why samples cannot be used, by their places, as far as they were decoded.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        encode: Encode,
        *,
        budget_bytes: int,
        threads: int,
        note: Callable[[Sequence[Lost]], None] = lambda _: None,
    ) -> None:
        """Decode as many samples as the budget allows.

        Args:
            samples: What there is.
            encode: Makes an example of a sample.
            budget_bytes: What examples may take.
            threads: To decode in.
            note: Called with what cannot be used, once with all that shows here and then one by one.

        Raises:
            TrainingError: None of the samples can be used.
        """
        self._samples, self._encode, self._note = samples, encode, note
        self._pool = ThreadPoolExecutor(max(threads, 1), thread_name_prefix="decode")
        self._examples: list[Example | None] = [None] * len(samples)
        self.lost: dict[int, str] = {}
        left, places = budget_bytes, iter(range(len(samples)))
        several, begun = map, time.perf_counter()
        while left >= 0 and (chunk := list(islice(places, _AT_ONCE * max(threads, 1)))):
            for place, example in zip(chunk, several(self._attempt, chunk), strict=True):
                if isinstance(example, PixelwrightError):
                    self.lost[place] = str(example)
                    continue
                left -= _bytes(example)
                self._examples[place] = example if left >= 0 else None
            # What comes from an array takes less time than handing it to a thread.
            slow = time.perf_counter() - begun > _HANDED_OVER_S * (chunk[-1] + 1)
            several = self._pool.map if slow else map
        self.beyond = self._examples.count(None) - len(self.lost)
        lost = [(samples[place].id, why) for place, why in self.lost.items()]
        if len(lost) == len(samples):
            raise TrainingError(f"none of the {len(samples)} samples can be used. {lost_text(lost)}")
        if lost:
            log.warning("%d of %d samples cannot be used: %s", len(lost), len(samples), lost_text(lost))
            note(lost)

    def __len__(self) -> int:
        return len(self._samples)

    def get(self, places: Iterable[int]) -> list[Example]:
        """The examples at these places, in this order."""
        wanted = list(places)
        absent = [place for place in wanted if self._examples[place] is None]
        made = dict(zip(absent, self._pool.map(self._read, absent), strict=True))
        return [made.get(place) or self._examples[place] for place in wanted]  # type: ignore[misc]

    def _read(self, place: int) -> Example:
        for following in range(len(self)):
            other = (place + following) % len(self)
            if other in self.lost:
                continue
            example = self._examples[other] or self._attempt(other)
            if isinstance(example, Example):
                return example
            self.lost[other] = str(example)
            lost = [(self._samples[other].id, str(example))]
            log.warning("%s The next one takes its place.", lost_text(lost))
            self._note(lost)
        raise TrainingError("none of the samples can be used any more.")

    def _attempt(self, place: int) -> Example | PixelwrightError:
        try:
            return self._encode(self._samples[place])
        except PixelwrightError as err:  # what is wrong with a picture or its truth costs it alone
            return err


def lost_text(lost: Sequence[Lost]) -> str:
    """The first of them in a sentence each."""
    listed = [f"{name}: {without_path(what, name)}" for name, what in lost[:_LISTED]]
    more = f" ... and {len(lost) - _LISTED} more." if len(lost) > _LISTED else ""
    return " ".join(listed) + more


def _bytes(example: Example) -> int:
    return example.pixels.nbytes + sum(np.asarray(value).nbytes for value in example.target.values())
