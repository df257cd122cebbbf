"""Written video keeps times and sound, is of even size, and shows what was given."""

from __future__ import annotations

import errno
import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from clips import clip, gray, packets, tone
from pixelwright.errors import UnsupportedImage, UsageError
from pixelwright.io import video_write
from pixelwright.io.stored import Stored
from pixelwright.io.video import open_video
from pixelwright.io.video_write import VideoWriter, encodable
from pixelwright.structures.image import Image


def written(
    times_s: list[float | None], suffix: str = ".mp4", size_hw: tuple[int, int] = (32, 48), **how: Any
) -> bytes:
    file = io.BytesIO()
    with VideoWriter(file, suffix, **how) as writer:
        for number, time_s in enumerate(times_s):
            writer.write(encodable(Image(np.full((*size_hw, 3), min(240, 40 * number), np.uint8))), time_s)
    return file.getvalue()


def read(data: bytes) -> tuple[list[float], list[int], tuple[int, int]]:
    with open_video(data) as video:
        frames = list(video.frames())
    levels = [int(frame.open().read().pixels[1, 1, 0]) for frame in frames]
    return [round(frame.ref.time_s or 0.0, 5) for frame in frames], levels, frames[0].open().size_hw


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
@pytest.mark.parametrize("time_base", [Fraction(1, 1000), Fraction(1, 12800), None])
def test_a_variable_frame_rate_survives(suffix: str, time_base: Fraction | None) -> None:
    wanted = [0.0, 0.04, 0.1, 0.5, 0.51, 2.0]
    times_s, levels, _ = read(written(list(wanted), suffix, rate=Fraction(25), time_base=time_base))
    assert times_s == pytest.approx(wanted, abs=1e-3)
    assert levels == pytest.approx([0, 40, 80, 120, 160, 200], abs=3)


def test_frames_without_times_follow_each_other_at_the_rate() -> None:
    times_s, _, _ = read(written([None, None, None], rate=Fraction(10)))
    assert times_s == [0.0, 0.1, 0.2]


def test_times_that_do_not_grow_are_set_apart() -> None:
    times_s, levels, _ = read(written([0.0, 0.0, 0.1], rate=Fraction(10), time_base=Fraction(1, 1000)))
    assert times_s == [0.0, 0.001, 0.1] and len(levels) == 3


def test_odd_sizes_are_filled_up_to_even_ones() -> None:
    assert read(written([0.0], size_hw=(33, 47)))[2] == (34, 48)
    assert read(written([0.0], size_hw=(1, 1)))[2] == (2, 2)


@pytest.mark.parametrize("second_hw", [(24, 48), (40, 48), (64, 96)])
def test_frames_of_other_sizes_are_fitted_to_the_first(second_hw: tuple[int, int]) -> None:
    file = io.BytesIO()
    with VideoWriter(file, ".mp4") as writer:
        for size_hw in ((32, 48), second_hw):
            writer.write(encodable(Image(np.full((*size_hw, 3), 200, np.uint8))), None)
    with open_video(file.getvalue()) as video:
        second = list(video.frames())[1].open().read()
    assert second.size_hw == (32, 48) and second.pixels[5, 5, 0] == pytest.approx(200, abs=3)


def test_colors_come_back() -> None:
    pixels = np.zeros((32, 48, 3), np.uint8)
    pixels[:] = (200, 60, 30)
    file = io.BytesIO()
    with VideoWriter(file, ".mp4") as writer:
        writer.write(encodable(Image(pixels)), 0.0)
    with open_video(file.getvalue()) as video:
        (frame,) = video.frames()
    assert np.abs(frame.open().read().pixels[8:24, 8:40].astype(int) - (200, 60, 30)).max() <= 4


def test_sound_is_kept_packet_by_packet(tmp_path: Path) -> None:
    source = clip(tmp_path / "a.mp4", sound=True)
    (tmp_path / "b.mp4").write_bytes(
        written([n / 25 for n in range(10)], sound_of=Stored.of(source), rate=Fraction(25))
    )
    assert packets(tmp_path / "b.mp4", "audio") == packets(source, "audio") != []


def test_sound_ends_with_the_picture(tmp_path: Path) -> None:
    source = clip(tmp_path / "a.mp4", [50] * 50, sound=True)
    (tmp_path / "b.mp4").write_bytes(
        written([n / 25 for n in range(10)], sound_of=Stored.of(source), rate=Fraction(25))
    )
    assert 0.3 < packets(tmp_path / "b.mp4", "audio")[-1][0] < 0.5


def test_a_source_without_sound_gives_none(tmp_path: Path) -> None:
    data = written([0.0], sound_of=Stored.of(clip(tmp_path / "a.mp4")))
    with av.open(io.BytesIO(data)) as container:
        assert not container.streams.audio


def test_sound_that_has_no_place_in_the_container_is_left_out_and_said(tmp_path: Path) -> None:
    source = tmp_path / "a.mkv"
    with av.open(str(source), "w") as output:
        stream, track = output.add_stream("mpeg4", rate=25), output.add_stream("pcm_u8", rate=48000)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        output.mux(stream.encode(av.VideoFrame.from_ndarray(gray(9, (32, 48)), format="rgb24")))
        output.mux(track.encode(tone(0)))
        for each in (stream, track):
            output.mux(each.encode(None))
    file = io.BytesIO()
    writer = VideoWriter(file, ".mp4", sound_of=Stored.of(source))
    with writer:
        writer.write(encodable(Image(np.zeros((32, 48, 3), np.uint8))), 0.0)
    assert any("sound" in one and "left out" in one for one in writer.warnings)
    assert read(file.getvalue())[0] == [0.0]


def test_without_an_encoder_of_h264_it_is_mpeg4(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video_write, "_ENCODERS", ("absent", "mpeg4"))
    data = written([0.0, 0.04], rate=Fraction(30000, 1001), time_base=Fraction(1, 90_000))
    with open_video(data) as video:
        assert video.codec == "mpeg4"
        assert [round(frame.ref.time_s or 0.0, 3) for frame in video.frames()] == [0.0, 0.04]


def test_what_no_encoder_takes_is_an_error_of_ours() -> None:
    wide = encodable(Image(np.zeros((2, 40_000, 3), np.uint8)))
    with pytest.raises(UnsupportedImage, match="the encoder failed"), VideoWriter(io.BytesIO(), ".mp4") as writer:
        writer.write(wide, 0.0)


def test_a_full_disk_is_told_as_the_system_does() -> None:
    class Full(io.BytesIO):
        def write(self, data: Any, /) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left") as caught, VideoWriter(Full(), ".mp4") as writer:
        writer.write(encodable(Image(np.zeros((32, 48, 3), np.uint8))), 0.0)
        writer.close()
    assert caught.value.errno == errno.ENOSPC


def test_an_unknown_container_is_refused() -> None:
    with pytest.raises(UsageError, match=r"Known: \.mp4"):
        VideoWriter(io.BytesIO(), ".avi")


def test_an_error_while_writing_is_the_one_that_is_told() -> None:
    with pytest.raises(KeyError), VideoWriter(io.BytesIO(), ".mp4"):
        raise KeyError
