"""What a run leaves on disk: pictures under a name that fits them, and other layouts of its records."""

from __future__ import annotations

import errno
import os
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from pixelwright import registry
from pixelwright.contract import Task
from pixelwright.data.export import Export, Found
from pixelwright.errors import ImageError, PixelwrightError, UsageError
from pixelwright.io.images import fitting_suffix, formats, write_image
from pixelwright.structures.raster import Raster
from pixelwright.structures.spec import BundleSpec
from pixelwright.verbs.job import PARTIAL, Job, stopped

# Larger results go to tiled TIFF, the one format here that is written window by window.
LARGEST_WHOLE_BYTES = 1 << 30

# What the next picture would run into as well, so that going on makes no sense.
DISK_TROUBLE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO}


def output_name(name: str, picture: Raster, suffix: str | None) -> str:
    """An item's name, with another ending where its own does not fit what is written.

    Items of a listing differ in their names without endings, so this never makes two names one.

    Args:
        name: The item's.
        picture: What will be written.
        suffix: The ending asked for; None for that of the picture's own format, if it can hold it.
    """
    kept = "tiff" if picture.nbytes > LARGEST_WHOLE_BYTES else picture.source.format
    wanted = suffix or fitting_suffix(picture, kept)
    kin = next((form.suffixes for form in formats() if wanted in form.suffixes), (wanted,))
    path = Path(name)
    return name if path.suffix.lower() in kin else path.with_name(path.stem + wanted).as_posix()


def write_into_job(picture: Raster, folder: Path, name: str, index: int, quality: int | None) -> None:
    """A picture into `images/` of a job folder.

    It is written in a folder of its own first, so that what a kill leaves behind is easily told from results.

    Raises:
        OutputError: The disk is full or not writable.
    """
    aside = folder / PARTIAL / f"{index}{Path(name).suffix}"
    write_picture(picture, aside, quality, in_job=True)
    _settle(aside, folder / "images" / name)


@contextmanager
def stopping_run(place: Path, *, in_job: bool = True) -> Generator[None]:
    """A disk that is full or closed stops the run; what else goes wrong in the block is for the caller to place.

    Args:
        place: What is written.
        in_job: Whether the same command would continue.

    Raises:
        OutputError: The disk is full or not writable.
    """
    try:
        yield
    except OSError as err:
        if isinstance(err, PixelwrightError) or err.errno not in DISK_TROUBLE:
            raise
        raise stopped(place, err, in_job=in_job) from err


@contextmanager
def video_into_job(folder: Path, index: int, records: str, video: str) -> Generator[tuple[BinaryIO, BinaryIO]]:
    """Two files of a job, for the records of a video's frames and for the video of its results.

    They are written aside, and take their places when the block ends well; one that is empty vanishes.

    Raises:
        OutputError: The disk is full or not writable.
    """
    places = {folder / PARTIAL / f"{index}{Path(name).suffix}": folder / name for name in (records, video)}
    try:
        # Around it all: what is left in the buffers meets a full disk only as the files are closed.
        with stopping_run(folder / records), ExitStack() as opened:
            first, second = (opened.enter_context(aside.open("wb+")) for aside in places)
            yield first, second
        for aside, target in places.items():
            if aside.stat().st_size:
                _settle(aside, target)
    finally:
        for aside in places:
            with suppress(OSError):  # of a disk that is closed by now; the next run of the job clears up
                aside.unlink(missing_ok=True)


def _settle(aside: Path, target: Path) -> None:
    """Move a finished file to its place."""
    try:
        # On the disk before its record is: a power cut must not leave a record of an empty picture.
        with aside.open("rb+") as written:
            os.fsync(written.fileno())
        target.parent.mkdir(parents=True, exist_ok=True)
        aside.replace(target)
    except OSError as err:
        raise stopped(target, err) from err


def write_picture(picture: Raster, path: Path, quality: int | None, *, in_job: bool = False) -> None:
    """A picture to a file, whole or not at all.

    Raises:
        OutputError: The disk is full or not writable.
        ImageError: The picture cannot be read, or not be held by the format.
    """
    try:
        write_image(picture, path, quality=quality)
    except ImageError as err:
        cause = err.__cause__
        if isinstance(cause, OSError) and cause.errno in DISK_TROUBLE:
            raise stopped(path, cause, in_job=in_job) from err
        raise


def check_exports(names: Sequence[str], task: Task) -> None:
    """Refuse a layout that is unknown, cannot hold the task's results, or needs something that is not installed.

    Raises:
        UnknownName: There is no such layout; the message names those there are.
        UsageError: It cannot hold the results, or something is to be installed for it.
    """
    for name in names:
        export: Export = registry.get("export", name)
        if export.results and task.result not in export.results:
            fitting = [one for one in registry.names("export") if _holds(one, task)]
            raise UsageError(f"{name} cannot hold what {task.name} finds. Export to one of: {', '.join(fitting)}.")
        if reason := export.available():
            raise UsageError(f"export to {name}: {reason}.")


def _holds(name: str, task: Task) -> bool:
    results = registry.get("export", name).results
    return not results or task.result in results


def write_export(name: str, job: Job, task: Task, spec: BundleSpec) -> None:
    """What a finished job found, in another layout, beside its records.

    Raises:
        OutputError: The disk is full or not writable.
    """
    found = Found(
        records=job.answers,
        result=task.result,
        labels=tuple(spec.output.labels),
        keypoints=tuple(spec.output.keypoints),
        skeleton=tuple(spec.output.skeleton),
        columns=task.columns,
        rows=task.rows,
        model=f"{spec.name} {spec.version}",
    )
    try:
        registry.get("export", name).write(found, job.folder)
    except OSError as err:
        raise stopped(job.folder / name, err) from err
