"""Recipes that read data themselves refuse what they do not understand."""

from __future__ import annotations

import gzip
import struct
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

RECIPES = Path(__file__).resolve().parents[3] / "recipes"


@pytest.fixture
def recipes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The folder of the recipes among the places to import from, as when one is run."""
    monkeypatch.syspath_prepend(RECIPES)
    yield
    sys.modules.pop("mnist", None)


def test_idx_is_read_and_other_files_are_refused(recipes: None, tmp_path: Path) -> None:
    mnist = import_module("mnist")
    path = tmp_path / "two.gz"
    path.write_bytes(gzip.compress(b"\0\0\x08\x02" + struct.pack(">II", 2, 3) + bytes(range(6))))
    assert mnist.read_idx(path).tolist() == [[0, 1, 2], [3, 4, 5]]
    path.write_bytes(gzip.compress(b"\0\0\x0d\x01" + struct.pack(">I", 1) + bytes(4)))
    with pytest.raises(ValueError, match="00 00 0d"):
        mnist.read_idx(path)
