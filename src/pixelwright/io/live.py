"""Cameras, and anything else in real time: a thread takes the frames and keeps only the newest for whoever asks.

Frames that nobody asked for in time are dropped, so what is worked on is never older than one step of work.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import replace
from itertools import dropwhile
from threading import Condition, Event, Thread
from typing import Any

import numpy as np

from pixelwright.errors import ImageError
from pixelwright.io.border import quiet_opencv, swapped
from pixelwright.io.remote import is_remote
from pixelwright.io.video import open_stream
from pixelwright.io.video_frame import Frame, FrameRef, of_array

SILENT_SECONDS = 10.0  # without a frame, and the source is taken for gone
_JOIN_SECONDS = 1.0
_LONGEST_PAUSE_S = 5.0  # between frames of a file; a longer one, or a jump of its clock, is cut short

_CAMERA = re.compile(r"camera:(?:(\d+)|(.+))", re.DOTALL)


def camera_address(path: str) -> int | str:
    """What a source such as `camera:0`, `camera:/dev/video0` or `camera:https://...` names."""
    found = _CAMERA.fullmatch(path)
    if not found:
        return path
    return int(found[1]) if found[1] else found[2]


def open_capture(address: int | str) -> Any:
    """A camera through OpenCV: something with `isOpened`, `read` and `release`."""
    with quiet_opencv() as cv2:
        if isinstance(address, str) and address.startswith("/dev/"):
            return cv2.VideoCapture(address, cv2.CAP_V4L2)
        return cv2.VideoCapture(address)


def camera_frames(path: str) -> Generator[Frame]:
    """The frames of a camera as it gives them, until it gives no more.

    Raises:
        ImageError: There is no such camera, or it has gone.
    """
    capture = open_capture(camera_address(path))
    try:
        if not capture.isOpened():
            raise ImageError(path, "there is no such camera, or another program uses it.")
        began_s, number = 0.0, 0
        while True:
            good, pixels = capture.read()
            now_s = time.monotonic()
            if not good or pixels is None:
                raise ImageError(path, f"the camera gave no more pictures after {number}; was it unplugged?")
            began_s = began_s or now_s
            rgb = swapped(np.repeat(pixels[..., None], 3, 2) if pixels.ndim == 2 else pixels[..., :3])
            ref = FrameRef(path, number, now_s - began_s)
            yield Frame(ref, of_array(rgb, ref, "camera"), captured_s=now_s)
            number += 1
    finally:
        capture.release()


def live_frames(path: str) -> Generator[Frame]:
    """The frames of a camera or stream, until it ends.

    Raises:
        MissingExtra: A stream, and PyAV is not installed.
        ImageError: It cannot be opened, or has gone.
    """
    address = camera_address(path)
    if isinstance(address, int) or not is_remote(address):
        yield from camera_frames(path)
        return
    with open_stream(address, path=path, timeout_s=SILENT_SECONDS) as video:
        # Who joins a stream between two key frames gets no whole picture at first; that is no damage.
        yield from dropwhile(lambda frame: frame.error is not None, video.frames())
        if video.faults:
            raise ImageError(path, f"the stream broke off: it {video.faults[0].partition(';')[0]}.")


class Newest:
    """Iterates over frames in real time: each time the newest one that was not given yet.

    Args:
        path: What is read, for messages.
        frames: Called in a thread of its own, which reads what it returns to the end.
        paced: Whether the frames come from a file, and are to be held back until their time.

    Raises:
        ImageError: While iterating: no frame came for `SILENT_SECONDS`, or what `frames` raised.
    """

    def __init__(self, path: str, frames: Callable[[], Generator[Frame]], *, paced: bool = False) -> None:
        self._path, self._frames, self._paced = path, frames, paced
        self._changed, self._stopping = Condition(), Event()
        self._newest: Frame | None = None
        self._ended = False
        self._error: BaseException | None = None
        self.dropped = 0
        self._thread = Thread(target=self._grab, name="pixelwright-grab", daemon=True)

    def __iter__(self) -> Generator[Frame]:
        self._thread.start()
        try:
            while (frame := self._take()) is not None:
                yield frame
        finally:
            self._stopping.set()
            # A camera that hangs in the middle of a read cannot be called back; the thread goes with the process.
            # A file is closed by whoever opened it, and must not be while the thread still reads it.
            self._thread.join(None if self._paced else _JOIN_SECONDS)

    def _take(self) -> Frame | None:
        with self._changed:
            came = self._changed.wait_for(lambda: self._newest is not None or self._ended, SILENT_SECONDS)
            if not came:
                raise ImageError(self._path, f"gave no picture for {SILENT_SECONDS:g} seconds. Check the connection.")
            frame, self._newest = self._newest, None
            if frame is None and self._error is not None:
                raise self._error
            return frame

    def _grab(self) -> None:
        began_s = time.monotonic()
        try:
            with closing(self._frames()) as frames:
                for frame in frames:
                    early_s = began_s + (frame.ref.time_s or 0.0) - time.monotonic() if self._paced else 0.0
                    began_s -= max(0.0, early_s - _LONGEST_PAUSE_S)
                    if self._stopping.wait(min(max(0.0, early_s), _LONGEST_PAUSE_S)):
                        break
                    self._put(frame if frame.captured_s else replace(frame, captured_s=time.monotonic()))
        except Exception as err:  # whatever it was, it is told to whoever waits for the next frame
            self._error = err
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _put(self, frame: Frame) -> None:
        with self._changed:
            self.dropped += self._newest is not None
            self._newest = frame
            self._changed.notify_all()
