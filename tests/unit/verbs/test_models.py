"""The models at hand: what is listed, shown, and verified."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import bundles
from pixelwright import hub
from pixelwright.structures.spec import License, Parity, Terms
from pixelwright.verbs import models

# What a business may not use, or nobody can say: the README tells them from the others.
NOT_FREE = {"clothing": "no", "roads": "no", "signs": "unknown"}


def test_every_shipped_model_is_measured_and_says_whether_it_is_free_to_use() -> None:
    rows = [row for row in models.list_models() if row.where == "shipped"]
    assert [row.name for row in rows] == list(hub.names())
    assert all(row.score != "not measured" for row in rows)
    assert {row.name: row.commercial for row in rows if row.commercial != "yes"} == NOT_FREE
    assert sum(row.size_bytes for row in rows) < 20e6


def test_every_shipped_model_agrees_with_its_record_here() -> None:
    verdicts = models.verify_models(threads=1)
    assert all(verdict.ok for verdict in verdicts), models.verify_text(verdicts)
    assert {verdict.outcome for verdict in verdicts} == {"verified"}
    assert f"\n{len(verdicts)} of {len(verdicts)} models verified." in models.verify_text(verdicts)


def test_a_damaged_model_fails_and_the_others_are_still_verified(tmp_path: Path) -> None:
    good, bad = bundles.blur(tmp_path / "good").path, bundles.blur(tmp_path / "bad").path
    (bad / "model.onnx").write_bytes(b"")
    verdicts = models.verify_models([bad, good])
    assert [verdict.ok for verdict in verdicts] == [False, True]
    text = models.verify_text(verdicts)
    assert "FAILED" in text and "0 of 2 models verified, 1 not checked, 1 failed." in text
    assert [one["outcome"] for one in models.verify_dict(verdicts)] == ["failed", "not checked"]


def test_a_runtime_that_is_not_here_is_skipped_not_failed(tmp_path: Path) -> None:
    folder = bundles.blur(tmp_path / "b", parity=[Parity("abacus", "f32", 20, 0.0, 1.0)]).path
    (verdict,) = models.verify_models([folder])
    assert verdict.ok and not verdict.checked and "skipped" in models.verify_text([verdict])


def test_the_ledger_finds_what_forbids_or_does_not_say(tmp_path: Path) -> None:
    free, bound = Terms("MIT", "yes"), Terms("CC-BY-NC-4.0", "no", name="photos", note="research\nonly")
    folder = bundles.blur(tmp_path / "b", license=License(free, free, [bound])).path
    ledger = models.list_licenses([folder])
    assert [row.what for row in models.not_commercial(ledger)] == ["data: photos"]
    assert "research only" in models.licenses_text(ledger)


def test_everything_goes_into_json(tmp_path: Path) -> None:
    folder = bundles.blur(tmp_path / "b", parity=[Parity("abacus", "f32", 20, 0.0, 1.0)]).path
    json.dumps(models.list_dict(models.list_models()), allow_nan=False)
    json.dumps(models.licenses_dict(models.list_licenses([folder])), allow_nan=False)
    json.dumps(models.verify_dict(models.verify_models([folder])), allow_nan=False)
    shown = models.show_dict(models.show_model(folder))
    json.dumps(shown, allow_nan=False)
    assert shown["bundle"]["name"] == "blur"


def test_text_of_strangers_cannot_move_the_cursor(tmp_path: Path) -> None:
    folder = bundles.blur(tmp_path / "b", summary="\x1b[2Jgone", architecture="a\rb").path
    text = models.show_text(models.show_model(folder))
    assert "\x1b" not in text and "\r" not in text


@pytest.mark.parametrize("part", ["sigma", "halo 4 px", "image", "nothing measured", "no parity record", "CC0-1.0"])
def test_show_says_what_holds(tmp_path: Path, part: str) -> None:
    folder = bundles.blur(tmp_path / "b", summary="For any sigma.").path
    assert part in models.show_text(models.show_model(folder))
