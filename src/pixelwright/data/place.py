"""Where a file of a data set is: a file of its own, or within a tar or zip, from which it is never unpacked to disk."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pixelwright.errors import DataError, ImageError
from pixelwright.io import archive, zips
from pixelwright.io.digest import sha256_of
from pixelwright.io.images import open_raster
from pixelwright.structures.raster import Raster

MAX_TEXT_BYTES = 2**30  # of one description; the largest in use (COCO's own) has 0.5 GB
_READ_AT_ONCE = 2**20


@dataclass(frozen=True, slots=True)
class Place:
    """One file.

    Attributes:
        file: Path of the file, or of the archive that holds it.
        member: Name within the archive, or nothing.
    """

    file: str
    member: str = ""

    def __str__(self) -> str:
        return f"{self.file}::{self.member}" if self.member else self.file

    @property
    def path(self) -> Path | None:
        """The file that holds it and nothing else; None within an archive."""
        return None if self.member else Path(self.file)

    @property
    def size(self) -> int:
        """Bytes, unpacked.

        Raises:
            ImageError: It cannot be read.
        """
        if not self.member:
            try:
                return Path(self.file).stat().st_size
            except OSError as err:
                raise ImageError(self.file, f"cannot be opened: {err.strerror or err}.") from err
        if zips.is_zip(self.file):
            return zips.size(Path(self.file), self.member)
        return archive.find(Path(self.file), self.member).size

    def open(self) -> BinaryIO:
        """A binary file over its bytes; of a zip's member in memory.

        Raises:
            ImageError: It cannot be read.
        """
        try:
            if not self.member:
                return Path(self.file).open("rb")
            if not zips.is_zip(self.file):
                tar = Path(self.file)
                return archive.member_file(tar, archive.find(tar, self.member))
        except OSError as err:
            if isinstance(err, ImageError):
                raise
            raise ImageError(str(self), f"cannot be opened: {err.strerror or err}.") from err
        return io.BytesIO(zips.read(Path(self.file), self.member))

    def head(self, count: int) -> bytes:
        """Its first bytes.

        Raises:
            ImageError: It cannot be read.
        """
        if self.member and zips.is_zip(self.file):
            return zips.read(Path(self.file), self.member, head=count)
        with self.open() as file:
            return file.read(count)

    def read(self, limit: int = MAX_TEXT_BYTES) -> bytes:
        """All of it.

        Raises:
            DataError: It has more bytes than the limit.
            ImageError: It cannot be read.
        """
        if self.size > limit:
            raise DataError(f"{self}: has {self.size:,} bytes, at most {limit:,} are read as a description of data.")
        with self.open() as file:
            return file.read(limit + 1)

    def text(self, limit: int = MAX_TEXT_BYTES) -> str:
        """All of it as text: UTF-8 or UTF-16 by its mark, else UTF-8, without a mark, lines ending in `\\n`.

        Raises:
            DataError: It is no text, or too long.
            ImageError: It cannot be read.
        """
        return to_text(self.read(limit), str(self))

    def raster(self) -> Raster:
        """The picture in it, its header read.

        Raises:
            ImageError: It cannot be read, or is no picture.
        """
        if self.member and zips.is_zip(self.file):
            return open_raster(_Named(zips.read(Path(self.file), self.member), str(self)))
        return open_raster(str(self))

    def digest(self) -> str:
        """SHA-256 of its bytes, in hexadecimal.

        Raises:
            ImageError: It cannot be read.
        """
        if not self.member:
            return sha256_of(Path(self.file))
        found = hashlib.sha256()
        with self.open() as file:
            while part := file.read(_READ_AT_ONCE):
                found.update(part)
        return found.hexdigest()


class _Named(io.BytesIO):
    """Bytes in memory that say in messages where they come from."""

    def __init__(self, data: bytes, name: str) -> None:
        super().__init__(data)
        self.name = name


def to_text(data: bytes, name: str) -> str:
    """Bytes as text: UTF-8 or UTF-16 by its mark, else UTF-8, without a mark, lines ending in `\\n`.

    Raises:
        DataError: It is no text.
    """
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as err:
        raise DataError(f"{name}: expected UTF-8 text, found other bytes at {err.start}. Save it as UTF-8.") from err
    return text.replace("\r\n", "\n").replace("\r", "\n")
