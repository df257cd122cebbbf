"""One video, camera or stream through a model: a record for each frame, and a video of the results.

Frames go through `Model.apply` in order and with bounded memory. In real time each frame is worked on by itself, with
all cores, and it is always the newest one.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePath
from typing import Any, BinaryIO

from pixelwright.errors import ImageError, UnreadableImage, describe
from pixelwright.io.live import Newest, live_frames
from pixelwright.io.sources import Item
from pixelwright.io.video import Video, open_video
from pixelwright.io.video_frame import Frame
from pixelwright.io.video_write import VideoWriter, encodable
from pixelwright.model import Model, Opened
from pixelwright.pipeline import Done
from pixelwright.structures.raster import Raster
from pixelwright.verbs.answers import answer_of, picture_of
from pixelwright.verbs.job import to_line
from pixelwright.verbs.outputs import stopping_run
from pixelwright.verbs.request import RunRequest
from pixelwright.verbs.tally import RECORD_VERSION, Tally

_Answer = tuple[dict[str, Any], Any]  # part of a frame's record, and what is to be encoded


@dataclass(frozen=True, slots=True)
class Sink:
    """Where the results of a video go.

    Attributes:
        records: A file for the records of the frames; None to tell them to whoever listens.
        video: A file for the video of the results; None for none.
        suffix: What kind of video.
        place: What to call it all where it cannot be written.
    """

    records: BinaryIO | None = None
    video: BinaryIO | None = None
    suffix: str = ".mp4"
    place: Path = Path()


@dataclass(eq=False)
class VideoRun:
    """One item with frames, on its way through a model.

    Attributes:
        model: What to run.
        request: On what and how.
        index: Number of the item.
        item: The video, camera or stream.
        sink: Where results go.
        tally: Who counts.
        frames: How many came.
        shown: How many were written into the video of the results.
        lost: Why a live source ended.
    """

    model: Model
    request: RunRequest
    index: int
    item: Item
    sink: Sink
    tally: Tally
    frames: int = 0
    shown: int = 0
    lost: ImageError | None = None
    _failed: int = 0
    _first_failure: str = ""
    _size_hw: tuple[int, int] | None = None
    _notes: dict[str, None] = field(default_factory=dict)

    def run(self) -> dict[str, Any]:
        """Work on every frame; what stands of them in the item's record.

        A live source that vanishes ends the run, and `lost` says why. So does Ctrl-C, and `tally.stopped` is true.

        Raises:
            ImageError: The item cannot be opened, or has no frame that can be read.
            MissingExtra: What reads videos is not installed.
            OutputError: The disk is full or not writable.
        """
        with ExitStack() as held:
            video = None if self.item.is_live else held.enter_context(self._open())
            newest = self._newest(video)
            self.tally.expect_frames(_expected(video, self.request.frames))
            began_s = time.monotonic()
            try:
                self._work(video, newest)
            except KeyboardInterrupt:
                if not self.item.is_live:
                    raise
                self.tally.stopped = True
            seconds = time.monotonic() - began_s
            dropped = newest.dropped if newest else 0
            self.tally.end_frames(dropped=dropped, seconds=seconds, live=newest is not None)
            return self._summed_up(video) | ({"dropped": dropped} if newest else {})

    def _open(self) -> Video:
        return open_video(self.item.path, max_pixels=self.model.execution.max_frame_pixels)

    def _newest(self, video: Video | None) -> Newest | None:
        if video is None:
            return Newest(self.item.path, lambda: live_frames(self.item.path))
        return Newest(self.item.path, video.frames, paced=True) if self.request.realtime else None

    def _work(self, video: Video | None, newest: Newest | None) -> None:
        with closing(_frames(video, newest)) as source, self._writer(video) as out:
            frames = self._until_lost(islice(source, self.request.frames))
            with closing(self._outcomes(frames, video, in_turn=newest is not None)) as outcomes:
                for done in outcomes:
                    record, picture = self._record(done)
                    if picture is not None and out is not None:
                        out.write(picture, done.item.ref.time_s)
                        self.shown += 1
                    self._keep(record, done.item)

    def _until_lost(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """The frames; a source that vanishes ends them, and what was done with those before is kept."""
        try:
            yield from frames
        except ImageError as err:
            self.lost = err

    def _outcomes(self, frames: Iterator[Frame], video: Video | None, *, in_turn: bool) -> Generator[Done[Any, Any]]:
        if in_turn:
            self.model.apply((), self._answer, count=1).close()  # the network is opened before the clock runs
            for frame in frames:
                yield from self.model.apply([frame], self._answer, open_source=Frame.open, count=1)
        else:
            count = video.frame_count if video else None
            with closing(self.model.apply(frames, self._answer, open_source=Frame.open, count=count)) as outcomes:
                yield from outcomes

    def _answer(self, opened: Opened, result: Any) -> _Answer:
        """The last step for a frame; runs on several threads."""
        record = {"size_hw": list(opened.raster.source.upright_size_hw)} | answer_of(result)
        wanted = self.sink.video is not None and (self.request.draw or isinstance(result, Raster))
        return record, encodable(picture_of(self.model, opened, result).read()) if wanted else None

    @contextmanager
    def _writer(self, video: Video | None) -> Iterator[VideoWriter | None]:
        if self.sink.video is None:
            yield None
            return
        writer = VideoWriter(
            self.sink.video,
            self.sink.suffix,
            rate=video.rate if video else None,
            time_base=video.time_base if video else None,
            quality=self.request.quality,
            sound_of=video.stored if video and video.has_sound else None,
        )
        with stopping_run(self.sink.place, in_job=self.sink.records is not None), writer:
            try:
                yield writer
            except KeyboardInterrupt:
                if not self.item.is_live:
                    raise
                self.tally.stopped = True
        self._notes |= dict.fromkeys(writer.warnings)

    def _record(self, done: Done[Frame, _Answer]) -> tuple[dict[str, Any], Any]:
        ref = done.item.ref
        record: dict[str, Any] = {
            "record": RECORD_VERSION,
            "index": self.index,
            "path": self.item.path,
            "name": f"{self.item.name}/{ref.number:06d}.png",  # as if it had been a folder of pictures
            "frame": ref.number,
            "time_s": None if ref.time_s is None else round(ref.time_s, 6),
        }
        if done.item.captured_s is not None:
            record["latency_ms"] = round((time.monotonic() - done.item.captured_s) * 1000, 1)
        if done.error is not None or done.result is None:
            error = done.error or UnreadableImage(self.item.path, f"frame {ref.number} gave no result.")
            if not isinstance(error, ImageError):
                self.tally.note_unexpected(self.item.path, error)
            self._failed += 1
            self._first_failure = self._first_failure or str(error).removeprefix(f"{self.item.path}: ")
            return record | {"error": describe(error)}, None
        part, picture = done.result
        self._size_hw = self._size_hw or tuple(part["size_hw"])
        if done.item.raster is not None:
            self._notes |= dict.fromkeys(done.item.raster.warnings)
        return record | part, picture

    def _keep(self, record: dict[str, Any], frame: Frame) -> None:
        if self.sink.records is not None:
            with stopping_run(self.sink.place):
                self.sink.records.write(to_line(record))
        self.frames += 1
        latency_ms = record.get("latency_ms") if frame.captured_s is not None else None
        self.tally.take_frame(record, latency_ms=latency_ms, tell=self.sink.records is None)

    def _summed_up(self, video: Video | None) -> dict[str, Any]:
        if self.frames == 0:
            raise self.lost or UnreadableImage(self.item.path, "has no frame that can be read.")
        if self._failed == self.frames:
            raise UnreadableImage(self.item.path, f"none of its {self.frames} frames can be read.")
        record: dict[str, Any] = {"frames": self.frames, "failed_frames": self._failed}
        faults: list[str] = []
        if self._failed:
            faults.append(f"{self._failed} of {self.frames} frames failed; the first: {self._first_failure}")
        if video is not None:
            faults += video.faults
            self._notes |= dict.fromkeys(video.warnings)
            record |= {"duration_s": video.duration_s, "fps_source": float(video.rate) if video.rate else None}
            record["format"] = video.codec
        if self._size_hw is not None:
            record["size_hw"] = list(self._size_hw)
        notes = {"warnings": list(self._notes), "faults": faults}
        return record | {key: said for key, said in notes.items() if said}


def sink_names(item: Item) -> tuple[str, str]:
    """Where in a job the records of an item's frames, and the video of its results, have their places."""
    stem = PurePath(item.name).with_suffix("").as_posix()
    return f"frames/{stem}.jsonl", f"images/{stem}.mp4"


def _frames(video: Video | None, newest: Newest | None) -> Generator[Frame]:
    if newest is not None:
        yield from newest
    elif video is not None:
        yield from video.frames()


def _expected(video: Video | None, at_most: int | None) -> int | None:
    known = [count for count in (video.frame_count if video else None, at_most) if count is not None]
    return min(known) if known else None
