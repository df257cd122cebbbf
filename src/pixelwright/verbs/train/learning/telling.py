"""Telling: what a training says, on the terminal and in its run, also from processes of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pixelwright.verbs.train.learning.progress import Shown

LOGGER = "pixelwright"
LINES_SECONDS = 15.0  # between lines of how far it is

log = logging.getLogger(__name__)


@contextmanager
def written(path: Path) -> Iterator[None]:
    """What is said meanwhile, also in a file, after what stands there."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    logger = logging.getLogger(LOGGER)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()


def level() -> int:
    """From which level on something is said here."""
    return logging.getLogger(LOGGER).getEffectiveLevel()


@contextmanager
def told_by(rank: int, path: Path, least: int) -> Iterator[None]:
    """In a process that was spawned, and has no handlers: the first says and writes what one process would say.

    Args:
        rank: Which of the processes this is.
        path: The file, as of `written`.
        least: The `level` where they were started.
    """
    logging.getLogger(LOGGER).setLevel(least if rank == 0 else logging.CRITICAL)
    if rank:
        yield
        return
    logging.basicConfig(format="pixelwright: %(message)s")
    with written(path):
        yield


def lines() -> Callable[[Shown], None]:
    """How far it is, as a line now and then: a bar cannot be drawn by a process of its own."""
    last = 0.0

    def show(shown: Shown) -> None:
        nonlocal last
        if shown.done < 1 and shown.seconds - last >= LINES_SECONDS:
            last = shown.seconds
            minutes, seconds = divmod(round(min(shown.left, 1e7)), 60)
            log.info(
                "%3.0f %%  step %d  loss %.4f  %.0f/s  %d:%02d left",
                100 * shown.done, shown.step, shown.loss, shown.rate, minutes, seconds,
            )  # fmt: skip

    return show
