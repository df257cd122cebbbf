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

from bundles import blur, brightness
from pixelwright import registry
from pixelwright.contract import PredictOptions, Task
from pixelwright.io.images import read_image, write_image
from pixelwright.structures.image import Image


@pytest.mark.parametrize("name", registry.names("task"))
def test_a_task_says_all_that_a_verb_needs(name: str) -> None:
    task = registry.get("task", name)
    assert isinstance(task, Task) and task.name == name
    assert task.summary.endswith(".") and task.example.startswith(f"pixelwright {name} ")
    assert task.options <= {field.name for field in fields(PredictOptions)}
    assert task.columns


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
