"""Digests of many files at once, each computed once: in threads, and kept by size and time of the file."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Protocol

from pixelwright.bundle.files import cache_folder
from pixelwright.errors import ImageError
from pixelwright.io.digest import sha256_of

_THREADS = 8  # hashing lets go of the interpreter, and waits for disks
_WORTH_KEEPING_BYTES = 2**26  # below, hashing takes a part of a second
_PATIENCE_S = 5.0  # for another process that writes

Stamped = tuple[str, int, int]  # path, size in bytes, time of the last change in nanoseconds


class Stored(Protocol):
    """Something that is in a file: a picture, or what is true of one."""

    @property
    def path(self) -> Path | None:
        """The file that holds it and nothing else, by whose size and time it is known; None where there is none."""
        ...

    def digest(self) -> str:
        """SHA-256 of it as it is stored, in hexadecimal; nothing is decoded.

        Raises:
            ImageError: It cannot be read.
        """
        ...


def digests_of(stored: Iterable[Stored]) -> list[str | None]:
    """The digest of each, in order; None of one that cannot be read.

    Of files with together more than 67 MB they are kept in the cache folder, so that the next start of a training
    asks only for sizes and times.
    """
    wanted = list(stored)
    stamps = [_stamp(one) for one in wanted]
    files = list(dict.fromkeys(filter(None, stamps)))
    kept = sum(size for _, size, _ in files) > _WORTH_KEEPING_BYTES
    known = _load(files) if kept else {}
    missing = [stamp for stamp in files if stamp not in known]
    with ThreadPoolExecutor(min(_THREADS, (os.cpu_count() or 1) + 2)) as threads:
        found = {stamp: digest for stamp, digest in zip(missing, threads.map(_of_file, missing), strict=True) if digest}
    if kept and found:
        _save(found)
    known |= found
    return [known.get(stamp) if stamp else _of(one) for one, stamp in zip(wanted, stamps, strict=True)]


def _stamp(stored: Stored) -> Stamped | None:
    path = stored.path
    if path is None:
        return None
    try:
        status = path.stat()
    except OSError:
        return None
    return str(path.absolute()), status.st_size, status.st_mtime_ns


def _of(stored: Stored) -> str | None:
    try:
        return stored.digest()
    except (ImageError, OSError):
        return None


def _of_file(stamp: Stamped) -> str | None:
    try:
        return sha256_of(Path(stamp[0]))
    except OSError:
        return None


def _load(stamps: Iterable[Stamped]) -> dict[Stamped, str]:
    """What was kept of files that have not changed."""
    found: dict[Stamped, str] = {}
    with suppress(sqlite3.Error, OSError), closing(_opened()) as store:
        for stamp in stamps:
            select = "SELECT digest FROM digest WHERE path = ? AND size = ? AND mtime_ns = ?"
            row = store.execute(select, (_key(stamp[0]), *stamp[1:])).fetchone()
            if row:
                found[stamp] = row[0]
    return found


def _save(found: Mapping[Stamped, str]) -> None:
    """Keep what was computed; a cache that cannot be written costs time and nothing else."""
    rows = ((_key(path), size, mtime_ns, digest) for (path, size, mtime_ns), digest in found.items())
    with suppress(sqlite3.Error, OSError), closing(_opened()) as store, store:
        store.executemany("INSERT OR REPLACE INTO digest VALUES (?, ?, ?, ?)", rows)


def _key(path: str) -> bytes:
    return os.fsencode(path)


def _opened() -> sqlite3.Connection:
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    store = sqlite3.connect(folder / "digests.sqlite", timeout=_PATIENCE_S)
    columns = "path BLOB PRIMARY KEY, size INTEGER, mtime_ns INTEGER, digest TEXT"
    store.execute(f"CREATE TABLE IF NOT EXISTS digest ({columns}) WITHOUT ROWID")
    return store
