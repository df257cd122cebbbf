"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from pixelwright.errors import ImageError


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A binary file that takes the place of `path` when the block ends well and vanishes when it does not.

    It is made in the same folder: only there is renaming one step. A link is followed, and a file that was there
    leaves its permissions to the new one. It is not forced to the disk (`fsync`): a process may die at any moment,
    but a power cut may cost the files of the last seconds.

    Raises:
        ImageError: The folder is missing or closed, the disk is full, or `path` is no regular file.
    """
    temporary: Path | None = None
    try:
        target = Path(os.path.realpath(path))  # a link stays, what it leads to is replaced
        known = target.exists()
        if known and not target.is_file():  # renaming onto it would put a file in the place of a pipe or a device
            raise ImageError(path, "cannot be written: it is a folder, a pipe or a device. Name a file.")
        temporary = target.with_name(f".pixelwright-{os.urandom(8).hex()}.part")
        with temporary.open("x+b") as file:  # by name: tifffile wants to know it
            yield file
        if known:
            temporary.chmod(stat.S_IMODE(target.stat().st_mode))
        temporary.replace(target)
        temporary = None
    except OSError as err:
        if isinstance(err, ImageError):
            raise
        raise ImageError(path, f"cannot be written: {_reason(err, path)}") from err
    finally:
        if temporary is not None:
            with suppress(OSError):  # of a disk that cannot be written to either; the first error is the one to tell
                temporary.unlink(missing_ok=True)


@contextmanager
def whole_file(path: Path, *, lasting: bool = False) -> Generator[BinaryIO]:
    """Like `replacing` for files of our own folders: plain, errors as they come, and always under the same name aside.

    Args:
        path: A file in a folder that only one process writes to.
        lasting: Whether it must be on the disk (`fsync`) before it takes its place.

    Raises:
        OSError: The disk is full or not writable.
    """
    aside = aside_of(path)
    try:
        with aside.open("wb") as out:
            yield out
            if lasting:
                out.flush()
                os.fsync(out.fileno())
        aside.replace(path)
    finally:
        with suppress(OSError):  # of a disk that cannot be written to either; the first error is the one to tell
            aside.unlink(missing_ok=True)


def aside_of(path: Path) -> Path:
    """Where `whole_file` writes a file before it takes its place."""
    return path.with_name(path.name + ".tmp")


def _reason(err: OSError, path: Path) -> str:
    if err.errno == errno.ENOSPC:
        return "the disk is full."
    if err.errno == errno.ENOENT and not path.parent.is_dir():
        return f"there is no folder {path.parent}."
    return f"{err.strerror or err}."
