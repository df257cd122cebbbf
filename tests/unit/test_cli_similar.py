"""`embed --index` and `similar` on the command line: what they print, write and return."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bundles import quarters
from pixelwright.cli import main
from pixelwright.io.images import write_image
from pixelwright.structures.image import Image


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a model, four pictures and an index of them."""
    monkeypatch.chdir(tmp_path)
    quarters(tmp_path / "quarters")
    (tmp_path / "photos").mkdir()
    for name, rgb in {"red": (220, 10, 10), "rose": (220, 40, 40), "blue": (10, 10, 220)}.items():
        write_image(Image(np.full((12, 16, 3), rgb, np.uint8)), tmp_path / "photos" / f"{name}.png")
    (tmp_path / "photos" / "red-copy.png").write_bytes((tmp_path / "photos" / "red.png").read_bytes())
    return tmp_path


@pytest.fixture
def indexed(desk: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert main(["embed", "photos", "--model", "quarters", "--index", "idx"]) == 0
    capsys.readouterr()
    return desk


def test_embedding_into_an_index_says_what_it_did(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["embed", "photos", "--model", "quarters", "--index", "idx", "--json"]) == 0
    said = capsys.readouterr()
    assert [json.loads(line)["name"] for line in said.out.splitlines()] == [
        "blue.png",
        "red-copy.png",
        "red.png",
        "rose.png",
    ]
    assert "embed with quarters 1.0.0" in said.err and "4 done, 0 failed" in said.err and "-> idx" in said.err


def test_failures_are_exit_code_1_and_3(desk: Path) -> None:
    (desk / "photos" / "bad.jpg").write_bytes(b"?")
    assert main(["embed", "photos", "--model", "quarters", "--index", "idx"]) == 1
    assert main(["embed", "photos/bad.jpg", "--model", "quarters", "--index", "idx"]) == 3
    assert main(["similar", "photos/bad.jpg", "--index", "idx"]) == 3
    assert main(["similar", "photos", "--index", "idx"]) == 1


def test_similar_lists_the_nearest_first(indexed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["similar", "photos/red.png", "--index", "idx", "--top", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "photos/red.png"
    assert [line.split() for line in lines[1:]] == [
        ["1.000", str(Path("photos/red-copy.png"))],
        [lines[2].split()[0], str(Path("photos/rose.png"))],
    ]


def test_similar_gives_json_and_a_sheet(indexed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["similar", "photos/red.png", "--index", "idx", "--json", "--sheet", "sheet.png"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["path"] == "photos/red.png" and len(record["similar"]) == 3 and Path("sheet.png").exists()


def test_duplicates_are_listed(indexed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["similar", "--duplicates", "--threshold", "0.9999", "--index", "idx", "--sheet", "d.html"]) == 0
    said = capsys.readouterr()
    assert [line.split() for line in said.out.splitlines()] == [
        [str(Path("photos/red-copy.png")), "16x12"],
        [str(Path("photos/red.png")), "16x12", "copy"],
    ]
    assert "1 group among 4 pictures at a similarity of 0.9999: 1 could go." in said.err and Path("d.html").exists()
    assert main(["similar", "--duplicates", "--index", "idx", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["duplicates"]) == 3


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["similar", "--index", "idx"], "nothing to look for"),
        (["similar", "photos/red.png", "--index", "absent"], "absent holds no index"),
        (["similar", "photos/red.png", "--index", "photos"], "photos holds no index"),
        (["similar", "photos/red.png", "--index", "idx", "--threshold", "0.9"], "--threshold is of near-duplicates"),
        (["similar", "photos/red.png", "--index", "idx", "--duplicates"], "leave out IMAGE and --top"),
        (["similar", "--top", "3", "--index", "idx", "--duplicates"], "leave out IMAGE and --top"),
        (["similar", "photos/red.png", "--index", "idx", "--sheet", "a.xyz"], "no sheet is written under"),
        (["similar", "no*thing", "--index", "idx"], "nothing matches"),
        (["similar", "photos/red.png", "--index", "idx", "--model", "denoise"], "holds vectors of quarters"),
        (["embed", "photos", "--model", "quarters", "--index", "photos"], "photos holds 'blue.png' and no index"),
        (["embed", "photos", "--model", "quarters", "--index", "idx", "-o", "x"], "--output cannot stand with --index"),
        (["embed", "photos", "--model", "quarters", "--index", "idx", "--draw"], "--draw cannot stand with --index"),
        (["embed", "no*thing", "--model", "quarters", "--index", "new"], "nothing matches"),
    ],
)
def test_wrong_use_is_one_sentence(
    indexed: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert sentence in said and said.count("\n") == 1


@pytest.mark.parametrize("wrong", [["--top", "0"], ["--threshold", "2"], ["--top", "x"]])
def test_numbers_out_of_range_are_refused(indexed: Path, wrong: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["similar", "photos/red.png", "--index", "idx", *wrong])
    assert caught.value.code == 2


def test_a_file_in_the_way_of_an_index_is_exit_code_4(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (desk / "file").write_text("x")
    assert main(["embed", "photos", "--model", "quarters", "--index", "file"]) == 4
    assert "cannot use file as an index" in capsys.readouterr().err
