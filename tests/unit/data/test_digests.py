"""Digests: computed once, kept by size and time, and never in the way."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from datasets import picture
from pixelwright.data import digests
from pixelwright.data.dataset import Dataset, Picture, fingerprint
from pixelwright.data.digests import digests_of
from pixelwright.data.opening import open_dataset
from pixelwright.io.digest import sha256_of


@pytest.fixture
def dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    monkeypatch.setattr(digests, "_WORTH_KEEPING_BYTES", 0)
    monkeypatch.setenv("PIXELWRIGHT_CACHE", str(tmp_path / "cache"))
    for number in range(3):
        picture(tmp_path / "data" / f"{number}.png", number)
    return open_dataset(tmp_path / "data")


def _pictures(dataset: Dataset) -> list[Picture]:
    return [sample.picture for sample in dataset.samples]


def test_they_are_of_the_files_in_order(dataset: Dataset) -> None:
    wanted = [sha256_of(dataset.root / f"{number}.png") for number in range(3)]
    assert digests_of(_pictures(dataset)) == wanted
    assert digests_of(reversed(_pictures(dataset))) == wanted[::-1]


def test_the_next_call_takes_them_from_the_cache(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = digests_of(_pictures(dataset))
    monkeypatch.setattr(digests, "sha256_of", lambda _: pytest.fail("it was hashed again"))
    assert digests_of(_pictures(dataset)) == wanted


def test_a_file_that_changed_is_hashed_again(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    before = digests_of(_pictures(dataset))
    picture(dataset.root / "1.png", 99)
    os.utime(dataset.root / "1.png", ns=(1, 1))
    for _ in range(2):
        after = digests_of(_pictures(dataset))
        assert [one == other for one, other in zip(before, after, strict=True)] == [True, False, True]


@pytest.mark.parametrize("content", [b"", b"no database" * 100])
def test_a_damaged_cache_is_passed_over(dataset: Dataset, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    wanted = digests_of(_pictures(dataset))
    (dataset.root.parent / "cache" / "digests.sqlite").write_bytes(content)
    assert digests_of(_pictures(dataset)) == wanted


def test_what_cannot_be_read_has_no_digest_and_ends_no_fingerprint(dataset: Dataset) -> None:
    whole = fingerprint(dataset)
    (dataset.root / "1.png").unlink()
    assert [one is None for one in digests_of(_pictures(dataset))] == [False, True, False]
    damaged = fingerprint(dataset)
    assert damaged not in (whole, fingerprint(dataset.only(dataset.samples[::2])))
    assert fingerprint(dataset) == damaged


def test_the_fingerprint_does_not_know_names(dataset: Dataset) -> None:
    before = fingerprint(dataset)
    (dataset.root / "2.png").rename(dataset.root / "a.png")
    assert fingerprint(open_dataset(dataset.root)) == before
    picture(dataset.root / "a.png", 99)
    assert fingerprint(open_dataset(dataset.root)) != before
