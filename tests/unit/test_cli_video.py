"""The command line over videos and cameras: what it prints, and how it ends."""

from __future__ import annotations

import errno
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bundles import brightness
from clips import clip, damage
from pixelwright.cli import main
from pixelwright.io import live


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    brightness(tmp_path / "c")
    clip(tmp_path / "clip.mp4", [20, 250, 250], sound=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def classify(*arguments: str) -> int:
    return main(["classify", *arguments, "--model", "c"])


def test_each_frame_is_a_line_with_its_time(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert classify("clip.mp4", "--top-k", "1") == 0
    said = capsys.readouterr()
    lines = [line.split("\t") for line in said.out.splitlines()]
    assert [line[:2] for line in lines] == [["clip.mp4", "0.000 s"], ["clip.mp4", "0.040 s"], ["clip.mp4", "0.080 s"]]
    assert [line[2].split()[0] for line in lines] == ["dark", "bright", "bright"]
    assert "1 done, 0 failed, 3 frames in" in said.err


def test_each_frame_is_a_record(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert classify("clip.mp4", "--json", "--frames", "2") == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(record["frame"], record["time_s"]) for record in records] == [(0, 0.0), (1, 0.04)]


def test_real_time_ends_with_its_pace(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert classify("clip.mp4", "--realtime", "-o", "out") == 0
    assert re.search(
        r"in real time: \d frames done, \d dropped, [\d.]+ a second, latency \d+ ms \(median\), \d+ ms",
        capsys.readouterr().err,
    )


def test_damage_is_said_and_makes_the_exit_code_1(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    damage(clip(folder / "bad.mp4", [250] * 30), 12)
    assert classify("bad.mp4", "-o", "out") == 1
    said = capsys.readouterr().err
    assert re.search(r"bad.mp4: \d+ of 30 frames failed; the first: frame 12 at 0.480 s is damaged.", said)


def test_a_camera_that_is_not_there_is_exit_code_3(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Absent:
        def isOpened(self) -> bool:
            return False

        def release(self) -> None:
            pass

    monkeypatch.setattr(live, "open_capture", lambda address: Absent())
    assert classify("camera:7") == 3
    assert "camera:7: there is no such camera" in capsys.readouterr().err


def test_a_camera_that_vanishes_is_exit_code_1(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Brief:
        def __init__(self) -> None:
            self.left = 3

        def isOpened(self) -> bool:
            return True

        def read(self) -> tuple[bool, Any]:
            self.left -= 1
            return self.left >= 0, np.full((8, 8, 3), 250, np.uint8)

        def release(self) -> None:
            pass

    monkeypatch.setattr(live, "open_capture", lambda address: Brief())
    assert classify("camera:0", "-o", "out.mp4") == 1
    said = capsys.readouterr().err
    assert "gave no more pictures after 3" in said and (folder / "out.mp4").stat().st_size > 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [(["clip.mp4", "-o", "clip.mp4"], "would overwrite"), (["clip.mp4", "-o", "x.webm"], "Known: .mp4")],
)
def test_wrong_use_is_exit_code_2(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    assert classify(*arguments) == 2
    assert sentence in capsys.readouterr().err


def test_standard_output_on_a_full_disk_is_a_sentence_and_exit_code_4(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(record: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pixelwright.cli.print_json", full)
    monkeypatch.setattr("pixelwright.cli._give_up_stdout", lambda: None)
    assert classify("clip.mp4", "--json") == 4
    assert capsys.readouterr().err.startswith("pixelwright: cannot write the output: No space left on device.")


def test_a_folder_on_a_disk_that_is_read_only_is_a_sentence_and_exit_code_4(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Path.open

    def open_closed(path: Path, *how: Any, **more: Any) -> Any:
        if path.suffix == ".part":
            raise OSError(errno.EROFS, "Read-only file system")
        return opened(path, *how, **more)

    def unlink(path: Path, **how: Any) -> None:  # which refuses even what is not there
        raise OSError(errno.EROFS, "Read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", open_closed)
        patch.setattr(Path, "unlink", unlink)
        assert classify("clip.mp4", "-o", "out.mp4") == 4
    assert capsys.readouterr().err == "pixelwright: out.mp4: cannot be written: Read-only file system.\n"
