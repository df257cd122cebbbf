"""What hub.toml says of third-party models is complete, pinned and true."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from pixelwright import hub, registry
from pixelwright.io.digest import sha256_of
from pixelwright.io.mirror import file_name
from pixelwright.structures.draft import Entry

NAMES = list(hub.entries())


@pytest.fixture(params=NAMES)
def entry(request: pytest.FixtureRequest) -> Entry:
    return hub.entry(request.param)


def test_there_is_a_model_for_each_task_that_ships_none() -> None:
    assert {hub.entry(name).draft.task for name in NAMES} >= {"classify", "detect", "embed", "segment"}
    assert not set(NAMES) & set(hub.names())


def test_every_default_model_is_at_hand_or_known() -> None:
    for task in registry.names("task"):
        assert registry.get("task", task).default_model in {"", *hub.names(), *NAMES}


def test_a_file_is_named_by_an_address_that_cannot_change(entry: Entry) -> None:
    assert sorted(file.role for file in entry.files) in (["model"], ["labels", "model"])
    for file in entry.files:
        assert re.search(r"/[0-9a-f]{40}/", file.url), file.url
        assert re.fullmatch(r"[\w.-]+", file_name(file)) and file.bytes > 0


def test_a_contract_names_a_task_a_decoder_and_its_parameters(entry: Entry) -> None:
    draft = entry.draft
    assert draft.task in registry.names("task")
    decoder = registry.get("decoder", draft.output.decoder)
    inspect.signature(decoder.decode).bind({}, **draft.output.parameters, **dict.fromkeys(decoder.asks_for))
    assert {end for pair in draft.output.skeleton for end in pair} <= set(draft.output.keypoints)


def test_labels_are_the_contracts_or_a_files_and_never_both(entry: Entry) -> None:
    in_file = any(file.role == "labels" for file in entry.files)
    assert not (in_file and entry.draft.output.labels)
    assert in_file or not (entry.skip_labels or entry.count_labels)


def test_terms_say_where_they_stand_and_why_commerce_is_in_doubt(entry: Entry) -> None:
    terms = entry.draft.license
    assert terms.data
    for one in (terms.code, terms.weights, *terms.data):
        assert one.license and one.url.startswith(("https://", "http://host.robots.ox.ac.uk/"))
        assert one.note or one.commercial == "yes"


def test_a_reference_and_the_sources_of_scores_are_stated(entry: Entry) -> None:
    assert entry.reference.executor and all(entry.reference.values.values())
    assert entry.title and entry.draft.summary and entry.draft.architecture
    assert entry.source.startswith("https://") and all(row.url.startswith("https://") for row in entry.published)


@pytest.mark.shared
@pytest.mark.parametrize("name", NAMES)
def test_sizes_and_checksums_are_those_of_the_real_files(name: str, shared: Path) -> None:
    tables = "".join(path.read_text(encoding="utf-8") for path in (shared / "models").glob("*/README.md"))
    for file in hub.entry(name).files:
        assert f"| {file.bytes} | {file.sha256} |" in tables
        paths = [path for path in (shared / "models").rglob(file_name(file)) if sha256_of(path) == file.sha256]
        assert [path.stat().st_size for path in paths] == [file.bytes]
