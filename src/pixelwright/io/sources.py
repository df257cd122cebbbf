"""From what a user names to a list of picture files: files, folders, globs, and `-` for a list on standard input."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TextIO

from pixelwright import registry
from pixelwright.errors import UsageError


@dataclass(frozen=True, slots=True)
class Item:
    """One picture to be read.

    Attributes:
        path: Where it is.
        name: Relative name that results of it are written under; different for every item of a listing.
    """

    path: str
    name: str


def list_images(
    arguments: Sequence[str], *, leave_out: Path | None = None, stdin: TextIO | None = None
) -> Iterator[Item]:
    """The pictures that arguments stand for, lazily, in a stable order.

    A folder is walked with its subfolders, by file name endings of the known formats; hidden files and folders are
    left out. A file that is named itself is always taken, whatever it is called, so that its fault gets reported.

    Args:
        arguments: Files, folders, globs, or `-`.
        leave_out: A folder not to enter: the job's own output.
        stdin: Where `-` reads its lines from.

    Raises:
        UsageError: A glob that matches nothing, or an empty name.
    """
    taken: set[str] = set()
    for argument in arguments:
        for path, name in _expand(argument, leave_out, stdin or sys.stdin):
            yield Item(path, _unique(name, taken))


@cache
def image_suffixes() -> frozenset[str]:
    """File name endings, lower case with the dot, of every registered format."""
    return frozenset(suffix for name in registry.names("format") for suffix in registry.get("format", name).suffixes)


def _expand(argument: str, leave_out: Path | None, stdin: TextIO) -> Iterator[tuple[str, str]]:
    if argument == "-":
        for line in stdin:
            if path := line.rstrip("\r\n"):
                yield path, Path(path).name
    elif not argument:
        raise UsageError("a source with an empty name. Name a file, a folder, a glob, or - for a list on stdin.")
    elif Path(argument).is_dir():
        root = Path(argument)
        for path in _walk(root, leave_out.resolve() if leave_out else None):
            yield str(path), path.relative_to(root).as_posix()
    elif Path(argument).exists() or not glob.has_magic(argument):
        yield argument, Path(argument).name
    else:
        matches = sorted(glob.glob(argument, recursive=True))  # noqa: PTH207 (Path.glob takes no absolute pattern)
        if not matches:
            raise UsageError(f"nothing matches {argument!r}. Check the pattern; quote it so that the shell leaves it.")
        for match in matches:
            yield from _expand(match, leave_out, stdin)


def _walk(folder: Path, leave_out: Path | None) -> Iterator[Path]:
    if leave_out is not None and folder.resolve() == leave_out:
        return
    try:
        with os.scandir(folder) as entries:
            found = sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda one: one.name)
    except OSError as err:
        raise UsageError(f"cannot list the folder {folder}: {err.strerror}.") from err
    for entry in found:
        path = folder / entry.name
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(path, leave_out)
        elif path.suffix.lower() in image_suffixes():
            yield path


def _unique(name: str, taken: set[str]) -> str:
    path, count, unique = Path(name), 1, name
    # Case folded, or two results would be one file on macOS and Windows.
    while unique.casefold() in taken:
        count += 1
        unique = path.with_name(f"{path.stem}-{count}{path.suffix}").as_posix()
    taken.add(unique.casefold())
    return unique
