"""Cameras and real time: the newest frame counts, what is too late is dropped, and who vanishes is told of."""

from __future__ import annotations

import time
from collections.abc import Generator
from pathlib import Path
from threading import Event
from typing import Any

import av
import numpy as np
import pytest

from clips import clip, gray
from pixelwright.errors import ImageError
from pixelwright.io import live
from pixelwright.io.live import Newest, camera_address, camera_frames, live_frames
from pixelwright.io.sources import list_images
from pixelwright.io.video import open_video
from pixelwright.io.video_frame import Frame, FrameRef


class Capture:
    """A camera of so many pictures; blue in OpenCV's order."""

    def __init__(self, count: int, *, opened: bool = True) -> None:
        self.count, self.opened, self.released = count, opened, False

    def isOpened(self) -> bool:
        return self.opened

    def read(self) -> tuple[bool, np.ndarray | None]:
        self.count -= 1
        return (True, np.full((6, 8, 3), (255, 0, 0), np.uint8)) if self.count >= 0 else (False, None)

    def release(self) -> None:
        self.released = True


@pytest.fixture
def cameras(monkeypatch: pytest.MonkeyPatch) -> dict[Any, Capture]:
    known: dict[Any, Capture] = {}
    monkeypatch.setattr(live, "open_capture", known.__getitem__)
    return known


def test_a_cameras_pictures_are_rgb_and_it_is_let_go_when_it_vanishes(cameras: dict[Any, Capture]) -> None:
    cameras[0] = Capture(3)
    seen: list[Frame] = []
    with pytest.raises(ImageError, match="camera:0: the camera gave no more pictures after 3"):
        seen.extend(camera_frames("camera:0"))
    frames = camera_frames("camera:0")
    cameras[0] = Capture(1)
    frame = next(frames)
    frames.close()
    assert frame.open().read().pixels[0, 0].tolist() == [0, 0, 255] and cameras[0].released
    assert frame.ref == FrameRef("camera:0", 0, 0.0) and frame.captured_s is not None


def test_a_camera_that_is_not_there_is_an_error(cameras: dict[Any, Capture]) -> None:
    cameras["/dev/video9"] = Capture(0, opened=False)
    with pytest.raises(ImageError, match="no such camera"):
        next(camera_frames("camera:/dev/video9"))


def test_cameras_and_streams_are_live_sources() -> None:
    items = list(list_images(["camera:0", "camera:/dev/video0", "rtsp://host/a", "camera:http://host/x.m3u8"]))
    assert all(item.is_live and item.is_video for item in items)
    assert [item.name for item in items] == [
        "camera_0",
        "camera_-dev-video0",
        "rtsp_-host-a",
        "camera_http_-host-x.m3u8",
    ]
    assert [camera_address(item.path) for item in items] == [0, "/dev/video0", "rtsp://host/a", "http://host/x.m3u8"]


def test_a_stream_begins_with_its_first_whole_picture(tmp_path: Path) -> None:
    whole, joined = tmp_path / "whole.ts", tmp_path / "joined.ts"
    with av.open(str(whole), "w", format="mpegts") as output:
        stream = output.add_stream("libx264", rate=25, options={"g": "10", "sc_threshold": "0"})
        stream.height, stream.width = 48, 64
        for number in range(30):
            frame = av.VideoFrame.from_ndarray(np.roll(gray(100, (48, 64)), number, axis=1), format="rgb24")
            frame.pts = number
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    with av.open(str(whole)) as container:
        places = [packet.pos for packet in container.demux(video=0) if packet.size]
    joined.write_bytes(whole.read_bytes()[places[4] :])
    frames = list(live_frames(f"camera:file://{joined.as_posix()}"))
    assert frames[0].ref.number > 0 and len(frames) == 20 and not any(frame.error for frame in frames)


def made(count: int, *, before: Event | None = None, fault: Exception | None = None) -> Generator[Frame]:
    for number in range(count):
        yield Frame(FrameRef("x", number, number / 1000))
    if before is not None:
        before.wait(5)
    if fault is not None:
        raise fault


def test_only_the_newest_frame_is_given_and_the_others_are_counted() -> None:
    grabbed = Event()

    def frames() -> Generator[Frame]:
        yield from made(50)
        grabbed.set()

    newest = Newest("x", frames)
    numbers = []
    for frame in newest:
        grabbed.wait(5)
        numbers.append(frame.ref.number)
    assert numbers[-1] == 49 and numbers == sorted(set(numbers))
    assert newest.dropped == 50 - len(numbers)


def test_the_last_frame_is_given_before_the_error() -> None:
    newest = Newest("x", lambda: made(3, fault=ImageError("x", "gone.")))
    seen: list[int] = []
    with pytest.raises(ImageError, match=r"gone\."):
        seen.extend(frame.ref.number for frame in newest)
    assert seen[-1] == 2


def test_a_source_that_falls_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "SILENT_SECONDS", 0.05)
    monkeypatch.setattr(live, "_JOIN_SECONDS", 0.01)
    hanging = Event()
    newest = Newest("camera:0", lambda: made(1, before=hanging))
    with pytest.raises(ImageError, match=r"gave no picture for 0\.05 seconds"):
        list(newest)
    hanging.set()


def test_a_file_is_played_at_its_own_speed(tmp_path: Path) -> None:
    began_s = time.monotonic()
    with open_video(clip(tmp_path / "x.mp4", [50] * 6)) as video:
        frames = list(Newest("x", video.frames, paced=True))
    assert frames[-1].ref.number == 5
    assert time.monotonic() - began_s >= 5 / 25
    assert all(frame.captured_s and frame.captured_s - began_s >= (frame.ref.time_s or 0) for frame in frames)


def test_a_jump_of_a_files_clock_is_cut_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "_LONGEST_PAUSE_S", 0.05)
    times_s = [0.0, 1e6, 1e12, 0.0]
    frames = (Frame(FrameRef("x", number, time_s)) for number, time_s in enumerate(times_s))
    began_s = time.monotonic()
    seen = list(Newest("x", lambda: frames, paced=True))
    assert seen[-1].ref.number == 3 and time.monotonic() - began_s >= 0.1


def test_a_file_is_left_only_once_its_thread_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "_JOIN_SECONDS", 0.0)
    ended = Event()

    def slow() -> Generator[Frame]:
        try:
            while True:
                yield Frame(FrameRef("x", 0, 0.0))
        finally:
            time.sleep(0.05)  # as long as a large frame takes to decode
            ended.set()

    iterator = iter(Newest("x", slow, paced=True))
    next(iterator)
    iterator.close()
    assert ended.is_set()


def test_leaving_the_loop_stops_the_thread() -> None:
    def endless() -> Generator[Frame]:
        number = 0
        while True:
            yield Frame(FrameRef("x", number, 0.0))
            number += 1

    newest = Newest("x", endless)
    iterator = iter(newest)
    next(iterator)
    iterator.close()  # type: ignore[attr-defined]
    assert not newest._thread.is_alive()
