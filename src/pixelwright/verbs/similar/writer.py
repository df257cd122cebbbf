"""Rows into an index, so that it can be killed at any moment: shards aside first, then `index.json` in one step."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import msgspec
import numpy as np

from pixelwright.errors import IndexUnusable, OutputError
from pixelwright.io.atomic import whole_file
from pixelwright.verbs.job import lock_folder, stopped, write_lines
from pixelwright.verbs.similar.index import (
    INDEX_FILE,
    SHARDS,
    Entry,
    Index,
    Manifest,
    Shard,
    Vectors,
    open_index,
    read_manifest,
)

# Small shards are put together once there are so many of them, up to so many rows.
SMALL_SHARDS = 64
SHARD_ROWS = 1 << 16
TEMPORARY = frozenset({"index.json.tmp", "pending.jsonl", "pending.jsonl.tmp", "failed.jsonl.tmp"})
CELLS_FILE, CELLS_FACTS = "cells.faiss", "cells.json"
OURS = frozenset({INDEX_FILE, SHARDS, "index.lock", "failed.jsonl", CELLS_FILE, CELLS_FACTS}) | TEMPORARY


class Writer:
    """An index open for writing; nobody else writes to it meanwhile.

    Attributes:
        index: What is on disk.
    """

    def __init__(self, index: Index) -> None:
        self.index = index
        self._entries: list[Entry] = []
        self._vectors: list[Vectors] = []
        self._changed = False

    @property
    def pending(self) -> int:
        """Rows taken and not yet committed."""
        return len(self._entries)

    def add(self, entry: Entry, vector: Vectors) -> None:
        """Take a row; it is kept once `commit` returns.

        Raises:
            IndexUnusable: The vector is longer or shorter than those that are there.
        """
        if not self.index.manifest.dimension:  # nobody knows it before the first vector
            manifest = msgspec.structs.replace(self.index.manifest, dimension=len(vector))
            self.index = Index(self.index.folder, manifest, self.index.marks)
        if vector.shape != (self.index.manifest.dimension,):
            raise IndexUnusable(
                f"{self.index.folder}: its vectors have {self.index.manifest.dimension} numbers, this one has "
                f"{len(vector)}. Use the model that made the index, or another folder."
            )
        self._entries.append(entry)
        self._vectors.append(vector)

    def mark(self, row: int, mark: int) -> None:
        """Say of a committed row that its picture is live, has vanished, or has a later row."""
        if self.index.marks[row] != mark:
            self.index.marks[row] = mark
            self._changed = True

    def commit(self) -> None:
        """Write what was taken and marked.

        Raises:
            OutputError: The disk is full or not writable.
        """
        # Taken out first: interrupted anywhere below, the rows are made again rather than written twice.
        entries, self._entries = self._entries, []
        vectors, self._vectors = self._vectors, []
        if not entries and not self._changed:
            return
        manifest = self.index.manifest
        generation = manifest.generation + 1
        shards = manifest.shards
        if entries:
            shard = Shard(f"{generation:09d}", len(entries))
            _write_shard(self.index.folder, shard, [np.stack(vectors)], entries)
            shards = (*shards, shard)
        self._replace(_with_shards(manifest, shards, generation))

    def put_together(self, *, at_end: bool = False) -> None:
        """Make large shards of many small ones; row numbers stay.

        Args:
            at_end: Even if there are only a few.

        Raises:
            OutputError: The disk is full or not writable.
        """
        shards = self.index.manifest.shards
        kept = 0
        while kept < len(shards) and shards[kept].rows >= SHARD_ROWS:
            kept += 1
        if len(shards) - kept < (2 if at_end else SMALL_SHARDS):
            return
        generation = self.index.manifest.generation + 1
        small = Index(self.index.folder, _with_shards(self.index.manifest, shards[kept:], 0), self.index.marks)
        whole = Shard(f"{generation:09d}", len(small))
        _write_shard(self.index.folder, whole, (block for _, block in small.blocks()), small.entries())
        self._replace(_with_shards(self.index.manifest, (*shards[:kept], whole), generation))

    def _replace(self, manifest: Manifest) -> None:
        folder = self.index.folder
        grown = np.zeros(manifest.count - len(self.index.marks), np.uint8)
        marks = np.concatenate((self.index.marks, grown)) if len(grown) else self.index.marks
        if self._changed:
            manifest = msgspec.structs.replace(manifest, marks=f"marks-{manifest.generation}.npy")
            write_whole(folder / SHARDS / str(manifest.marks), lambda out: np.save(out, marks))
        _write_manifest(folder, manifest)
        self.index, self._changed = Index(folder, manifest, marks), False
        _sweep(folder, manifest)


def check_folder(folder: Path) -> None:
    """Refuse a folder that holds something and no index.

    Raises:
        IndexUnusable: Naming the first thing in it.
    """
    if folder.is_dir() and not (folder / INDEX_FILE).exists():
        foreign = sorted(entry.name for entry in folder.iterdir() if entry.name not in OURS)
        if foreign:
            raise IndexUnusable(f"{folder} holds {foreign[0]!r} and no index. Name a new folder for the index.")


@contextmanager
def open_writer(folder: Path, identity: Manifest) -> Generator[Writer]:
    """An index to add to, begun or continued.

    Args:
        folder: Made where it is missing.
        identity: What its vectors are to be of.

    Raises:
        IndexUnusable: The folder holds something else, a damaged index, or vectors of another model.
        JobError: Another process writes to it.
        OutputError: The folder cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        check_folder(folder)
        lock = (folder / "index.lock").open("a+b")
    except OSError as err:
        raise OutputError(f"cannot use {folder} as an index: {err.strerror or err}. Name another folder.") from err
    with lock:
        lock_folder(lock, folder, "another process is adding to this index.")
        manifest = read_manifest(folder)
        if manifest is None:
            _begin(folder, identity)
        elif manifest.space != identity.space:
            raise IndexUnusable(
                f"{folder} holds vectors of {manifest.space}, this model makes {identity.space}, and they cannot be "
                "compared. Use the same model, or name another folder."
            )
        index = open_index(folder)
        _sweep(folder, index.manifest)
        yield Writer(index)


def _begin(folder: Path, identity: Manifest) -> None:
    try:
        (folder / SHARDS).mkdir(exist_ok=True)
    except OSError as err:
        raise stopped(folder / SHARDS, err) from err
    _write_manifest(folder, identity)


def _with_shards(manifest: Manifest, shards: tuple[Shard, ...], generation: int) -> Manifest:
    count = sum(shard.rows for shard in shards)
    return msgspec.structs.replace(manifest, shards=shards, count=count, generation=generation)


def _write_shard(folder: Path, shard: Shard, blocks: Iterable[Vectors], entries: Iterable[Entry]) -> None:
    def save(out: BinaryIO) -> None:
        header_written = False
        for block in blocks:
            if not header_written:
                shape = (shard.rows, block.shape[1])
                header = {"descr": "<f4", "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(out, header)
                header_written = True
            out.write(np.ascontiguousarray(block, "<f4").data)

    write_whole(folder / SHARDS / f"{shard.name}.npy", save)
    write_lines(folder / SHARDS / f"{shard.name}.jsonl", (entry.to_dict() for entry in entries))


def _write_manifest(folder: Path, manifest: Manifest) -> None:
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"
    write_whole(folder / INDEX_FILE, lambda out: out.write(text))


def write_whole(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """A file that is there whole or not at all, and on the disk.

    Raises:
        OutputError: The disk is full or not writable.
    """
    try:
        with whole_file(path, lasting=True) as out:
            write(out)
    except OSError as err:
        raise stopped(path, err) from err


def _sweep(folder: Path, manifest: Manifest) -> None:
    """Remove what no longer counts: shards that were put together, old marks, and what a kill has left."""
    names = {f"{shard.name}.{ending}" for shard in manifest.shards for ending in ("npy", "jsonl")} | {manifest.marks}
    for path in (folder / SHARDS).iterdir():
        if path.name not in names:
            with suppress(OSError):  # Windows keeps a file that is still mapped; it goes the next time
                path.unlink()
