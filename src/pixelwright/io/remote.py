"""Files at addresses (https://, s3://, gs://, memory:// ...), through fsspec (the extra `remote`).

Each is read whole, with a limit on its bytes and on the time without any. The network is used for nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from pixelwright.errors import ImageError, MissingExtra, PixelwrightError, UnreadableImage, UsageError

MAX_BYTES = 2**29  # of one file; several are held at once
CONNECT_SECONDS = 15.0
SILENT_SECONDS = 30.0  # without a byte
WHOLE_SECONDS = 600.0

_CHUNK_BYTES = 2**20
_MAX_DEPTH = 16  # of folders: a server may have folders that lead into themselves
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)  # a drive of Windows has one letter
_SCHEMES_HTTP = ("http", "https")


def is_remote(path: str) -> bool:
    """Whether it is an address rather than the name of a file."""
    return _ADDRESS.match(path) is not None


def last_name(url: str) -> str:
    """The name of the file that an address leads to."""
    return unquote(PurePosixPath(urlsplit(url).path).name) or urlsplit(url).netloc


def read(url: str) -> bytes:
    """The bytes of a file.

    Raises:
        MissingExtra: The packages for it are not installed.
        ImageError: It is not there, access is denied, the server or proxy fails, or nothing comes for too long.
        UnreadableImage: It is larger than `MAX_BYTES`, or the connection broke off.
    """
    with _fetching(url):
        system, path = _file_system(url)
        # An HTTP file is read as one stream. The size (any) keeps fsspec from asking for it first.
        options = {"block_size": 0, "size": 1} if _is_http(url) else {}
        parts: list[bytes] = []
        total = 0
        with system.open(path, "rb", **options) as file:
            while chunk := file.read(_CHUNK_BYTES):
                parts.append(chunk)
                total += len(chunk)
                if total > MAX_BYTES:
                    what = f"is larger than {MAX_BYTES // 2**20} MiB. Download it and name the file."
                    raise UnreadableImage(url, what)
        return b"".join(parts)


def list_files(url: str, wanted: Callable[[str], bool]) -> Iterator[tuple[str, str]]:
    """(address, name) of the files that an address stands for: itself, those below a folder, or those of a glob.

    What cannot be listed is listed itself, so that opening it says why.

    Raises:
        UsageError: A glob matches nothing.
    """
    magic = any(letter in url for letter in ("*[" if _is_http(url) else "*?["))  # `?` begins a query
    try:
        with _fetching(url):
            found = list(_matches(url) if magic else _below(url))
    except ImageError:
        yield url, last_name(url)
        return
    if magic and not found:
        raise UsageError(f"nothing matches {url!r}. Check the pattern; quote it so that the shell leaves it.")
    for path, name in found:
        if path == url or wanted(last_name(path)):
            yield path, name


def _matches(url: str) -> Iterator[tuple[str, str]]:
    system, pattern = _file_system(url)
    for path in sorted(system.glob(pattern)):
        if not last_name(path).startswith("."):
            yield system.unstrip_protocol(path), last_name(path)


def _below(url: str) -> Iterator[tuple[str, str]]:
    system, root = _file_system(url)
    if not (url.endswith("/") or (not _is_http(url) and system.isdir(root))):
        yield url, last_name(url)
        return
    root = root.rstrip("/") + "/"
    for path in _walk(system, root, _MAX_DEPTH):
        yield system.unstrip_protocol(path), unquote(urlsplit(path[len(root) :]).path)


def _walk(system: Any, folder: str, depth: int) -> Iterator[str]:
    for entry in sorted(system.ls(folder, detail=True), key=lambda one: one["name"]):
        path = entry["name"].rstrip("/")
        # A page of links may lead anywhere; what lies right below is listed.
        above, _, name = path.rpartition("/")
        if name.startswith(".") or above != folder.rstrip("/"):
            continue
        if entry["type"] != "directory":
            yield path
        elif depth:
            yield from _walk(system, path + "/", depth - 1)


def _is_http(url: str) -> bool:
    return urlsplit(url).scheme.lower() in _SCHEMES_HTTP


def _file_system(url: str) -> tuple[Any, str]:
    try:
        import fsspec
    except ImportError as err:
        raise MissingExtra(f"Reading {urlsplit(url).scheme}://", "remote") from err
    options: dict[str, Any] = {}
    if _is_http(url):
        try:
            import aiohttp
        except ImportError as err:
            raise MissingExtra(f"Reading {urlsplit(url).scheme}://", "remote") from err
        limits = aiohttp.ClientTimeout(total=WHOLE_SECONDS, connect=CONNECT_SECONDS, sock_read=SILENT_SECONDS)
        # The proxies that the environment names are used, as by other programs.
        options["client_kwargs"] = {"timeout": limits, "trust_env": True}
    elif urlsplit(url).scheme.lower() in ("s3", "s3a"):
        options["config_kwargs"] = {"connect_timeout": CONNECT_SECONDS, "read_timeout": SILENT_SECONDS}
    return fsspec.url_to_fs(url, **options)


@contextmanager
def _fetching(url: str) -> Iterator[None]:
    """Whatever goes wrong inside leaves as an `ImageError` with one sentence."""
    try:
        yield
    except PixelwrightError:
        raise
    except ImportError as err:  # of a file system that is a package of its own: s3fs, gcsfs ...
        raise ImageError(url, f"cannot be read: {_sentence(err)}") from err
    except Exception as err:  # each file system has exceptions of its own
        kinds = {kind.__name__ for kind in type(err).__mro__}
        if "ClientPayloadError" in kinds:
            raise UnreadableImage(url, "is truncated: the connection broke off before its end.") from err
        raise ImageError(url, _reason(err, kinds)) from err


def _reason(err: Exception, kinds: set[str]) -> str:
    # By name, so that no library is imported to ask which of them raised.
    status = getattr(err, "status", None)
    answer = f"{status} {getattr(err, 'message', '')}".strip()
    if "ClientHttpProxyError" in kinds:
        return f"cannot be read: the proxy answers {answer}."
    if "ClientProxyConnectionError" in kinds:
        return f"cannot be read: the proxy cannot be reached ({_sentence(err).rstrip('.')})."
    if isinstance(status, int):
        return f"cannot be read: the server answers {answer}."
    if isinstance(err, FileNotFoundError):
        return "is not there: no such file, folder or bucket."
    if isinstance(err, PermissionError):
        return "cannot be read: access is denied."
    if isinstance(err, TimeoutError):
        return "cannot be read: the server was silent for too long."
    return f"cannot be read: {_sentence(err)}"


def _sentence(err: BaseException) -> str:
    said = " ".join(str(err).split())[:200] or type(err).__name__
    return said if said.endswith(".") else f"{said}."
