"""Where models are found, and how third-party ones get there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from msgspec.structs import replace

import bundles
import catalogs
from pixelwright import hub
from pixelwright.bundle import ModelBundle, read_bundle
from pixelwright.errors import BundleError, DamagedModel, FetchError, MissingExtra, NotPulled, ParityError, UnknownName


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files of the only third-party model, `lightness`; the network is off."""
    catalogs.use(monkeypatch, tmp_path / "hub.toml", catalogs.entry(tmp_path))
    monkeypatch.setenv("PIXELWRIGHT_OFFLINE", "1")
    return tmp_path / "mirror"


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


def test_a_bundle_goes_before_a_third_party_model_of_its_name_and_a_mere_folder_does_not(
    mirror: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(mirror.parent)
    Path("lightness").mkdir()
    with pytest.raises(NotPulled):
        hub.locate("lightness")
    bundles.blur(Path("lightness"))
    assert hub.locate("lightness") == Path("lightness")


@pytest.mark.parametrize(("name", "nearest"), [("digit", "digits"), ("lightnes", "lightness")])
def test_a_misspelled_name_gets_the_nearest(mirror: Path, name: str, nearest: str) -> None:
    with pytest.raises(UnknownName, match=f"Did you mean '{nearest}'"):
        hub.locate(name)


def test_a_path_that_is_not_there_is_no_misspelled_name(mirror: Path) -> None:
    with pytest.raises(UnknownName) as caught:
        hub.locate("runs/digit/bundle")
    assert str(caught.value) == "there is no model or folder named 'runs/digit/bundle'."


def test_a_folder_without_a_bundle_is_told(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"there is no bundle\.json"):
        hub.locate(tmp_path)


def test_a_model_that_is_not_here_is_told_with_the_command(mirror: Path) -> None:
    with pytest.raises(NotPulled, match=r"classify, 0\.0 MB.*Get it with: pixelwright models pull lightness$"):
        hub.locate("lightness")
    with pytest.raises(FetchError, match="PIXELWRIGHT_OFFLINE"):
        hub.pull("lightness")


def test_a_pulled_model_is_a_verified_bundle_that_says_where_it_comes_from(mirror: Path) -> None:
    bundle = hub.pull("lightness", mirror=mirror)
    entry = hub.entry("lightness")
    assert hub.locate("lightness") == bundle.path == hub.pulled("lightness")
    assert hub.at_hand() == (*hub.names(), "lightness")
    assert read_bundle(bundle.path, verify="full").spec.output.labels == ["dark", "bright"]
    assert bundle.spec.provenance.source_sha256 == entry.files[0].sha256
    assert any(row.runtime == "onnxruntime" and row.holds for row in bundle.spec.parity)
    stamp = (bundle.path / "model.onnx").stat().st_mtime_ns
    assert hub.pull("lightness").path == bundle.path  # offline and without a mirror: nothing is left to do
    assert (bundle.path / "model.onnx").stat().st_mtime_ns == stamp


@pytest.fixture
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Converting makes a bundle of its own at once; where bundles are kept is all that matters."""

    def convert(name: str, wanted: object, files: object, folder: Path, accept: object) -> ModelBundle:
        made = tmp_path / "quick" / name
        if not made.exists():
            made.parent.mkdir(exist_ok=True)
            bundles.brightness(made, name=name)
        shutil.copytree(made, folder)
        return read_bundle(folder)

    monkeypatch.setattr(hub, "_convert", convert)


def test_a_damaged_bundle_is_converted_anew_without_the_network(mirror: Path, quick: None) -> None:
    path = hub.pull("lightness", mirror=mirror).path
    (path / "model.onnx").write_bytes(b"damaged")
    assert hub.pull("lightness").path == path
    read_bundle(path, verify="full")


def test_a_changed_entry_is_converted_anew_and_the_old_bundle_goes(
    mirror: Path, monkeypatch: pytest.MonkeyPatch, quick: None
) -> None:
    old = hub.pull("lightness", mirror=mirror).path
    monkeypatch.setattr(hub, "CONVERSION", hub.CONVERSION + 1)
    with pytest.raises(NotPulled, match="converted anew"):
        hub.locate("lightness")
    (old.parent / ".half.partial").mkdir()
    new = hub.pull("lightness").path  # offline: the file as published is kept
    assert new != old and list(new.parent.iterdir()) == [new]


def test_a_contract_that_learns_to_say_more_makes_no_other_bundle_of_an_entry(mirror: Path) -> None:
    entry = next(iter(hub.entries().values()))

    class Longer(type(entry.draft.input), frozen=True):  # type: ignore[misc]
        news: str = ""

    said = {name: getattr(entry.draft.input, name) for name in entry.draft.input.__struct_fields__}
    grown, changed = (
        replace(entry, draft=replace(entry.draft, input=Longer(**said, news=news))) for news in ("", "something")
    )
    assert hub._key(grown) == hub._key(entry) != hub._key(changed)


def test_a_network_that_answers_otherwise_than_its_own_executor_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogs.use(monkeypatch, tmp_path / "hub.toml", catalogs.entry(tmp_path, logit=0.123))
    with pytest.raises(ParityError, match=r"arithmetic made 0\.123"):
        hub.pull("lightness", mirror=tmp_path / "mirror")
    assert hub.pulled("lightness") is None


def test_too_few_labels_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = catalogs.entry(tmp_path).replace("count_labels = 2", "count_labels = 20")
    catalogs.use(monkeypatch, tmp_path / "hub.toml", text)
    with pytest.raises(DamagedModel, match="3 labels, expected 20"):
        hub.pull("lightness", mirror=tmp_path / "mirror")


def test_what_is_removed_is_gone_but_for_files_that_another_model_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick: None
) -> None:
    both = catalogs.entry(tmp_path) + catalogs.entry(tmp_path, "twin")
    catalogs.use(monkeypatch, tmp_path / "hub.toml", both)
    for name in ("lightness", "twin"):
        hub.pull(name, mirror=tmp_path / "mirror")
    model, labels = hub.entry("twin").files
    kept = tmp_path / "hub.cache" / "hub" / "files"
    assert hub.remove("lightness") > 0
    assert hub.pulled("lightness") is None and hub.pulled("twin")
    assert (kept / labels.sha256 / "labels.txt").exists()
    hub.remove("twin")
    assert not (kept / model.sha256).exists() and not (kept / labels.sha256).exists()
    assert hub.remove("twin") == 0


def test_without_the_converter_nothing_is_fetched(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "find_spec", lambda _: None)
    with pytest.raises(MissingExtra, match=r"pip install 'pixelwright\[convert\]'"):
        hub.pull("lightness", mirror=mirror)
    assert not (mirror.parent / "hub.cache" / "hub" / "files").exists()


def test_a_shipped_model_is_pulled_already(mirror: Path) -> None:
    assert hub.pull("digits").path == hub.locate("digits")
