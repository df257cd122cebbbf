"""Whatever happens in the sandbox ends in a value or a sentence."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pixelwright.errors import DamagedModel, RuntimeFailure
from pixelwright.interop.sandbox import Limits, run


def test_a_job_answers_and_leaves_its_files(tmp_path: Path) -> None:
    assert run("sandbox_jobs:double", tmp_path, {"number": 21}, what="it") == {"twice": 42}
    assert (tmp_path / "made.txt").read_text() == "made"


def test_what_a_job_prints_reaches_nobody(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run("sandbox_jobs:chatter", tmp_path, {}, what="it") == {"said": True}
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("job", ["abort", "leave"])
def test_a_crash_is_a_sentence_with_the_file(tmp_path: Path, job: str) -> None:
    with pytest.raises(RuntimeFailure, match=r"^a\.onnx: the process that worked on it crashed .* fetch it again"):
        run(f"sandbox_jobs:{job}", tmp_path, {}, what="a.onnx")


def test_a_hang_is_ended_and_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(RuntimeFailure, match=r"^a\.onnx: not finished after 1 s\."):
        run("sandbox_jobs:hang", tmp_path, {}, what="a.onnx", limits=Limits(seconds=1))


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux only")
def test_a_hunger_for_memory_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(RuntimeFailure, match=r"^a\.onnx: needs more than 4\.0 GB of memory\."):
        run("sandbox_jobs:hunger", tmp_path, {}, what="a.onnx", limits=Limits(memory_bytes=4_000_000_000))


def test_nothing_is_recorded_of_what_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ONNX Runtime keeps an identity in the folder for temporary files, and events in the home folder."""
    for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    run("sandbox_jobs:load_runtime", tmp_path, {}, what="it")
    assert list((tmp_path / "home").iterdir()) == []


@pytest.mark.parametrize(("file_bytes", "most"), [(0, 1.8e9), (5_000_000, 1.8e9), (1_000_000_000, 8e9)])
def test_memory_stays_below_two_gigabytes_for_all_but_big_files(file_bytes: int, most: float) -> None:
    assert Limits.of(file_bytes).memory_bytes == most


def test_errors_of_ours_come_out_as_they_were(tmp_path: Path) -> None:
    with pytest.raises(DamagedModel, match=r"^a\.onnx: is no model\.$"):
        run("sandbox_jobs:refuse", tmp_path, {}, what="a.onnx")


def test_an_error_that_takes_more_than_a_sentence_keeps_its_sentence(tmp_path: Path) -> None:
    with pytest.raises(RuntimeFailure, match="there is no output named 'x'"):
        run("sandbox_jobs:refuse_a_name", tmp_path, {}, what="a.onnx")


def test_any_other_error_names_its_kind(tmp_path: Path) -> None:
    with pytest.raises(RuntimeFailure, match=r"^a\.onnx: IndexError: list index out of range"):
        run("sandbox_jobs:stumble", tmp_path, {}, what="a.onnx")


def test_an_old_answer_is_not_taken_for_a_new_one(tmp_path: Path) -> None:
    run("sandbox_jobs:double", tmp_path, {"number": 1}, what="it")
    with pytest.raises(RuntimeFailure, match="crashed"):
        run("sandbox_jobs:abort", tmp_path, {}, what="it")
