"""The command line: exit codes, sentences, and data on stdout only."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bundles import blur, brightness
from pixelwright import registry
from pixelwright.cli import main
from pixelwright.errors import OutputError
from pixelwright.io.images import read_image, write_image
from pixelwright.structures.image import Image
from pixelwright.verbs import outputs
from pixelwright.verbs import run as run_verb

NOT_TEXT = os.fsdecode(b"\xff.png")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    blur(tmp_path / "blur")
    brightness(tmp_path / "bright")
    write_image(Image(np.full((9, 12, 3), 200, np.uint8)), tmp_path / "a.png")
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return tmp_path


def test_classify_prints_a_line_a_picture(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["classify", "a.png", "--model", "bright"]) == 0
    assert capsys.readouterr().out.startswith("a.png\tbright 90.")


def test_json_goes_to_stdout_and_talk_to_stderr(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["classify", "a.png", "bad.png", "--model", "bright", "--json"]) == 1
    said = capsys.readouterr()
    records = [json.loads(line) for line in said.out.splitlines()]
    assert [("error" in record) for record in records] == [False, True]
    assert "bad.png" in said.err and "1 failed" in said.err


def test_enhance_writes_one_file_or_a_folder_under_runs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["enhance", "a.png", "--model", "blur", "-o", "better.png"]) == 0
    assert read_image("better.png").size_hw == (9, 12)
    assert main(["enhance", "a.png", "--model", "blur"]) == 0
    assert "runs/enhance/a" in capsys.readouterr().err
    assert Path("runs/enhance/a/images/a.png").exists()
    assert main(["enhance", "a.png", "bad.png", "--model", "blur"]) == 1
    assert Path("runs/enhance/a-2/images/a.png").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["classify", "absent.png", "--model", "bright"], 3, "absent.png"),
        (["classify", "a.png", "--model", "brigth"], 2, "there is no model or folder named 'brigth'"),
        (["classify", "a.png", "--model", "blur"], 2, "Use: pixelwright enhance"),
        (["classify", "a.png", "--model", "bright", "--classes", "drak"], 2, "Did you mean 'dark'"),
        (["classify", "*.xyz", "--model", "bright"], 2, "nothing matches"),
        (["classify", "a.png", "--model", "bright", "--draw"], 2, "Name one with -o"),
        (["classify", "a.png", "--model", "bright", "--runtime", "onyxruntime"], 2, "Did you mean 'onnxruntime'"),
        (["enhance", "a.png", "--model", "blur", "-o", "x.png", "--suffix", ".xyz"], 2, "is one picture file"),
        (["enhance", "a.png", "bad.png", "--model", "blur", "-o", "x.png"], 2, "there are 2 pictures"),
        (["inspect", "bad.png"], 3, "bad.png"),
        (["inspect", "a.png", "bad.png"], 1, "bad.png"),
        (["inspect", "a.png", "bad.png", "--upright", "u.png"], 2, "Name one"),
        (["inspect", "a.png", "--upright", "./a.png"], 2, "would overwrite the picture"),
        (["inspect", "a.png", "--upright", "absent/u.png"], 2, "there is no folder"),
        (["inspect", "a.png", "--upright", "u.png", "--max-pixels", "100"], 3, "the limit is"),
    ],
)
def test_wrong_use_gets_one_sentence_and_its_exit_code(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, sentence: str
) -> None:
    assert main(arguments) == code
    said = capsys.readouterr().err
    assert sentence in said and "Traceback" not in said


def test_a_dry_run_reads_and_writes_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(folder.rglob("*"))
    assert main(["enhance", ".", "--model", "blur", "--dry-run"]) == 0
    assert json.loads(capsys.readouterr().out)["pictures"] == 2
    assert sorted(folder.rglob("*")) == before


def test_inspect_writes_the_upright_picture(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "a.png", "--json", "--upright", "u.png"]) == 0
    json.loads(capsys.readouterr().out)
    assert read_image("u.png").size_hw == (9, 12)


@pytest.mark.parametrize("name", ["inspect", "models", "plugins", "demo", *registry.names("task")])
def test_every_help_shows_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert f"example:\n  pixelwright {name}" in capsys.readouterr().out


def test_a_reader_that_goes_away_is_no_traceback(folder: Path) -> None:
    command = f'"{sys.executable}" -m pixelwright classify ' + "a.png " * 50 + "--model bright --json | head -n 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr and json.loads(done.stdout)


def test_the_upright_picture_is_held_to_the_limit_on_pixels(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pixelwright.verbs import inspect

    asked: list[int] = []
    real = inspect.upright
    monkeypatch.setattr(inspect, "upright", lambda path, max_pixels: asked.append(max_pixels) or real(path))
    assert main(["inspect", "a.png", "--upright", "u.png", "--max-pixels", "108"]) == 0
    assert asked == [108]


@pytest.mark.parametrize("arguments", [["classify", "--model", "bright"], ["inspect"]])
def test_a_name_that_is_no_text_is_shown_and_stays_valid_json(
    folder: Path, capfdbinary: pytest.CaptureFixture[bytes], arguments: list[str]
) -> None:
    (folder / "a.png").rename(NOT_TEXT)
    assert main([*arguments, NOT_TEXT]) == 0
    assert b"\\udcff.png" in capfdbinary.readouterr().out
    assert main([*arguments, NOT_TEXT, "--json"]) == 0
    assert json.loads(capfdbinary.readouterr().out)["path"] == NOT_TEXT


@pytest.mark.parametrize("arguments", [["classify", "--model", "bright"], ["inspect"]])
def test_a_terminal_without_the_letters_of_a_name_gets_escapes_and_json_stays_utf_8(
    folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    (folder / "a.png").rename("日本.png")
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="cp1252"))
    assert main([*arguments, "日本.png"]) == 0
    assert written.getvalue().startswith(rb"\u65e5\u672c.png")
    written.truncate(0)
    written.seek(0)
    assert main([*arguments, "日本.png", "--json"]) == 0
    assert json.loads(written.getvalue().decode("utf-8"))["path"] == "日本.png"


def test_a_list_of_names_that_are_no_text_is_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "a.png").rename(NOT_TEXT)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xff.png\n"), encoding="utf-8"))
    assert main(["classify", "-", "--model", "bright", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["path"] == NOT_TEXT


@pytest.mark.parametrize(
    ("classes", "labels"),
    [
        (["dark,bright"], ["bright", "dark"]),
        (["dark", "bright"], ["bright", "dark"]),
        (["bright, or so"], ["bright, or so"]),
        (["bright, or so", "dark"], ["bright, or so", "dark"]),
    ],
)
def test_classes_are_named_once_or_again_and_may_hold_a_comma(
    folder: Path, capsys: pytest.CaptureFixture[str], classes: list[str], labels: list[str]
) -> None:
    known = brightness(folder / "commas", name="commas").spec.output
    known.labels[:] = ["dark", labels[0]]
    brightness(folder / "named", name="named", output=known)
    chosen = [part for text in classes for part in ("--classes", text)]
    assert main(["classify", "a.png", "--model", "named", "--json", *chosen]) == 0
    assert [one["label"] for one in json.loads(capsys.readouterr().out)["classes"]] == labels


@pytest.mark.parametrize(
    ("arguments", "kept"),
    [
        (["enhance", "a.png", "--model", "blur"], True),
        (["enhance", "a.png", "--model", "blur", "-o", "x.png"], False),
        (["classify", "a.png", "--model", "bright"], False),
        (["classify", "a.png", "--model", "bright", "-o", "answers"], True),
    ],
)
def test_ctrl_c_promises_to_continue_only_where_there_is_a_job(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], kept: bool
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run_verb, "run", interrupted)
    assert main(arguments) == 130
    assert ("same command continues" in capsys.readouterr().err) == kept


@pytest.mark.usefixtures("folder")
def test_memory_that_runs_out_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def exhausted(*_: object, **__: object) -> None:
        raise MemoryError("Unable to allocate 37.3 GiB for an array")

    monkeypatch.setattr(run_verb, "run", exhausted)
    assert main(["classify", "a.png", "--model", "bright"]) == 2
    assert "out of memory: Unable to allocate 37.3 GiB for an array. Take smaller" in capsys.readouterr().err


def test_a_disk_that_takes_nothing_has_its_own_exit_code(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OutputError("cannot write x.png: No space left on device.")

    monkeypatch.setattr(run_verb, "write_picture", full)
    monkeypatch.setattr(outputs, "write_picture", full)
    assert main(["enhance", "a.png", "--model", "blur", "-o", "x.png"]) == 4
    assert main(["inspect", "a.png", "--upright", "u.png"]) == 4
    assert capsys.readouterr().err.count("No space left") == 2


@pytest.mark.parametrize("name", registry.names("task"))
def test_the_help_of_a_task_explains_the_exit_codes(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([name, "--help"])
    assert "4 the output cannot be written" in capsys.readouterr().out


def test_results_on_a_terminal_do_not_run_into_the_bar(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setattr(sys, "stderr", screen)
    assert main(["classify", "a.png", "a.png", "a.png", "--model", "bright"]) == 0
    shown = screen.getvalue()
    assert "0/3" in shown
    assert re.findall(r"(.)a\.png\tbright", shown, re.DOTALL) == ["\r", "\r", "\r"]
    assert "\rpixelwright: classify with" in shown
