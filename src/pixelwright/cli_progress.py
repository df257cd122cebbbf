"""Progress for people: a bar with rate and time left on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

PLAIN_SECONDS = 15.0  # between lines in a log


@contextmanager
def show_progress(stream: TextIO, *, quiet_below: int = 0) -> Iterator[Callable[[Any], None]]:
    """A function to call with a `Progress` after each item.

    Args:
        stream: Where to show it.
        quiet_below: Show nothing for fewer items than this.
    """
    if stream.isatty():
        from tqdm import tqdm

        with tqdm(file=stream, unit="", dynamic_ncols=True, disable=None, delay=0.3) as bar:
            yield lambda progress: _update(bar, progress, quiet_below)
        return
    start = last = time.monotonic()

    def write_line(progress: Any) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < PLAIN_SECONDS or progress.done == 0:
            return
        last = now
        rate = progress.done / (now - start)
        left = f", {(progress.total - progress.done) / rate:.0f} s left" if progress.total else ""
        stream.write(f"{progress.done}/{progress.total or '?'} done, {progress.failed} failed, {rate:.2g}/s{left}\n")
        stream.flush()

    yield write_line


def _update(bar: Any, progress: Any, quiet_below: int) -> None:
    if progress.total is not None and progress.total < quiet_below:
        return
    if bar.total != progress.total:
        # What an earlier run of the job has done counts as done, not as speed.
        bar.total, bar.initial, bar.n = progress.total, progress.done, progress.done
        bar.reset(total=progress.total)
        bar.update(progress.done)
    elif progress.done > bar.n:
        bar.update(progress.done - bar.n)
    if progress.failed:
        bar.set_postfix(failed=progress.failed, refresh=False)
