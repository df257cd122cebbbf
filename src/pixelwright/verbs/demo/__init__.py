"""Do the main job on real pictures, offline, and write a page that shows and measures it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pixelwright.errors import UsageError
from pixelwright.verbs.demo.bench import Bench, DemoModels
from pixelwright.verbs.demo.depth import keep_depth
from pixelwright.verbs.demo.digits import read_digits
from pixelwright.verbs.demo.enlarge import enlarge
from pixelwright.verbs.demo.page import Evidence, render
from pixelwright.verbs.demo.photos import open_album
from pixelwright.verbs.demo.restore import restore
from pixelwright.verbs.demo.turned import turn_upright
from pixelwright.verbs.run import Progress

PAGE = "index.html"
OURS = b'name="generator" content="pixelwright demo"'
RESTORED_PHOTOS = 3
OTHER_STEPS = 5  # enlarge, depth, orientation, digits, page

__all__ = ["DemoModels", "demo"]

T = TypeVar("T")


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
    """
    start = time.perf_counter()
    album = open_album(photos, leave_out=output)
    restored_photos = album.photos[:RESTORED_PHOTOS]
    done, total = 0, len(restored_photos) + OTHER_STEPS
    on_progress(Progress(done, 0, total))

    def step(result: T) -> T:
        nonlocal done
        done += 1
        on_progress(Progress(done, 0, total))
        return result

    bench = Bench.open(output, models)
    page = _prepare(output)
    evidence = Evidence(
        bench,
        album,
        restored=[
            one for number, photo in enumerate(restored_photos, 1) for one in step(restore(bench, photo, number))
        ],
        enlarged=step(enlarge(bench, album.pick(3))),
        kept=step(keep_depth(bench, album.pick(2))),
        turned=step(turn_upright(bench, album.pick(1))),
        read=step(read_digits(bench)),
        seconds=time.perf_counter() - start,
    )
    page.write_text(render(evidence), encoding="utf-8")
    step(page)
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
