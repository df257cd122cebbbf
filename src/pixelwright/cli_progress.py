"""Progress for people: a bar with rate and time left on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

PLAIN_SECONDS = 15.0  # between lines in a log


@contextmanager
def show_progress(stream: TextIO, *, quiet_below: int = 0) -> Iterator[Callable[[Any], None]]:
    """A function to call with a `Progress` at the start and after each item.

    What is done at the first call, by an earlier run of the job, counts as done and not as speed.

    Args:
        stream: Where to show it.
        quiet_below: Show nothing for fewer items than this.
    """
    if stream.isatty():
        with _bar(stream, quiet_below) as show:
            yield show
    else:
        yield _lines(stream)


@contextmanager
def clear_of_bar(stream: TextIO) -> Iterator[None]:
    """Takes the bar, if one is shown, away from what is written to a stream, and draws it again below."""
    if "tqdm" not in sys.modules or not stream.isatty():
        yield
        return
    from tqdm import tqdm

    with tqdm.external_write_mode(file=stream):
        yield


@contextmanager
def _bar(stream: TextIO, quiet_below: int) -> Iterator[Callable[[Any], None]]:
    from tqdm import tqdm
    from tqdm.contrib.logging import logging_redirect_tqdm

    bar: Any = None

    def show(progress: Any) -> None:
        nonlocal bar
        if progress.total is not None and progress.total < quiet_below:
            return
        if bar is None:
            # Not left behind: the closing lines say all of it.
            bar = tqdm(
                file=stream, total=progress.total, initial=progress.done, unit="", dynamic_ncols=True, leave=False
            )
        else:
            bar.update(progress.done - bar.n)
        if progress.failed:
            bar.set_postfix(failed=progress.failed, refresh=False)

    try:
        with logging_redirect_tqdm():
            yield show
    finally:
        if bar is not None:
            bar.close()


def _lines(stream: TextIO) -> Callable[[Any], None]:
    earlier: int | None = None
    start = last = 0.0

    def show(progress: Any) -> None:
        nonlocal earlier, start, last
        now = time.monotonic()
        if earlier is None:
            earlier, start, last = progress.done, now, now
        fresh = progress.done - earlier
        if now - last < PLAIN_SECONDS or fresh <= 0:
            return
        last = now
        rate = fresh / (now - start)
        left = f", {(progress.total - progress.done) / rate:.0f} s left" if progress.total else ""
        stream.write(f"{progress.done}/{progress.total or '?'} done, {progress.failed} failed, {rate:.2g}/s{left}\n")
        stream.flush()

    return show
