"""Members of tar files (such as WebDataset shards), opened where they lie; nothing is unpacked.

A member is named `photos.tar::a/b.jpg`. Only regular files count: links, devices and sparse files are passed over, and
a member's name is never used as a path.
"""

from __future__ import annotations

import io
import os
import re
import tarfile
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from pixelwright.errors import ImageError, UnreadableImage, UnsupportedImage

MAX_MEMBERS = 2**20
_MAX_HEADER_BYTES = 2**20  # of names and attributes that do not fit the plain header; what is longer is nonsense
_COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst", ".tzst")
_MEMBER = re.compile(r"(.+?\.tar)::(.+)", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Span:
    """Where a member's bytes are."""

    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Index:
    """What a tar holds.

    Attributes:
        members: Regular files by name, in order; of several with one name the last, as unpacking would leave it.
        fault: Why there may be more that cannot be reached.
    """

    members: dict[str, Span] = field(default_factory=dict)
    fault: str | None = None


def is_tar(path: str | os.PathLike[str]) -> bool:
    """Whether a name ends as that of a tar, compressed or not."""
    return os.fspath(path).lower().endswith((".tar", *_COMPRESSED))


def split(path: str) -> tuple[Path, str] | None:
    """The tar and the member that a path names; None where it names no member."""
    found = _MEMBER.fullmatch(path)
    return (Path(found[1]), found[2]) if found else None


def find(tar: Path, member: str) -> Span:
    """Where a member is.

    Raises:
        ImageError: The tar cannot be read, or has no such member.
    """
    index = read_index(tar)
    if member not in index.members:
        missing = f" (the tar {index.fault})" if index.fault else ""
        raise ImageError(f"{tar}::{member}", f"there is no such file in the tar{missing}.")
    return index.members[member]


def read_index(tar: Path) -> Index:
    """What a tar holds; kept for the tars asked for last.

    Raises:
        ImageError: It cannot be opened.
        UnsupportedImage: It is compressed.
    """
    if tar.name.lower().endswith(_COMPRESSED):
        what = "is a compressed tar, whose members cannot be opened one by one. Decompress it and name the .tar."
        raise UnsupportedImage(tar, what)
    try:
        status = tar.stat()
        return _indexed(tar, status.st_mtime_ns, status.st_size)
    except OSError as err:
        raise ImageError(tar, f"cannot be opened: {err.strerror or err}.") from err


def refuse(tar: Path) -> None:
    """Say of a tar that was named as if it were a picture what is wrong with it.

    Raises:
        ImageError: Always.
    """
    fault = read_index(tar).fault
    raise UnreadableImage(tar, f"{fault}." if fault else "is a tar, not an image. Name one of its files: TAR::NAME.")


def member_file(tar: Path, span: Span) -> BinaryIO:
    """A member as a binary file of its own."""
    return io.BufferedReader(_Part(tar.open("rb", buffering=0), span))


@lru_cache(maxsize=8)
def _indexed(tar: Path, _mtime_ns: int, size: int) -> Index:
    members: dict[str, Span] = {}
    fault: str | None = None
    end = -1
    try:
        with tar.open("rb") as file, tarfile.open(fileobj=_Careful(file), mode="r:") as opened:
            while fault is None and (found := opened.next()) is not None:
                opened.members.clear()  # type: ignore[attr-defined]  # it would keep them all
                # Numbers in a header may be negative, and lead back for ever.
                if found.size < 0 or found.offset_data <= end:
                    fault = f"is damaged after {len(members)} files"
                elif found.isreg() and not found.issparse():
                    if found.offset_data + found.size > size:
                        fault = f"is truncated inside {found.name!r}, after {len(members)} whole files"
                    else:
                        members.pop(found.name, None)
                        members[found.name] = Span(found.offset_data, found.size)
                end = found.offset_data
                if len(members) == MAX_MEMBERS:
                    fault = f"has more than {MAX_MEMBERS} files; the first {MAX_MEMBERS} are read"
            file.seek(opened.offset)
            if fault is None and any(file.read(tarfile.BLOCKSIZE)):  # it ends with zeros, or at least there
                fault = _cut(members)
    except OSError as err:
        if err.errno is not None and not isinstance(err, tarfile.TarError):
            raise
        fault = _cut(members)
    except (tarfile.TarError, ValueError, OverflowError, RecursionError, EOFError):
        fault = _cut(members)
    return Index(members, fault)


def _cut(members: dict[str, Span]) -> str:
    return f"is truncated or damaged after {len(members)} files" if members else "is no tar, or damaged at the start"


class _Careful(io.BufferedIOBase):
    """A file that refuses to be read in absurd amounts: a header may claim that a name has gigabytes."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or not 0 <= size <= _MAX_HEADER_BYTES:
            raise tarfile.ReadError("an absurd size")
        return self._file.read(size)

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


class _Part(io.RawIOBase):
    """A stretch of a file, seen as a file."""

    def __init__(self, file: io.RawIOBase, span: Span) -> None:
        super().__init__()
        self._file, self._span, self._at = file, span, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._span.size}[whence]
        if base + offset < 0:
            raise ValueError("seek before the beginning")
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        count = max(0, min(len(buffer), self._span.size - self._at))
        if not count:
            return 0
        self._file.seek(self._span.offset + self._at)
        got = self._file.readinto(memoryview(buffer)[:count]) or 0
        self._at += got
        return got

    def close(self) -> None:
        self._file.close()
        super().close()
