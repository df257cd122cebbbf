"""Writing video through PyAV (the extra `video`): H.264 where it can be encoded, with the times and sound of a source.

Frames keep their time stamps, so a variable frame rate stays one. Sound is copied packet by packet, not encoded anew.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from pixelwright.errors import UnsupportedImage, UsageError
from pixelwright.io.icc import to_srgb8
from pixelwright.io.stored import Stored
from pixelwright.io.video import open_container, pyav
from pixelwright.structures.image import Image

CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
QUALITY = 60

_ENCODERS = ("libx264", "libopenh264", "mpeg4")
_FINEST = Fraction(1, 90_000)  # of time stamps, where the source's own unit cannot be kept; a third of a video's frame
_MPEG4_DENOMINATOR = 65_535
_BT709, _LIMITED = 1, 1  # codes of ITU-T H.273, and of FFmpeg for the range
_ASSUMED_RATE = Fraction(30)


def is_writable(path: Path) -> bool:
    """Whether a name ends as one of the containers that are written."""
    return path.suffix.lower() in CONTAINERS


def encodable(image: Image) -> Any:
    """A picture as a frame of PyAV that encoders take: 8-bit 4:2:0, BT.709, of even size.

    An odd row or column is repeated. This is the costly part of writing that several threads can do at once.
    """
    pixels = to_srgb8(image).pixels
    height, width = pixels.shape[:2]
    if height % 2 or width % 2:
        pixels = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    frame = pyav().VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
    return frame.reformat(format="yuv420p", dst_colorspace=_BT709, dst_color_range=_LIMITED, threads=1)


class VideoWriter:
    """Writes frames into an open file, which may be read once `close` has returned.

    Args:
        file: A binary file that can be sought in.
        suffix: One of `CONTAINERS`.
        rate: Frames a second on average, as a hint.
        time_base: The unit of the source's time stamps, kept where the encoder can.
        quality: 1..100.
        sound_of: A video whose sound goes along.

    Raises:
        MissingExtra: PyAV is not installed.
        UsageError: No container has this suffix.
    """

    def __init__(
        self,
        file: BinaryIO,
        suffix: str,
        *,
        rate: Fraction | None = None,
        time_base: Fraction | None = None,
        quality: int | None = None,
        sound_of: Stored | None = None,
    ) -> None:
        if suffix.lower() not in CONTAINERS:
            raise UsageError(f"no video is written under the ending {suffix!r}. Known: {' '.join(CONTAINERS)}")
        self.warnings: list[str] = []
        self._output = pyav().open(file, "w", format=CONTAINERS[suffix.lower()])
        self._rate, self._time_base = rate or _ASSUMED_RATE, time_base or _FINEST
        self._quality = quality or QUALITY
        self._sound_of, self._sound = sound_of, None
        self._stream: Any = None
        self._last_ticks = -1

    def write(self, frame: Any, time_s: float | None) -> None:
        """Encode the next frame.

        Args:
            frame: What `encodable` makes. The first decides the size; others are cut or filled up to it.
            time_s: When it is shown; None for one frame's time after the one before.
        """
        with _encoding():
            self._encode(frame, time_s)

    def _encode(self, frame: Any, time_s: float | None) -> None:
        self._stream = self._stream or self._begin(frame.width, frame.height)
        unit = self._stream.codec_context.time_base
        step = max(1, round(1 / self._rate / unit))
        ticks = self._last_ticks + step if time_s is None else round(time_s / unit)
        # Encoders want each frame after the one before; two of the same time are one unit apart.
        self._last_ticks = max(ticks, self._last_ticks + 1)
        frame = _fitted(frame, self._stream.width, self._stream.height)
        frame.pts, frame.time_base = self._last_ticks, unit
        self._output.mux(self._stream.encode(frame))
        if self._sound:
            self._sound.copy_until(float(self._last_ticks * unit))

    def close(self) -> None:
        """Finish the file."""
        with _encoding():
            try:
                if self._stream is not None:
                    self._output.mux(self._stream.encode(None))
                    if self._sound:
                        end_s = float((self._last_ticks + 1) * self._stream.codec_context.time_base + 1 / self._rate)
                        self._sound.copy_until(end_s)
            finally:
                self._release()

    def _release(self) -> None:
        if self._sound:
            self._sound.close()
        self._output.close()

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            with suppress(Exception):  # what is half written goes away, and the first error is the one to tell
                self._release()

    def _begin(self, width: int, height: int) -> Any:
        av = pyav()
        encoder = next((name for name in _ENCODERS if name in av.codecs_available), None)
        if encoder is None:
            raise UnsupportedImage("video", f"this FFmpeg has no encoder of {', '.join(_ENCODERS)}. Reinstall av.")
        unit = self._time_base
        if unit.numerator != 1 or not self._rate.denominator <= unit.denominator * self._rate.numerator <= 10**9:
            unit = _FINEST
        if encoder == "mpeg4" and unit.denominator > _MPEG4_DENOMINATOR:
            unit = Fraction(1, 60_000)
        crf = min(50, max(1, round((100 - self._quality) / 2)))
        # Without B-frames: with them MP4 states too short a length where the frame rate varies.
        options = {"preset": "veryfast", "crf": str(crf), "bf": "0"} if encoder == "libx264" else {}
        stream = self._output.add_stream(encoder, rate=self._rate, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        context = stream.codec_context
        context.time_base = unit
        if not options:
            context.bit_rate = math.ceil(width * height * float(self._rate) * self._quality / 500)
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = _LIMITED
        if self._sound_of is not None:
            self._sound = _Sound.of(self._sound_of, self._output, self.warnings)
        return stream


@contextmanager
def _encoding() -> Generator[None]:
    """FFmpeg's errors become ours; those of the file that is written stay the system's."""
    try:
        yield
    except pyav().FFmpegError as err:
        if isinstance(err, OSError):
            raise
        raise UnsupportedImage("video", f"the encoder failed: {' '.join(str(err).split())[:200]}.") from err


class _Sound:
    """The sound track of a video, copied along as far as the picture has come."""

    def __init__(self, held: ExitStack, packets: Iterator[Any], stream: Any, start_s: float) -> None:
        self.close = held.close
        self._packets, self._stream, self._start_s = packets, stream, start_s
        self._output: Any = stream.container
        self._ahead: Any = None

    @classmethod
    def of(cls, stored: Stored, output: Any, warnings: list[str]) -> _Sound | None:
        """The sound of a video as a track of an output; None where it has none that the container takes."""
        av = pyav()
        with ExitStack() as held:
            container = open_container(stored, held)
            source = next(iter(container.streams.audio), None)
            if source is None:
                return None
            try:
                stream = output.add_stream_from_template(source)
            except (av.FFmpegError, ValueError):
                warnings.append(f"its sound ({source.codec_context.name}) has no place in this container: left out")
                return None
            start_s = max(0.0, (container.start_time or 0) / 1_000_000)
            return cls(held.pop_all(), container.demux(source), stream, start_s)

    def copy_until(self, time_s: float) -> None:
        """Copy packets that begin before a time of the output."""
        while (packet := self._ahead or self._next()) is not None:
            if float(packet.dts * packet.time_base) > time_s:
                self._ahead = packet
                return
            self._ahead = None
            packet.stream = self._stream
            self._output.mux(packet)

    def _next(self) -> Any:
        av = pyav()
        with suppress(av.FFmpegError):  # a damaged sound track ends there
            for packet in self._packets:
                if packet.size and packet.dts is not None:
                    shift = round(self._start_s / packet.time_base)
                    packet.dts -= shift
                    packet.pts = packet.dts if packet.pts is None else packet.pts - shift
                    return packet
        return None


def _fitted(frame: Any, width: int, height: int) -> Any:
    """A frame of another size: cut or filled up where only its height differs, else scaled."""
    if (frame.width, frame.height) == (width, height):
        return frame
    if frame.width != width:
        return frame.reformat(width, height, threads=1)
    rgb: npt.NDArray[np.uint8] = frame.to_ndarray(format="rgb24", src_colorspace=_BT709)[:height]
    filled = np.pad(rgb, ((0, height - len(rgb)), (0, 0), (0, 0)))
    made = pyav().VideoFrame.from_ndarray(filled, format="rgb24")
    return made.reformat(format="yuv420p", dst_colorspace=_BT709, dst_color_range=_LIMITED, threads=1)
