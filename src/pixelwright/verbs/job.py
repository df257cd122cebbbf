"""A job on disk: it can be killed at any moment and continued, and every result is written exactly once.

```
DIR/job.json              what was asked: written last at the start, never changed
DIR/items.jsonl           the pictures, as listed when the job began
DIR/results/000000000.jsonl, ...   shards of result records in order, named by the index of their first record
DIR/frames/...            for each video the records of its frames
DIR/images/...            pictures and videos, where the task makes them
DIR/results.jsonl, failed.jsonl    all records, and those of failures; written when the job is complete
```

A shard is written aside and renamed, so it is there whole or not at all, and the shards that are there say how far
the job is. Nothing is appended to.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from pixelwright.errors import JobError, OutputError
from pixelwright.io.atomic import whole_file
from pixelwright.io.lock import take_lock
from pixelwright.io.sources import Item

FORMAT = 1
# A shard is closed when it is this large or this old: what a kill can cost is bounded by both.
SHARD_RECORDS = 1000
SHARD_SECONDS = 2.0

PARTIAL = ".partial"  # pictures being written; emptied when a job continues
OURS = frozenset({"frames", "images", "results", "results.jsonl", "failed.jsonl", PARTIAL})


@dataclass(eq=False)
class Job:
    """An open job folder.

    Attributes:
        folder: Where it lies.
        total: How many items it has.
        done: How many have their record in a shard.
        failed: How many of these are failures.
        faulty: How many were done although something was wrong with them.
        read: Pictures, and frames of videos, that were read.
    """

    folder: Path
    total: int
    done: int = 0
    failed: int = 0
    faulty: int = 0
    read: int = 0
    _pending: list[dict[str, Any]] = field(default_factory=list)
    _committed_s: float = field(default_factory=time.monotonic)

    def items(self) -> Iterator[tuple[int, Item]]:
        """The items that have no record yet, with their index."""
        first = self.done
        with (self.folder / "items.jsonl").open("rb") as lines:
            for index, line in enumerate(islice(lines, first, None), first):
                yield index, Item(**json.loads(line))

    def add(self, record: dict[str, Any]) -> None:
        """Take the next record; it is kept once `commit` returns."""
        self._pending.append(record)

    @property
    def pending(self) -> int:
        """Records taken and not yet committed."""
        return len(self._pending)

    def commit_if_due(self) -> None:
        """Commit where there is enough for a shard, or where the last was long ago."""
        if self.pending >= SHARD_RECORDS or time.monotonic() - self._committed_s > SHARD_SECONDS:
            self.commit()
            self._committed_s = time.monotonic()

    def commit(self) -> None:
        """Write the taken records as one shard."""
        # Taken out first: interrupted anywhere below, the records are done again rather than written twice.
        shard, self._pending = self._pending, []
        if not shard:
            return
        write_lines(self.folder / "results" / f"{self.done:09d}.jsonl", shard)
        for record in shard:
            self.count(record)

    def count(self, record: dict[str, Any]) -> None:
        """Take note of a record that stands in a shard."""
        self.done += 1
        self.failed += "error" in record
        self.faulty += is_faulty(record)
        self.read += read_of(record)

    def check_complete(self) -> None:
        """Refuse to go on where items have no record.

        Raises:
            JobError: Items are missing.
        """
        if self.done != self.total:
            raise JobError(
                f"{self.folder}: {self.done} of {self.total} items have a record. Run the same command again."
            )

    def finish(self) -> None:
        """Put all shards together in `results.jsonl` and the failures in `failed.jsonl`.

        Raises:
            JobError: Items are missing.
        """
        self.check_complete()
        write_lines(self.folder / "results.jsonl", self.records())
        failures = (record for record in self.records() if "error" in record)
        write_lines(self.folder / "failed.jsonl", failures)
        shutil.rmtree(self.folder / PARTIAL, ignore_errors=True)

    def answers(self) -> Iterator[dict[str, Any]]:
        """All committed records in order, and in the place of a video those of its frames."""
        for record in self.records():
            if "frame_records" not in record:
                yield record
                continue
            with (self.folder / record["frame_records"]).open("rb") as lines:
                yield from map(json.loads, lines)

    def records(self) -> Iterator[dict[str, Any]]:
        """All committed records in order."""
        for shard in sorted((self.folder / "results").glob("*.jsonl")):
            try:
                with shard.open("rb") as lines:
                    yield from map(json.loads, lines)
            except ValueError as err:
                raise JobError(f"{shard} is damaged ({err}). Remove the folder and start again.") from err


def read_of(record: dict[str, Any]) -> int:
    """How many pictures or frames an item's record says were read."""
    if "frames" in record:
        return record["frames"] - record["failed_frames"]
    return int("error" not in record)


def is_faulty(record: dict[str, Any]) -> bool:
    """Whether an item was done although something was wrong with it."""
    return "faults" in record and "error" not in record


@contextmanager
def open_job(folder: Path, request: dict[str, Any], list_items: Callable[[], Iterable[Item]]) -> Generator[Job]:
    """A job in a folder, started or continued; no other process can run it meanwhile.

    Args:
        folder: Made where it is missing.
        request: What decides the results; the job continues only if it is the same.
        list_items: Called when the job is new.

    Raises:
        JobError: The folder cannot be used, holds another job, or something that is not a job, or another process
            runs it.
    """
    with _usable(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "job.lock").open("a+b")
    with lock:
        with _usable(folder):
            lock_folder(lock, folder, "another process is running this job.")
            job = _read_or_begin(folder, request, list_items)
        yield job


def is_complete(folder: Path) -> bool:
    """Whether a folder holds a job that was finished."""
    return (folder / "results.jsonl").exists()


def _read_or_begin(folder: Path, request: dict[str, Any], list_items: Callable[[], Iterable[Item]]) -> Job:
    if not (folder / "job.json").exists():
        _begin(folder, request, list_items())
    job = Job(folder, _check(folder, request))
    for name in ("results", PARTIAL):
        (folder / name).mkdir(exist_ok=True)
    for stale in (*(folder / PARTIAL).iterdir(), *(folder / "results").glob("*.tmp")):
        stale.unlink()
    for record in job.records():
        if record["index"] != job.done:
            raise JobError(f"{folder}: record {job.done} is missing in results/. Remove the folder and start again.")
        job.count(record)
    return job


@contextmanager
def _usable(folder: Path) -> Generator[None]:
    try:
        yield
    except OSError as err:
        raise OutputError(f"cannot use {folder} as a job folder: {err.strerror or err}. Name another with -o.") from err


def write_lines(path: Path, records: Iterable[dict[str, Any]]) -> int:
    """Records as JSON lines in a file that is there whole or not at all; how many there were.

    Raises:
        OutputError: The disk is full or not writable.
    """
    try:
        with whole_file(path, lasting=True) as out:
            return _write(out, records)
    except OSError as err:
        raise stopped(path, err) from err


def stopped(path: Path, err: OSError, *, in_job: bool = True) -> OutputError:
    """What to raise where the disk is full or not writable."""
    kept = "What was finished is kept; mend that and run the same command again."
    advice = kept if in_job else "Make room, or name another place with -o."
    return OutputError(f"cannot write {path}: {err.strerror or err}. {advice}")


def to_line(record: dict[str, Any]) -> bytes:
    """A record as one line of JSON; names that are no valid Unicode stay readable as escapes."""
    try:
        return json.dumps(record, ensure_ascii=False, separators=(", ", ": ")).encode() + b"\n"
    except UnicodeEncodeError:
        return json.dumps(record, separators=(", ", ": ")).encode() + b"\n"


def _write(out: BinaryIO, records: Iterable[dict[str, Any]]) -> int:
    count = 0
    for record in records:
        out.write(to_line(record))
        count += 1
    return count


def _begin(folder: Path, request: dict[str, Any], items: Iterable[Item]) -> None:
    # Without job.json whatever else is there is not ours, except what a start cut short has left behind.
    taken = OURS & {entry.name for entry in folder.iterdir()}
    if taken:
        raise JobError(f"{folder} already has {', '.join(sorted(taken))} but no job.json. Choose another -o.")
    digest = hashlib.sha256()

    def listed() -> Iterator[dict[str, Any]]:
        for item in items:
            record = {"path": item.path, "name": item.name}
            digest.update(to_line(record))
            yield record

    total = write_lines(folder / "items.jsonl", listed())
    job = {"format": FORMAT, "request": request, "items": total, "items_sha256": digest.hexdigest()}
    aside = folder / "job.json.tmp"
    aside.write_text(json.dumps(job, indent=2) + "\n")
    aside.replace(folder / "job.json")


def _check(folder: Path, request: dict[str, Any]) -> int:
    try:
        job = json.loads((folder / "job.json").read_bytes())
        was, total, digest = job["request"], int(job["items"]), job["items_sha256"]
    except (ValueError, KeyError, TypeError) as err:
        raise JobError(f"{folder / 'job.json'} is damaged ({err}). Remove the folder and start again.") from err
    if job.get("format") != FORMAT:
        raise JobError(f"{folder}: job format {job.get('format')}, this version writes {FORMAT}. Choose another -o.")
    # Through JSON, so that tuples and lists are alike.
    now = json.loads(json.dumps(request))
    differing = [key for key in sorted({*was, *now}) if was.get(key) != now.get(key)]
    if differing:
        said = "; ".join(f"{key}: {was.get(key)!r} there, {now.get(key)!r} now" for key in differing[:3])
        raise JobError(f"{folder} holds another job ({said}). Choose another -o, or remove the folder.")
    with (folder / "items.jsonl").open("rb") as items:
        if hashlib.file_digest(items, "sha256").hexdigest() != digest:
            raise JobError(f"{folder / 'items.jsonl'} was changed. Remove the folder and start again.")
    return total


def lock_folder(lock: BinaryIO, folder: Path, taken: str) -> None:
    """Keep other processes out for as long as the file is open.

    Raises:
        JobError: With the sentence `taken`, where one of them is in.
    """
    if not take_lock(lock):
        raise JobError(f"{folder}: {taken}")
