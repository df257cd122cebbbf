"""Do the main job on real pictures, offline, and write a page that shows and measures it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from pixelwright.errors import UsageError
from pixelwright.io import atomic
from pixelwright.verbs.demo.bench import Bench, DemoModels
from pixelwright.verbs.demo.depth import keep_depth
from pixelwright.verbs.demo.digits import read_digits
from pixelwright.verbs.demo.enlarge import enlarge
from pixelwright.verbs.demo.page import render
from pixelwright.verbs.demo.photos import open_album
from pixelwright.verbs.demo.restore import PHOTOS, restore
from pixelwright.verbs.demo.turned import turn_upright
from pixelwright.verbs.run import Progress

PAGE = "index.html"
OURS = b'name="generator" content="pixelwright demo"'

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
    others = (enlarge, keep_depth, turn_upright, read_digits)
    done, total = 0, min(len(album.photos), PHOTOS) + len(others) + 1  # the page

    def tick() -> None:
        nonlocal done
        done += 1
        on_progress(Progress(done, 0, total))

    on_progress(Progress(done, 0, total))
    bench = Bench.open(output, album, models, tick)
    page = _prepare(output)
    parts = [restore(bench)]
    for experiment in others:
        parts.append(experiment(bench))
        tick()
    with atomic.replacing(page) as file:
        html = render(bench, parts, time.perf_counter() - start)
        file.write(html.encode(errors="replace"))  # a file name may be no Unicode
    tick()
    return page


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
