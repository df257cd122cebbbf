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
def show_transfers(stream: TextIO) -> Iterator[Callable[[Any], None]]:
    """A function to call with each `Transfer`: on a terminal a bar for each file, with its rate and the time left.

    Elsewhere a line for each file that comes, and one now and then of how far it is.
    """
    if stream.isatty():
        with _transfer_bar(stream) as show:
            yield show
    else:
        yield _transfer_lines(stream)


@contextmanager
def show_training(stream: TextIO) -> Iterator[Callable[[Any], None]]:
    """A function to call with each `Shown` of a training: on a terminal a bar with rate, loss and time left.

    Elsewhere a line with the same now and then.
    """
    if not stream.isatty():
        yield _training_lines(stream)
        return
    from tqdm import tqdm
    from tqdm.contrib.logging import logging_redirect_tqdm

    form = "{percentage:3.0f}%|{bar}| {desc}"
    with logging_redirect_tqdm(), tqdm(file=stream, total=1.0, bar_format=form, dynamic_ncols=True, leave=False) as bar:

        def show(shown: Any) -> None:
            bar.set_description_str(_training_text(shown), refresh=False)
            bar.update(shown.done - bar.n)

        yield show


def _training_lines(stream: TextIO) -> Callable[[Any], None]:
    last = time.monotonic()

    def show(shown: Any) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= PLAIN_SECONDS:
            last = now
            stream.write(f"{shown.done:4.0%} {_training_text(shown)}\n")
            stream.flush()

    return show


def _training_text(shown: Any) -> str:
    return f"step {shown.step}, loss {shown.loss:.4f}, {shown.rate:,.0f}/s, {_clock(shown.left)} left"


def _clock(seconds: float) -> str:
    """As in `1:02:03` or `2:03`."""
    if seconds != seconds or seconds > 1e7:
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


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
            bar.total = progress.total  # how many frames a video has is known once it is opened
            bar.update(progress.done - bar.n)
        if progress.failed:
            bar.set_postfix(failed=progress.failed, refresh=False)

    try:
        with logging_redirect_tqdm():
            yield show
    finally:
        if bar is not None:
            bar.close()


@contextmanager
def _transfer_bar(stream: TextIO) -> Iterator[Callable[[Any], None]]:
    from tqdm import tqdm

    bar: Any = None

    def show(transfer: Any) -> None:
        nonlocal bar
        if bar is None or bar.total != transfer.total_bytes or bar.n > transfer.done_bytes:
            if bar is not None:
                bar.close()
            have = transfer.done_bytes  # by an earlier attempt, and no speed of this one
            bar = tqdm(file=stream, desc=transfer.name, total=transfer.total_bytes, initial=have, unit="B",
                       unit_scale=True, dynamic_ncols=True, leave=False)  # fmt: skip
        bar.update(transfer.done_bytes - bar.n)

    try:
        yield show
    finally:
        if bar is not None:
            bar.close()


def _transfer_lines(stream: TextIO) -> Callable[[Any], None]:
    name, have = "", 0
    start = last = 0.0

    def show(transfer: Any) -> None:
        nonlocal name, have, start, last
        now, done, total = time.monotonic(), transfer.done_bytes, transfer.total_bytes
        if transfer.name != name:
            name, have, start, last = transfer.name, done, now, now
            stream.write(f"fetching {name}, {(total - done) / 1e6:.2f} MB\n")
        elif now - last >= PLAIN_SECONDS and done > have:
            rate = (done - have) / (now - start)
            left = f"{rate / 1e6:.2g} MB/s, {(total - done) / rate:.0f} s left"
            stream.write(f"{name}: {done / 1e6:.2f} of {total / 1e6:.2f} MB, {left}\n")
            last = now
        stream.flush()

    return show


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
