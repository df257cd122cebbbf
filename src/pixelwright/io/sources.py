"""From what a user names to a list of pictures and videos.

Files, folders, globs, tars (their members), addresses (`https://`, `s3://` ...), live sources (`camera:0`, `rtsp://`),
and `-` for a list on standard input.
"""

from __future__ import annotations

import glob
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import BinaryIO, TextIO
from urllib.parse import urlsplit

from pixelwright.errors import ImageError, UsageError
from pixelwright.io import archive, remote
from pixelwright.io.images import formats
from pixelwright.io.video import VIDEO_SUFFIXES, is_video

JOB_FILES = frozenset({"job.json", "items.jsonl"})  # a folder that holds both is a job's, and its pictures are results

# Of a name that results are written under. File systems take 255 bytes, and a number and another ending are added.
_NAME_BYTES = 220
_WHOLE_NAME_LETTERS = 1000  # with its folders, which are left out of a longer one
_LOGIN = re.compile(r"//[^/@]*@")  # of an address, with a password perhaps

LIVE_SCHEMES = frozenset({"rtsp", "rtsps", "rtmp", "rtmps", "rtp", "udp", "srt"})
CAMERA = "camera:"


@dataclass(frozen=True, slots=True)
class Item:
    """One picture or video to be read.

    Attributes:
        path: Where it is.
        name: Relative name that results of it are written under; different for every item of a listing.
    """

    path: str
    name: str

    @property
    def is_live(self) -> bool:
        """Whether it is a camera or a stream."""
        return is_live(self.path)

    @property
    def is_video(self) -> bool:
        """Whether it has frames: a video, a camera or a stream."""
        return is_live(self.path) or is_video(_file_name(self.path))


def is_live(path: str) -> bool:
    """Whether a source is a camera or a stream, which has no end of its own."""
    return path.startswith(CAMERA) or (remote.is_remote(path) and urlsplit(path).scheme.lower() in LIVE_SCHEMES)


def list_images(
    arguments: Sequence[str], *, leave_out: Path | None = None, stdin: BinaryIO | TextIO | None = None
) -> Iterator[Item]:
    """The pictures and videos that arguments stand for, lazily, in a stable order.

    A folder is walked with its subfolders, by file name endings of the known formats; left out are hidden files and
    folders, and the folders of jobs below it, whose pictures are results. A folder that cannot be listed is an item
    itself, so that its fault gets reported. So is a file that is named, whatever it is called. Of what a glob matches,
    files are taken by their endings and folders walked, except that `**` already stands for all files below. A tar
    stands for its members with such endings, and for itself where it is damaged; so does one in a folder or glob.

    Args:
        arguments: Files, folders, globs, tars, addresses, cameras, or `-`.
        leave_out: A folder not to enter: the job's own output.
        stdin: Where `-` reads its lines from; bytes are decoded as the system's file names are.

    Raises:
        UsageError: A glob that matches nothing, or an empty name.
    """
    left_out = leave_out.resolve() if leave_out else None
    taken: dict[str, int] = {}
    for argument in arguments:
        for path, name in _expand(argument, left_out, stdin):
            yield Item(path, _unique(_fitting(name) or "unnamed", taken))


@cache
def image_suffixes() -> frozenset[str]:
    """File name endings, lower case with the dot, of every registered format that works."""
    return frozenset(suffix for form in formats() for suffix in form.suffixes)


def _is_wanted(name: str) -> bool:
    """Whether a file is listed for its ending."""
    suffix = Path(name).suffix.lower()
    return suffix in image_suffixes() or suffix in VIDEO_SUFFIXES


def _file_name(path: str) -> str:
    return remote.last_name(path) if remote.is_remote(path) else path


def _harmless(name: str) -> str:
    """A relative name that leads nowhere else and that every file system takes, of what a tar or a server says."""
    parts = re.split(r"[/\\]", re.sub(r'[<>:"|?*\x00-\x1f]', "_", name))
    return "/".join(part for part in parts if part not in ("", ".", ".."))


def _fitting(name: str) -> str:
    """A relative name no longer than file systems take, whatever ending a result gets."""
    *folders, last = name.split("/")
    suffix = Path(last).suffix if _is_wanted(last) else ""
    whole = "/".join(map(_cut, [*folders, last.removesuffix(suffix)])) + suffix
    return whole if len(whole) <= _WHOLE_NAME_LETTERS else whole.rpartition("/")[2]


def _cut(part: str) -> str:
    encoded = part.encode(errors="surrogateescape")
    return part if len(encoded) <= _NAME_BYTES else encoded[:_NAME_BYTES].decode(errors="ignore")


def _members(tar: str) -> Iterator[tuple[str, str]]:
    """The wanted members of a tar; the tar itself where something is wrong with it."""
    try:
        index = archive.read_index(Path(tar))
    except ImageError:
        yield tar, Path(tar).name
        return
    for name in index.members:
        hidden = any(part.startswith(".") for part in name.split("/") if part not in (".", ".."))
        if _is_wanted(name) and not hidden:
            yield f"{tar}::{name}", _harmless(name)
    if index.fault:
        yield tar, Path(tar).name


def _expand(argument: str, left_out: Path | None, stdin: BinaryIO | TextIO | None) -> Iterator[tuple[str, str]]:
    if argument == "-":
        for line in stdin or _standard_input():
            if path := os.fsdecode(line).rstrip("\r\n"):
                foreign = remote.is_remote(path) or is_live(path)
                yield path, _harmless(_file_name(path)) if foreign else Path(path).name
    elif not argument:
        raise UsageError("a source with an empty name. Name a file, a folder, a glob, or - for a list on stdin.")
    elif is_live(argument):
        yield argument, _harmless(_LOGIN.sub("//", argument)).replace("/", "-")
    elif remote.is_remote(argument):
        yield from ((path, _harmless(name)) for path, name in remote.list_files(argument, _is_wanted))
    elif archive.is_tar(argument) and Path(argument).is_file():
        yield from _members(argument)
    elif Path(argument).is_dir():
        yield from _named(Path(argument), _walk(Path(argument), left_out, is_root=True))
    elif Path(argument).exists() or not glob.has_magic(argument):
        yield argument, Path(argument).name
    else:
        yield from _matches(argument, left_out)


def _standard_input() -> BinaryIO | TextIO:
    # Names are bytes, which a text stream may refuse. Windows has text, in an encoding that only its stream knows.
    return sys.stdin if os.name == "nt" else getattr(sys.stdin, "buffer", sys.stdin)


def _matches(pattern: str, left_out: Path | None) -> Iterator[tuple[str, str]]:
    matches = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 (Path.glob takes no absolute pattern)
    if not matches:
        raise UsageError(f"nothing matches {pattern!r}. Check the pattern; quote it so that the shell leaves it.")
    parts = Path(pattern).parts
    recursive = "**" in parts
    written_out = next(depth for depth, part in enumerate(parts) if glob.has_magic(part))

    @cache
    def is_closed(folder: Path) -> bool:
        return folder.resolve() == left_out or _is_job(folder)

    for match in matches:
        path = Path(match)
        if not path.is_dir():
            # What `**` stands for is left out where a walk would leave it out.
            closed = recursive and any(map(is_closed, _below(path, written_out)))
            if path.suffix.lower() == ".tar" and not closed:
                yield from _members(match)
            elif _is_wanted(match) and not closed:
                yield match, path.name
        elif not recursive:
            yield from _named(path, _walk(path, left_out))


def _below(path: Path, depth: int) -> Iterator[Path]:
    """The folders that lead to a file, without the first `depth` of them."""
    return (Path(*path.parts[:count]) for count in range(depth + 1, len(path.parts)))


def _is_job(folder: Path) -> bool:
    return all((folder / name).exists() for name in JOB_FILES)


def _named(root: Path, paths: Iterable[Path]) -> Iterator[tuple[str, str]]:
    for path in paths:
        name = path.relative_to(root).as_posix() if path != root else root.name
        if path.suffix.lower() == ".tar" and path.is_file():
            inside = name[: -len(path.suffix)]
            yield from ((member, f"{inside}/{said}") for member, said in _members(str(path)))
        else:
            yield str(path), name


def _walk(folder: Path, left_out: Path | None, *, is_root: bool = False) -> Iterator[Path]:
    if left_out is not None and folder.resolve() == left_out:
        return
    try:
        with os.scandir(folder) as entries:
            found = sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda one: one.name)
    except OSError:
        yield folder  # opening it fails too, and then it is recorded as every other failure is
        return
    if not is_root and {entry.name for entry in found} >= JOB_FILES:
        return
    for entry in found:
        path = folder / entry.name
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(path, left_out)
        elif path.suffix.lower() == ".tar" or _is_wanted(entry.name):
            yield path


def _unique(name: str, taken: dict[str, int]) -> str:
    """A name nobody has yet; `taken` leads from each name to the last number given to one like it.

    Names differ without their endings, since a result may be written under another one, and without regard to case,
    or two results would be one file on macOS and Windows.
    """
    path = Path(name)
    stem = path.with_suffix("").as_posix()
    wanted = stem.casefold()
    if wanted not in taken:
        taken[wanted] = 1
        return name
    count = taken[wanted]
    while f"{wanted}-{count}" in taken or count == 1:
        count += 1
    taken[wanted] = taken[f"{wanted}-{count}"] = count
    return f"{stem}-{count}{path.suffix}"
