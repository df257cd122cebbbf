"""Every registered task fulfils the contract, and a stranger's task joins as one folder and one entry point."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from bundles import blur, brightness, levels, quarters, sizes, squares
from pixelwright import registry
from pixelwright.contract import PredictOptions, Task
from pixelwright.errors import BundleError
from pixelwright.io.images import read_image, write_image
from pixelwright.model import load
from pixelwright.structures.image import GRAY, Image
from pixelwright.structures.raster import Raster

# A small bundle for each task; a task that joins needs a row here, and then all of the suite is its own.
SMALL = {
    "classify": brightness,
    "detect": squares,
    "embed": quarters,
    "enhance": blur,
    "regress": sizes,
    "segment": levels,
}
PICTURES = {
    "photo": Image(np.random.default_rng(0).integers(0, 256, (47, 61, 3)).astype(np.uint8)),
    "one pixel": Image(np.full((1, 1, 3), 200, np.uint8)),
    "gray": Image(np.full((9, 14, 1), 90, np.uint8), GRAY),
    "16 bit": Image(np.full((30, 20, 3), 40_000, np.uint16)),
    "alpha": Image(np.full((12, 9, 3), 90, np.uint8), alpha=np.full((12, 9), 128, np.uint8)),
}


@pytest.mark.parametrize("name", registry.names("task"))
def test_a_task_says_all_that_a_verb_needs(name: str) -> None:
    task = registry.get("task", name)
    assert isinstance(task, Task) and task.name == name
    assert task.summary.endswith(".") and task.example.startswith(f"pixelwright {name} ")
    assert task.options <= {field.name for field in fields(PredictOptions)}
    assert task.columns


@pytest.mark.parametrize("picture", PICTURES)
@pytest.mark.parametrize("name", registry.BUILTIN["task"])
def test_a_result_is_written_read_and_drawn(name: str, picture: str, tmp_path: Path) -> None:
    image, model = PICTURES[picture], load(SMALL[name](tmp_path / "small").path)
    task, result = model.task, model(image)
    record = {"path": "a.png", "output": "images/a.png", "size_hw": list(image.size_hw)}
    if task.makes_images:
        assert isinstance(result, Image)
        record["output_size_hw"] = list(result.size_hw)
    else:
        assert isinstance(result, task.result)
        record |= json.loads(json.dumps(result.to_dict()))
        again = task.result.from_dict(record)  # type: ignore[attr-defined]
        assert again.to_dict() == result.to_dict()
    assert all(set(row) <= set(task.columns) for row in task.rows(record))
    assert task.text(record)
    drawn = model.draw(image, result)
    assert drawn.size_hw[0] >= image.size_hw[0] and (task.makes_images or drawn.pixels.dtype == np.uint8)


@pytest.mark.parametrize("name", registry.BUILTIN["task"])
def test_a_batch_gives_what_each_gives_alone(name: str, tmp_path: Path) -> None:
    bundle = SMALL[name](tmp_path / "small")
    model = load(bundle.path)
    task = model.task
    images = [PICTURES["photo"].replace(pixels=PICTURES["photo"].pixels // step) for step in (1, 2, 3)]
    prepared = [task.prepare(Raster.of(image), bundle) for image in images]
    together = task.predict(prepared, model.graphs(1), bundle, model.options)
    for image, result in zip(images, together, strict=True):
        alone = model(image)
        if isinstance(result, Raster):
            assert np.array_equal(result.read().pixels, alone.pixels)
        else:
            assert json.dumps(result.to_dict()) == json.dumps(alone.to_dict())


@pytest.mark.parametrize("name", registry.BUILTIN["task"])
def test_a_bundle_of_another_task_is_refused_before_anything_is_read(name: str, tmp_path: Path) -> None:
    other = blur if name != "enhance" else brightness
    with pytest.raises(BundleError, match=r"bundle .*: .*"):
        load(other(tmp_path / "small", task=name).path)


INVERT = """
from dataclasses import replace
from pixelwright.contract import Task
from pixelwright.structures.raster import Raster

def predict(batch, graphs, bundle, options):
    def negative(image):
        return Raster.of(image.replace(pixels=(image.white - image.pixels).astype(image.pixels.dtype)))
    return [negative(image) for image in batch]

TASK = Task(
    name="invert",
    summary="Make a negative of each picture.",
    example="pixelwright invert photo.jpg --model small",
    default_model="small",
    options=frozenset(),
    result=Raster,
    check=lambda bundle, options: None,
    prepare=lambda raster, bundle: raster.read(),
    key=None,
    predict=predict,
    draw=lambda image, result, bundle: result.read(),
    columns=("output",),
    rows=lambda record: [{"output": record["output"]}],
    text=lambda record: record["output"],
)
"""


# One that works, and of every kind one that does not and one whose name is taken.
POINTS = """
[pixelwright.tasks]
invert = invert_task.task:TASK
broken_task = absent_module:x
classify = invert_task.task:TASK
[pixelwright.decoders]
broken_decoder = absent_module:x
softmax = absent_module:x
[pixelwright.formats]
broken_format = absent_module:x
png = absent_module:x
[pixelwright.runtimes]
broken_runtime = absent_module:x
onnxruntime = absent_module:x
[pixelwright.importers]
broken_importer = absent_module:x
[pixelwright.exports]
broken_export = absent_module:x
csv = absent_module:x
"""


@pytest.fixture
def stranger(tmp_path: Path) -> dict[str, str]:
    """An installed package, as pip leaves it: a folder and its metadata with an entry point."""
    site = tmp_path / "site"
    (site / "invert_task").mkdir(parents=True)
    (site / "invert_task" / "__init__.py").write_text("")
    (site / "invert_task" / "task.py").write_text(INVERT)
    info = site / "invert_task-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: invert-task\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(POINTS)
    return {**os.environ, "PYTHONPATH": str(site)}


def pixelwright(*arguments: object, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pixelwright", *map(str, arguments)]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)


def test_a_third_task_joins_from_outside(stranger: dict[str, str], tmp_path: Path) -> None:
    bundle = blur(tmp_path / "small", name="small", task="invert")
    write_image(Image(np.full((5, 6, 3), 55, np.uint8)), tmp_path / "a.png")
    shown = pixelwright("--help", env=stranger)
    assert "invert" in shown.stdout and "Make a negative" in shown.stdout
    done = pixelwright(
        "invert",
        tmp_path / "a.png",
        "--model",
        bundle.path,
        "-o",
        tmp_path / "out",
        "--json",
        "--export",
        "csv",
        env=stranger,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["output"] == "images/a.png"
    assert (read_image(tmp_path / "out" / "images" / "a.png").pixels == 200).all()


def test_broken_plugins_are_listed_with_their_reasons(stranger: dict[str, str]) -> None:
    listed = pixelwright("plugins", "--json", env=stranger)
    found = {one["name"]: one["fault"] for one in json.loads(listed.stdout)}
    assert found.pop("invert") is None and listed.returncode == 1
    assert len(found) == 11
    for name, fault in found.items():
        assert ("absent_module" if name.startswith("broken") else "taken by a built-in") in fault


def test_broken_plugins_stop_nobody(stranger: dict[str, str], tmp_path: Path) -> None:
    write_image(Image(np.full((5, 6, 3), 55, np.uint8)), tmp_path / "a.png")
    done = pixelwright("classify", tmp_path, "--model", brightness(tmp_path / "bright").path, env=stranger)
    assert (done.returncode, done.stdout.partition("\t")[2][:4]) == (0, "dark"), done.stderr
    shown = pixelwright("--help", env=stranger)
    assert shown.returncode == 0 and "invert" in shown.stdout and "broken_task" not in shown.stdout
