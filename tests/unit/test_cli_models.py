"""The commands about models, for the shipped ones and for third-party ones from a folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import bundles
import catalogs
from loopback import serving, whole
from pixelwright import hub, registry
from pixelwright.cli import main
from pixelwright.io.images import write_image
from pixelwright.structures.image import Image


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a picture, a mirror, and a hub that knows `lightness` and one whose file is nowhere."""
    known = catalogs.entry(tmp_path)
    lost = catalogs.entry(tmp_path, "lost")
    (tmp_path / "mirror" / "deep" / "lost.onnx").unlink()
    catalogs.use(monkeypatch, tmp_path / "hub.toml", known + lost)
    monkeypatch.chdir(tmp_path)
    write_image(Image(np.full((9, 12, 3), 200, np.uint8)), tmp_path / "a.png")
    return tmp_path


def test_a_model_that_is_not_pulled_ends_a_task_with_the_command(
    desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["classify", "a.png", "--model", "lightness"]) == 2
    assert capsys.readouterr().err.endswith("Get it with: pixelwright models pull lightness\n")


@pytest.mark.parametrize("task", ["detect", "segment", "embed"])
def test_a_task_whose_default_model_is_not_here_says_how_to_get_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], task: str
) -> None:
    write_image(Image(np.full((9, 12, 3), 200, np.uint8)), tmp_path / "a.png")
    assert main([task, str(tmp_path / "a.png")]) == 2
    assert f"models pull {registry.get('task', task).default_model}\n" in capsys.readouterr().err


def test_a_pulled_model_is_listed_shown_verified_run_and_removed(
    desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "pull", "lightness", "--mirror", "mirror"]) == 0
    said = capsys.readouterr()
    assert said.out == f"lightness: ready, commercial use: no, {hub.pulled('lightness')}\n" and said.err == ""
    assert main(["classify", "a.png", "--model", "lightness"]) == 0
    assert capsys.readouterr().out.startswith("a.png\tbright ")
    assert main(["models", "list", "--task", "classify", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert {name: rows[name]["where"] for name in ("digits", "lightness", "lost")} == {
        "digits": "shipped",
        "lightness": "pulled",
        "lost": "not pulled",
    }
    assert rows["lost"]["score"] == "accuracy 0.75, made up (published)" and rows["lost"]["commercial"] == "no"
    assert main(["models", "show", "lightness"]) == 0
    assert "onnxruntime" in capsys.readouterr().out
    assert main(["models", "licenses", "--json"]) == 0
    assert {row["model"] for row in json.loads(capsys.readouterr().out)} == {*hub.names(), "lightness"}
    assert main(["models", "verify", "lightness"]) == 0
    (hub.locate("lightness") / "model.onnx").write_bytes(b"")
    assert main(["models", "list"]) == 0
    assert "damaged" in capsys.readouterr().out
    assert main(["models", "remove", "lightness"]) == 0
    assert "freed" in capsys.readouterr().out and hub.pulled("lightness") is None


def test_what_the_hub_knows_is_shown_before_it_is_pulled(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "show", "lightness"]) == 0
    said = capsys.readouterr().out
    for part in ("https://models.invalid/fixed/lightness.onnx", "published", "0.75", "CC-BY-NC-4.0", "stretch 8x8"):
        assert part in said
    assert "pixelwright models pull lightness" in said
    assert main(["models", "show", "lightness", "digits", "--json"]) == 0
    entry, bundle = json.loads(capsys.readouterr().out)
    assert entry["path"] is None and entry["entry"]["draft"]["task"] == "classify" and bundle["path"]
    assert main(["models", "licenses", "--all", "--commercial"]) == 1
    assert "lightness" in capsys.readouterr().out


def test_of_several_models_those_that_can_be_had_are_pulled(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "pull", "--task", "classify", "--mirror", "mirror", "--json"]) == 1
    said = capsys.readouterr()
    lightness, lost = json.loads(said.out)
    assert lightness["path"] and lightness["error"] is None
    assert lost["path"] is None and lost["error"]["type"] == "FetchError"
    assert "no lost.onnx" in said.err and "Traceback" not in said.err


def test_a_file_that_comes_over_the_network_is_told_on_stderr(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, labels = ((desk / "mirror" / name).read_bytes() for name in ("deep/lightness.onnx", "labels.txt"))
    with serving(whole(model), whole(labels)) as server:
        assert main(["models", "pull", "lightness", "--mirror", server.url]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("lightness: ready")
    assert said.err.splitlines() == ["fetching lightness.onnx, 0.00 MB", "fetching labels.txt, 0.00 MB"]


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["pull"], 2, "which models?"),
        (["pull", "lightnes"], 2, "Did you mean 'lightness'"),
        (["pull", "lightness", "lightnes"], 2, "Did you mean 'lightness'"),
        (["pull", "lightness", "--mirror", "absent"], 2, "there is no such folder"),
        (["pull", "lost", "--mirror", "mirror"], 3, "no lost.onnx"),
        (["pull", "lost", "--mirror", "http://models.example"], 2, "only https is safe"),
        (["verify", "lightness"], 2, "Get it with: pixelwright models pull lightness"),
        (["remove", "digits"], 2, "is part of the package"),
        (["remove", "lightnes"], 2, "Did you mean 'lightness'"),
    ],
)
def test_wrong_use_gets_one_sentence(
    desk: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, sentence: str
) -> None:
    assert main(["models", *arguments]) == code
    said = capsys.readouterr()
    assert sentence in said.err and said.err.count("\n") == 1 and said.out == ""


def test_offline_a_model_that_is_not_here_is_refused_in_a_sentence(
    desk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PIXELWRIGHT_OFFLINE", "1")
    assert main(["models", "pull", "lightness"]) == 3
    assert "PIXELWRIGHT_OFFLINE is set" in capsys.readouterr().err


def test_a_bundle_in_a_folder_needs_no_hub(desk: Path) -> None:
    bundles.brightness(desk / "mine")
    assert main(["models", "verify", "mine"]) == 0
