"""The bytes an image comes from, seen the same way by every format.

A file, a member of a tar (`photos.tar::a.jpg`), an address (`https://...`), a buffer or an open binary file.
"""

from __future__ import annotations

import io
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from pixelwright.errors import ImageError, UnreadableImage, UsageError
from pixelwright.io import archive, remote

Readable = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO

HEAD_BYTES = 65536  # holds the header and metadata of nearly every photograph; longer ones read the whole file
MAX_FILE_BYTES = 2**31  # more than any decoder takes in one piece; stops a sparse file from filling the memory


@dataclass(frozen=True, slots=True)
class Stored:
    """A source of bytes with a name for messages.

    Attributes:
        name: The path, or a description of an in-memory source.
        size: Number of bytes.
        head: The first `HEAD_BYTES`.
        path: Where the bytes are read from; None where `data` holds them.
        data: All bytes of an in-memory source.
        span: Which bytes of the file they are; None for all.
    """

    name: str
    size: int
    head: bytes = field(repr=False)
    path: Path | None = None
    data: bytes | None = field(default=None, repr=False)
    span: archive.Span | None = None

    @classmethod
    def of(cls, source: Readable) -> Stored:
        """A path or address, bytes, or a binary file object (read from where it stands to its end).

        Raises:
            ImageError: No such file, no permission, a folder, or something that is no regular file.
            MissingExtra: What reads addresses is not installed.
            UnreadableImage: There are no bytes.
            UsageError: Another type.
        """
        if isinstance(source, str):
            if remote.is_remote(source):
                return cls._of_bytes(source, remote.read(source))
            if member := archive.split(source):
                return cls._of_member(source, *member)
        if isinstance(source, str | os.PathLike):
            return cls._of_path(Path(source))
        if isinstance(source, bytes | bytearray | memoryview):
            return cls._of_bytes("<bytes>", bytes(source))
        read = getattr(source, "read", None)
        if read is None:
            raise UsageError(f"source: expected a path, bytes or a binary file, got {type(source).__name__}.")
        data = read()
        if not isinstance(data, bytes):
            raise UsageError("source: the file object gives text. Open it in binary mode ('rb').")
        return cls._of_bytes(str(getattr(source, "name", "<file object>")), data)

    @classmethod
    def _of_bytes(cls, name: str, data: bytes) -> Stored:
        if not data:
            raise UnreadableImage(name, "is empty (0 bytes).")
        return cls(name, len(data), data[:HEAD_BYTES], data=data)

    @classmethod
    def _of_member(cls, name: str, tar: Path, member: str) -> Stored:
        span = archive.find(tar, member)
        if not span.size:
            raise UnreadableImage(name, "is empty (0 bytes).")
        with archive.member_file(tar, span) as file:
            return cls(name, span.size, file.read(HEAD_BYTES), path=tar, span=span)

    @classmethod
    def _of_path(cls, path: Path) -> Stored:
        name = str(path)
        if archive.is_tar(path):
            archive.refuse(path)
        try:
            status = path.stat()
            if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait forever
                what = "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe or a device"
                raise ImageError(name, f"is {what}, not an image file.")
            with path.open("rb") as file:
                head = file.read(HEAD_BYTES)
        except ImageError:
            raise
        except (OSError, ValueError) as err:  # ValueError: a null character in the name
            raise ImageError(name, f"cannot be opened: {getattr(err, 'strerror', None) or err}.") from err
        if not head:
            raise UnreadableImage(name, "is empty (0 bytes).")
        return cls(name, status.st_size, head, path=path)

    def whole(self) -> bytes:
        """All bytes.

        Raises:
            UnreadableImage: The file is larger than any decoder takes.
        """
        if self.data is not None:
            return self.data
        if self.size <= len(self.head):
            return self.head
        if self.size > MAX_FILE_BYTES:
            raise UnreadableImage(self.name, f"has {self.size} bytes; at most {MAX_FILE_BYTES} are read in one piece.")
        with self.file() as file:
            return file.read(self.size)

    def part(self, offset: int, count: int) -> bytes:
        """`count` bytes from `offset`, fewer at the end."""
        if offset + count <= len(self.head):
            return self.head[offset : offset + count]
        with self.file() as file:
            file.seek(offset)
            return file.read(count)

    def file(self) -> BinaryIO:
        """A fresh binary file over the bytes, standing at their beginning."""
        if self.path is None:
            return io.BytesIO(self.data or b"")
        return self.path.open("rb") if self.span is None else archive.member_file(self.path, self.span)

    @property
    def plain_path(self) -> Path | None:
        """The file that holds these bytes and nothing else; None where there is none."""
        return self.path if self.span is None else None
