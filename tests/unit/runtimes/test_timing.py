"""Times of graphs: medians of runs that take turns, after some that do not count."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from pixelwright.runtimes.timing import FEWEST, MOST, WARM_UP, run_times


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Timed:
    """A graph whose runs take given times, then always the last of them."""

    clock: Clock
    times: Iterator[float]
    log: list[str]
    name: str
    inputs: tuple = ()
    outputs: tuple = ()
    last: float = field(default=0.0)

    def run(self, feeds: dict) -> dict:
        del feeds
        self.log.append(self.name)
        self.last = next(self.times, self.last)
        self.clock.now += self.last
        return {}


def timed(*series: list[float]) -> tuple[Clock, dict[str, Timed], list[str]]:
    clock, log = Clock(), []
    names = "abc"[: len(series)]
    return clock, {name: Timed(clock, iter(one), log, name) for name, one in zip(names, series, strict=True)}, log


FEEDS = [{"in": np.zeros(1, np.float32)}]


def test_the_first_runs_and_single_disturbances_do_not_count() -> None:
    clock, graphs, _ = timed([9.0, 9.0, 2.0, 2.0, 50.0, 2.0, 2.0], [8.0, 8.0, 1.0])
    assert run_times(graphs, FEEDS, clock=clock) == {"a": 2.0, "b": 1.0}


def test_graphs_take_turns() -> None:
    clock, graphs, log = timed([1.0], [1.0])
    run_times(graphs, FEEDS, seconds=0, clock=clock)
    assert "".join(log) == "ab" * (WARM_UP + FEWEST)


def test_quick_graphs_run_no_more_often_than_is_of_use() -> None:
    clock, graphs, log = timed([1e-6])
    run_times(graphs, FEEDS * 2, clock=clock)
    assert len(log) == 2 * (WARM_UP + MOST)
