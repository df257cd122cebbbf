"""Ordered, bounded, work-conserving: many items through two steps on a few threads.

The first step prepares one item (decoding), the second takes a batch of prepared items (a network). Both run on the
same threads, so no core waits while either kind of work is there. Results come out in the order of the items. At most
two batches for each thread are under way or waiting to be collected, however long the source is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Hashable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from threading import Condition
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")
Ready = TypeVar("Ready")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Done(Generic[Item, Result]):
    """What became of an item: a result, or the error that stopped it and it alone."""

    item: Item
    result: Result | None = None
    error: Exception | None = None


def flow(
    items: Iterable[Item],
    prepare: Callable[[Item], Ready],
    predict: Callable[[Sequence[Ready]], Sequence[Result]],
    *,
    key: Callable[[Ready], Hashable],
    workers: int,
    batch_size: int = 1,
    on_stop: Callable[[], object] = lambda: None,
) -> Generator[Done[Item, Result]]:
    """The items' results in order.

    Args:
        items: Any iterable, read lazily.
        prepare: One item to what `predict` takes; runs on several threads.
        predict: A batch, all of one key, to as many results; runs on several threads.
        key: What prepared items must have in common to share a batch (their shape).
        workers: Threads.
        batch_size: Items in a batch at the most; a smaller one is run rather than leave a thread idle.
        on_stop: Called once nothing more is wanted and before threads are waited for, so that a long step can give up.

    An `Exception` of either step ends only its own item (a failing batch is tried again one by one). Closing the
    generator drops what has not begun and waits for what has.
    """
    ahead = 2 * workers * batch_size  # a batch under way and one to follow, for each thread
    source = iter(items)
    slots: deque[_Slot] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="pixelwright")
    try:
        while True:
            for item in islice(source, ahead - len(slots)):
                slots.append(_Slot(item, pool.submit(_attempt, prepare, item)))
            if not slots:
                return
            _collect(slots)
            for batch in _batches(slots, key, batch_size, idle_threads=workers - _busy(slots)):
                running = pool.submit(_attempt_all, predict, [slot.ready for slot in batch])
                for place, slot in enumerate(batch):
                    slot.stage, slot.place, slot.ready = running, place, None
            if slots[0].outcome is None:
                # Also those that finished since they were looked at: waiting only for the rest would sleep on work.
                wait({slot.stage for slot in slots if slot.stage is not None}, return_when=FIRST_COMPLETED)
            while slots and slots[0].outcome is not None:
                yield slots.popleft().outcome
    finally:
        on_stop()
        pool.shutdown(wait=True, cancel_futures=True)


class Budget:
    """Lets work pass while the total of what it holds stays within a limit; what alone exceeds it passes alone."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = 0
        self._changed = Condition()

    @contextmanager
    def hold(self, amount: int) -> Generator[None]:
        """Wait until the amount fits, and hold it for the block."""
        with self._changed:
            self._changed.wait_for(lambda: not self._held or self._held + amount <= self._limit)
            self._held += amount
        try:
            yield
        finally:
            with self._changed:
                self._held -= amount
                self._changed.notify_all()


@dataclass(eq=False, slots=True)
class _Slot:
    """An item on its way: preparing (place -1), ready (no stage), in a batch (place in it), or with its outcome."""

    item: Any
    stage: Future[Any] | None
    place: int = -1
    ready: Any = None
    outcome: Any = field(default=None)


def _attempt(step: Callable[[Any], Any], argument: Any) -> Any:
    try:
        return step(argument)
    except Exception as error:
        return _Failed(error)


def _attempt_all(predict: Callable[[Sequence[Any]], Sequence[Any]], batch: list[Any]) -> list[Any]:
    results = _attempt(predict, batch)
    if not isinstance(results, _Failed):
        return list(results)
    if len(batch) == 1:
        return [results]
    return [_attempt_all(predict, [one])[0] for one in batch]


@dataclass(frozen=True, slots=True)
class _Failed:
    error: Exception


def _busy(slots: deque[_Slot]) -> int:
    return len({slot.stage for slot in slots if slot.stage is not None})


def _collect(slots: deque[_Slot]) -> None:
    for slot in slots:
        if slot.stage is None or not slot.stage.done():
            continue
        answer = slot.stage.result()
        if slot.place >= 0:
            answer = answer[slot.place]
        if isinstance(answer, _Failed):
            slot.outcome = Done(slot.item, error=answer.error)
        elif slot.place >= 0:
            slot.outcome = Done(slot.item, answer)
        else:
            slot.ready = answer
        slot.stage = None


def _batches(
    slots: deque[_Slot], key: Callable[[Any], Hashable], batch_size: int, *, idle_threads: int
) -> Iterator[list[_Slot]]:
    groups: dict[Hashable, list[_Slot]] = {}
    for slot in slots:
        if slot.stage is None and slot.outcome is None:
            groups.setdefault(key(slot.ready), []).append(slot)
    for group in groups.values():
        for start in range(0, len(group), batch_size):
            batch = group[start : start + batch_size]
            if len(batch) == batch_size or idle_threads > 0:
                idle_threads -= 1
                yield batch
