"""Video files through PyAV (the extra `video`): frames one after the other, upright, with their times.

A frame that cannot be decoded is a failure in its place, and reading goes on. A file that ends early gives what there
is and says so.
"""

from __future__ import annotations

import os
import re
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from fractions import Fraction
from heapq import heappop, heappush
from pathlib import PurePosixPath
from types import ModuleType, TracebackType
from typing import Any

from pixelwright.errors import ImageError, ImageTooLarge, MissingExtra, PixelwrightError, UnreadableImage
from pixelwright.io.border import reading
from pixelwright.io.stored import Readable, Stored
from pixelwright.io.video_frame import Frame, FrameRef, Turn, raster_of

# Without .ts, which is also TypeScript.
VIDEO_SUFFIXES = frozenset(
    (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".mts", ".m2ts", ".wmv", ".flv", ".3gp", ".ogv")
)
MAX_PIXELS = 2**26  # of a frame: twice 8K
DECODING_THREADS = 8

# Containers that hold their own data. Others, such as playlists, would open whatever file or address they name.
_CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,mpegvideo,asf,flv,ogg,h264,hevc,m4v,ivf,mxf,dv"
_FAULTS_IN_A_ROW = 16  # of the container, before it is given up
# FFmpeg's numbers for a picture of the cover, and for frames that are known to be damaged.
_COVER, _OUTPUT_CORRUPT = 0x400, 0x8
_SHORTER_S = 0.5  # than the container says, and the file is called cut off


def is_video(path: str | os.PathLike[str]) -> bool:
    """Whether a name ends as videos do."""
    return PurePosixPath(os.fspath(path)).suffix.lower() in VIDEO_SUFFIXES


def pyav() -> ModuleType:
    """The module `av`.

    Raises:
        MissingExtra: It is not installed.
    """
    try:
        import av
    except ImportError as err:
        raise MissingExtra("Reading and writing video", "video") from err
    return av


def open_video(source: Readable, *, max_pixels: int = MAX_PIXELS, threads: int = DECODING_THREADS) -> Video:
    """A video's header; no frame is decoded.

    Args:
        source: A path (also of a member of a tar, or a remote address), bytes, or a binary file.
        max_pixels: Frames with more are refused.
        threads: How many decode.

    Raises:
        MissingExtra: PyAV is not installed.
        ImageTooLarge: The header states larger frames.
        UnreadableImage: It is no video, has no frames, or is truncated so that nothing can be read.
        ImageError: The file cannot be opened.
    """
    stored = Stored.of(source)
    with ExitStack() as held:
        container = open_container(stored, held)
        with _opening(stored.name):
            video = _video_of(container, stored.name, max_pixels, threads)
        video.stored = stored
        video.held = held.pop_all()
        return video


def open_container(stored: Stored, held: ExitStack) -> Any:
    """A file as a container of PyAV; whatever has to be closed afterwards is put into `held`.

    Raises:
        UnreadableImage: It is none that is read here.
    """
    # As a name only where it is a plain file: FFmpeg reads that without holding Python's lock.
    plain = stored.plain_path
    place = held.enter_context(stored.file()) if plain is None else f"file:{plain}"
    with _opening(stored.name):
        opened = pyav().open(place, options={"format_whitelist": _CONTAINERS}, metadata_errors="replace")
    return held.enter_context(opened)


def open_stream(url: str, *, path: str, timeout_s: float) -> Video:
    """A live stream (RTSP, HLS, RTMP, UDP ...).

    Args:
        url: Where it is.
        path: What to call it.
        timeout_s: How long it may be silent.

    Raises:
        ImageError: Nobody answers within the time, or it is no video.
    """
    options = {"rtsp_transport": "tcp"} if url.startswith("rtsp") else {}
    with ExitStack() as held, _opening(path):
        opened = pyav().open(url, options=options, timeout=(timeout_s, timeout_s), metadata_errors="replace")
        video = _video_of(held.enter_context(opened), path, MAX_PIXELS, threads=1)
        video.frame_count, video.duration_s, video.is_live = None, None, True
        video.held = held.pop_all()
        return video


@contextmanager
def _opening(name: str) -> Iterator[None]:
    """FFmpeg's errors on opening become ours."""
    av = pyav()
    with reading(name):
        try:
            yield
        except (av.InvalidDataError, av.ArgumentError, av.EOFError) as err:
            raise UnreadableImage(name, "is no video, or is truncated so that nothing of it can be read.") from err
        except av.FFmpegError as err:
            raise ImageError(name, f"cannot be opened: {_said(err)}.") from err


def _said(err: Any) -> str:
    return str(err.strerror or err).strip().rstrip(".")


def _video_of(container: Any, name: str, max_pixels: int, threads: int) -> Video:
    streams = [stream for stream in container.streams.video if not stream.disposition & _COVER]
    if not streams or streams[0].codec_context is None:
        raise UnreadableImage(name, "has no moving picture.")
    stream = streams[0]
    context = stream.codec_context
    size_hw = (context.height, context.width)
    if size_hw[0] * size_hw[1] > max_pixels:
        raise ImageTooLarge(name, size_hw, max_pixels)
    stream.thread_type, stream.thread_count = ("AUTO", threads) if threads > 1 else ("SLICE", 1)
    # Damaged frames come marked, rather than being left out without a word.
    context.flags |= _OUTPUT_CORRUPT
    warnings = []
    aspect = stream.sample_aspect_ratio
    if aspect and aspect != 1:
        ratio = f"{aspect.numerator}:{aspect.denominator}"
        warnings.append(f"its pixels are not square ({ratio}); they were taken as stored")
    counted = stream.frames or stream.metadata.get("NUMBER_OF_FRAMES", "")
    return Video(
        path=name,
        codec=context.codec.canonical_name,
        frame_count=int(counted) if str(counted).isdecimal() and int(counted) else None,
        duration_s=_duration_s(container, stream),
        rate=stream.average_rate or stream.guessed_rate,
        time_base=stream.time_base,
        start_s=max(0.0, (container.start_time or 0) / 1_000_000),
        has_sound=bool(container.streams.audio),
        warnings=warnings,
        max_pixels=max_pixels,
        _container=container,
        _stream=stream,
    )


def _duration_s(container: Any, stream: Any) -> float | None:
    """How long the picture lasts; of the container's own length it is not known which track has it."""
    stated = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", stream.metadata.get("DURATION", ""))
    if stream.duration:
        return float(stream.duration * stream.time_base)
    if stated:
        return int(stated[1]) * 3600 + int(stated[2]) * 60 + float(stated[3])
    return container.duration / 1_000_000 if container.duration and not container.streams.audio else None


@dataclass(eq=False)
class Video:
    """An open video.

    Attributes:
        path: Where it is.
        codec: FFmpeg's name of its codec.
        frame_count: How many frames the container says there are; None where it does not.
        duration_s: How long the container says it is.
        rate: Frames a second on average.
        time_base: The unit of its time stamps.
        start_s: The time stamp that is called 0.
        has_sound: Whether it has a sound track.
        warnings: What was taken otherwise than one might expect.
        faults: What is wrong with it; known in full once `frames` has ended.
        is_live: Whether it is a stream, which ends with its first fault.
        max_pixels: Frames with more fail.
        stored: Its bytes; None of a stream.
        held: What `close` closes.
    """

    path: str
    codec: str
    frame_count: int | None
    duration_s: float | None
    rate: Fraction | None
    time_base: Fraction
    start_s: float
    has_sound: bool
    warnings: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    is_live: bool = False
    max_pixels: int = MAX_PIXELS
    stored: Stored | None = field(default=None, repr=False)
    held: ExitStack = field(default_factory=ExitStack, repr=False)
    _turns: dict[int, Turn] = field(default_factory=dict, repr=False)
    _container: Any = field(default=None, repr=False)
    _stream: Any = field(default=None, repr=False)

    def frames(self) -> Generator[Frame]:
        """The frames in the order of showing, once; those that cannot be decoded in their places."""
        numbering = _Numbering()
        for packet in self._packets():
            numbering.expect(packet)
            decoded, fault = self._decode(packet)
            for one in decoded:
                for lost in numbering.lost_before(one.pts):
                    yield self._failed(lost, numbering.next())
                yield self._frame(one, numbering.next())
            if fault and not numbering.suspect(packet):
                yield self._failed(None, numbering.next())
        for lost in numbering.lost_at_end():
            yield self._failed(lost, numbering.next())
        self._check_length(numbering)

    def close(self) -> None:
        """Let go of the file."""
        self.held.close()

    def __enter__(self) -> Video:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _packets(self) -> Iterator[Any]:
        """The packets, and at the end None; a fault of the container is skipped over as long as something follows."""
        av, faults = pyav(), 0
        packets = self._container.demux(self._stream)
        while faults < (1 if self.is_live else _FAULTS_IN_A_ROW):
            try:
                packet = next(packets, None)
            except av.FFmpegError as err:
                if not faults:
                    self.faults.append(f"is damaged in a place ({_said(err)}); what follows it was read")
                faults += 1
                packets = self._container.demux(self._stream)
                continue
            if packet is None or not packet.size:
                break
            faults = 0
            yield packet
        yield None

    def _decode(self, packet: Any) -> tuple[list[Any], bool]:
        """What a packet, or the end, brings forth, and whether there was a fault."""
        av = pyav()
        try:
            return self._stream.codec_context.decode(packet), False
        except av.EOFError:
            return [], False
        except (av.FFmpegError, MemoryError, ValueError):
            if packet is not None:
                return [], True
        with suppress(av.FFmpegError, MemoryError, ValueError):  # what stood behind the fault
            return self._stream.codec_context.decode(None), True
        return [], True

    def _time_s(self, pts: int | None) -> float | None:
        return None if pts is None else float(pts * self.time_base) - self.start_s

    def _frame(self, decoded: Any, number: int) -> Frame:
        ref = FrameRef(self.path, number, self._time_s(decoded.pts))
        if decoded.is_corrupt:
            return self._failed(decoded.pts, number)
        try:
            with reading(self.path):
                if decoded.rotation not in self._turns:
                    self._turns[decoded.rotation] = Turn.of(decoded)
                turn = self._turns[decoded.rotation]
                return Frame(ref, raster_of(decoded, ref, self.codec, turn, max_pixels=self.max_pixels))
        except PixelwrightError as err:
            return Frame(ref, error=err)

    def _failed(self, pts: int | None, number: int) -> Frame:
        ref = FrameRef(self.path, number, self._time_s(pts))
        when = "" if ref.time_s is None else f" at {ref.time_s:.3f} s"
        return Frame(ref, error=UnreadableImage(self.path, f"frame {number}{when} is damaged."))

    def _check_length(self, numbering: _Numbering) -> None:
        """Notes where a file ends before its container says.

        Fewer frames than stated are no proof: an edit list leaves some out, AVI counts empty ones, and a tool that cut
        a Matroska file may have left its count as it was. Then it is shorter than stated, too.
        """
        if self.frame_count and numbering.packets >= self.frame_count:
            return
        step_s = float(1 / self.rate) if self.rate else 0.0
        reached_s = (self._time_s(numbering.last_pts) or 0.0) + step_s
        if self.duration_s and self.duration_s - reached_s <= (step_s / 2 if self.frame_count else _SHORTER_S):
            return
        if self.frame_count:
            self.faults.append(f"is cut off: {numbering.frames} of {self.frame_count} frames are there")
        elif self.duration_s and numbering.last_pts is not None:
            self.faults.append(f"is cut off: {reached_s:.1f} of {self.duration_s:.1f} s are there")


class _Numbering:
    """Numbers frames, and tells which of those that packets announced never came.

    A packet without a frame is a loss only where the decoder has complained: some packets are not meant to be shown.
    """

    def __init__(self) -> None:
        self.packets = 0
        self.last_pts: int | None = None
        self._waiting: list[int] = []
        self.frames = 0
        self._faults = 0

    def next(self) -> int:
        self.frames += 1
        return self.frames - 1

    def expect(self, packet: Any) -> None:
        if packet is None:
            return
        self.packets += 1
        if packet.pts is not None and not packet.is_discard:
            heappush(self._waiting, packet.pts)
            self.last_pts = packet.pts if self.last_pts is None else max(self.last_pts, packet.pts)

    def suspect(self, packet: Any) -> bool:
        """Take note of a fault; False where no time stamps will tell which frame it was."""
        timed = packet is None or packet.pts is not None
        self._faults += timed
        return timed

    def lost_before(self, pts: int | None) -> list[int]:
        if pts is None:
            return []
        lost: list[int] = []
        while self._waiting and self._waiting[0] <= pts:
            lost.append(heappop(self._waiting))
        if lost and lost[-1] == pts:
            lost.pop()
        if not self._faults:
            return []
        self._faults = max(0, self._faults - len(lost))
        return lost

    def lost_at_end(self) -> list[int]:
        return sorted(self._waiting) if self._faults else []
