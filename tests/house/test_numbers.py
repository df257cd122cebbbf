"""What the documents state of models and formats is what these say themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from house.tables import TABLES, Table
from pixelwright import hub

BUDGET_BYTES = 20_000_000  # of all weights in the repository


def test_the_first_models_are_shipped() -> None:
    assert {"denoise", "digits", "super-resolve-x2"} <= set(hub.names())


def test_the_shipped_models_keep_to_the_budget() -> None:
    folders = [Path(hub.locate(name)) for name in hub.names()]
    assert sum(path.stat().st_size for folder in folders for path in folder.rglob("*")) < BUDGET_BYTES


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_table_is_current(table: Table) -> None:
    assert table.current() == table.render(), "run: python tests/house/tables.py"
