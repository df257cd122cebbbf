"""The command line: exit codes, sentences, and data on stdout only."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bundles import blur, brightness
from pixelwright import registry
from pixelwright.cli import main
from pixelwright.io.images import read_image, write_image
from pixelwright.structures.image import Image


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
        (["classify", "a.png", "--model", "brigth"], 2, "there is no model named 'brigth'"),
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
    import subprocess
    import sys

    command = f'"{sys.executable}" -m pixelwright classify ' + "a.png " * 50 + "--model bright --json | head -n 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr and json.loads(done.stdout)
