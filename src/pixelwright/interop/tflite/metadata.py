"""What a file says of itself: labels, and the normalization its pictures need.

Labels stand in text files of a zip archive behind the flatbuffer; which one is meant, its metadata says.

Source: https://github.com/tensorflow/tflite-support, tensorflow_lite_support/metadata/metadata_schema.fbs, Apache-2.0.
"""

from __future__ import annotations

import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from pixelwright.interop.labels import label_lines
from pixelwright.interop.tflite.faults import DamageError
from pixelwright.interop.tflite.flatbuffer import Table

BUFFER, IDENTIFIER = "TFLITE_METADATA", b"M001"
NORMALIZATION = 1  # ProcessUnitOptions
AXIS_LABELS, VALUE_LABELS = 2, 3  # AssociatedFileType
MAX_FILE_BYTES = 4 << 20  # of labels; 1,001 take 22 kB
MAX_LABELS = 100_000
UNREADABLE = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, NotImplementedError, RuntimeError, OSError, ValueError, EOFError
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Metadata:
    """See `Imported`."""

    labels: tuple[str, ...] = ()
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()


def read_metadata(data: bytes, buffers: Mapping[str, bytes]) -> Metadata:
    """What the metadata in a file says; damaged metadata is told in a note, as the network does not need it."""
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    names: list[str] = []
    notes: list[str] = []
    if buffers.get(BUFFER):
        try:
            main = next(Table.root(buffers[BUFFER], IDENTIFIER).tables(3), None)
            mean, std = _normalization(main)
            names = list(_label_files(main))
        except DamageError as err:
            notes.append(f"its metadata is damaged and was left out: {err}")
    try:
        labels = _labels(data, names)
    except UNREADABLE as err:
        labels = ()
        notes.append(f"the label files packed into it cannot be read and were left out: {err}")
    return Metadata(labels, mean, std, tuple(notes))


def _normalization(graph: Table | None) -> tuple[tuple[float, ...], tuple[float, ...]]:
    for tensor in graph.tables(2) if graph else ():
        for unit in tensor.tables(4):
            options = unit.table(1)
            if unit.number(0, "uint8") != NORMALIZATION or options is None:
                continue
            mean, std = (options.numbers(field, "float32") for field in (0, 1))
            count = max(len(mean), len(std))
            if (
                0 not in (len(mean), len(std))
                and {len(mean), len(std)} <= {1, count}
                and np.isfinite([*mean, *std]).all()
                and min(std) > 0
            ):
                return mean * (count // len(mean)), std * (count // len(std))
            raise DamageError(f"it normalizes by mean {mean[:4]} and std {std[:4]}")
    return (), ()


def _label_files(graph: Table | None) -> Iterator[str]:
    """Names of label files, the untranslated and the English ones first."""
    files = [file for tensor in (graph.tables(3) if graph else ()) for file in tensor.tables(6)]
    labels = [file for file in files if file.number(2, "int8") in (AXIS_LABELS, VALUE_LABELS)]
    yield from (file.text(0) for file in sorted(labels, key=lambda file: file.text(3)[:2] not in ("", "en")))


def _labels(data: bytes, names: list[str]) -> tuple[str, ...]:
    if not zipfile.is_zipfile(io.BytesIO(data)):
        return ()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        packed = {info.filename: info for info in archive.infolist()}
        texts = [name for name in packed if name.lower().endswith(".txt")]
        likely = [name for name in texts if "label" in name.lower()]
        chosen = next((name for name in names if name in packed), None)
        # Without metadata the one text file, or the one that is called labels.
        for group in (likely, texts):
            chosen = group[0] if chosen is None and len(group) == 1 else chosen
        if chosen is None:
            return ()
        with archive.open(packed[chosen]) as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    lines = label_lines(raw.decode("utf-8-sig", "replace"))
    if len(raw) > MAX_FILE_BYTES or len(lines) > MAX_LABELS:
        raise ValueError(f"{chosen[:60]!r} is longer than {MAX_FILE_BYTES >> 20} MB or {MAX_LABELS} lines")
    if "" in lines:
        raise ValueError(f"line {lines.index('') + 1} of {chosen[:60]!r} is blank, and every line is a label")
    return tuple(lines)
