"""Addresses are read with limits, listed like folders, and every failure is one sentence."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import fsspec
import pytest
from PIL import Image as PillowImage

from clips import clip
from pixelwright.errors import ImageError, MissingExtra, UnreadableImage, UsageError
from pixelwright.io import remote
from pixelwright.io.images import open_raster, read_image
from pixelwright.io.live import live_frames
from pixelwright.io.sources import list_images
from pixelwright.io.video import open_video


def picture(level: int = 7) -> bytes:
    out = io.BytesIO()
    PillowImage.new("RGB", (8, 6), (level, level, level)).save(out, "PNG")
    return out.getvalue()


LINKS = b"""<a href="a.png">a</a> <a href="notes.txt">n</a> <a href="sub/">s</a> <a href="../up.png">u</a>
<a href="http://elsewhere.invalid/x.png">x</a> <a href="?C=N;O=D">sort</a>"""


class Handler(BaseHTTPRequestHandler):
    """Pictures, links, and one path for each thing that can go wrong."""

    silent = Event()
    clip = b""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path in ("/photos/", "/photos/sub/"):
            self._answer(200, LINKS if path == "/photos/" else b'<a href="b%20c.png">b</a>', "text/html")
        elif path.endswith(".png") and path.startswith("/photos/"):
            self._answer(200, picture())
        elif path == "/cut.png":
            self._answer(200, picture()[:40], length=len(picture()))
        elif path == "/slow.png":
            self.silent.wait(5)
        elif path == "/clip.mkv":
            self._answer(200, self.clip, "video/x-matroska")
        elif path == "/large.png":
            self._answer(200, bytes(3000))
        else:
            code = int(path[1:4]) if path[1:4].isdigit() else 404
            self._answer(code, b"")

    def _answer(self, code: int, data: bytes, kind: str = "image/png", length: int | None = None) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data) if length is None else length))
        self.end_headers()
        self.wfile.write(data)
        self.close_connection = True

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Says nothing."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as serving:
        serving.daemon_threads = True
        thread = Thread(target=serving.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{serving.server_port}"
        Handler.silent.set()
        serving.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def memory() -> Iterator[str]:
    system = fsspec.filesystem("memory")
    for name in ("a.png", "sub/b.png", "sub/.hidden.png", "notes.txt"):
        system.pipe(f"/bucket/{name}", picture())
    yield "memory://bucket"
    system.rm("/bucket", recursive=True)


def test_a_picture_at_an_address_is_read(server: str) -> None:
    image = read_image(f"{server}/photos/a.png?token=1")
    assert image.pixels[0, 0].tolist() == [7, 7, 7] and image.source.path == f"{server}/photos/a.png?token=1"


def test_a_folder_of_links_is_listed_with_what_is_below_it_and_nothing_else(server: str) -> None:
    items = list(list_images([f"{server}/photos/"]))
    assert [item.name for item in items] == ["a.png", "sub/b c.png"]
    assert [read_image(item.path).size_hw for item in items] == [(6, 8), (6, 8)]


def test_an_object_store_is_listed_like_a_folder_and_by_globs(memory: str) -> None:
    assert [item.name for item in list_images([memory])] == ["a.png", "sub/b.png"]
    assert [item.name for item in list_images([f"{memory}/**/*.png"])] == ["a.png", "b.png"]
    assert [read_image(item.path).size_hw for item in list_images([memory])] == [(6, 8), (6, 8)]
    with pytest.raises(UsageError, match="nothing matches"):
        list(list_images([f"{memory}/*.tif"]))


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/absent.png", "is not there"),
        ("/403.png", "the server answers 403"),
        ("/500.png", "the server answers 500"),
        ("/cut.png", "truncated"),
    ],
)
def test_what_a_server_refuses_is_one_sentence(server: str, path: str, said: str) -> None:
    with pytest.raises(ImageError, match=said) as caught:
        open_raster(f"{server}{path}")
    assert "\n" not in str(caught.value) and str(caught.value).startswith(f"{server}{path}: ")


def test_a_file_larger_than_the_limit_is_refused(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "MAX_BYTES", 2000)
    with pytest.raises(UnreadableImage, match="is larger than"):
        open_raster(f"{server}/large.png")


def test_a_silent_server_is_given_up(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "SILENT_SECONDS", 0.05)
    with pytest.raises(ImageError, match="silent for too long"):
        open_raster(f"{server}/slow.png")


def test_nobody_listening_is_one_sentence() -> None:
    with pytest.raises(ImageError, match="cannot be read: Cannot connect"):
        open_raster("http://127.0.0.1:9/a.png")


def test_a_proxy_of_the_environment_is_used_and_its_refusal_said(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with pytest.raises(ImageError, match="the proxy cannot be reached"):
        open_raster("http://photos.invalid/a.png")


def test_a_store_that_is_not_there_is_an_item_that_fails() -> None:
    (item,) = list_images(["memory://nowhere/x.png"])
    with pytest.raises(ImageError, match="is not there"):
        open_raster(item.path)


@pytest.mark.parametrize(("package", "url"), [("fsspec", "memory://a.png"), ("aiohttp", "https://host.invalid/a.png")])
def test_without_the_extra_a_sentence_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, package: str, url: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=r"pixelwright\[remote\]"):
        open_raster(url)


def test_a_stream_at_an_address_is_a_live_source(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Handler, "clip", clip(tmp_path / "x.mkv", [50] * 8).read_bytes())
    frames = list(live_frames(f"camera:{server}/clip.mkv"))
    assert [frame.ref.number for frame in frames] == list(range(8))
    assert frames[0].ref.path == f"camera:{server}/clip.mkv" and frames[0].open().size_hw == (48, 64)
    with pytest.raises(ImageError, match=r"camera:.*cannot be opened"):
        next(live_frames(f"camera:{server}/absent.mkv"))


def test_a_video_at_an_address_is_read_whole(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Handler, "clip", clip(tmp_path / "x.mkv", [50] * 8).read_bytes())
    (item,) = list_images([f"{server}/clip.mkv?token=1"])
    assert item.is_video and item.name == "clip.mkv"
    with open_video(item.path) as video:
        assert len(list(video.frames())) == 8


def test_addresses_on_standard_input_have_names_without_what_is_behind_them(server: str) -> None:
    (item,) = list_images(["-"], stdin=io.StringIO(f"{server}/photos/a.png?token=1\n"))
    assert item.name == "a.png" and read_image(item.path).size_hw == (6, 8)


def test_a_file_system_of_another_package_names_it() -> None:
    with pytest.raises(ImageError, match="s3fs"):
        open_raster("s3://bucket/a.png")


def test_a_scheme_nobody_knows_is_an_error() -> None:
    with pytest.raises(ImageError, match="cannot be read"):
        open_raster("nonsense://a.png")
