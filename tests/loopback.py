"""A server on this machine that misbehaves as told, for tests of what fetches."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from pixelwright.structures.draft import RemoteFile

Answer = Callable[["Request"], None]


class Request(BaseHTTPRequestHandler):
    """One request; `server.plan` says how it is answered."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self.server.seen.append((self.path, dict(self.headers)))
        plan = self.server.plan
        (plan.pop(0) if len(plan) > 1 else plan[0])(self)

    do_CONNECT = do_GET  # noqa: N815 (the name that http.server looks for)

    def log_message(self, *args: object) -> None:
        del args

    def say(self, code: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(code)
        for name, value in {"Content_Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)


@dataclass
class Server(ThreadingHTTPServer):
    """Answers each request by the next of its plan, the last one for ever."""

    plan: list[Answer]
    seen: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    daemon_threads = True

    def __post_init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Request)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def serving(*plan: Answer) -> Iterator[Server]:
    server = Server(list(plan))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def whole(data: bytes) -> Answer:
    """The file, or the part of it that is asked for."""

    def answer(request: Request) -> None:
        start = int(request.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        if start:
            request.say(206, data[start:], Content_Range=f"bytes {start}-{len(data) - 1}/{len(data)}")
        else:
            request.say(200, data)

    return answer


def cut(data: bytes, after: int) -> Answer:
    """The head for all of the file, and then only its beginning."""

    def answer(request: Request) -> None:
        request.say(200, data[:after], Content_Length=str(len(data)))
        request.close_connection = True

    return answer


def silent(seconds: float) -> Answer:
    """Nothing."""

    def answer(request: Request) -> None:
        time.sleep(seconds)
        request.close_connection = True

    return answer


def status(code: int, body: bytes = b"", **headers: str) -> Answer:
    """A code, and headers with `_` for `-`."""
    return lambda request: request.say(code, body, **headers)


def endless(data: bytes) -> Answer:
    """More than there should be, without stating how much."""

    def answer(request: Request) -> None:
        request.send_response(200)
        request.send_header("Connection", "close")
        request.end_headers()
        request.wfile.write(data + b"more")
        request.close_connection = True

    return answer


def remote(data: bytes, name: str = "model.onnx", role: str = "model") -> RemoteFile:
    """What a catalog says of a file."""
    url = f"https://models.invalid/fixed/{name}"
    return RemoteFile(role=role, url=url, bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
