"""Locks between processes: the system lets go of them when the process ends, however it ends."""

from __future__ import annotations

import errno
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pixelwright.errors import OutputError

log = logging.getLogger(__name__)

BUSY = frozenset({errno.EAGAIN, errno.EACCES, errno.EDEADLK})  # what systems say of a lock that another one holds
_POLL_SECONDS = 0.1


@contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """Alone with what a lock file stands for, after waiting for any other process.

    Where the file system has no locks there is nothing to wait for; then nothing keeps two processes apart.

    Args:
        path: The lock file; it is made where there is none, and stays.
        what: What the other process is doing, for the line that says why this one waits.

    Raises:
        OutputError: The lock file cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
    except OSError as err:
        raise OutputError(f"{path}: cannot be written: {err.strerror or err}. Set PIXELWRIGHT_CACHE.") from err
    with file:
        waited = False
        while not take_lock(file):
            if not waited:
                log.warning("another process is %s; waiting for it", what)
                waited = True
            time.sleep(_POLL_SECONDS)
        yield  # closing the file gives the lock back


def take_lock(file: BinaryIO) -> bool:
    """Whether the lock of an open file is ours now, or cannot be had of this file system by anybody."""
    try:
        if os.name == "nt":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as err:
        if err.errno in BUSY:
            return False
        log.warning("%s: this file system has no locks; let no two commands write there at a time", file.name)
    return True
