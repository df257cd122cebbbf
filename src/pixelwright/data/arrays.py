"""Arrays in files: IDX as MNIST has them, plain or gzipped, and the members of `.npz`.

The header is believed only as far as the file can hold what it states, so that a few bytes never claim gigabytes.

Source: the IDX format is described at http://yann.lecun.com/exdb/mnist; NPY by NumPy's `numpy.lib.format`.
"""

from __future__ import annotations

import gzip
import math
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from pixelwright.data.place import Place
from pixelwright.errors import UnreadableImage

_IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_DEFLATE_RATIO = 1040  # deflate cannot do better than 1032 to 1
_MEMORY_SHARE = 0.5  # of what the machine has, for what has to be unpacked
_MEMORY_BYTES = 2**33  # of a machine that does not say what it has


@dataclass(frozen=True, slots=True)
class Header:
    """Shape and dtype of an array, and where its values begin in the (unpacked) file."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    offset: int

    @property
    def nbytes(self) -> int:
        """Bytes of the values."""
        return math.prod(self.shape) * self.dtype.itemsize


@dataclass(frozen=True, slots=True)
class IdxArray:
    """An IDX file, plain or gzipped."""

    place: Place

    def __str__(self) -> str:
        return str(self.place)

    def header(self) -> Header:
        """Shape and dtype.

        Raises:
            ImageError: It is no IDX file, or shorter than its header says.
        """
        with _unpacked(self.place) as file:
            header = _idx_header(file, str(self))
        packed = _is_gzip(self.place)
        most = self.place.size * (_DEFLATE_RATIO if packed else 1)
        if header.offset + header.nbytes > most:
            raise UnreadableImage(
                str(self), f"the header says {_said(header)}, the file has {self.place.size:,} bytes."
            )
        if packed:
            _check_room(header, str(self), "Unpack it: then it is mapped.")
        return header

    def stamp(self) -> tuple[int, int]:
        """Time and size of the file."""
        return _stamp(self.place)

    def load(self) -> npt.NDArray[Any]:
        """The values; of a plain file mapped, of a gzipped one in memory."""
        return _load_idx(self, self.stamp())


@dataclass(frozen=True, slots=True)
class NpzArray:
    """An array of a `.npz` file."""

    place: Place
    name: str

    def __str__(self) -> str:
        return f"{self.place}[{self.name}]"

    def header(self) -> Header:
        """Shape and dtype.

        Raises:
            ImageError: There is no such array, it holds Python objects, or is shorter than its header says.
        """
        with _zip(self.place) as opened:
            info = opened.getinfo(f"{self.name}.npy")
            with opened.open(info) as file:
                header = _npy_header(file, str(self))
            if header.offset + header.nbytes != info.file_size or info.file_size > info.compress_size * _DEFLATE_RATIO:
                raise UnreadableImage(str(self), f"the header says {_said(header)}, the file holds something else.")
            if info.compress_type != zipfile.ZIP_STORED or self.place.path is None:
                where = "" if self.place.path else ", outside of an archive"
                _check_room(header, str(self), f"Save it without compression (`np.savez`){where}: then it is mapped.")
        return header

    def stamp(self) -> tuple[int, int]:
        """Time and size of the file."""
        return _stamp(self.place)

    def load(self) -> npt.NDArray[Any]:
        """The values; where they are stored without compression mapped, else in memory."""
        return _load_npz(self, self.stamp())


def npz_names(place: Place) -> list[str]:
    """The arrays of a `.npz` file, in order.

    Raises:
        ImageError: It is none.
    """
    with _zip(place) as opened:
        return [name[:-4] for name in opened.namelist() if name.endswith(".npy")]


@lru_cache(maxsize=8)
def _load_idx(rows: IdxArray, _stamp: tuple[int, int]) -> npt.NDArray[Any]:
    header = rows.header()
    if rows.place.path is not None and not _is_gzip(rows.place):
        return np.memmap(rows.place.path, header.dtype, "r", header.offset, header.shape)
    with _unpacked(rows.place) as file:
        data = file.read(header.offset + header.nbytes)
    if len(data) < header.offset + header.nbytes:
        raise UnreadableImage(str(rows), f"the header says {_said(header)}, the file ends after {len(data):,} bytes.")
    return np.frombuffer(data, header.dtype, offset=header.offset).reshape(header.shape)


@lru_cache(maxsize=16)
def _load_npz(rows: NpzArray, _stamp: tuple[int, int]) -> npt.NDArray[Any]:
    header = rows.header()
    with _zip(rows.place) as opened:
        info = opened.getinfo(f"{rows.name}.npy")
        with opened.open(info) as file:
            if info.compress_type == zipfile.ZIP_STORED and rows.place.path is not None:
                offset = _data_offset(rows.place.path, info.header_offset) + header.offset
                order = "F" if _is_fortran(file) else "C"
                return np.memmap(rows.place.path, header.dtype, "r", offset, header.shape, order)
            return np.lib.format.read_array(file, allow_pickle=False)


def _idx_header(file: BinaryIO, name: str) -> Header:
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _IDX_TYPES or not 1 <= magic[3] <= 4:
        raise UnreadableImage(name, f"is no IDX file: it begins with {magic!r}, expected two zeros, type and axes.")
    sizes = file.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise UnreadableImage(name, "ends within its header.")
    return Header(struct.unpack(f">{magic[3]}I", sizes), np.dtype(_IDX_TYPES[magic[2]]), 4 + len(sizes))


def _npy_header(file: Any, name: str) -> Header:
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    if dtype.hasobject:
        raise UnreadableImage(name, "holds pickled Python objects, which can run anything. Save plain arrays.")
    return Header(shape, dtype, file.tell())


def _is_fortran(file: Any) -> bool:
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    return read(file)[1]


def _data_offset(path: Path, header_offset: int) -> int:
    """Where the bytes of a zip's member begin: its local header is followed by its name and extra fields."""
    with path.open("rb") as file:
        file.seek(header_offset + 26)
        name_bytes, extra_bytes = struct.unpack("<HH", file.read(4))
    return header_offset + 30 + name_bytes + extra_bytes


def _said(header: Header) -> str:
    return f"{'x'.join(map(str, header.shape))} values of {header.dtype.itemsize} bytes"


def _check_room(header: Header, name: str, advice: str) -> None:
    """Whether what has to be unpacked fits into memory: a packed file may hold a thousand times its bytes."""
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no such question
        memory = _MEMORY_BYTES
    if header.nbytes > _MEMORY_SHARE * memory:
        most = f"{_MEMORY_SHARE * memory / 1e9:.1f} GB"
        raise UnreadableImage(name, f"unpacks to {header.nbytes / 1e9:.1f} GB; {most} are taken at most. {advice}")


def _is_gzip(place: Place) -> bool:
    return place.head(2) == b"\x1f\x8b"


def _stamp(place: Place) -> tuple[int, int]:
    status = os.stat(place.file)  # noqa: PTH116 (asked for each sample, and a `Path` takes longer than the question)
    return status.st_mtime_ns, status.st_size


@contextmanager
def _unpacked(place: Place) -> Iterator[BinaryIO]:
    packed = _is_gzip(place)
    with place.open() as file:
        try:
            yield gzip.GzipFile(fileobj=file) if packed else file  # type: ignore[misc]
        except (gzip.BadGzipFile, EOFError, zlib.error) as err:
            raise UnreadableImage(str(place), f"is a damaged gzip: {err}.") from err


@contextmanager
def _zip(place: Place) -> Iterator[zipfile.ZipFile]:
    try:
        with place.open() as file, zipfile.ZipFile(file) as opened:
            yield opened
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError, NotImplementedError) as err:
        raise UnreadableImage(str(place), f"is no sound .npz file: {err}.") from err
    except KeyError as err:
        raise UnreadableImage(str(place), f"has no such array: {err}.") from err
