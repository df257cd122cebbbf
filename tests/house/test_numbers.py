"""The scores in the README are those that the shipped bundles state."""

from __future__ import annotations

from house.zoo_table import README, current, render
from pixelwright import hub


def test_models_are_shipped() -> None:
    assert {"denoise", "digits", "super-resolve-x2"} <= set(hub.names())


def test_the_table_of_models_is_the_one_the_bundles_give() -> None:
    assert current(README.read_text(encoding="utf-8")) == render(), "run: python tests/house/zoo_table.py"
