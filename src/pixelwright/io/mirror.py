"""A file that is known by its checksum, from wherever it can be had: a folder, a mirror's address, or its own.

Where it comes from does not matter, since nothing but the stated bytes is taken.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pixelwright.errors import ChecksumError, FetchError, OutputError, UsageError
from pixelwright.io.digest import sha256_of
from pixelwright.io.fetch import OnTransfer, check_address, fetch
from pixelwright.io.lock import locked
from pixelwright.structures.draft import RemoteFile

MIRROR = "PIXELWRIGHT_MIRROR"

AnyMirror = str | PathLike[str]


def acquire(
    wanted: RemoteFile,
    store: Path,
    *,
    model: str,
    mirror: AnyMirror | None = None,
    on_transfer: OnTransfer | None = None,
) -> Path:
    """The file in the store, complete and of its checksum; fetched or copied there if it was not.

    Args:
        wanted: What it is.
        store: A folder with a folder for each checksum.
        model: What it belongs to: a mirror may keep it in a folder of this name.
        mirror: A folder in which it is looked for, or an address to ask; None takes PIXELWRIGHT_MIRROR, else the file's
            own address.
        on_transfer: Called as bytes come over the network.

    Raises:
        FetchError: It is not to be had there.
        ChecksumError: What is there under its name is another file.
        OutputError: The store cannot be written.
        UsageError: The mirror is neither a folder nor a safe address.
    """
    mirror = mirror or os.environ.get(MIRROR) or None
    name = file_name(wanted)
    target = store / wanted.sha256 / name
    with locked(target.with_name(f"{name}.lock"), f"fetching {name}"):
        if target.is_file() and target.stat().st_size == wanted.bytes and sha256_of(target) == wanted.sha256:
            return target
        if mirror is None:
            fetch(wanted.url, target, wanted, on_transfer=on_transfer)
        elif _is_address(mirror):
            _check(os.fspath(mirror))
            _ask(os.fspath(mirror), wanted, target, model, on_transfer)
        else:
            _copy(_find(Path(mirror), wanted), target)
    return target


def file_name(wanted: RemoteFile) -> str:
    """The name of a file, as its address ends."""
    return unquote(urlsplit(wanted.url).path.rpartition("/")[2])


def _is_address(mirror: AnyMirror) -> bool:
    return isinstance(mirror, str) and "://" in mirror


def _check(mirror: str) -> None:
    try:
        check_address(mirror)
    except FetchError as err:
        raise UsageError(f"mirror {err}") from err


def _ask(mirror: str, wanted: RemoteFile, target: Path, model: str, on_transfer: OnTransfer | None) -> None:
    """Fetch from a mirror's address: at the path of the file's own address, else in a folder named like the model."""
    base = mirror.rstrip("/")
    places = [f"{base}{urlsplit(wanted.url).path}", f"{base}/{model}/{urlsplit(wanted.url).path.rpartition('/')[2]}"]
    for number, place in enumerate(places, 1):
        try:
            return fetch(place, target, wanted, on_transfer=on_transfer)
        except FetchError as err:
            if number == len(places) or not err.absent:
                raise


def _find(folder: Path, wanted: RemoteFile) -> Path:
    """The file of that name and of the stated bytes, anywhere below a folder."""
    if not folder.is_dir():
        raise UsageError(f"mirror {os.fspath(folder)!r}: there is no such folder. Give a folder or an https address.")
    name = file_name(wanted)
    others: list[Path] = []
    for path in _files(folder):
        if path.name == name and path.stat().st_size == wanted.bytes and sha256_of(path) == wanted.sha256:
            return path
        if path.name == name:
            others.append(path)
    if others:
        raise ChecksumError(str(others[0]), wanted.sha256, sha256_of(others[0]))
    what = f"there is no {name} of {wanted.bytes} bytes below it. Put it there; its own address is {wanted.url}"
    raise FetchError(str(folder), what)


def _files(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(place, name)
            if path.is_file():
                yield path


def _copy(source: Path, target: Path) -> None:
    aside = target.with_name(f"{target.name}.copy")
    try:
        shutil.copyfile(source, aside)
        aside.replace(target)
    except OSError as err:
        what = f"cannot be written: {err.strerror or err}. Make room, or set PIXELWRIGHT_CACHE."
        raise OutputError(f"{target}: {what}") from err
