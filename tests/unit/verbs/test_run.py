"""`run` from files to results: complete, in order, continued, and honest about what failed."""

from __future__ import annotations

import csv
import errno
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bundles import blur, brightness
from pixelwright.contract import PredictOptions
from pixelwright.errors import JobError, OutputError, UsageError
from pixelwright.io import images
from pixelwright.io.images import read_image, write_image
from pixelwright.model import Execution, Model, load, usable_cores
from pixelwright.structures.image import Image
from pixelwright.verbs.run import RunRequest, Summary, default_folder, plan, run


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    return {"classify": brightness(folder / "c").path, "enhance": blur(folder / "e").path}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Six pictures, one of them unreadable, one in a subfolder, beside files that are no pictures."""
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    for number, level in enumerate([10, 250, 30, 220]):
        write_image(Image(np.full((20 + number, 30, 3), level, np.uint8)), folder / f"{number}.png")
    write_image(Image(np.full((9, 9, 3), 255, np.uint8)), folder / "sub" / "ü 5.jpg")
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nrest")
    (folder / "notes.txt").write_text("no picture")
    return folder


def go(model: Model, *sources: Path | str, **request: Any) -> tuple[Summary, list[dict[str, Any]]]:
    records: list[dict[str, Any]] = []
    wanted = RunRequest(tuple(map(str, sources)), **request)
    summary = run(model, wanted, on_record=records.append, on_progress=lambda progress: None)
    return summary, records


def test_records_come_in_order_and_a_bad_file_stops_nobody(models: dict[str, Path], photos: Path) -> None:
    summary, records = go(load(models["classify"]), photos)
    names = [Path(record["path"]).name for record in records]
    assert names == ["0.png", "1.png", "2.png", "3.png", "broken.png", "ü 5.jpg"]
    labels = [record["classes"][0]["label"] for record in records if "error" not in record]
    assert labels == ["dark", "bright", "dark", "bright", "bright"]
    assert (summary.done, summary.failed, summary.exit_code) == (6, 1, 1)
    assert records[4]["error"]["type"] == "UnreadableImage"


def test_a_job_keeps_records_failures_and_a_table(models: dict[str, Path], photos: Path, tmp_path: Path) -> None:
    _, records = go(load(models["classify"]), photos, output=tmp_path / "out", exports=("csv",))
    written = [json.loads(line) for line in (tmp_path / "out" / "results.jsonl").read_text().splitlines()]
    assert written == records
    failed = [json.loads(line) for line in (tmp_path / "out" / "failed.jsonl").read_text().splitlines()]
    assert [Path(record["path"]).name for record in failed] == ["broken.png"]
    with (tmp_path / "out" / "results.csv").open(newline="") as table:
        rows = list(csv.DictReader(table))
    assert [row["label"] for row in rows] == ["dark", "bright", "dark", "bright", "", "bright"]


def test_the_same_command_again_does_nothing_twice(models: dict[str, Path], photos: Path, tmp_path: Path) -> None:
    model = load(models["classify"])
    go(model, photos, output=tmp_path / "out")
    before = (tmp_path / "out" / "results.jsonl").read_bytes()
    summary, records = go(model, photos, output=tmp_path / "out")
    assert records == [] and summary.earlier == 6
    assert (tmp_path / "out" / "results.jsonl").read_bytes() == before


def test_an_interrupted_job_continues_and_ends_as_if_never_interrupted(
    models: dict[str, Path], photos: Path, tmp_path: Path
) -> None:
    model, request = load(models["enhance"]), RunRequest((str(photos),), tmp_path / "out")
    seen = []

    def stop(record: dict[str, Any]) -> None:
        seen.append(record)
        if len(seen) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(model, request, on_record=stop, on_progress=lambda progress: None)
    assert not (tmp_path / "out" / "results.jsonl").exists()
    summary, records = go(model, photos, output=tmp_path / "out")
    assert summary.earlier == 3 and [record["index"] for record in records] == [3, 4, 5]
    go(model, photos, output=tmp_path / "whole")
    for name in ("results.jsonl", "failed.jsonl"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    pictures = sorted(path.relative_to(tmp_path / "out") for path in (tmp_path / "out" / "images").rglob("*.*"))
    assert [str(path) for path in pictures] == [f"images/{n}.png" for n in range(4)] + ["images/sub/ü 5.jpg"]


def test_pictures_keep_their_place_name_and_depth(models: dict[str, Path], tmp_path: Path) -> None:
    deep = Image(np.full((12, 12, 3), 40_000, np.uint16), alpha=np.full((12, 12), 65_535, np.uint16))
    (tmp_path / "in").mkdir()
    write_image(deep, tmp_path / "in" / "deep.png")
    go(load(models["enhance"]), tmp_path / "in", output=tmp_path / "out")
    made = read_image(tmp_path / "out" / "images" / "deep.png")
    assert made.pixels.dtype == np.uint16 and made.alpha is not None
    assert made.pixels[6, 6].tolist() == [40_000] * 3


def test_a_png_named_jpg_is_not_squeezed_into_a_jpeg(models: dict[str, Path], tmp_path: Path) -> None:
    write_image(Image(np.full((8, 8, 3), 9, np.uint8)), tmp_path / "x.png")
    (tmp_path / "x.png").rename(tmp_path / "x.jpg")
    go(load(models["enhance"]), tmp_path / "x.jpg", output=tmp_path / "out")
    assert [path.name for path in (tmp_path / "out" / "images").iterdir()] == ["x.png"]


def test_one_source_goes_to_one_file(models: dict[str, Path], photos: Path, tmp_path: Path) -> None:
    summary, _ = go(load(models["enhance"]), photos / "1.png", output=tmp_path / "better.png")
    assert summary.exit_code == 0 and read_image(tmp_path / "better.png").size_hw == (21, 30)
    with pytest.raises(UsageError, match="6 pictures"):
        go(load(models["enhance"]), photos, output=tmp_path / "other.png")


def test_a_picture_is_not_written_over_its_source(models: dict[str, Path], photos: Path) -> None:
    before = (photos / "1.png").read_bytes()
    with pytest.raises(UsageError, match="would overwrite"):
        go(load(models["enhance"]), photos / "1.png", output=photos / "sub" / ".." / "1.png")
    assert (photos / "1.png").read_bytes() == before


def test_drawn_pictures_name_the_class(models: dict[str, Path], photos: Path, tmp_path: Path) -> None:
    go(load(models["classify"]), photos / "1.png", output=tmp_path / "out", draw=True)
    drawn = read_image(tmp_path / "out" / "images" / "1.png")
    assert drawn.size_hw[0] > 21 and drawn.pixels.min() < 100  # a dark strip with text below a bright picture


def test_nothing_readable_is_exit_code_3(models: dict[str, Path], tmp_path: Path) -> None:
    summary, records = go(load(models["classify"]), tmp_path / "absent.jpg")
    assert summary.exit_code == 3 and "absent.jpg" in records[0]["error"]["message"]


def test_a_full_disk_stops_clearly_and_the_same_command_continues(
    models: dict[str, Path], photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load(models["enhance"], execution=Execution(workers=1))
    real: Callable[..., None] = images.write_image
    written = []

    def write(picture: Any, path: Path, **options: Any) -> None:
        written.append(path)
        if len(written) == 3:
            full = OSError(errno.ENOSPC, "No space left on device")
            raise images.UnreadableImage(path, "cannot be written: the disk is full.") from full
        real(picture, path, **options)

    monkeypatch.setattr("pixelwright.verbs.outputs.write_image", write)
    with pytest.raises(OutputError, match=r"No space left.*same command"):
        go(model, photos, output=tmp_path / "out")
    summary, _ = go(model, photos, output=tmp_path / "out")
    assert (summary.done, summary.failed, summary.earlier) == (6, 1, 2)


def test_a_plan_reads_no_picture(models: dict[str, Path], photos: Path, tmp_path: Path) -> None:
    said = plan(load(models["enhance"]), RunRequest((str(photos),), tmp_path / "out"))
    assert said["pictures"] == 6 and said["output"] == str(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_output_inside_the_source_folder_is_not_read_as_a_source(models: dict[str, Path], photos: Path) -> None:
    model = load(models["enhance"])
    go(model, photos, output=photos / "out")
    assert plan(model, RunRequest((str(photos),), photos / "out"))["pictures"] == 6


def test_a_running_job_is_not_joined(models: dict[str, Path], photos: Path, tmp_path: Path) -> None:
    model, request = load(models["classify"]), RunRequest((str(photos),), tmp_path / "out")

    def again(record: dict[str, Any]) -> None:
        with pytest.raises(JobError, match="another process"):
            run(model, request, on_record=lambda record: None, on_progress=lambda progress: None)

    run(model, request, on_record=again, on_progress=lambda progress: None)


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("batch_size", [1, 4])
def test_workers_and_batches_change_no_result(
    models: dict[str, Path], photos: Path, workers: int, batch_size: int
) -> None:
    model = load(models["classify"], execution=Execution(workers=workers, batch_size=batch_size))
    _, records = go(model, photos)
    _, expected = go(load(models["classify"]), photos)
    assert records == expected


def test_a_folder_without_pictures_is_said_to_be_one(models: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(UsageError, match=r"no pictures or videos in .* Known endings: .*\.mp4 .*\.png"):
        go(load(models["classify"]), tmp_path)


def test_a_stopped_run_begins_no_further_tile(models: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    model = load(models["enhance"], execution=Execution(workers=1), options=PredictOptions(tile_px=8))
    (graph,) = model.graphs(usable_cores()).values()
    runs = []

    class Slow:
        inputs, outputs = graph.inputs, graph.outputs

        def run(self, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            runs.append(1)
            time.sleep(0.02)
            return graph.run(feeds)

    monkeypatch.setattr(type(model), "graphs", lambda self, threads: {"model": Slow()})
    small, large = (Image(np.zeros((side, side, 3), np.uint8)) for side in (8, 400))
    outcomes = model.apply([small, large], lambda opened, result: result.read())
    next(outcomes)
    outcomes.close()
    assert len(runs) < 100  # of 2,501 tiles


def test_a_finished_job_of_no_name_is_not_continued_but_numbered(
    models: dict[str, Path], photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model = load(models["enhance"])
    assert [str(go(model, photos)[0].output) for _ in range(2)] == ["runs/enhance/photos", "runs/enhance/photos-2"]
    (tmp_path / "runs" / "enhance" / "photos-2" / "results.jsonl").unlink()  # as if it had been killed at the end
    assert str(go(model, photos)[0].output) == "runs/enhance/photos-2"


@pytest.mark.parametrize(
    ("source", "folder"),
    [("photos/*.png", "photos"), ("photos/[ab]?.png", "photos"), ("..", "outer"), ("a:b.png", "ab"), ("-", "list")],
)
def test_the_default_folder_has_a_plain_name(
    models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, folder: str
) -> None:
    (tmp_path / "outer" / "inner").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "outer" / "inner")
    assert default_folder(load(models["enhance"]), RunRequest((source,))).name == folder


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"suffix": ".gif"}, "no format is written under"),
        ({"suffix": ".xyz"}, "no format is written under"),
        ({"quality": 500}, "quality: expected 1..100"),
        ({"output": Path("x.gif")}, "no format is written under"),
        ({"output": Path("x.png"), "exports": ("csv",)}, "one picture file"),
    ],
)
def test_output_options_that_cannot_work_are_refused_before_anything_is_made(
    models: dict[str, Path], photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request_: Any, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=said):
        go(load(models["enhance"]), photos, **request_)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos"]


def test_a_suffix_for_pictures_that_are_not_written_is_refused(models: dict[str, Path], photos: Path) -> None:
    with pytest.raises(UsageError, match="none are written"):
        go(load(models["classify"]), photos, suffix=".png")


def test_a_job_is_not_continued_from_another_folder(
    models: dict[str, Path], photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load(models["classify"])
    go(model, photos, output=tmp_path / "out")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with pytest.raises(JobError, match="working_directory"):
        go(model, photos, output=tmp_path / "out")


def test_no_two_results_share_a_file(models: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("a.png", "a.jpg", "a.jpg.png", "A.tif", "a.tiff"):
        write_image(Image(np.full((9, 9, 3), 7, np.uint8)), tmp_path / "in" / name)
    summary, records = go(load(models["enhance"]), tmp_path / "in", output=tmp_path / "out", suffix=".png")
    written = {path.name.casefold() for path in (tmp_path / "out" / "images").iterdir()}
    assert summary.failed == 0 and len(written) == 5
    assert {Path(record["output"]).name.casefold() for record in records} == written


@pytest.mark.parametrize("task", ["classify", "enhance"])
def test_what_a_decoder_complains_of_stands_in_the_record(models: dict[str, Path], tmp_path: Path, task: str) -> None:
    path = tmp_path / "noisy.jpg"
    write_image(Image(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)), path)
    content = path.read_bytes()
    path.write_bytes(content[:-2] + 9 * b"\x12\x34" + content[-2:])  # bytes that belong to nothing
    _, records = go(load(models[task]), path, output=tmp_path / "out")
    assert ["extraneous bytes" in sentence for sentence in records[0]["warnings"]] == [True]
