"""Tables have a row for each thing, one for a picture without things, and one for each failure."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from found import KEYPOINTS, LABELS, boxes, failure, found, record, regions, scores, things
from pixelwright.data import table_csv, table_parquet
from pixelwright.structures.detections import Detections
from pixelwright.structures.label_map import LabelMap
from pixelwright.structures.masks import decode_runs, text_to_runs
from pixelwright.structures.results import ClassScores, Embedding

RECORDS = [record(0, "a.png", things()), record(1, "b \udcff.png", boxes(), (7, 9)), failure(2, "c.png")]


def table(folder: Path, *records: dict[str, object], kind: type) -> pa.Table:
    table_parquet.write(found(records, kind), folder)
    return parquet.read_table(folder / "results.parquet")


def test_csv_keeps_names_of_any_bytes(tmp_path: Path) -> None:
    table_csv.write(found(RECORDS, Detections), tmp_path)
    with (tmp_path / "results.csv").open(encoding="utf-8", errors="surrogateescape", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [(row["path"], row["label"], row["error"]) for row in rows] == [
        ("photos/a.png", "cat", ""),
        ("photos/a.png", LABELS[1], ""),
        ("photos/b \udcff.png", "", ""),
        ("photos/c.png", "", "c.png: is not an image."),
    ]


def test_frames_of_a_video_are_told_apart(tmp_path: Path) -> None:
    frames = [record(0, f"{n}.png", scores()) | {"path": "a.mp4", "frame": n, "time_s": n / 25} for n in range(2)]
    job = found([*frames, failure(1, "b.png")], ClassScores)
    table_csv.write(job, tmp_path)
    with (tmp_path / "results.csv").open(encoding="utf-8", newline="") as lines:
        rows = [(row["path"], row["frame"], row["time_s"]) for row in csv.DictReader(lines)]
    assert rows == [("a.mp4", "0", "0.0")] * 2 + [("a.mp4", "1", "0.04")] * 2 + [("photos/b.png", "", "")]
    table_parquet.write(job, tmp_path)
    assert parquet.read_table(tmp_path / "results.parquet")["frame"].to_pylist() == [0, 0, 1, 1, None]


def test_detections_are_typed_columns(tmp_path: Path) -> None:
    read = table(tmp_path, *RECORDS, kind=Detections)
    assert read.schema.field("left").type == pa.float32() and read.schema.field("class_id").type == pa.int32()
    first, second, empty, failed = read.to_pylist()
    assert (first["row"], second["row"], empty["row"], failed["row"]) == (0, 1, None, None)
    assert [first[side] for side in ("left", "top", "right", "bottom")] == [3, 2, 30, 20]
    assert [point["name"] for point in first["keypoints"]] == list(KEYPOINTS)
    assert first["keypoints"][1]["score"] == pytest.approx(0.2)
    mask = decode_runs(text_to_runs(second["mask_counts"]), (second["height"], second["width"]))
    assert np.array_equal(mask, (things().masks or ())[1])
    assert (first["track_id"], empty["name"], failed["error"]) == (7, "b \\udcff.png", "c.png: is not an image.")
    assert (failed["width"], empty["width"], empty["label"]) == (None, 9, None)


def test_vectors_are_lists_of_one_size(tmp_path: Path) -> None:
    vector = np.arange(1, 5, dtype=np.float32) / np.float32(30**0.5)
    read = table(
        tmp_path, failure(0, "x.png"), *(record(n, f"{n}.png", Embedding(vector, "s")) for n in (1, 2)), kind=Embedding
    )
    assert read.schema.field("vector").type == pa.list_(pa.float32(), 4)
    assert np.allclose(read["vector"][2].as_py(), vector, atol=1e-6) and read["vector"][0].as_py() is None
    assert read["space"].to_pylist() == [None, "s", "s"]


def test_classes_and_regions_are_rows(tmp_path: Path) -> None:
    read = table(tmp_path, record(0, "a.png", scores()), kind=ClassScores)
    assert read["label"].to_pylist() == [LABELS[1], LABELS[0]] and read["score"].to_pylist() == [0.75, 0.25]
    regional = table(tmp_path, record(0, "a.png", regions()), kind=LabelMap).to_pylist()
    assert sum(row["pixels"] for row in regional) == 600
    assert [row["label"] for row in regional][:2] == ["cat", LABELS[2]]


def test_rows_are_written_in_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_parquet, "GROUP_ROWS", 3)
    table(tmp_path, *(record(n, f"{n}.png", scores()) for n in range(4)), kind=ClassScores)
    file = parquet.ParquetFile(tmp_path / "results.parquet")
    assert [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)] == [3, 3, 2]
    assert file.schema_arrow.metadata[b"pixelwright.model"] == b"small 1.0.0"


def test_a_job_without_pictures_is_an_empty_table(tmp_path: Path) -> None:
    assert table(tmp_path, kind=Embedding).num_rows == 0


def test_what_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_parquet, "find_spec", lambda name: None)
    assert "pip install 'pixelwright[parquet]'" in (table_parquet.EXPORT.available() or "")
