"""How far a run is and how it ended: counts, the first failures, and how quick real time was."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from pixelwright.errors import OutputError, PixelwrightError, describe
from pixelwright.io.sources import Item
from pixelwright.pipeline import Done
from pixelwright.verbs.job import is_faulty, read_of

log = logging.getLogger(__name__)

RECORD_VERSION = 1
KEPT_FAILURES = 10  # for the closing lines; all of them stand in failed.jsonl
INTERRUPTED = 130  # what a shell reports of a program ended by Ctrl-C


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: counts of items and frames, `total` None where it is not known."""

    done: int
    failed: int
    total: int | None


@dataclass(frozen=True, slots=True)
class Pace:
    """What working in real time came to.

    Attributes:
        frames: Worked on.
        dropped: Let go because newer ones were there.
        fps: Worked on in a second.
        median_ms: From capture to result, of half of them.
        p95_ms: Of 95 of 100.
    """

    frames: int
    dropped: int
    fps: float
    median_ms: float
    p95_ms: float


@dataclass(frozen=True, slots=True)
class Summary:
    """How a run ended.

    Attributes:
        done: Items with a record, failures included.
        failed: How many could not be done.
        earlier: How many were done by an earlier run of the same job.
        output: Where results are, if anywhere.
        seconds: Wall time of this run.
        failures: The first few, as (path, reason).
        frames: Frames of videos in this run, failures included.
        read: Whether any picture or frame was done, in this run or an earlier one.
        faulty: Items that were done although something was wrong with them, such as a video with damaged frames.
        faults: What it was, the first few of this run, as (path, reason).
        pace: Of a run in real time.
        stopped: Whether a live source was ended by Ctrl-C.
    """

    done: int
    failed: int
    earlier: int
    output: Path | None
    seconds: float
    failures: tuple[tuple[str, str], ...]
    frames: int = 0
    read: bool = True
    faulty: int = 0
    faults: tuple[tuple[str, str], ...] = ()
    pace: Pace | None = None
    stopped: bool = False

    @property
    def exit_code(self) -> int:
        """0 all done, 1 done with failures, 3 nothing could be read, 130 a live source was stopped."""
        if self.stopped:
            return INTERRUPTED
        if self.failed and not self.read:
            return 3
        return 1 if self.failed or self.faulty else 0


OnRecord = Callable[[dict[str, Any]], None]
OnProgress = Callable[[Progress], None]


class Tally:
    """Counts outcomes, tells whoever listens, and keeps the first failures for the closing lines.

    Attributes:
        stopped: Whether a live source was ended by Ctrl-C.
        unheard: What a listener raised; it is no fault of an item, and ends the run.
    """

    def __init__(self, on_record: OnRecord, on_progress: OnProgress) -> None:
        self.stopped = False
        self.unheard: Exception | None = None
        self._on_record, self._on_progress = on_record, on_progress
        self._began = time.monotonic()
        self._total = self._done = self._failed = self._faulty = self._earlier = self._read = 0
        self._frames = self._expected_frames = self._failed_frames = self._dropped = 0
        self._latencies: Counter[float] = Counter()
        self._live_seconds = 0.0
        self._failures: list[tuple[str, str]] = []
        self._faults: list[tuple[str, str]] = []

    def start(self, total: int, *, done: int = 0, failed: int = 0, faulty: int = 0, read: int | None = None) -> None:
        """Tell how many items there are, and what an earlier run did.

        Args:
            total: Items in all.
            done: Items with a record.
            failed: How many of them are failures.
            faulty: How many were done although something was wrong with them.
            read: Pictures and frames that were read; None where each item is one.
        """
        self._total, self._done, self._earlier, self._failed = total, done, done, failed
        self._faulty, self._read = faulty, done - failed if read is None else read
        self._show()

    def take(
        self, done: Done[tuple[int, Item], dict[str, Any]], keep: OnRecord | None = None, *, tell: bool = True
    ) -> None:
        """Make the record of an outcome, keep it, then tell; raises what concerns not only this item."""
        index, item = done.item
        record = {"record": RECORD_VERSION, "index": index, "path": item.path, "name": item.name}
        if isinstance(done.error, OutputError):
            raise done.error
        record |= done.result or {}
        if done.error is not None:
            record["error"] = describe(done.error)
            self._failed += 1
            if len(self._failures) < KEPT_FAILURES:
                self._failures.append((item.path, str(done.error)))
            self.note_unexpected(item.path, done.error)
        self._read += read_of(record)
        self._faulty += is_faulty(record)
        reasons = record.get("faults", [])[: KEPT_FAILURES - len(self._faults)]
        self._faults += [(item.path, reason) for reason in reasons]
        if keep is not None:
            keep(record)
        self._done += 1
        if tell:
            self._tell(record)
        self._show()

    def expect_frames(self, count: int | None) -> None:
        """Tell how many frames a video is said to have, before the first of them."""
        self._expected_frames = self._frames + (count or 0)
        self._show()

    def take_frame(self, record: dict[str, Any], *, latency_ms: float | None, tell: bool) -> None:
        """Count a frame and tell."""
        self._frames += 1
        self._failed_frames += "error" in record
        if latency_ms is not None:
            self._latencies[round(latency_ms, 1)] += 1  # a camera may run for days: counts, not a list
        if tell:
            self._tell(record)
        self._show()

    def end_frames(self, *, dropped: int, seconds: float, live: bool) -> None:
        """Tell that a video has ended."""
        self._expected_frames = self._frames
        self._dropped += dropped
        self._live_seconds += seconds if live else 0.0

    def note_unexpected(self, path: str, error: Exception) -> None:
        """Log what nobody raised on purpose."""
        if not isinstance(error, PixelwrightError):
            log.error("%s: unexpected %s", path, type(error).__name__, exc_info=error)

    def _tell(self, record: dict[str, Any]) -> None:
        with self._hearing():
            self._on_record(record)

    def _show(self) -> None:
        total = self._total + max(self._expected_frames, self._frames)
        with self._hearing():
            self._on_progress(Progress(self._done + self._frames, self._failed + self._failed_frames, total))

    @contextmanager
    def _hearing(self) -> Iterator[None]:
        try:
            yield
        except Exception as err:
            self.unheard = err
            raise

    def _pace(self) -> Pace | None:
        count = self._latencies.total()
        if not count:
            return None
        fps = count / max(self._live_seconds, 1e-9)
        return Pace(count, self._dropped, fps, self._latency_ms(0.5), self._latency_ms(0.95))

    def _latency_ms(self, share: float) -> float:
        wanted = share * self._latencies.total()
        latencies = sorted(self._latencies)
        reached = accumulate(self._latencies[one] for one in latencies)
        return next(one for one, count in zip(latencies, reached, strict=True) if count >= wanted)

    def summary(self, output: Path | None) -> Summary:
        """How it ended."""
        return Summary(
            self._done,
            self._failed,
            self._earlier,
            output,
            time.monotonic() - self._began,
            tuple(self._failures),
            self._frames,
            self._read > 0,
            self._faulty,
            tuple(self._faults),
            self._pace(),
            self.stopped,
        )
