"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pixelwright.errors import ImageError

_MODE = 0o666  # mkstemp makes private files; a picture gets what `open` would give it


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A binary file that takes the place of `path` when the block ends well and vanishes when it does not.

    It is made in the same folder: only there is renaming one step.

    Raises:
        ImageError: The folder is missing or closed, or the disk is full.
    """
    temporary: Path | None = None
    try:
        number, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", suffix=".part", dir=path.parent)
        temporary = Path(name)
        os.close(number)
        with temporary.open("w+b") as file:  # by name: tifffile wants to know it
            yield file
            file.flush()
        temporary.chmod(_MODE & ~_umask())
        temporary.replace(path)
        temporary = None
    except OSError as err:
        if isinstance(err, ImageError):
            raise
        raise ImageError(path, f"cannot be written: {_reason(err, path)}") from err
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _reason(err: OSError, path: Path) -> str:
    if err.errno == errno.ENOSPC:
        return "the disk is full."
    if err.errno == errno.ENOENT:
        return f"there is no folder {path.parent}."
    return f"{err.strerror or err}."


def _umask() -> int:
    """The process's mask, read where that needs no change of it; the usual one elsewhere."""
    try:
        status = Path("/proc/self/status").read_text()
        return int(status.split("Umask:")[1].split()[0], 8)
    except (OSError, IndexError, ValueError):
        return 0o022
