"""Files of known checksum, from wherever they can be had, by several processes and through kills."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from loopback import Answer, Request, remote, serving, status, whole
from pixelwright.errors import ChecksumError, FetchError, UsageError
from pixelwright.io.mirror import acquire, file_name

DATA = os.urandom(100_000)
WANTED = remote(DATA)


def slow(data: bytes, seconds: float) -> Answer:
    """All but the last byte at once, and that one later."""

    def answer(request: Request) -> None:
        start = int(request.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        request.send_response(206 if start else 200)
        request.send_header("Content-Length", str(len(data) - start))
        if start:
            request.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        request.end_headers()
        request.wfile.write(data[start:-1])
        request.wfile.flush()
        time.sleep(seconds)
        request.wfile.write(data[-1:])

    return answer


def _child(store: Path, url: str) -> subprocess.Popen[str]:
    code = (
        "import sys; from pathlib import Path; from pixelwright.io.mirror import acquire; "
        "from pixelwright.structures.draft import RemoteFile; "
        f"acquire(RemoteFile('model', {WANTED.url!r}, {WANTED.bytes}, {WANTED.sha256!r}), Path(sys.argv[1]), "
        "model='m', mirror=sys.argv[2])"
    )
    return subprocess.Popen([sys.executable, "-c", code, str(store), url], stderr=subprocess.PIPE, text=True)


def test_a_folder_is_searched_and_only_the_right_bytes_count(tmp_path: Path) -> None:
    for folder, content in (("a", b"other"), ("b/deep", DATA)):
        (tmp_path / "mirror" / folder).mkdir(parents=True)
        (tmp_path / "mirror" / folder / "model.onnx").write_bytes(content)
    found = acquire(WANTED, tmp_path / "store", model="m", mirror=tmp_path / "mirror")
    assert found.read_bytes() == DATA and found.name == file_name(WANTED) == "model.onnx"
    (tmp_path / "mirror" / "b" / "deep" / "model.onnx").unlink()
    assert acquire(WANTED, tmp_path / "store", model="m", mirror=tmp_path / "mirror") == found
    with pytest.raises(ChecksumError) as raised:
        acquire(WANTED, tmp_path / "new", model="m", mirror=str(tmp_path / "mirror"))
    assert WANTED.sha256 in str(raised.value) and raised.value.actual in str(raised.value)


def test_a_folder_without_the_file_says_what_belongs_there(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=rf"no model\.onnx of {len(DATA)} bytes below it.*models\.invalid"):
        acquire(WANTED, tmp_path / "store", model="m", mirror=tmp_path)
    with pytest.raises(UsageError, match="no such folder"):
        acquire(WANTED, tmp_path / "store", model="m", mirror=tmp_path / "absent")


def test_a_mirror_is_asked_at_the_files_own_path_and_then_in_the_models_folder(tmp_path: Path) -> None:
    with serving(status(404), whole(DATA)) as server:
        acquire(WANTED, tmp_path, model="lightness", mirror=f"{server.url}/base/")
    assert [path for path, _ in server.seen] == ["/base/fixed/model.onnx", "/base/lightness/model.onnx"]


def test_a_mirror_that_denies_is_not_asked_for_another_place(tmp_path: Path) -> None:
    with serving(status(403)) as server, pytest.raises(FetchError, match="denied"):
        acquire(WANTED, tmp_path, model="m", mirror=server.url)
    assert len(server.seen) == 1


def test_the_environment_names_a_mirror_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.onnx").write_bytes(DATA)
    monkeypatch.setenv("PIXELWRIGHT_MIRROR", str(tmp_path))
    monkeypatch.setenv("PIXELWRIGHT_OFFLINE", "1")  # a folder is no network
    assert acquire(WANTED, tmp_path / "store", model="m").read_bytes() == DATA


def test_what_was_damaged_in_the_store_is_fetched_anew(tmp_path: Path) -> None:
    with serving(whole(DATA)) as server:
        path = acquire(WANTED, tmp_path, model="m", mirror=server.url)
        path.write_bytes(bytes(len(DATA)))
        assert acquire(WANTED, tmp_path, model="m", mirror=server.url).read_bytes() == DATA
    assert len(server.seen) == 2


def test_two_processes_at_once_fetch_it_once(tmp_path: Path) -> None:
    with serving(slow(DATA, 1.0)) as server:
        children = [_child(tmp_path, server.url) for _ in range(2)]
        said = [child.communicate(timeout=60)[1] for child in children]
    assert [child.returncode for child in children] == [0, 0], said
    assert len(server.seen) == 1 and "another process is fetching model.onnx" in "".join(said)
    assert (tmp_path / WANTED.sha256 / "model.onnx").read_bytes() == DATA


def test_a_kill_in_the_middle_costs_nothing_that_had_come(tmp_path: Path) -> None:
    part = tmp_path / WANTED.sha256 / "model.onnx.part"
    with serving(slow(DATA, 3.0), whole(DATA)) as server:
        child = _child(tmp_path, server.url)
        until = time.monotonic() + 60
        while not (part.exists() and part.stat().st_size == len(DATA) - 1):
            assert time.monotonic() < until and child.poll() is None
            time.sleep(0.01)
        child.kill()
        child.communicate()
        assert not part.with_suffix("").exists()
        acquire(WANTED, tmp_path, model="m", mirror=server.url)
    assert server.seen[1][1]["Range"] == f"bytes={len(DATA) - 1}-"
    assert part.with_suffix("").read_bytes() == DATA
