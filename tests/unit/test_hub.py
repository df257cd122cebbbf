"""Where models are found."""

from __future__ import annotations

from pathlib import Path

import pytest

import bundles
from pixelwright import hub
from pixelwright.errors import BundleError, UnknownName


def test_a_shipped_model_is_found_by_name() -> None:
    assert "digits" in hub.names()
    assert (hub.locate("digits") / "bundle.json").is_file()


def test_a_folder_is_itself(tmp_path: Path) -> None:
    folder = bundles.blur(tmp_path / "mine").path
    assert hub.locate(folder) == folder and hub.locate(str(folder)) == folder


def test_our_name_goes_before_a_folder_of_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundles.blur(tmp_path / "digits")
    monkeypatch.chdir(tmp_path)
    assert hub.locate("digits").is_relative_to(Path(hub.__file__).parent)
    assert hub.locate("./digits") == Path("digits")


def test_a_misspelled_name_gets_the_nearest() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'digits'"):
        hub.locate("digit")


def test_a_folder_without_a_bundle_is_told(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"there is no bundle\.json"):
        hub.locate(tmp_path)
