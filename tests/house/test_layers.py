"""Imports go down only, heavy packages stay where they may be, and the command line loads no more than it needs."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "pixelwright"

# torch, and in time ray, may be imported here and nowhere else.
TORCH_PLACES = (
    "models/*.py",
    "runtimes/torch.py",
    "interop/pytorch*.py",
    "data/augment/*.py",
    "contract/training.py",  # for types alone
    "tasks/*/train.py",
    "verbs/train/*.py",
    "verbs/train/*/*.py",
    "verbs/shrink.py",
    "verbs/explain.py",
)
# What must not be loaded before a picture or a model is opened. msgspec is part of the contract types (decision 0002).
HEAVY = ("PIL", "cv2", "onnxruntime", "openvino", "simplejpeg", "tifffile", "torch", "tqdm")


def test_the_layers_hold() -> None:
    check = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    done = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Contracts: 3 kept, 0 broken." in done.stdout


@pytest.mark.parametrize(("package", "places"), [("torch", TORCH_PLACES), ("ray", ("verbs/scale.py",))])
def test_heavy_frameworks_stay_in_their_places(package: str, places: tuple[str, ...]) -> None:
    allowed = {path for place in places for path in PACKAGE.glob(place)}
    users = {path for path in PACKAGE.rglob("*.py") if package in set(_imported(path))}
    assert sorted(str(path) for path in users - allowed) == []


@pytest.mark.parametrize(
    "statement",
    [
        "import pixelwright",
        "import pixelwright.cli",
        "import contextlib, pixelwright.cli\nwith contextlib.suppress(SystemExit): pixelwright.cli.main(['--help'])",
    ],
    ids=["package", "cli", "help"],
)
def test_nothing_heavy_loads_before_it_is_needed(statement: str) -> None:
    loaded = _modules_after(statement)
    assert sorted(set(HEAVY) & loaded) == []


def test_onnx_runtime_is_imported_in_one_place_with_its_telemetry_off() -> None:
    users = {path for path in PACKAGE.rglob("*.py") if "onnxruntime" in set(_imported(path))}
    assert users == {PACKAGE / "runtimes" / "onnx.py"}
    check = (
        "import os; os.environ.pop('ORT_DISABLE_TELEMETRY', None)\n"
        "from pixelwright.runtimes.onnx import library\n"
        "library(); print(os.environ['ORT_DISABLE_TELEMETRY'])"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"


def test_importing_the_package_loads_nothing_but_the_standard_library() -> None:
    foreign = _modules_after("import pixelwright") - _modules_after("pass") - set(sys.stdlib_module_names)
    assert foreign <= {"pixelwright"}


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def _modules_after(statement: str) -> set[str]:
    report = f"{statement}\nimport sys; print('LOADED', *{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", report], capture_output=True, text=True, check=True)
    return set(done.stdout.rpartition("LOADED")[2].split())
