"""Frames of videos come upright, in their colors and with their times, and damage costs only what is damaged."""

from __future__ import annotations

import gc
import struct
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from clips import clip, damage
from pixelwright.errors import ImageError, ImageTooLarge, MissingExtra, UnreadableImage
from pixelwright.io.images import read_image
from pixelwright.io.sources import list_images
from pixelwright.io.video import is_video, open_video
from pixelwright.io.video_frame import Frame

LEVELS = list(range(0, 200, 20))


def frames(path: Path) -> list[Frame]:
    with open_video(path) as video:
        return list(video.frames())


def level(frame: Frame) -> float:
    """The mean of the right half."""
    pixels = frame.open().read().pixels
    return float(pixels[:, pixels.shape[1] // 2 :].mean())


def times(found: list[Frame]) -> list[float]:
    return [round(frame.ref.time_s or 0.0, 4) for frame in found]


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [(".mp4", "libx264"), (".mkv", "libx264"), (".mov", "mpeg4"), (".avi", "mpeg4"), (".mpg", "mpeg2video")],
)
def test_frames_come_in_order_with_their_times(tmp_path: Path, suffix: str, codec: str) -> None:
    found = frames(clip(tmp_path / f"x{suffix}", LEVELS, codec=codec))
    assert [frame.ref.number for frame in found] == list(range(10))
    assert times(found) == [round(number / 25, 4) for number in range(10)]
    assert [level(frame) for frame in found] == pytest.approx(LEVELS, abs=7)


def test_a_variable_frame_rate_is_kept(tmp_path: Path) -> None:
    times_ms = [0, 40, 50, 500, 510, 2000]
    found = frames(clip(tmp_path / "x.mkv", LEVELS[:6], times_ms=times_ms))
    assert times(found) == [ms / 1000 for ms in times_ms]


def test_what_the_container_says_is_known_before_decoding(tmp_path: Path) -> None:
    with open_video(clip(tmp_path / "x.mp4", sound=True)) as video:
        assert (video.codec, video.frame_count, video.duration_s, video.rate) == ("h264", 10, 0.4, 25)
        assert video.has_sound and video.warnings == []


@pytest.mark.parametrize(
    ("rotation", "size_hw", "dark"),
    [
        ((90.0, False), (64, 48), "bottom"),  # counter-clockwise: what was left is below
        ((-90.0, False), (64, 48), "top"),
        ((180.0, False), (48, 64), "right"),
        ((0.0, True), (48, 64), "right"),
    ],
)
def test_frames_are_upright(tmp_path: Path, rotation: tuple[float, bool], size_hw: tuple[int, int], dark: str) -> None:
    (frame,) = frames(clip(tmp_path / "x.mp4", [200], rotation=rotation))
    pixels = frame.open().read().pixels.astype(float)
    height, width = pixels.shape[:2]
    halves = {
        "top": pixels[: height // 2],
        "bottom": pixels[height // 2 :],
        "left": pixels[:, : width // 2],
        "right": pixels[:, width // 2 :],
    }
    assert (frame.open().size_hw, (height, width)) == (size_hw, size_hw)
    assert min(halves, key=lambda name: halves[name].mean()) == dark


@pytest.mark.parametrize(
    ("size_hw", "stated", "expected"),
    [
        # Y, Cb, Cr = 126, 90, 240 of limited range, by the equations of BT.601 and BT.709
        ((48, 64), {}, (255, 52, 51)),
        ((720, 32), {}, (255, 76, 48)),
        ((48, 64), {"colorspace": 1, "color_range": 1}, (255, 76, 48)),
        ((48, 64), {"colorspace": 5, "color_range": 2}, (255, 61, 59)),  # of full range
    ],
)
def test_colors_follow_the_stated_matrix_and_range_or_else_the_size(
    tmp_path: Path, size_hw: tuple[int, int], stated: dict[str, int], expected: tuple[int, int, int]
) -> None:
    path = tmp_path / "x.mkv"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("ffv1", rate=25)
        stream.height, stream.width, stream.pix_fmt = *size_hw, "yuv420p"
        for name, value in stated.items():
            setattr(stream.codec_context, name, value)
        frame = av.VideoFrame(size_hw[1], size_hw[0], "yuv420p")
        for plane, value in zip(frame.planes, (126, 90, 240), strict=True):
            plane.update(bytes([value]) * plane.buffer_size)
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    (found,) = frames(path)
    assert np.abs(found.open().read().pixels[5, 5].astype(int) - expected).max() <= 2


def test_a_reduced_size_is_a_whole_fraction_and_no_smaller_than_asked_for(tmp_path: Path) -> None:
    (frame,) = frames(clip(tmp_path / "x.mp4", [100], size_hw=(240, 320)))
    sizes = {at_least: frame.open().read(at_least_hw=at_least) for at_least in ((60, 70), (100, 100), (200, 10))}
    assert [image.size_hw for image in sizes.values()] == [(60, 80), (120, 160), (240, 320)]
    assert [image.source.scale for image in sizes.values()] == [1 / 4, 1 / 2, 1]
    assert sizes[60, 70].pixels[:, 50:].mean() == pytest.approx(100, abs=3)


def test_a_turned_frame_is_reduced_in_its_upright_sides(tmp_path: Path) -> None:
    (frame,) = frames(clip(tmp_path / "x.mp4", [100], size_hw=(240, 320), rotation=(90, False)))
    assert frame.open().read(at_least_hw=(150, 50)).size_hw == (160, 120)


@pytest.mark.parametrize(("suffix", "codec"), [(".mp4", "libx264"), (".mkv", "libx264"), (".avi", "mpeg4")])
def test_a_damaged_frame_fails_in_its_place_and_reading_goes_on(tmp_path: Path, suffix: str, codec: str) -> None:
    path = clip(tmp_path / f"x{suffix}", [50] * 40, codec=codec)
    found = frames(damage(path, 20))
    assert len(found) == 40 and [frame.ref.number for frame in found] == list(range(40))
    failed = [frame for frame in found if frame.error]
    assert failed[0].ref.number == 20 and failed[0].ref.time_s == pytest.approx(0.8)
    assert "frame 20 at 0.800 s is damaged" in str(failed[0].error)
    assert [frame.error for frame in found[30:]] == [None] * 10
    with pytest.raises(UnreadableImage):
        failed[0].open()


def test_several_damaged_frames_are_all_counted(tmp_path: Path) -> None:
    found = frames(damage(clip(tmp_path / "x.mp4", [50] * 40), 10, 12, 25))
    assert len(found) == 40
    assert {10, 12, 25} <= {frame.ref.number for frame in found if frame.error}


def test_a_truncated_file_gives_what_there_is_and_says_so(tmp_path: Path) -> None:
    path = clip(tmp_path / "x.mp4", [50] * 40, faststart=True)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    with open_video(path) as video:
        found = [frame for frame in video.frames() if not frame.error]
    assert 10 < len(found) < 40
    assert any("cut off" in one and "of 40 frames" in one for one in video.faults)


def test_a_truncated_file_without_a_frame_count_says_so_by_its_length(tmp_path: Path) -> None:
    path = clip(tmp_path / "x.mkv", [50] * 40)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with open_video(path) as video:
        assert 5 < len(list(video.frames())) < 40
    assert any(one.startswith("is cut off") and one.endswith("of 1.6 s are there") for one in video.faults)


def halved_edit(path: Path) -> Path:
    """The same MP4, whose edit list now shows the first half."""
    data = bytearray(path.read_bytes())
    at = data.find(b"elst") + 12  # past version, flags and count: how long the first edit is
    data[at : at + 4] = struct.pack(">I", struct.unpack(">I", data[at : at + 4])[0] // 2)
    path.write_bytes(data)
    return path


def emptied(path: Path, number: int) -> Path:
    """The same AVI, with a frame that is empty, as recorders write where nothing was captured."""
    data = bytearray(path.read_bytes())
    at, index = data.find(b"movi") + 4, data.find(b"idx1")
    for _ in range(number):
        at += 8 + _padded(data, at)
    size = _padded(data, at)
    data[at + 4 : at + 16] = struct.pack("<I4sI", 0, b"JUNK", size - 8)
    entry = index + 8 + 16 * number
    data[entry + 12 : entry + 16] = struct.pack("<I", 0)
    path.write_bytes(data)
    return path


def _padded(data: bytearray, at: int) -> int:
    size = struct.unpack("<I", data[at + 4 : at + 8])[0]
    return size + size % 2


def test_frames_that_are_left_out_on_purpose_are_no_loss(tmp_path: Path) -> None:
    for path, count in (
        (halved_edit(clip(tmp_path / "edit.mp4", [50] * 20)), 10),
        (emptied(clip(tmp_path / "empty.avi", [50] * 20, codec="mpeg4"), 5), 19),
    ):
        with open_video(path) as video:
            frames = list(video.frames())
        assert video.frame_count == 20 and len(frames) == count and not video.faults
        assert not any(frame.error for frame in frames)


def test_a_count_that_a_tool_left_behind_is_no_loss(tmp_path: Path) -> None:
    source = clip(tmp_path / "a.mp4")
    with av.open(str(source)) as whole, av.open(str(tmp_path / "b.mkv"), "w") as output:
        stream = output.add_stream_from_template(whole.streams.video[0])
        stream.metadata["NUMBER_OF_FRAMES"] = "100"
        for packet in whole.demux(video=0):
            if packet.size:
                packet.stream = stream
                output.mux(packet)
    with open_video(tmp_path / "b.mkv") as video:
        assert video.frame_count == 100 and len(list(video.frames())) == 10 and not video.faults


def test_a_file_whose_index_is_lost_is_an_error(tmp_path: Path) -> None:
    path = clip(tmp_path / "x.mp4")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UnreadableImage, match="truncated"):
        open_video(path)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".avi"])
def test_a_file_of_no_frames_is_an_error_or_empty(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        output.start_encoding()
    try:
        assert frames(path) == []
    except UnreadableImage as err:
        assert "truncated" in str(err) or "no moving picture" in str(err)


@pytest.mark.parametrize("data", [b"", b"no video", b"\x00" * 4096])
def test_what_is_no_video_is_an_error(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.mp4").write_bytes(data)
    with pytest.raises(UnreadableImage):
        open_video(tmp_path / "x.mp4")


def test_a_file_without_a_picture_track_is_an_error(tmp_path: Path) -> None:
    from clips import tone

    with av.open(str(tmp_path / "x.mp4"), "w") as output:
        track = output.add_stream("aac", rate=48000)
        for number in range(3):
            output.mux(track.encode(tone(number)))
        output.mux(track.encode(None))
    with pytest.raises(UnreadableImage, match="no moving picture"):
        open_video(tmp_path / "x.mp4")


def test_a_playlist_in_the_dress_of_a_video_opens_nothing_else(tmp_path: Path) -> None:
    inner = clip(tmp_path / "inner.mp4", [50])
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{inner}\n#EXT-X-ENDLIST\n"
    (tmp_path / "x.avi").write_text(playlist)
    with pytest.raises(UnreadableImage):
        open_video(tmp_path / "x.avi")


def test_frames_larger_than_the_limit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageTooLarge):
        open_video(clip(tmp_path / "x.mp4", [50]), max_pixels=1000)


def test_a_missing_file_is_an_error() -> None:
    with pytest.raises(ImageError, match="No such file"):
        open_video("absent.mp4")


def test_bytes_and_members_of_tars_are_videos_too(tmp_path: Path) -> None:
    from clips import shard

    path = clip(tmp_path / "x.mp4", LEVELS[:3])
    tar = shard(tmp_path / "t.tar", {"x.mp4": path.read_bytes()})
    for source in (path.read_bytes(), f"{tar}::x.mp4"):
        with open_video(source) as video:
            assert len(list(video.frames())) == 3


def test_videos_are_listed_beside_pictures(tmp_path: Path) -> None:
    for name in ("a.png", "b.MP4", "c.mkv", "d.ts", "e.gif"):
        (tmp_path / name).touch()
    items = list(list_images([str(tmp_path)]))
    assert [(item.name, item.is_video) for item in items] == [
        ("a.png", False),
        ("b.MP4", True),
        ("c.mkv", True),
        ("e.gif", False),
    ]
    assert is_video("x/Y.MOV") and not is_video("mp4")


def test_a_frame_is_let_go_without_the_search_for_circles(tmp_path: Path) -> None:
    gc.collect()
    gc.disable()
    try:
        for frame in frames(clip(tmp_path / "x.mp4", [50] * 20, rotation=(90, False))):
            frame.open().read(at_least_hw=(10, 10))
        frame = None
        left = [one for one in gc.get_objects() if type(one).__name__ == "VideoFrame"]
    finally:
        gc.enable()
    assert len(left) <= 1  # the one whose display matrix was looked at


def test_a_video_read_as_a_picture_is_said_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImage, match=r"is a video, not an image.*model\.stream"):
        read_image(clip(tmp_path / "x.mp4", [50]))


def test_without_the_extra_a_sentence_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtra, match=r"pixelwright\[video\]"):
        open_video(b"x")


@pytest.mark.shared
def test_a_real_clip_is_read_whole(shared: Path) -> None:
    with open_video(shared / "data" / "road-demo" / "solidWhiteRight.mp4") as video:
        found = list(video.frames())
    assert len(found) == 221 and not any(frame.error for frame in found)
    assert (found[-1].ref.time_s, found[0].open().size_hw) == (8.8, (540, 960))
