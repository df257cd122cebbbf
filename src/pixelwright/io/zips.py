"""Members of zip files, read where they lie; nothing is unpacked, and a member's name is never used as a path."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from pixelwright.errors import ImageError, UnreadableImage, UnsupportedImage

MAX_MEMBER_BYTES = 2**31
MAX_MEMBERS = 2**20


def is_zip(path: str | os.PathLike[str]) -> bool:
    """Whether a name ends as that of a zip."""
    return os.fspath(path).lower().endswith(".zip")


def names(path: Path) -> list[str]:
    """Its regular files, in order.

    Raises:
        ImageError: It cannot be read, or is no zip.
    """
    found = [info.filename for info in _opened(path).infolist() if not info.is_dir()]
    if len(found) > MAX_MEMBERS:
        raise UnsupportedImage(path, f"has {len(found):,} files, at most {MAX_MEMBERS:,} are read. Unpack it.")
    return found


def size(path: Path, member: str) -> int:
    """Bytes of a member, unpacked.

    Raises:
        ImageError: There is no such member, or the zip cannot be read.
    """
    return _info(path, member).file_size


def read(path: Path, member: str, *, head: int | None = None) -> bytes:
    """The bytes of a member, or the first `head` of them.

    Raises:
        ImageError: There is no such member, it is damaged, encrypted, or too large.
    """
    info = _info(path, member)
    name = f"{path}::{member}"
    if head is None and info.file_size > MAX_MEMBER_BYTES:
        what = f"has {info.file_size:,} bytes; at most {MAX_MEMBER_BYTES:,} are read in one piece."
        raise UnreadableImage(name, what)
    with _reading(name), _opened(path).open(info) as file:
        return file.read(info.file_size if head is None else head)


def _info(path: Path, member: str) -> zipfile.ZipInfo:
    try:
        return _opened(path).getinfo(member)
    except KeyError as err:
        raise ImageError(f"{path}::{member}", "there is no such file in the zip.") from err


def _opened(path: Path) -> zipfile.ZipFile:
    with _reading(str(path)):
        status = path.stat()
        # A forked process must not share the place in the file with its parent.
        return _kept(path, status.st_mtime_ns, status.st_size, os.getpid())


@lru_cache(maxsize=8)
def _kept(path: Path, _mtime_ns: int, _size: int, _process: int) -> zipfile.ZipFile:
    return zipfile.ZipFile(path)  # it stays open for as long as it is kept


@contextmanager
def _reading(name: str) -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError) as err:
        raise UnreadableImage(name, f"is a damaged zip: {err}.") from err
    except (RuntimeError, NotImplementedError) as err:  # encrypted, or a method that Python does not know
        raise UnsupportedImage(name, f"cannot be unpacked: {err}.") from err
    except ImageError:
        raise
    except OSError as err:
        raise ImageError(name, f"cannot be opened: {err.strerror or err}.") from err
