"""Digests of many pictures at once, in threads, and kept by size and time of the file for as long as a process runs."""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

from pixelwright.data.dataset import Picture, Sample
from pixelwright.errors import ImageError
from pixelwright.io.digest import sha256_of

_THREADS = 8  # hashing lets go of the interpreter, and waits for disks


def digests_of(samples: Iterable[Sample]) -> list[str | None]:
    """SHA-256 of each picture's stored bytes, in order; None of one that cannot be read."""
    with ThreadPoolExecutor(min(_THREADS, (os.cpu_count() or 1) + 2)) as threads:
        return list(threads.map(_digest, (sample.picture for sample in samples)))


def _digest(picture: Picture) -> str | None:
    try:
        path = picture.path
        if path is None:
            return picture.digest()
        status = path.stat()
        return _of_file(path, status.st_mtime_ns, status.st_size)
    except (ImageError, OSError):
        return None


@lru_cache(maxsize=1 << 20)
def _of_file(path: Path, _mtime_ns: int, _size: int) -> str:
    return sha256_of(path)
