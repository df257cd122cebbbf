"""Where an export puts its files: whole or not at all, and under names that every file system takes."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

# Endings that exports give to files. A folder called like that gets one more character, or the folder `a.txt` and the
# labels of `a.png` would be one name.
FILE_ENDINGS = re.compile(r"\.(json|png|txt|xml)_*$", re.IGNORECASE)
FORBIDDEN = re.compile(r'[<>:"\\|?*\x00-\x1f]' if os.name == "nt" else r"\x00")
LONGEST_BYTES = 255  # of a name, on the file systems in use
KEPT_CHARACTERS = 50  # of a longer one, each four bytes at the most


def new_folder(path: Path, fill: Callable[[Path], None]) -> None:
    """A folder that is there whole or not at all, made by `fill`.

    One that is there is left as it is: people correct such files by hand, and running a finished job again must not
    undo that.

    Raises:
        OSError: As it comes: the disk is full or not writable.
    """
    if path.exists():
        return
    aside = path.with_name(path.name + ".tmp")
    shutil.rmtree(aside, ignore_errors=True)  # what a kill has left
    aside.mkdir()
    try:
        fill(aside)
        aside.rename(path)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def place(folder: Path, name: str, ending: str) -> Path:
    """Where the file of a picture goes, its folder made: the picture's name with another ending.

    Names that differ without their endings lead to different places. A name never leads out of the folder.
    """
    *parents, last = [part for part in PurePosixPath(name).parts if part != "/"] or ["unnamed"]
    safe = [FILE_ENDINGS.sub(lambda found: found[0] + "_", _safe(part)) for part in parents]
    target = folder.joinpath(*safe, _safe(PurePosixPath(last).stem, ending))
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def _safe(stem: str, ending: str = "") -> str:
    stem = FORBIDDEN.sub(lambda found: f"%{ord(found[0]):02X}", "%2E%2E" if stem == ".." else stem)
    try:
        encoded = os.fsencode(stem + ending)
    except UnicodeEncodeError:  # a lone half of a pair, as Windows allows it and no other system does
        stem = readable(stem)
        encoded = os.fsencode(stem + ending)
    if len(encoded) > LONGEST_BYTES:  # the ending is longer than the picture's own
        digest = hashlib.sha256(encoded).hexdigest()[:12]
        stem = f"{stem[:KEPT_CHARACTERS]}~{digest}"
    return stem + ending


def readable(text: str) -> str:
    """A text as valid Unicode: what a file name has of other bytes stays visible as escapes such as `\\udcff`."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def to_json(value: Any) -> bytes:
    """JSON on one line; names that are no valid Unicode are kept as escapes, which Python reads back as they were."""
    try:
        return json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return json.dumps(value).encode()
