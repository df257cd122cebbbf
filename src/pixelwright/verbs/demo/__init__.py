"""Do the main job on real pictures, offline, and write a page that shows and measures it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pixelwright.errors import UsageError
from pixelwright.io import atomic
from pixelwright.verbs.demo.bench import Bench, DemoModels
from pixelwright.verbs.demo.depth import keep_depth
from pixelwright.verbs.demo.digits import read_digits
from pixelwright.verbs.demo.enlarge import enlarge
from pixelwright.verbs.demo.page import Evidence, render
from pixelwright.verbs.demo.photos import Album, open_album
from pixelwright.verbs.demo.restore import restore
from pixelwright.verbs.demo.turned import turn_upright
from pixelwright.verbs.run import Progress

PAGE = "index.html"
OURS = b'name="generator" content="pixelwright demo"'
RESTORED_PHOTOS = 3
OTHER_STEPS = 5  # enlarge, depth, orientation, digits, page

__all__ = ["DemoModels", "demo"]


def demo(
    output: Path,
    *,
    photos: Path | None = None,
    models: DemoModels = DemoModels(),  # noqa: B008 (frozen)
    on_progress: Callable[[Progress], None],
) -> Path:
    """Write a page of evidence, and the pictures it shows, into a folder.

    Args:
        output: The page's folder; an earlier demo in it is written over.
        photos: A folder of photos to use instead of the samples.
        models: What to run instead of the zoo's own.
        on_progress: Called after each step.

    Returns:
        The page.

    Raises:
        UsageError: There are no photos, or the folder cannot be used.
        UnknownName: A model is not there.
        ImageError: The disk is full or not writable.
    """
    start = time.perf_counter()
    album = open_album(photos, leave_out=output)
    step = _stepper(min(len(album.photos), RESTORED_PHOTOS) + OTHER_STEPS, on_progress)
    bench = Bench.open(output, models)
    page = _prepare(output)
    evidence = _gather(bench, album, step, start)
    with atomic.replacing(page) as file:
        file.write(render(evidence).encode(errors="replace"))  # a file name may be no Unicode
    return step(page)


def _stepper(total: int, on_progress: Callable[[Progress], None]) -> Callable[[Any], Any]:
    """A function to pass each step's result through, which counts it."""
    on_progress(Progress(0, 0, total))
    done = 0

    def step(result: Any) -> Any:
        nonlocal done
        done += 1
        on_progress(Progress(done, 0, total))
        return result

    return step


def _gather(bench: Bench, album: Album, step: Callable[[Any], Any], start: float) -> Evidence:
    """All experiments, one after the other."""
    spoiled = enumerate(album.photos[:RESTORED_PHOTOS], 1)
    return Evidence(
        bench,
        album,
        restored=[one for number, photo in spoiled for one in step(restore(bench, photo, number))],
        enlarged=step(enlarge(bench, album.pick(3))),
        kept=step(keep_depth(bench, album.pick(2))),
        turned=step(turn_upright(bench, album.pick(1))),
        read=step(read_digits(bench)),
        seconds=time.perf_counter() - start,
    )


def _prepare(output: Path) -> Path:
    """The page's path, its folder made; refuses to write over anybody else's page."""
    page = output / PAGE
    try:
        (output / "images").mkdir(parents=True, exist_ok=True)
        foreign = page.exists() and OURS not in page.read_bytes()[:2000]
    except OSError as err:
        raise UsageError(f"-o {output}: cannot be used as a folder: {err.strerror}. Name another.") from err
    if foreign:
        raise UsageError(f"-o {output}: holds an {PAGE} that the demo did not write. Name another folder.")
    return page
