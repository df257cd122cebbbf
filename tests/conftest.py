"""What every test room shares: where the real data is, and an isolated cache."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("PIXELWRIGHT_SHARED", ROOT.parent / "shared"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip tests marked `shared` where the folder of real data is not there."""
    if SHARED.is_dir():
        return
    absent = pytest.mark.skip(reason=f"no real data at {SHARED}; set PIXELWRIGHT_SHARED")
    for item in items:
        if "shared" in item.keywords:
            item.add_marker(absent)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data sets and models; only for tests marked `shared`."""
    return SHARED


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIXELWRIGHT_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    for name in ("PIXELWRIGHT_MIRROR", "PIXELWRIGHT_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
