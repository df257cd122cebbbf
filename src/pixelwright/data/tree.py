"""Tree: the files of a folder, tar or zip by their names, so that a layout is read the same way wherever it lies.

What a label file names is looked up here and nowhere else: a path that leads out of the tree is not found.
"""

from __future__ import annotations

import os
import posixpath
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from pixelwright.data.place import Place
from pixelwright.errors import DataError, ImageError
from pixelwright.io import archive, zips
from pixelwright.io.sources import image_suffixes

MAX_DEPTH = 32  # of folders within each other
_DRIVE = re.compile(r"[A-Za-z]:/")
_PASSED_OVER = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini"})  # what systems leave beside people's files


@dataclass(frozen=True, eq=False)
class Tree:
    """Files by name.

    Attributes:
        root: The folder or archive, and perhaps a folder within.
        places: Name relative to the root with `/` to where the file is, sorted by name. Hidden files are left out.
        chosen: The file that was named, where it was a file and not a folder or archive.
    """

    root: Path
    places: Mapping[str, Place] = field(repr=False)
    chosen: str = ""

    @classmethod
    def of(cls, path: Path) -> Tree:
        """The files of a folder or archive; of any other file those beside it and below, with it as the chosen one.

        Raises:
            DataError: There is no such file or folder, or the archive cannot be read.
        """
        try:
            if path.is_dir():
                return cls(path, dict(sorted(_walk(path))))
            if not path.is_file():
                raise DataError(f"{path}: there is no such file or folder.")
            if zips.is_zip(path) or archive.is_tar(path):
                return cls(path, dict(sorted(_members(path))))
        except ImageError as err:
            raise DataError(str(err)) from err
        except OSError as err:
            raise DataError(f"{path}: cannot be read: {err.strerror or err}.") from err
        if path.suffix.lower() == ".npz":  # it needs nothing beside it
            return cls(path.parent, {path.name: Place(str(path))}, path.name)
        return cls(path.parent, cls.of(path.parent).places, path.name)

    def below(self, folder: str) -> Tree:
        """The files of one folder and the folders in it."""
        prefix = f"{folder}/"
        inside = {name[len(prefix) :]: place for name, place in self.places.items() if name.startswith(prefix)}
        return Tree(self.root / folder, inside)

    @cached_property
    def folders(self) -> dict[str, tuple[str, ...]]:
        """Every folder that holds files, `""` for the root, to the names of those files without it, sorted."""
        found: dict[str, list[str]] = {}
        for name in self.places:
            folder, _, last = name.rpartition("/")
            found.setdefault(folder, []).append(last)
        return {folder: tuple(found[folder]) for folder in sorted(found)}

    @cached_property
    def tops(self) -> tuple[str, ...]:
        """The folders right below the root, sorted."""
        return tuple(sorted({name.partition("/")[0] for name in self.places if "/" in name}))

    @cached_property
    def pictures(self) -> tuple[str, ...]:
        """Names of all files that end as pictures do, sorted."""
        return tuple(name for name in self.places if is_picture(name))

    @cached_property
    def picture_folders(self) -> frozenset[str]:
        """Every folder with a picture in it or below."""
        found: set[str] = set()
        for folder in {name.rpartition("/")[0] for name in self.pictures}:
            while folder and folder not in found:
                found.add(folder)
                folder = folder.rpartition("/")[0]
        return frozenset(found)

    @cached_property
    def pictures_by_stem(self) -> dict[str, str]:
        """Names of pictures without their endings to the names; of several the first."""
        return {stem(name): name for name in reversed(self.pictures)}

    def with_suffix(self, *suffixes: str) -> list[str]:
        """Names of the files with one of these endings (lower case); of a chosen file, it alone."""
        if self.chosen:
            return [self.chosen] if self.chosen.lower().endswith(suffixes) else []
        return [name for name in self.places if name.lower().endswith(suffixes)]

    def find(self, stated: str, *folders: str) -> str | None:
        """The file that a label file means: relative to the root or one of `folders`, the last first; else None.

        Backslashes count as slashes, and accents may be composed or not. An absolute path counts where it leads into
        the tree.
        """
        wanted = self._relative(stated)
        if not wanted or wanted.startswith("/"):
            return None
        for folder in (*reversed(folders), ""):
            name = posixpath.normpath(posixpath.join(folder, wanted))
            if name in self.places:
                return name
            composed = self._composed.get(unicodedata.normalize("NFC", name))
            if composed is not None:
                return composed
        return None

    def missing(self, stated: str) -> str:
        """Why the picture that a label file means is not found."""
        wanted = self._relative(stated)
        inside = not wanted.startswith(("/", "~")) and not _DRIVE.match(wanted)
        if inside and not posixpath.normpath(wanted).startswith(".."):
            return f"there is no picture {stated!r} in {self.root}"
        return f"the path {stated!r} leads out of {self.root}, and is not followed"

    def _relative(self, stated: str) -> str:
        """A path with slashes, without that of the root if it begins so."""
        return stated.strip().replace("\\", "/").removeprefix(f"{self.root.absolute().as_posix()}/")

    @cached_property
    def _composed(self) -> dict[str, str]:
        others = (name for name in self.places if not name.isascii())
        return {unicodedata.normalize("NFC", name): name for name in others}


def is_picture(name: str) -> bool:
    """Whether a file name ends as that of a picture."""
    dot = name.rfind(".")
    return dot >= 0 and name[dot:].lower() in image_suffixes()


def stem(name: str) -> str:
    """A name without its last ending: `a/b.jpg` to `a/b`."""
    before, _, ending = name.rpartition(".")
    return before if before and not before.endswith("/") and "/" not in ending else name


def _walk(root: Path) -> Iterator[tuple[str, Place]]:
    """Files below a folder. Links are followed, as people link to pictures, but never in circles.

    What would block whoever opens it, a pipe or a device, is passed over. A link that leads nowhere is not: it is said
    when it is read.
    """
    waiting: list[tuple[str, str, tuple[str, ...]]] = [("", str(root), (os.path.realpath(root),))]
    while waiting:
        prefix, folder, above = waiting.pop()
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.name in _PASSED_OVER:
                    continue
                try:
                    is_folder, is_file = entry.is_dir(), entry.is_file()
                except OSError:  # a link to itself leads nowhere
                    is_folder = is_file = False
                if not is_folder:
                    if is_file or not os.path.exists(entry.path):  # noqa: PTH110 (asked of each file)
                        yield prefix + entry.name, Place(entry.path)
                elif len(above) < MAX_DEPTH and (real := _real(entry, above[-1])) not in above:
                    waiting.append((f"{prefix}{entry.name}/", entry.path, (*above, real)))


def _real(entry: os.DirEntry[str], folder: str) -> str:
    """Where a folder is, which lies or is linked in one that is there without links."""
    return os.path.realpath(entry.path) if entry.is_symlink() else os.path.join(folder, entry.name)  # noqa: PTH118


def _members(path: Path) -> Iterator[tuple[str, Place]]:
    names = zips.names(path) if zips.is_zip(path) else list(archive.read_index(path).members)
    for member in names:
        name = posixpath.normpath(member.replace("\\", "/"))
        parts = name.split("/")
        hidden = any(part.startswith(".") or part in _PASSED_OVER for part in parts)  # `..` is among them
        if not hidden and not name.startswith("/"):
            yield name, Place(str(path), member)
