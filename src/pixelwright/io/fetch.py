"""A file from the network, whole and with the stated checksum, or not at all.

Only https, and http on this very machine; never through a redirect to anything else. What came before the connection
broke off is kept beside the target and continued, by the next attempt or by the next command. That is safe whichever
server continues it: the checksum is that of the whole file.
"""

from __future__ import annotations

import base64
import http.client
import ipaddress
import os
import re
import socket
import ssl
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit, urlunsplit

from pixelwright.errors import ChecksumError, FetchError, OutputError
from pixelwright.io.digest import sha256_of
from pixelwright.structures.draft import RemoteFile

OFFLINE = "PIXELWRIGHT_OFFLINE"

_CHUNK_BYTES = 2**16
_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})  # answers that another attempt may change
_ABSENT = frozenset({404, 410})
_MAX_PAUSE_S = 60.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to try.

    Attributes:
        silent_s: Without a byte, before an attempt is given up.
        tries: In a row, without a byte more than before.
        pause_s: Before the second attempt; doubled before each further one.
    """

    silent_s: float = 30.0
    tries: int = 4
    pause_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Transfer:
    """How far a file has come."""

    name: str
    done_bytes: int
    total_bytes: int


OnTransfer = Callable[[Transfer], None]


class _Passing(Exception):
    """What another attempt may mend.

    Attributes:
        pause_s: How long the server asks to wait.
    """

    def __init__(self, what: str, pause_s: float = 0.0) -> None:
        super().__init__(what)
        self.pause_s = pause_s


def is_offline() -> bool:
    """Whether the user forbids the network (PIXELWRIGHT_OFFLINE)."""
    return os.environ.get(OFFLINE, "").strip().lower() not in ("", "0", "false", "no", "off")


def fetch(
    url: str,
    target: Path,
    wanted: RemoteFile,
    *,
    on_transfer: OnTransfer | None = None,
    patience: Patience | None = None,
) -> None:
    """A file at `target`, of the stated size and checksum.

    Two processes must not fetch to one target at a time (`locked`).

    Args:
        url: Where to ask for it: its own address or that of a mirror.
        target: Where to put it; its folder is made.
        wanted: What it is.
        on_transfer: Called as the bytes come.
        patience: How long to try.

    Raises:
        FetchError: The address is refused, the network is off, or the server or a proxy does not deliver.
        ChecksumError: It delivers something else.
        OutputError: The file cannot be written.
    """
    check_address(url)
    if is_offline():
        what = f"is not downloaded, since {OFFLINE} is set. Unset it, or name a folder that has the file: --mirror DIR."
        raise FetchError(shown(url), what)
    part = target.with_name(f"{target.name}.part")
    with _writing(part):
        part.parent.mkdir(parents=True, exist_ok=True)
        continued = part.exists() and part.stat().st_size > 0
    download = _Download(url, target.name, part, wanted, patience or Patience(), on_transfer or (lambda _: None))
    download.complete()
    if continued and sha256_of(part) != wanted.sha256:  # the beginning may be of an earlier, spoiled attempt
        part.unlink()
        download.complete()
    if (actual := sha256_of(part)) != wanted.sha256:
        part.unlink()
        raise ChecksumError(shown(url), wanted.sha256, actual)
    with _writing(target):
        part.replace(target)


def check_address(url: str, *, local: bool = True) -> None:
    """Nothing, if an address may be fetched from.

    Args:
        url: The address.
        local: Whether http on this machine will do.

    Raises:
        FetchError: It is neither https nor http on this machine.
    """
    with suppress(ValueError):  # of a port that is no number, or half an IPv6 address
        parts = urlsplit(url)
        plain = url.isascii() and url.isprintable() and " " not in url
        safe = parts.scheme == "https" or (local and parts.scheme == "http" and is_local(url))
        if plain and safe and parts.hostname and parts.port != 0:
            return
    raise FetchError(
        shown(url), "is refused: only https is safe (http on this machine alone). Give an https address, in ASCII."
    )


def is_local(url: str) -> bool:
    """Whether an address leads to this machine."""
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def shown(url: str) -> str:
    """An address without user name and password, for people."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return re.sub(r"//[^/]*@", "//", url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


@dataclass(frozen=True, slots=True)
class _Download:
    """One file on its way."""

    url: str
    name: str
    part: Path
    wanted: RemoteFile
    patience: Patience
    on_transfer: OnTransfer

    def complete(self) -> None:
        """Attempt after attempt, each going on where the last one ended, until all bytes are there."""
        opener, failures, have = _opener(self.url), 0, self._have()
        while have < self.wanted.bytes or not self.part.exists():
            try:
                self._receive(opener, have)
            except _Passing as err:
                more = self._have() > have
                failures = 1 if more else failures + 1
                if failures >= self.patience.tries:
                    raise FetchError(shown(self.url), f"{err} The same command continues.") from err
                time.sleep(min(_MAX_PAUSE_S, max(err.pause_s, self.patience.pause_s * 2 ** (failures - 1))))
            have = self._have()

    def _have(self) -> int:
        """Bytes that came before; more than there can be are thrown away."""
        size = self.part.stat().st_size if self.part.exists() else 0
        if size <= self.wanted.bytes:
            return size
        self.part.unlink()
        return 0

    def _receive(self, opener: urllib.request.OpenerDirector, have: int) -> None:
        try:
            with opener.open(_request(self.url, have), timeout=self.patience.silent_s) as response:
                if have and response.status != 206:  # the server does not continue files
                    have = 0
                self._check_size(response, have)
                with _writing(self.part), self.part.open("ab" if have else "wb") as file:
                    self._copy(response, file, have)
        except (OSError, http.client.HTTPException) as err:
            if isinstance(err, FetchError):
                raise
            if isinstance(err, HTTPError):
                err.close()
                if err.code == 416:  # what is there cannot be continued
                    self.part.unlink(missing_ok=True)
                    raise _Passing("the server does not continue the file.") from err
            raise _mapped(self.url, err) from err

    def _check_size(self, response: Any, have: int) -> None:
        """Refuse what states another size, before its bytes come."""
        stated = response.headers.get("Content-Length" if not have else "Content-Range") or ""
        if have and re.fullmatch(rf"bytes {have}-\d+/(\*|{self.wanted.bytes})", stated):
            return
        if not have and (not stated or stated == str(self.wanted.bytes)):
            return
        self.part.unlink(missing_ok=True)
        size = stated.rpartition("/")[2] if have else stated
        raise FetchError(
            shown(self.url),
            f"is another file: the server says {size or 'nothing'} of its size, stated are {self.wanted.bytes} bytes. "
            "Look at the address in a browser: a proxy or a sign-in page may answer in its place.",
        )

    def _copy(self, response: Any, file: BinaryIO, have: int) -> None:
        total = self.wanted.bytes
        self.on_transfer(Transfer(self.name, have, total))
        while chunk := _read(response):
            have += len(chunk)
            if have > total:
                file.truncate(0)
                raise FetchError(shown(self.url), f"sends more than the stated {total} bytes; nothing of it was kept.")
            file.write(chunk)
            self.on_transfer(Transfer(self.name, have, total))
        if have < total:
            raise _Passing(f"the connection broke off after {have} of {total} bytes.")


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """What the disk does not take becomes an `OutputError`; the errors of the network do not come through here."""
    try:
        yield
    except FetchError:
        raise
    except OSError as err:
        reason = err.strerror or err
        raise OutputError(f"{path}: cannot be written: {reason}. Make room, or set PIXELWRIGHT_CACHE.") from err


def _read(response: Any) -> bytes:
    """The next bytes; what breaks here is the network, not the disk."""
    try:
        return response.read1(_CHUNK_BYTES)
    except (TimeoutError, http.client.HTTPException, OSError) as err:
        raise _Passing(f"the connection broke off ({_said(err)}).") from err


def _request(url: str, have: int) -> urllib.request.Request:
    parts = urlsplit(url)
    request = urllib.request.Request(shown(url), headers={"User-Agent": "pixelwright", "Accept-Encoding": "identity"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    if parts.username is not None:  # not sent on to where a redirect leads
        known = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        request.add_unredirected_header("Authorization", f"Basic {base64.b64encode(known.encode()).decode()}")
    return request


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to https only; on this machine also to http on it."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """The next request, if it may be made."""
        try:
            check_address(newurl, local=is_local(req.full_url) and req.type == "http")
        except FetchError as err:
            fp.close()
            what = f"redirects to {shown(newurl)}, which is not safe. Use another mirror."
            raise FetchError(shown(req.full_url), what) from err
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener(url: str) -> urllib.request.OpenerDirector:
    """Opens https and http and nothing else (no file:, ftp: or data:)."""
    opener = urllib.request.OpenerDirector()
    proxies = {} if is_local(url) else None  # None: those that the environment names
    if proxy := _proxy(url):
        scheme = urlsplit(proxy).scheme
        if scheme not in ("http", "https"):
            raise FetchError(
                shown(url), f"the proxy {proxy} is of a kind ({scheme}) that cannot be used. Name another."
            )
    for handler in (
        urllib.request.ProxyHandler(proxies),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(context=ssl.create_default_context()),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
        _Redirects(),
    ):
        opener.add_handler(handler)
    return opener


def _proxy(url: str) -> str | None:
    """The proxy that the environment names for an address, without its password."""
    parts = urlsplit(url)
    proxy = urllib.request.getproxies().get(parts.scheme)
    if not proxy or is_local(url) or urllib.request.proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    return shown(proxy if "://" in proxy else f"http://{proxy}")


def _mapped(url: str, err: OSError | http.client.HTTPException) -> Exception:
    """Ours for an exception of the network: one that another attempt may mend, or one for the user."""
    reason: Any = err.reason if isinstance(err, URLError) and not isinstance(err, HTTPError) else err
    tunnel = re.search(r"Tunnel connection failed: (\d+)", str(reason))
    code = int(tunnel[1]) if tunnel else err.code if isinstance(err, HTTPError) else 0
    if code in _BUSY:
        pause = err.headers.get("Retry-After", "") if isinstance(err, HTTPError) else ""
        return _Passing(f"the server is not able to answer now ({code}).", float(pause) if pause.isdecimal() else 0.0)
    if isinstance(reason, TimeoutError):
        return _Passing("no answer comes.")
    final = isinstance(reason, ConnectionRefusedError | http.client.InvalidURL)
    if isinstance(reason, ConnectionError | http.client.HTTPException) and not final:
        return _Passing(f"the connection broke off ({_said(reason)}).")
    if (proxy := _proxy(url)) and (tunnel or code == 407 or final or isinstance(reason, socket.gaierror)):
        return FetchError(
            shown(url),
            f"the proxy {proxy} does not let it through ({_said(reason)}). Correct HTTPS_PROXY, "
            f"or except the host with NO_PROXY={urlsplit(url).hostname}.",
        )
    return FetchError(shown(url), _final(code, reason), absent=code in _ABSENT)


def _final(code: int, reason: Any) -> str:
    """What no further attempt will mend, and what will."""
    if code in _ABSENT:
        return f"is not there ({code}). Get the file elsewhere and name its folder with --mirror DIR."
    if code in (401, 403, 407):
        return f"access is denied ({code}). Check the address and what the server wants of you."
    if 300 <= code < 400:
        return "redirects in circles, or to an address that is not safe. Use another mirror."
    if code:
        return f"the server answers {code} {reason.reason}. Try again later, or name a mirror with --mirror."
    if isinstance(reason, ssl.SSLCertVerificationError):
        return (
            f"its certificate is not trusted ({reason.verify_message}). If a proxy of yours opens connections, "
            "name the file of its certificate in SSL_CERT_FILE."
        )
    if isinstance(reason, ssl.SSLError):
        return f"no secure connection can be made ({_said(reason)}). Check the address and the proxy."
    if isinstance(reason, socket.gaierror):
        return "its host is not found. Check the network, or name a mirror with --mirror."
    return f"cannot be reached ({_said(reason)}). Check the network, or name a mirror with --mirror."


def _said(err: BaseException) -> str:
    text = getattr(err, "strerror", None) or str(err) or type(err).__name__
    return " ".join(str(text).split()).rstrip(".")[:200]
