"""The probe of a bundle: real inputs with the reference's outputs, so that anyone can check parity where they are.

One npz file with arrays `0/input/<name>`, `0/output/<name>`, `1/input/<name>`, ... It may come from a stranger: sizes
are checked before anything is allocated, and pickled objects are never read.
"""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pixelwright.errors import DamagedModel
from pixelwright.runtimes.protocol import Array, one_line

MAX_BYTES = 64 * 2**20  # of all arrays together; our own probes are under 100 kB
MAX_MEMBERS = 1_000
SIDES = ("input", "output")
# What NumPy writes. The other methods of zip files may ask for gigabytes of memory in their headers.
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
NUMBERS = "biuf"  # kinds of dtype: bool, integers, floats


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One input and what the reference made of it, by tensor name."""

    inputs: Mapping[str, Array]
    outputs: Mapping[str, Array]


def write_probe(path: Path, cases: Sequence[Case]) -> None:
    """The cases as one compressed file, the same bytes for the same arrays."""
    arrays = {
        f"{number}/{side}/{name}": array
        for number, case in enumerate(cases)
        for side, named in zip(SIDES, (case.inputs, case.outputs), strict=True)
        for name, array in named.items()
    }
    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def read_probe(path: Path) -> list[Case]:
    """The cases of a probe file, in order.

    Raises:
        DamagedModel: It is not a probe, is too big, or holds anything but plain arrays.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            total = sum(member.file_size for member in members)
            if total > MAX_BYTES or len(members) > MAX_MEMBERS:
                raise DamagedModel(f"{path.name}: {len(members)} arrays, {total} bytes; the limit is {MAX_BYTES}.")
            return _cases(path, {member.filename: _array(path, archive, member) for member in members})
    except DamagedModel:
        raise
    except Exception as err:  # zipfile, zlib, struct, tokenize and NumPy each raise errors of their own
        raise DamagedModel(f"{path.name}: not a sound npz file: {one_line(err)}. Fetch the bundle again.") from err


def _array(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Array:
    if member.compress_type not in METHODS:
        raise DamagedModel(f"{path.name}: {member.filename!r} is packed in a way that npz does not know.")
    with archive.open(member) as file:
        raw = io.BytesIO(file.read(MAX_BYTES + 1))
    read_header = np.lib.format.read_array_header_1_0
    if np.lib.format.read_magic(raw) != (1, 0):
        read_header = np.lib.format.read_array_header_2_0
    shape, fortran_order, dtype = read_header(raw)
    body = raw.read()
    # Compared before anything is allocated: a header may claim terabytes.
    if dtype.kind not in NUMBERS or math.prod(shape) * dtype.itemsize != len(body):
        raise DamagedModel(f"{path.name}: {member.filename!r} is not the array of numbers {dtype} {shape}.")
    return np.frombuffer(body, dtype).reshape(shape, order="F" if fortran_order else "C")


def _cases(path: Path, arrays: Mapping[str, Array]) -> list[Case]:
    found: dict[int, dict[str, dict[str, Array]]] = {}
    for key, array in arrays.items():
        number, _, rest = key.removesuffix(".npy").partition("/")
        side, _, name = rest.partition("/")
        if not number.isdecimal() or side not in SIDES or not name:
            raise DamagedModel(f"{path.name}: {key!r} is no array of a probe; expected 0/input/<name> and so on.")
        found.setdefault(int(number), {known: {} for known in SIDES})[side][name] = array
    if not found:
        raise DamagedModel(f"{path.name}: it holds no case. Make the probe again.")
    return [Case(found[number]["input"], found[number]["output"]) for number in sorted(found)]
