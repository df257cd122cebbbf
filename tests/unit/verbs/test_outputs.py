"""Exports of a job: in every layout that holds its results, refused before a picture is read, never half there."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyarrow import parquet

from bundles import brightness
from pixelwright import registry
from pixelwright.errors import OutputError, UnknownName, UsageError
from pixelwright.io.images import write_image
from pixelwright.model import Model, load
from pixelwright.structures.image import Image
from pixelwright.verbs.run import RunRequest, Summary, run


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load(brightness(tmp_path_factory.mktemp("models") / "c").path)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    for name, level in (("ö.png", 10), ("sub/b.png", 250)):
        write_image(Image(np.full((9, 11, 3), level, np.uint8)), folder / name)
    (folder / "broken.png").write_bytes(b"no picture")
    return folder


def go(model: Model, photos: Path, out: Path, *exports: str) -> Summary:
    request = RunRequest((str(photos),), out, exports=exports)
    return run(model, request, on_record=lambda record: None, on_progress=lambda progress: None)


def test_one_job_is_written_in_several_layouts(model: Model, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert go(model, photos, out, "csv", "parquet", "labelme").failed == 1
    rows = parquet.read_table(out / "results.parquet").to_pylist()
    best = {row["name"]: row["label"] for row in rows if row["row"] == 0}
    assert best == {"ö.png": "dark", "sub/b.png": "bright"}
    assert [row["name"] for row in rows if row["error"]] == ["broken.png"]
    document = json.loads((out / "labelme" / "sub" / "b.json").read_text())
    assert document["flags"] == {"bright": True}
    assert (out / "labelme" / "sub" / document["imagePath"]).resolve() == photos / "sub" / "b.png"


@pytest.mark.parametrize("name", ["coco", "yolo", "voc", "masks"])
def test_a_layout_that_cannot_hold_the_results_is_refused_at_once(
    model: Model, photos: Path, tmp_path: Path, name: str
) -> None:
    with pytest.raises(UsageError, match=f"{name} cannot hold what classify finds. Export to one of: csv, parquet"):
        go(model, photos, tmp_path / "out", name)
    assert not (tmp_path / "out").exists()


def test_an_unknown_layout_gets_the_nearest(model: Model, photos: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="Did you mean 'parquet'"):
        go(model, photos, tmp_path / "out", "parket")


def replaced(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    """The export `parquet` with something changed."""
    changed, real = replace(registry.get("export", "parquet"), **changes), registry.get
    monkeypatch.setattr(registry, "get", lambda kind, name: changed if name == "parquet" else real(kind, name))


def test_what_is_not_installed_is_said_at_once(
    model: Model, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replaced(monkeypatch, available=lambda: "it needs pyarrow. Install it with: pip install 'pixelwright[parquet]'")
    with pytest.raises(UsageError, match=r"export to parquet: it needs pyarrow. Install it with: pip install"):
        go(model, photos, tmp_path / "out", "parquet")
    assert not (tmp_path / "out").exists()


def test_a_full_disk_stops_the_job_and_the_same_command_continues(
    model: Model, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(found: Any, folder: Path) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        replaced(patched, write=full)
        with pytest.raises(OutputError, match="No space left on device"):
            go(model, photos, tmp_path / "out", "parquet")
    assert go(model, photos, tmp_path / "out", "parquet").earlier == 3
    assert (tmp_path / "out" / "results.parquet").exists()
