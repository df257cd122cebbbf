"""`run` over videos: a record for each frame, a video of results with its sound, and damage that costs only itself."""

from __future__ import annotations

import csv
import errno
import json
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest

from bundles import blur, brightness
from clips import clip, damage, packets, shard
from pixelwright.errors import ImageError, OutputError, UsageError
from pixelwright.io import live
from pixelwright.io.images import write_image
from pixelwright.io.sources import Item
from pixelwright.io.video import Video, open_video
from pixelwright.io.video_frame import FrameRef
from pixelwright.model import Execution, Model, load
from pixelwright.pipeline import Done
from pixelwright.structures.image import Image
from pixelwright.verbs.run import Progress, RunRequest, Summary, plan, run
from pixelwright.verbs.tally import Tally

LEVELS = [20, 250, 30, 220, 40, 210]  # of the right half; the left one has half of it
LABELS = ["dark", "bright", "dark", "bright", "dark", "bright"]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    return {"classify": brightness(folder / "c").path, "enhance": blur(folder / "e").path}


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return clip(tmp_path / "clip.mp4", LEVELS, sound=True)


def go(model: Model, *sources: Path | str, **request: Any) -> tuple[Summary, list[dict[str, Any]]]:
    records: list[dict[str, Any]] = []
    wanted = RunRequest(tuple(map(str, sources)), **request)
    return run(model, wanted, on_record=records.append, on_progress=lambda progress: None), records


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def labels(records: list[dict[str, Any]]) -> list[str]:
    return [record["classes"][0]["label"] for record in records if "error" not in record]


def frames_of(path: Path) -> list[float]:
    with open_video(path) as opened:
        return [round(frame.ref.time_s or 0.0, 3) for frame in opened.frames() if not frame.error]


@pytest.mark.parametrize("workers", [1, 3])
def test_without_a_folder_each_frames_record_is_told(models: dict[str, Path], video: Path, workers: int) -> None:
    summary, records = go(load(models["classify"], execution=Execution(workers=workers)), video)
    assert labels(records) == LABELS
    assert [(record["frame"], record["time_s"]) for record in records] == [(n, n / 25) for n in range(6)]
    assert {(record["record"], record["index"], record["path"]) for record in records} == {(1, 0, str(video))}
    assert (summary.done, summary.frames, summary.failed, summary.exit_code) == (1, 6, 0, 0)


def test_in_a_job_a_video_is_one_item_with_a_file_of_frames(
    models: dict[str, Path], video: Path, tmp_path: Path
) -> None:
    _, records = go(load(models["classify"]), video, output=tmp_path / "out")
    assert records == lines(tmp_path / "out" / "results.jsonl")
    (record,) = records
    assert record["frames"] == 6 and record["failed_frames"] == 0
    assert (record["duration_s"], record["fps_source"], record["size_hw"]) == (0.24, 25.0, [48, 64])
    assert record["frame_records"] == "frames/clip.jsonl" and "output" not in record
    assert labels(lines(tmp_path / "out" / record["frame_records"])) == LABELS
    assert not (tmp_path / "out" / "images").exists()


def test_drawn_videos_keep_times_and_sound(models: dict[str, Path], video: Path, tmp_path: Path) -> None:
    _, (record,) = go(load(models["classify"]), video, output=tmp_path / "out", draw=True)
    made = tmp_path / "out" / record["output"]
    assert record["output"] == "images/clip.mp4" and frames_of(made) == frames_of(video)
    assert packets(made, "audio") == packets(video, "audio") != []


def test_a_task_that_makes_pictures_makes_a_video(models: dict[str, Path], video: Path, tmp_path: Path) -> None:
    _, (record,) = go(load(models["enhance"]), video, output=tmp_path / "out")
    assert frames_of(tmp_path / "out" / record["output"]) == frames_of(video)
    (_, *rest) = lines(tmp_path / "out" / "frames" / "clip.jsonl")
    assert {tuple(one["output_size_hw"]) for one in rest} == {(48, 64)}


def test_one_video_goes_to_one_file_with_its_variable_rate(models: dict[str, Path], tmp_path: Path) -> None:
    source = clip(tmp_path / "a.mkv", LEVELS, times_ms=[0, 40, 100, 500, 510, 900])
    summary, records = go(load(models["classify"]), source, output=tmp_path / "b.mp4")
    assert frames_of(tmp_path / "b.mp4") == [0.0, 0.04, 0.1, 0.5, 0.51, 0.9]
    assert labels(records) == LABELS and summary.output == tmp_path / "b.mp4"


def test_pictures_and_videos_mix_in_order(models: dict[str, Path], video: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.png", "c.png", "d.png"):
        write_image(Image(np.full((9, 9, 3), 250, np.uint8)), folder / name)
    for name in ("b.mp4", "e.mp4"):
        (folder / name).write_bytes(video.read_bytes())
    _, records = go(load(models["classify"]), folder, output=tmp_path / "out")
    assert [Path(record["path"]).name for record in records] == ["a.png", "b.mp4", "c.png", "d.png", "e.mp4"]
    assert [record.get("frames") for record in records] == [None, 6, None, None, 6]
    said = plan(load(models["classify"]), RunRequest((str(folder),)))
    assert (said["pictures"], said["videos"]) == (3, 2)


def test_a_damaged_frame_is_a_failure_in_its_place(models: dict[str, Path], tmp_path: Path) -> None:
    source = damage(clip(tmp_path / "a.mp4", [250] * 30), 12)
    summary, (record,) = go(load(models["classify"]), source, output=tmp_path / "out", draw=True)
    told = lines(tmp_path / "out" / record["frame_records"])
    assert len(told) == record["frames"] == 30
    assert told[12]["error"]["message"].endswith("frame 12 at 0.480 s is damaged.")
    assert record["failed_frames"] == sum("error" in one for one in told) >= 1
    assert summary.exit_code == 1 and "frames failed; the first: frame 12" in summary.faults[0][1]
    assert record["faults"] == [summary.faults[0][1]] and "warnings" not in record
    again, _ = go(load(models["classify"]), source, output=tmp_path / "out", draw=True)
    assert (again.earlier, again.faulty, again.exit_code) == (1, 1, 1)
    assert len(frames_of(tmp_path / "out" / record["output"])) == 30 - record["failed_frames"]


def test_a_truncated_video_gives_what_there_is_and_is_said_to_be_one(models: dict[str, Path], tmp_path: Path) -> None:
    source = clip(tmp_path / "a.mp4", [250] * 40, faststart=True)
    source.write_bytes(source.read_bytes()[: source.stat().st_size * 6 // 10])
    summary, (record,) = go(load(models["classify"]), source, output=tmp_path / "out")
    assert 0 < record["frames"] < 40 and any("cut off" in one for one in record["faults"])
    assert summary.exit_code == 1 and "cut off" in summary.faults[-1][1]


def test_a_video_that_cannot_be_read_stops_nobody(models: dict[str, Path], video: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    summary, records = go(load(models["classify"]), tmp_path / "bad.mp4", video)
    assert "is no video" in records[0]["error"]["message"] and labels(records[1:]) == LABELS
    assert (summary.done, summary.failed, summary.exit_code) == (2, 1, 1)
    assert go(load(models["classify"]), tmp_path / "bad.mp4")[0].exit_code == 3


def test_a_video_without_a_good_frame_is_nothing_read(models: dict[str, Path], tmp_path: Path) -> None:
    source = damage(clip(tmp_path / "a.mp4", [120] * 5), *range(5))
    summary, records = go(load(models["classify"]), source)
    assert "none of its 5 frames can be read" in records[-1]["error"]["message"] and summary.exit_code == 3


def test_frames_have_the_limit_that_was_asked_for(models: dict[str, Path], video: Path) -> None:
    model = load(models["classify"], execution=Execution(max_pixels=48 * 64 - 1))
    assert "is 64x48" in go(model, video)[1][0]["error"]["message"]
    assert "is 64x48" in str(next(iter(model.stream(video))).error)
    assert Execution().max_frame_pixels < Execution().max_pixels


def test_a_killed_job_repeats_only_the_video_under_way(models: dict[str, Path], video: Path, tmp_path: Path) -> None:
    model = load(models["classify"])
    for name in ("b.mp4", "c.mp4"):
        (tmp_path / name).write_bytes(video.read_bytes())
    sources = (str(video), str(tmp_path / "b.mp4"), str(tmp_path / "c.mp4"))

    def stop(progress: Progress) -> None:
        if progress.done == 10:  # within the second video
            raise KeyboardInterrupt

    request = RunRequest(sources, tmp_path / "out", draw=True)
    with pytest.raises(KeyboardInterrupt):
        run(model, request, on_record=lambda record: None, on_progress=stop)
    assert [path.name for path in (tmp_path / "out" / "frames").iterdir()] == ["clip.jsonl"]
    assert [path.name for path in (tmp_path / "out" / "images").iterdir()] == ["clip.mp4"]
    summary, records = go(model, *sources, output=tmp_path / "out", draw=True)
    assert summary.earlier == 1 and [record["index"] for record in records] == [1, 2]
    assert sorted(path.name for path in (tmp_path / "out" / "frames").iterdir()) == ["b.jsonl", "c.jsonl", "clip.jsonl"]
    assert not (tmp_path / "out" / ".partial").exists()


def test_a_full_disk_stops_the_run_clearly(
    models: dict[str, Path], video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(writer: Any, frame: Any, time_s: float) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pixelwright.io.video_write.VideoWriter.write", full)
    with pytest.raises(OutputError, match="No space left"):
        go(load(models["classify"]), video, output=tmp_path / "out", draw=True)
    assert list((tmp_path / "out" / ".partial").iterdir()) == []
    with pytest.raises(OutputError, match=r"out\.mp4: No space left on device\. Make room"):
        go(load(models["classify"]), video, output=tmp_path / "out.mp4")


@pytest.mark.parametrize("draw", [True, False])
def test_a_disk_that_is_full_only_as_files_are_closed_stops_the_run(
    models: dict[str, Path], video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, draw: bool
) -> None:
    class Full:
        """A file whose buffer finds no room."""

        def __init__(self, file: Any) -> None:
            self.file = file

        def __getattr__(self, name: str) -> Any:
            return getattr(self.file, name)

        def __enter__(self) -> Any:
            return self.file

        def __exit__(self, *_: object) -> None:
            self.file.close()
            raise OSError(errno.ENOSPC, "No space left on device")

    opened = Path.open

    def open_full(path: Path, *how: Any, **more: Any) -> Any:
        file = opened(path, *how, **more)
        return Full(file) if ".partial" in path.parts else file

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", open_full)
        with pytest.raises(OutputError, match="No space left"):
            go(load(models["classify"]), video, output=tmp_path / "out", draw=draw)
    summary, records = go(load(models["classify"]), video, output=tmp_path / "out", draw=draw)
    assert summary.exit_code == 0 and records[0]["frames"] == 6


def test_what_a_listener_raises_is_no_fault_of_a_video(
    models: dict[str, Path], video: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def gone(record: Any) -> None:
        raise BrokenPipeError

    model = load(models["classify"])
    with pytest.raises(BrokenPipeError):
        run(model, RunRequest((str(video),)), on_record=gone, on_progress=lambda progress: None)
    request = RunRequest((str(video),), tmp_path / "out")
    with pytest.raises(BrokenPipeError):  # in the middle of the video
        run(model, request, on_record=gone, on_progress=lambda now: gone(now) if now.done > 2 else None)
    assert not caplog.records
    assert go(model, video, output=tmp_path / "out")[1][0]["frames"] == 6


def test_a_video_that_breaks_off_in_writing_replaces_nothing(
    models: dict[str, Path], video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "out.mp4").write_bytes(b"earlier")
    written = iter((None, None))

    def fails(writer: Any, frame: Any, time_s: float) -> None:
        next(written)

    monkeypatch.setattr("pixelwright.io.video_write.VideoWriter.write", fails)
    summary, _ = go(load(models["classify"]), video, output=tmp_path / "out.mp4")
    assert summary.failed == 1 and (tmp_path / "out.mp4").read_bytes() == b"earlier"


def test_an_output_file_stays_as_it_was_where_nothing_came_out(models: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    (tmp_path / "out.mp4").write_bytes(b"earlier")
    summary, _ = go(load(models["classify"]), tmp_path / "bad.mp4", output=tmp_path / "out.mp4")
    assert summary.exit_code == 3 and (tmp_path / "out.mp4").read_bytes() == b"earlier"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.mp4", "out.mp4"]


@pytest.mark.parametrize(
    ("sources", "output", "said"),
    [
        (["clip.mp4"], "clip.mp4", "would overwrite the video"),
        (["clip.mp4"], "out.webm", "no video is written under"),
        (["clip.mp4", "clip.mp4"], "out.mp4", "2 sources"),
        (["a.png"], "out.mp4", "is a picture"),
        (["clip.mp4"], "out.png", "is a video"),
    ],
)
def test_outputs_that_cannot_be_are_refused(
    models: dict[str, Path], video: Path, monkeypatch: pytest.MonkeyPatch, sources: list[str], output: str, said: str
) -> None:
    monkeypatch.chdir(video.parent)
    write_image(Image(np.zeros((9, 9, 3), np.uint8)), "a.png")
    with pytest.raises(UsageError, match=said):
        go(load(models["classify"]), *sources, output=Path(output))


def test_a_folder_that_is_missing_is_an_output_error(models: dict[str, Path], video: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="there is no folder"):
        go(load(models["classify"]), video, output=tmp_path / "absent" / "out.mp4")


def test_so_many_frames_and_no_more(models: dict[str, Path], video: Path) -> None:
    summary, records = go(load(models["classify"]), video, frames=2)
    assert labels(records) == LABELS[:2] and summary.exit_code == 0


def test_the_bar_counts_frames(models: dict[str, Path], video: Path) -> None:
    seen: list[Progress] = []
    request = RunRequest((str(video),))
    run(load(models["classify"]), request, on_record=lambda record: None, on_progress=seen.append)
    assert seen[-1] == Progress(7, 0, 7) and seen[1] == Progress(0, 0, 7)


def test_a_table_has_a_row_for_each_frame(models: dict[str, Path], video: Path, tmp_path: Path) -> None:
    go(load(models["classify"]), video, output=tmp_path / "out", exports=("csv",))
    with (tmp_path / "out" / "results.csv").open(newline="") as table:
        rows = list(csv.DictReader(table))
    assert (tmp_path / "out" / "results.csv").read_text().splitlines()[0] == "path,frame,time_s,label,score,error"
    best = {int(row["frame"]): (row["label"], float(row["time_s"])) for row in reversed(rows)}
    assert best == {number: (label, number / 25) for number, label in enumerate(LABELS)}


def test_videos_in_tars_and_their_sound_are_read_too(models: dict[str, Path], video: Path, tmp_path: Path) -> None:
    tar = shard(tmp_path / "t.tar", {"v/clip.mp4": video.read_bytes()})
    _, (record,) = go(load(models["classify"]), tar, output=tmp_path / "out", draw=True)
    made = tmp_path / "out" / record["output"]
    assert record["output"] == "images/v/clip.mp4" and packets(made, "audio") == packets(video, "audio")


def test_in_real_time_each_record_has_its_latency(models: dict[str, Path], video: Path) -> None:
    began_s = time.monotonic()
    summary, records = go(load(models["classify"]), video, realtime=True)
    assert all(0 < record["latency_ms"] <= (time.monotonic() - began_s) * 1000 for record in records)
    pace = summary.pace
    assert pace is not None and pace.frames == len(records) and pace.frames + pace.dropped == 6
    assert 0 < pace.median_ms <= pace.p95_ms and pace.fps > 0
    assert records[-1]["frame"] == 5 and [record["frame"] for record in records] == sorted(
        record["frame"] for record in records
    )


class Capture:
    """A camera that gives bright pictures until it is told to vanish or to be interrupted."""

    def __init__(self, count: int, *, then: BaseException | None = None) -> None:
        self.count, self.then = count, then

    def isOpened(self) -> bool:
        return True

    def read(self) -> tuple[bool, np.ndarray | None]:
        self.count -= 1
        time.sleep(0.002)  # as a camera is no quicker than this
        return (True, np.full((32, 48, 3), 250, np.uint8)) if self.count >= 0 else (False, None)

    def release(self) -> None:
        pass


def test_a_camera_that_vanishes_keeps_what_was_finished(
    models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "open_capture", lambda address: Capture(20))
    summary, (record,) = go(load(models["classify"]), "camera:0", output=tmp_path / "out", draw=True)
    told = lines(tmp_path / "out" / record["frame_records"])
    assert record["frames"] == len(told) > 0 and record["frames"] + record["dropped"] == 20
    assert "gave no more pictures" in record["error"]["message"] and summary.exit_code == 1
    assert len(frames_of(tmp_path / "out" / record["output"])) == len(told)
    assert go(load(models["classify"]), "camera:0", output=tmp_path / "out", draw=True)[0].exit_code == 1


def test_a_failure_is_not_counted_among_what_was_done_with_faults() -> None:
    tally = Tally(lambda record: None, lambda progress: None)
    tally.start(2)
    told = {"frames": 9, "failed_frames": 1, "faults": ["1 of 9 frames failed."]}
    tally.take(Done((0, Item("camera:0", "c")), told, ImageError("camera:0", "gone.")))
    tally.take(Done((1, Item("a.mp4", "a")), told))
    summary = tally.summary(None)
    assert (summary.done, summary.failed, summary.faulty, summary.exit_code) == (2, 1, 1, 1)


def test_a_camera_that_is_silent_is_given_up(models: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    hanging = Event()

    class Silent(Capture):
        def read(self) -> tuple[bool, np.ndarray | None]:
            if self.count:
                return super().read()
            hanging.wait(5)
            return False, None

    monkeypatch.setattr(live, "open_capture", lambda address: Silent(3))
    monkeypatch.setattr(live, "SILENT_SECONDS", 0.5)  # more than a thread of a loaded machine may have to wait
    monkeypatch.setattr(live, "_JOIN_SECONDS", 0.01)
    summary, records = go(load(models["classify"]), "camera:0")
    assert "gave no picture for 0.5 seconds" in records[-1]["error"]["message"]
    assert set(labels(records)) == {"bright"} and summary.exit_code == 1
    hanging.set()


def test_ctrl_c_ends_a_camera_and_keeps_all_of_it(
    models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "open_capture", lambda address: Capture(10_000))

    def stop(progress: Progress) -> None:
        if progress.done == 5:
            raise KeyboardInterrupt

    request = RunRequest(("camera:0",), tmp_path / "out", draw=True)
    summary = run(load(models["classify"]), request, on_record=lambda record: None, on_progress=stop)
    (record,) = lines(tmp_path / "out" / "results.jsonl")
    assert summary.stopped and summary.exit_code == 130 and "error" not in record
    assert record["frames"] == 5 == len(lines(tmp_path / "out" / record["frame_records"]))
    assert len(frames_of(tmp_path / "out" / record["output"])) == 5


def test_reading_runs_only_a_bounded_way_ahead(
    models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = clip(tmp_path / "long.mp4", [100] * 120, size_hw=(32, 32))
    read, frames = 0, Video.frames

    def counted(video: Video) -> Iterator[Any]:
        nonlocal read
        for frame in frames(video):
            read += 1
            yield frame

    monkeypatch.setattr(Video, "frames", counted)
    model = load(models["classify"], execution=Execution(workers=2, batch_size=2))
    ahead = [read - done for done, _ in enumerate(model.stream(source))]
    assert len(ahead) == 120 and max(ahead) <= 2 * 2 * 2


def test_stream_gives_one_outcome_a_frame_with_number_and_time(models: dict[str, Path], video: Path) -> None:
    model = load(models["classify"])
    done = list(model.stream(video))
    assert [one.item for one in done] == [FrameRef(str(video), n, n / 25) for n in range(6)]
    assert [one.result.top.label for one in done if one.result] == LABELS


def test_stream_takes_pictures_and_videos_together(models: dict[str, Path], video: Path) -> None:
    sources = [np.full((9, 9, 3), 250, np.uint8), video, "absent.mp4", np.full((9, 9, 3), 250, np.uint8)]
    done = list(load(models["classify"]).stream(sources))
    assert len(done) == 9 and done[7].error is not None and "absent.mp4" in str(done[7].error)
    assert [one.result.top.label for one in done if one.result] == ["bright", *LABELS, "bright"]


def test_a_camera_within_a_list_is_refused_in_its_place(models: dict[str, Path]) -> None:
    (done,) = load(models["classify"]).stream(["camera:0"])
    assert "no part of a list" in str(done.error)


def test_stream_of_a_camera_is_in_real_time(models: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "open_capture", lambda address: Capture(10_000))
    outcomes: Iterator[Any] = load(models["classify"]).stream("camera:0")
    numbers = [next(outcomes).item.number for _ in range(3)]
    assert numbers == sorted(set(numbers))
    outcomes.close()  # type: ignore[attr-defined]
