"""What the benchmarks compare with gets what it expects, and what they need they say."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[3]
BENCHMARKS = ROOT / "benchmarks"


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The folder of the benchmarks among the places to import from, as when one is run."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    yield
    for name in [path.stem for path in BENCHMARKS.glob("*.py")]:
        sys.modules.pop(name, None)


def save(path: Path, *, mode: str = "RGB", size: tuple[int, int] = (400, 300)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], len(mode)), np.uint8)
    Image.fromarray(pixels.squeeze(), mode).save(path)
    return path


def test_opencv_gets_blue_first() -> None:
    red = np.full((16, 16, 3), (180, 60, 20), np.uint8)
    noise = np.random.RandomState(0).standard_normal(red.shape) * 25
    noisy = np.clip(red + noise, 0, 255).astype(np.uint8)
    expected = cv2.fastNlMeansDenoisingColored(np.ascontiguousarray(noisy[..., ::-1]), None, 18, 18)[..., ::-1]
    np.testing.assert_array_equal(import_module("bench_enhance").non_local_means(noisy, 18), expected)


def test_only_color_photos_of_some_size_are_taken(tmp_path: Path) -> None:
    source_photos = import_module("source_photos")
    kept = [save(tmp_path / "a.jpg"), save(tmp_path / "sub" / "b.png")]
    save(tmp_path / "gray.png", mode="L")
    save(tmp_path / "small.png", size=(400, 255))
    (tmp_path / "notes.txt").write_text("no photo")
    assert source_photos.list_photos(tmp_path) == kept
    with pytest.raises(SystemExit, match="no color photo"):
        source_photos.list_photos(tmp_path / "none")


def test_crops_are_the_same_for_a_seed_and_other_ones_for_another(tmp_path: Path) -> None:
    draw_crops = import_module("source_photos").draw_crops
    photos = [save(tmp_path / "a.png"), save(tmp_path / "b.png")]
    first = list(draw_crops(photos, 5, seed=0, least_zoom=0.6))
    assert first == list(draw_crops(photos, 5, seed=0, least_zoom=0.6))
    assert not set(first) & set(draw_crops(photos, 5, seed=1, least_zoom=0.6))
    assert [crop.photo.name for crop in first] == ["a.png", "b.png"] * 2 + ["a.png"]
    assert first[0].read((34, 25)).size == (34, 25)


def test_without_a_network_and_a_peer_one_sentence_says_what_is_needed(tmp_path: Path) -> None:
    command = [sys.executable, BENCHMARKS / "bench_classify.py", "--photos", tmp_path, "--work", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "resnet18.onnx" in done.stderr and "--peer-python" in done.stderr and done.stderr.count("\n") == 1


def test_make_runs_every_benchmark_with_what_it_needs() -> None:
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8").partition("\nbench: ")[2].partition("\n\n")[0]
    run = re.findall(r"benchmarks/(bench_\w+\.py)(.*)", recipe)
    assert sorted(name for name, _ in run) == sorted(path.name for path in BENCHMARKS.glob("bench_*.py"))
    for name, given in run:
        needs_photos = "--photos" in (BENCHMARKS / name).read_text(encoding="utf-8")
        assert ("--photos $(BENCH_PHOTOS)" in given) == needs_photos


def test_no_benchmark_leans_on_assert() -> None:
    asserting = [path.name for path in BENCHMARKS.glob("*.py") if re.search(r"^\s*assert ", path.read_text(), re.M)]
    assert asserting == []


def test_queries_are_measured_with_their_recall(capsys: pytest.CaptureFixture[str]) -> None:
    import_module("bench_similar").search(300, 8, 5)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    found = {line["benchmark"]: line["recall_at_10"] for line in lines}
    assert found["similar-numpy"] == found["similar-pixelwright-exact"] == 1
