"""Fetching: whole and of the stated checksum or not at all, whatever the server does."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path
from urllib.request import Request

import pytest

from loopback import Answer, cut, endless, remote, serving, silent, status, whole
from pixelwright.errors import ChecksumError, FetchError, OutputError
from pixelwright.io import fetch as module
from pixelwright.io.fetch import Patience, Transfer, check_address, fetch, is_offline, shown

DATA = os.urandom(200_000)
SOON = Patience(silent_s=0.3, tries=3, pause_s=0.0)


def _fetch(target: Path, *plan: Answer) -> list[tuple[str, dict[str, str]]]:
    with serving(*plan) as server:
        fetch(f"{server.url}/model.onnx", target, remote(DATA), patience=SOON)
        return server.seen


def test_a_file_is_fetched_with_progress_up_to_the_end(tmp_path: Path) -> None:
    seen: list[Transfer] = []
    target = tmp_path / "new" / "model.onnx"
    with serving(whole(DATA)) as server:
        fetch(f"{server.url}/model.onnx", target, remote(DATA), on_transfer=seen.append)
    assert target.read_bytes() == DATA and list(target.parent.iterdir()) == [target]
    assert (seen[0].done_bytes, seen[-1].done_bytes) == (0, len(DATA))
    assert {(one.name, one.total_bytes) for one in seen} == {("model.onnx", len(DATA))}


def test_a_connection_that_breaks_off_is_continued_where_it_was(tmp_path: Path) -> None:
    seen = _fetch(tmp_path / "f", cut(DATA, 70_000), whole(DATA))
    assert (tmp_path / "f").read_bytes() == DATA
    assert [headers.get("Range") for _, headers in seen] == [None, "bytes=70000-"]


def test_a_later_command_continues_what_an_earlier_one_left(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="The same command continues"):
        _fetch(tmp_path / "f", cut(DATA, 50_000), status(503))
    assert not (tmp_path / "f").exists()
    seen = _fetch(tmp_path / "f", whole(DATA))
    assert seen[0][1]["Range"] == "bytes=50000-" and (tmp_path / "f").read_bytes() == DATA


def test_a_server_that_cannot_continue_sends_the_whole_again(tmp_path: Path) -> None:
    (tmp_path / "f.part").write_bytes(DATA[:1000])
    _fetch(tmp_path / "f", status(200, DATA))
    assert (tmp_path / "f").read_bytes() == DATA


def test_a_beginning_that_was_spoiled_is_thrown_away_and_fetched_again(tmp_path: Path) -> None:
    (tmp_path / "f.part").write_bytes(bytes(1000))
    seen = _fetch(tmp_path / "f", whole(DATA))
    assert (tmp_path / "f").read_bytes() == DATA
    assert [headers.get("Range") for _, headers in seen] == ["bytes=1000-", None]


@pytest.mark.parametrize("left", [DATA + b"!", DATA[:-1] + b"!", DATA])
def test_what_an_earlier_attempt_left_never_passes_unchecked(tmp_path: Path, left: bytes) -> None:
    (tmp_path / "f.part").write_bytes(left)
    _fetch(tmp_path / "f", whole(DATA))
    assert (tmp_path / "f").read_bytes() == DATA


def test_a_range_that_is_refused_starts_over(tmp_path: Path) -> None:
    (tmp_path / "f.part").write_bytes(DATA[:1000])
    _fetch(tmp_path / "f", status(416), whole(DATA))
    assert (tmp_path / "f").read_bytes() == DATA


def test_other_bytes_are_refused_with_both_sums_and_nothing_stays(tmp_path: Path) -> None:
    other = DATA[:-1] + bytes([DATA[-1] ^ 1])
    with pytest.raises(ChecksumError) as raised:
        _fetch(tmp_path / "f", whole(other))
    assert raised.value.expected == remote(DATA).sha256 and raised.value.actual == remote(other).sha256
    assert raised.value.expected in str(raised.value) and raised.value.actual in str(raised.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("code", [408, 429, 500, 502, 503, 504])
def test_a_server_that_is_busy_is_asked_again(tmp_path: Path, code: int) -> None:
    assert len(_fetch(tmp_path / "f", status(code), status(code, Retry_After="0"), whole(DATA))) == 3


def test_patience_ends(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="not able to answer now \\(503\\)"):
        assert len(_fetch(tmp_path / "f", status(503))) == 3


def test_silence_is_an_attempt_that_failed(tmp_path: Path) -> None:
    assert len(_fetch(tmp_path / "f", silent(0.5), whole(DATA))) == 2


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (status(404), "is not there (404). Get the file elsewhere and name its folder with --mirror DIR."),
        (status(410), "is not there (410)"),
        (status(403), "access is denied (403)"),
        (status(418), "the server answers 418"),
        (status(200, b"<html>sign in</html>"), "the server says 20 of its size, stated are 200000 bytes"),
        (endless(DATA), "sends more than the stated 200000 bytes"),
        (status(302, Location="http://models.example/f"), "redirects to http://models.example/f, which is not safe"),
        (status(302, Location="file:///etc/passwd"), "or to an address that is not safe"),
    ],
)
def test_what_no_attempt_will_mend_is_said_at_once(tmp_path: Path, answer: Answer, sentence: str) -> None:
    with pytest.raises(FetchError, match=re.escape(sentence)) as raised, serving(answer) as server:
        fetch(f"{server.url}/model.onnx", tmp_path / "f", remote(DATA), patience=SOON)
    assert len(server.seen) == 1 and "\n" not in str(raised.value)
    assert not (tmp_path / "f").exists() and sum(path.stat().st_size for path in tmp_path.iterdir()) == 0


def test_a_server_that_continues_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "f.part").write_bytes(DATA[:1000])
    with pytest.raises(FetchError, match="another file"):
        _fetch(tmp_path / "f", status(206, DATA[1000:], Content_Range="bytes 1000-1999/2000"))


def test_a_redirect_on_this_machine_is_followed(tmp_path: Path) -> None:
    assert len(_fetch(tmp_path / "f", status(302, Location="/elsewhere"), whole(DATA))) == 2


def test_a_redirect_from_https_leads_to_https_only() -> None:
    handler, request = module._Redirects(), Request("https://a.example/f")
    for unsafe in ("http://a.example/f", "http://127.0.0.1/f"):
        with pytest.raises(FetchError, match="not safe"):
            handler.redirect_request(request, io.BytesIO(), 302, "Found", {}, unsafe)  # type: ignore[arg-type]
    followed = handler.redirect_request(request, io.BytesIO(), 302, "Found", {}, "https://b.example/f")  # type: ignore[arg-type]
    assert followed is not None and followed.full_url == "https://b.example/f"


@pytest.mark.parametrize(
    "url",
    [
        "http://models.example/f",
        "ftp://models.example/f",
        "file:///etc/passwd",
        "https://",
        "https://h:x/f",
        "https://me:secret@[::1/f",
        "https://models.example/a b",
        "https://models.example/é",
        "f",
    ],
)
def test_an_address_that_is_not_safe_is_refused(url: str) -> None:
    with pytest.raises(FetchError, match="only https is safe") as raised:
        check_address(url)
    assert "secret" not in str(raised.value)


def test_a_password_is_sent_and_never_shown(tmp_path: Path) -> None:
    with serving(status(403)) as server, pytest.raises(FetchError) as raised:
        fetch(server.url.replace("//", "//me:s%40cret@") + "/f", tmp_path / "f", remote(DATA), patience=SOON)
    assert server.seen[0][1]["Authorization"] == "Basic bWU6c0BjcmV0"
    assert "cret" not in str(raised.value) and shown("https://me:x@h/f?q") == "https://h/f?q"


def test_a_proxy_that_refuses_is_named_without_its_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(status(407)) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url.replace("//", "//me:secret@"))
        monkeypatch.delenv("no_proxy", raising=False)
        with pytest.raises(FetchError) as raised:
            fetch("https://models.invalid/f", tmp_path / "f", remote(DATA), patience=SOON)
    said = str(raised.value)
    assert f"the proxy {proxy.url} does not let it through" in said and "407" in said and "secret" not in said
    assert "NO_PROXY=models.invalid" in said


@pytest.mark.parametrize(
    ("proxy", "sentence"),
    [
        ("http://127.0.0.1:9", "the proxy http://127.0.0.1:9 does not let"),
        ("socks5://127.0.0.1:9", "is of a kind"),
    ],
)
def test_a_proxy_that_is_none_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proxy: str, sentence: str
) -> None:
    monkeypatch.setenv("https_proxy", proxy)
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(FetchError, match=sentence):
        fetch("https://models.invalid/f", tmp_path / "f", remote(DATA), patience=SOON)


def test_a_proxy_is_not_asked_for_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    _fetch(tmp_path / "f", whole(DATA))


def test_a_server_without_encryption_under_https_is_said(tmp_path: Path) -> None:
    with serving(whole(DATA)) as server, pytest.raises(FetchError, match="no secure connection"):
        fetch(server.url.replace("http:", "https:") + "/f", tmp_path / "f", remote(DATA), patience=SOON)


@pytest.mark.parametrize(("value", "offline"), [("1", True), ("true", True), ("", False), ("0", False), ("No", False)])
def test_offline_nothing_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, offline: bool) -> None:
    monkeypatch.setenv("PIXELWRIGHT_OFFLINE", value)
    assert is_offline() == offline
    with serving(whole(DATA)) as server:
        if offline:
            with pytest.raises(FetchError, match=r"PIXELWRIGHT_OFFLINE is set.*--mirror DIR"):
                fetch(f"{server.url}/f", tmp_path / "f", remote(DATA))
        else:
            fetch(f"{server.url}/f", tmp_path / "f", remote(DATA))
    assert len(server.seen) == (not offline)


def test_a_place_that_cannot_be_written_is_no_fault_of_the_network(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with serving(whole(DATA)) as server, pytest.raises(OutputError, match="PIXELWRIGHT_CACHE"):
        fetch(f"{server.url}/f", tmp_path / "file" / "f", remote(DATA), patience=SOON)


def test_an_empty_file_is_a_file(tmp_path: Path) -> None:
    with serving(whole(b"")) as server:
        fetch(f"{server.url}/f", tmp_path / "f", remote(b""), patience=SOON)
    assert (tmp_path / "f").read_bytes() == b""
