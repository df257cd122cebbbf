"""The files of a bundle: paths that stay inside its folder, and checksums with a cache of stamps."""

from __future__ import annotations

import hashlib
import os
import re
import sys
import tempfile
from pathlib import Path, PurePosixPath

import msgspec

from pixelwright.io.digest import sha256_of

SPEC_FILE = "bundle.json"
CARD_FILE = "README.md"

# A file up to this size hashes in about 20 ms, so it is hashed at every load and no stamp is trusted for it.
STAMPED_FROM_BYTES = 16 * 2**20

# Windows forbids the punctuation; '*' also begins ONNX Runtime's in-memory address tag (*/_ORT_MEM_ADDR_/*), which a
# model file must never use.
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"|?*\\]')
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)


class Stamp(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A checksum computed earlier, and what the file looked like then."""

    size: int
    mtime_ns: int
    digest: str


def cache_folder() -> Path:
    """The folder for what can be computed or fetched again: PIXELWRIGHT_CACHE, else the platform's user cache."""
    if chosen := os.environ.get("PIXELWRIGHT_CACHE"):
        return Path(chosen)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "pixelwright" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "pixelwright"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pixelwright"


def path_fault(path: str) -> str | None:
    """Why a path from a bundle must not be opened, or None: only plain relative paths with forward slashes pass."""
    if found := _FORBIDDEN.search(path):
        return f"holds the character {found.group()!r}"
    if path.startswith("/"):
        return "is absolute"
    parts = path.split("/")
    if ".." in parts:
        return "leads out of the folder by '..'"
    if "" in parts or "." in parts:
        return "is not a plain path like a/b.onnx"
    if any(_DEVICES.match(part) or part.endswith((" ", ".")) for part in parts):
        return "is no file name on Windows"
    return None


def is_inside(folder: Path, path: str) -> bool:
    """Whether a path, with all symbolic links followed, stays inside the folder."""
    try:
        return (folder / PurePosixPath(path)).resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):  # a link that leads to itself
        return False


def stamped_sha256(path: Path) -> str:
    """Like `sha256_of`, but a big file that has not changed since it was last hashed is not read again."""
    status = path.stat()
    if status.st_size <= STAMPED_FROM_BYTES:
        return sha256_of(path)
    stamp = _read_stamp(path)
    if stamp is not None and (stamp.size, stamp.mtime_ns) == (status.st_size, status.st_mtime_ns):
        return stamp.digest
    return renewed_sha256(path)


def renewed_sha256(path: Path) -> str:
    """Like `sha256_of`, and the stamp of a big file is written anew."""
    before = path.stat()
    digest = sha256_of(path)
    after = path.stat()
    unchanged = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
    if unchanged and after.st_size > STAMPED_FROM_BYTES:
        _write_stamp(path, Stamp(after.st_size, after.st_mtime_ns, digest))
    return digest


def _stamp_path(path: Path) -> Path:
    key = hashlib.sha256(os.fsencode(path.resolve())).hexdigest()
    return cache_folder() / "stamps" / f"{key}.json"


def _read_stamp(path: Path) -> Stamp | None:
    try:
        return msgspec.json.decode(_stamp_path(path).read_bytes(), type=Stamp)
    except (OSError, msgspec.MsgspecError):
        return None  # no stamp, or a damaged one: the file is hashed


def _write_stamp(path: Path, stamp: Stamp) -> None:
    target = _stamp_path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, aside = tempfile.mkstemp(dir=target.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(msgspec.json.encode(stamp))
        Path(aside).replace(target)
    except OSError:
        return  # a cache that cannot be written only costs time
