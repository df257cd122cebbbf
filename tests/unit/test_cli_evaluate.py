"""The commands `evaluate` and `compare`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pytest

from bundles import brightness
from pixelwright.cli import main
from pixelwright.cli_data import add_doctor
from pixelwright.cli_evaluate import add_evaluate
from pixelwright.cli_options import add_labels
from pixelwright.cli_train import add_train
from pixelwright.io.images import write_image
from pixelwright.structures.image import Image


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(brightness(tmp_path_factory.mktemp("model") / "b").path)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    for label, grays in {"dark": range(0, 100, 9), "bright": range(140, 256, 9)}.items():
        (folder / label).mkdir(parents=True)
        for gray in grays:
            write_image(Image(np.full((12, 12, 3), gray, np.uint8)), folder / label / f"{gray}.png")
    return folder


def test_scores_are_printed_with_interval_and_definition(
    model: str, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", model, "--data", str(data)]) == 0
    said = capsys.readouterr()
    assert "brightness 1.0.0 (classify) on 25 pictures, all" in said.out
    assert "  accuracy               1.0000  1.0000 to 1.0000    accuracy\n" in said.out
    assert "all of it, as it states no test or validation part, 25 of 25 pictures" in said.err


def test_json_is_one_object_on_a_line_of_its_own(model: str, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", model, "--data", str(data), "--json", "--rounds", "20"]) == 0
    record = json.loads(capsys.readouterr().out)
    accuracy = {"metric": "accuracy", "value": 1.0, "ci95": [1.0, 1.0], "n": 25, "definition": "accuracy"}
    assert record["metrics"][0] == accuracy
    assert record["bootstrap"] == {"rounds": 20, "seed": 0}


def test_a_report_is_written_with_robustness(model: str, data: Path, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    assert main(["evaluate", model, "--data", str(data), "--report", str(path), "--robustness"]) == 0
    assert 'id="robustness"' in path.read_text(encoding="utf-8")


def test_an_unreadable_picture_is_named_and_makes_the_exit_code_1(
    model: str, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (data / "dark" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nrest")
    assert main(["evaluate", model, "--data", str(data)]) == 1
    assert "dark/broken.png" in capsys.readouterr().err


def test_where_no_picture_can_be_read_the_exit_code_is_3(model: str, tmp_path: Path) -> None:
    for label in ("dark", "bright"):
        (tmp_path / "bad" / label).mkdir(parents=True)
        (tmp_path / "bad" / label / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nrest")
    assert main(["evaluate", model, "--data", str(tmp_path / "bad")]) == 3


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--split", "dev"], "--split dev: expected train, calibration, validation, test or all"),
        (["--report", "page.pdf"], "--report page.pdf: expected a name that ends in .html"),
        (["--noise", "300"], "--noise: expected 0..255, got 300"),
        (["--classes", "gray"], "--classes gray: the data has no such label. It has: bright, dark"),
    ],
)
def test_wrong_use_is_said_in_a_sentence_and_the_exit_code_is_2(
    model: str, data: Path, more: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", model, "--data", str(data), *more]) == 2
    assert said in capsys.readouterr().err


def test_names_of_classes_come_from_a_file_with_any_line_ends(model: str, tmp_path: Path) -> None:
    rows = ["path,label"]
    for place, gray in enumerate((5, 250)):
        write_image(Image(np.full((9, 9, 3), gray, np.uint8)), tmp_path / f"{place}.png")
        rows.append(f"{place}.png,{place}")
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    names = tmp_path / "names.txt"
    names.write_bytes("\ufeffdark\r\nbright\r\n".encode())
    command = ["evaluate", model, "--data", str(tmp_path / "labels.csv"), "--labels", str(names), "--split", "all"]
    assert main(command) == 0


@pytest.mark.parametrize("command", [["evaluate", "digits", "--data", "x"], ["doctor", "x"], ["train", "classify"]])
def test_names_of_classes_mean_the_same_in_every_command(command: list[str], tmp_path: Path) -> None:
    file = tmp_path / "names.txt"
    file.write_bytes("\ufeffa\r\n\r\nb c\r\n".encode())
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers()
    for add in (add_evaluate, add_doctor, add_train):
        add(commands)
    many = ",".join(f"traffic sign {number}" for number in range(43))  # longer than any file's name may be
    for given, names in (("a, b c", 2), (str(file), 2), (many, 43)):
        labels = parser.parse_args([*command, "--labels", given]).labels
        assert len(labels) == names
        assert names != 2 or labels == ("a", "b c")
    assert parser.parse_args(command).labels == ()


@pytest.mark.parametrize(
    ("name", "content"), [("n.txt", "1 dog\n0 cat\n"), ("n.json", '["cat", "dog"]'), ("n.txt", "cat\n\ndog\n")]
)
def test_a_file_of_names_is_read_as_beside_the_pictures(name: str, content: str, tmp_path: Path) -> None:
    parser = argparse.ArgumentParser()
    add_labels(parser)
    (tmp_path / name).write_text(content)
    assert parser.parse_args(["--labels", str(tmp_path / name)]).labels == ("cat", "dog")


@pytest.mark.parametrize("given", ["cat,,dog", "cat,", ""])
def test_a_name_that_is_missing_is_refused_as_it_would_move_the_others(
    given: str, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = argparse.ArgumentParser()
    add_labels(parser)
    with pytest.raises(SystemExit):
        parser.parse_args(["--labels", given])
    assert "expected a name before and after each comma" in capsys.readouterr().err


def test_two_models_are_compared_in_words(model: str, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", model, model, "--data", str(data), "--rounds", "50"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("brightness 1.0.0 and brightness 1.0.0 cannot be told apart by accuracy on 25 pictures")
    assert "p 1.000 (mcnemar)" in out


def test_a_comparison_as_json_has_a_verdict_and_each_metric(
    model: str, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", model, model, "--data", str(data), "--rounds", "50", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["verdict"].endswith(".")
    assert set(record["comparisons"][0]) == {
        "metric", "first", "second", "difference", "ci95", "p_value", "test", "n", "told_apart", "definition",
    }  # fmt: skip
