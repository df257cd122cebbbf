"""Pictures into an index: new and changed ones are embedded, the rest is left as it is, vanished ones are marked."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from pixelwright.errors import PixelwrightError, UsageError
from pixelwright.io.atomic import whole_file
from pixelwright.io.digest import sha256_of
from pixelwright.io.remote import is_remote
from pixelwright.io.sources import Item, list_images
from pixelwright.model import Model, Opened
from pixelwright.pipeline import Done
from pixelwright.structures.results import Embedding
from pixelwright.verbs.job import stopped, to_line, write_lines
from pixelwright.verbs.similar.index import FORMAT, LIVE, REPLACED, VANISHED, Entry, Index, Manifest
from pixelwright.verbs.similar.writer import Writer, check_folder, open_writer
from pixelwright.verbs.tally import OnProgress, OnRecord, Summary, Tally

log = logging.getLogger(__name__)

# A shard is closed when it is this large or this old: what a kill can cost is bounded by both.
SHARD_RECORDS = 1000
SHARD_SECONDS = 2.0

PENDING, FAILED = "pending.jsonl", "failed.jsonl"
Row = tuple[Entry, npt.NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class IndexRequest:
    """What to put into which index.

    Attributes:
        sources: Files, folders, globs, or `-`.
        folder: Of the index: made, or continued.
    """

    sources: tuple[str, ...]
    folder: Path


def index_pictures(model: Model, request: IndexRequest, *, on_record: OnRecord, on_progress: OnProgress) -> Summary:
    """Bring an index up to date with pictures.

    Pictures that are in it with the same size and time of change are left as they are. It can be killed at any moment;
    the same call continues.

    Args:
        model: What makes the vectors.
        request: Of what, and where to.
        on_record: Called with a record of each picture that was taken up or failed, in order.
        on_progress: Called after each picture.

    Raises:
        IndexUnusable: The folder holds something else, a damaged index, or vectors of another model.
        JobError: Another process adds to it.
        OutputError: The disk is full or not writable.
        UsageError: The sources make no sense, or the model makes no vectors.
    """
    if model.task.result is not Embedding:
        raise UsageError(f"{model.bundle.spec.name} is for {model.task.name} and makes no vectors to index.")
    if not request.sources:
        raise UsageError("nothing to index. Name files, folders, globs, or - for a list on standard input.")
    check_folder(request.folder)
    nothing = UsageError(f"no pictures in {', '.join(request.sources)}. Check the folder, or its files' endings.")
    if "-" not in request.sources and next(list_images(request.sources, leave_out=request.folder), None) is None:
        raise nothing
    tally = Tally(on_record, on_progress)
    bundle = model.bundle
    identity = Manifest(
        format=FORMAT,
        space=bundle.identity,
        model=bundle.spec.name,
        bundle=os.path.abspath(bundle.path),  # noqa: PTH100 (keeps links)
        threshold=bundle.spec.decision.threshold,
    )
    with open_writer(request.folder, identity) as writer:
        known = _Known(writer.index)
        pending = request.folder / PENDING
        total = write_lines(pending, _wanted(request, known, writer))
        if not total and not known.earlier:
            raise nothing
        tally.start(known.earlier + total, done=known.earlier)
        _embed(model, _items(pending), total, _Target(writer, known, tally))
        _mark_vanished(writer, known)
        writer.commit()
        writer.put_together(at_end=True)
        pending.unlink(missing_ok=True)
    return tally.summary(request.folder)


class _Known:
    """Which pictures an index has, in some 40 bytes each: hashes of their paths, sizes and times, in order of hash."""

    def __init__(self, index: Index) -> None:
        count = len(index)
        keys, self._facts = np.empty(count, np.uint64), np.empty((count, 2), np.int64)
        for row, entry in enumerate(index.entries()):
            keys[row], self._facts[row] = _key(entry.path), (entry.bytes, entry.mtime_ns)
        # Of several rows of one path the last one counts: it is the vector of the file as it is now.
        rows = np.arange(count)[::-1]
        self._keys, first = np.unique(keys[::-1], return_index=True)
        self._rows = rows[first]
        self.seen = np.zeros(count, bool)
        self.earlier = 0
        self._new: set[int] = set()

    def row(self, path: str) -> int:
        """Of the current vector of a path; -1 where there is none."""
        key = np.uint64(_key(path))
        place = int(np.searchsorted(self._keys, key))
        return int(self._rows[place]) if place < len(self._keys) and self._keys[place] == key else -1

    def is_current(self, row: int, facts: tuple[int, int]) -> bool:
        """Whether a file is as it was when its vector was made."""
        return (int(self._facts[row, 0]), int(self._facts[row, 1])) == facts

    def is_listed(self, path: str) -> bool:
        """Whether a path came before in this run; from now on it has."""
        row, key = self.row(path), _key(path)
        listed = bool(self.seen[row]) if row >= 0 else key in self._new
        if row >= 0:
            self.seen[row] = True
        else:
            self._new.add(key)
        return listed

    def current_rows(self) -> Iterator[int]:
        """Of each path the row that counts, in order."""
        return map(int, np.sort(self._rows))


def _wanted(request: IndexRequest, known: _Known, writer: Writer) -> Iterator[dict[str, Any]]:
    """Of what the sources stand for, what is new or has changed."""
    videos = 0
    for item in list_images(request.sources, leave_out=request.folder):
        videos += item.is_video
        path = _lasting(item.path)
        if item.is_video or known.is_listed(path):
            continue
        row = known.row(path)
        if row >= 0 and known.is_current(row, _facts(path)):
            known.earlier += 1
            writer.mark(row, LIVE)
        else:
            yield {"path": path, "name": item.name}
    if videos:
        log.warning("%d videos were left out: an index holds pictures", videos)


def _items(pending: Path) -> Iterator[tuple[int, Item]]:
    with pending.open("rb") as lines:
        for index, line in enumerate(lines):
            yield index, Item(**json.loads(line))


@dataclass(frozen=True, slots=True)
class _Target:
    """Where rows go, and who counts them."""

    writer: Writer
    known: _Known
    tally: Tally

    def take(self, done: Done[tuple[int, Item], Row], failures: BinaryIO) -> None:
        """The outcome of a picture into the index."""

        def keep(record: dict[str, Any]) -> None:
            if "error" in record:
                failures.write(to_line(record))

        row = self.known.row(done.item[1].path)
        if row >= 0:  # the file has changed: whatever became of it, the old vector is not its own any more
            self.writer.mark(row, REPLACED)
        if done.result is not None:
            self.writer.add(*done.result)
        record = {} if done.result is None else {"size_hw": list(done.result[0].size_hw)}
        self.tally.take(Done(done.item, record, done.error), keep)


def _embed(model: Model, items: Iterable[tuple[int, Item]], total: int, target: _Target) -> None:
    failed, writer = target.writer.index.folder / FAILED, target.writer
    outcomes = model.apply(items, _row, open_source=lambda numbered: numbered[1].path, count=total)
    last_commit = time.monotonic()
    try:
        with whole_file(failed) as failures:
            for done in outcomes:
                target.take(done, failures)
                if writer.pending >= SHARD_RECORDS or time.monotonic() - last_commit > SHARD_SECONDS:
                    writer.commit()
                    writer.put_together()
                    last_commit = time.monotonic()
    except OSError as err:
        raise err if isinstance(err, PixelwrightError) else stopped(failed, err) from err
    finally:
        outcomes.close()
        writer.commit()


def _row(opened: Opened, result: Embedding) -> Row:
    """The last step of each picture, beside the network: what its file is, and its vector."""
    path = opened.source[1].path
    size, changed = _facts(path)
    digest = sha256_of(Path(path)) if size else ""
    return Entry(path, size, changed, digest, opened.raster.source.upright_size_hw), result.vector


def _mark_vanished(writer: Writer, known: _Known) -> None:
    if known.seen.all():
        return
    for row, entry in enumerate(writer.index.entries()):
        if row >= len(known.seen):
            return
        if not known.seen[row] and entry.bytes and writer.index.marks[row] != REPLACED:
            writer.mark(row, LIVE if Path(entry.path).exists() else VANISHED)


def _lasting(path: str) -> str:
    """A path that leads to the same file from any working directory; an address as it is."""
    return path if is_remote(path) else os.path.abspath(path)  # noqa: PTH100 (resolves "..", keeps links)


def _facts(path: str) -> tuple[int, int]:
    """Size and time of change of a file; zeros of what is none."""
    try:
        found = os.stat(path)  # noqa: PTH116
    except (OSError, ValueError):
        return 0, 0
    return found.st_size, found.st_mtime_ns


def _key(path: str) -> int:
    digest = hashlib.blake2b(path.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little")
