"""How fast graphs are, side by side: each runs in turn, so that whatever else the machine does disturbs all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import TypeVar

from pixelwright.runtimes.protocol import Array, Graph

Key = TypeVar("Key")
Feeds = Mapping[str, Array]

WARM_UP, FEWEST, MOST = 1, 3, 50  # rounds: the first one compiles and allocates
SECONDS = 4.0


def run_times(
    graphs: Mapping[Key, Graph],
    feeds: Sequence[Feeds],
    *,
    seconds: float = SECONDS,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[Key, float]:
    """Seconds that one run of each graph takes: the median over rounds in which each runs once on each of the feeds.

    Args:
        graphs: Opened for one thread, if the times are to be those of `Parity.relative_time`.
        feeds: What they run on, taken one after the other; at least one.
        seconds: How long to measure, about; three rounds are made in any case, and no more than fifty.
        clock: Where the time comes from.
    """
    spent: dict[Key, list[float]] = {key: [] for key in graphs}
    began = clock()
    for number in range(WARM_UP + MOST):
        if number >= WARM_UP + FEWEST and clock() - began > seconds:
            break
        for feed in feeds:
            for key, graph in graphs.items():
                start = clock()
                graph.run(feed)
                took = clock() - start
                if number >= WARM_UP:
                    spent[key].append(took)
    return {key: max(median(times), 1e-9) for key, times in spent.items()}
