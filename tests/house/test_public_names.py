"""The names a user may rely on are written down here, exist, are documented, and type checkers see the same ones."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import pixelwright

# A name leaves this list only after one minor release of warning.
PUBLIC = {
    "Annotations",
    "ClassScores",
    "Classes",
    "Color",
    "Dataset",
    "Detections",
    "Embedding",
    "EvaluateOptions",
    "Execution",
    "Image",
    "LabelMap",
    "Masks",
    "Model",
    "ModelBundle",
    "NamedValues",
    "PixelwrightError",
    "PredictOptions",
    "Raster",
    "Score",
    "TrainConfig",
    "Window",
    "__version__",
    "compare",
    "evaluate",
    "from_numpy",
    "from_opencv",
    "from_pillow",
    "load",
    "open_dataset",
    "open_raster",
    "read_bundle",
    "read_config",
    "read_image",
    "read_pages",
    "split",
    "to_numpy",
    "to_opencv",
    "to_pillow",
    "train",
    "write_bundle",
    "write_image",
}
STUB = Path(pixelwright.__file__).with_suffix(".pyi")


def test_the_public_names_are_these() -> None:
    assert set(pixelwright.__all__) == PUBLIC
    assert set(dir(pixelwright)) >= PUBLIC


@pytest.mark.parametrize("name", sorted(PUBLIC - {"__version__"}))
def test_a_public_name_exists_and_is_documented(name: str) -> None:
    thing = getattr(pixelwright, name)
    assert inspect.getdoc(thing)
    assert thing.__module__.startswith("pixelwright.")


def test_a_name_that_is_not_public_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        _ = pixelwright.lode  # type: ignore[attr-defined]


def test_the_stub_says_the_same_as_the_table() -> None:
    imports = [node for node in ast.parse(STUB.read_text(encoding="utf-8")).body if isinstance(node, ast.ImportFrom)]
    said = {alias.name: node.module for node in imports for alias in node.names if alias.name == alias.asname}
    assert said == dict(pixelwright._HOMES)


def test_the_package_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pixelwright", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"pixelwright {pixelwright.__version__}\n"
