"""An index of embeddings on disk: read in blocks, whatever its size.

```
IDX/index.json           what the vectors are of, and which shards and marks hold; replaced as a whole
IDX/shards/NAME.npy      vectors (n, D) float32 of unit length, mapped into memory
IDX/shards/NAME.jsonl    the picture of each row: path, size in bytes, time of change, SHA-256, rows and columns
IDX/shards/marks-N.npy   (rows,) uint8: live, vanished (the file is gone), or replaced (a later row holds its vector)
IDX/cells.faiss, cells.json   the vectors sorted into cells, where there are many (see `cells`)
IDX/failed.jsonl         what could not be read when pictures were last added
```

Files are written under new names and stand in `index.json` only when they are whole, so a reader never sees half of
anything, and a kill at any moment loses no more than the pictures of the last seconds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Meta

from pixelwright.errors import IndexUnusable

FORMAT = "pixelwright-index/1"
INDEX_FILE = "index.json"
SHARDS = "shards"
LIVE, VANISHED, REPLACED = 0, 1, 2
BLOCK_BYTES = 1 << 25  # of vectors at a time

Vectors = npt.NDArray[np.float32]  # (n, D)
Marks = npt.NDArray[np.uint8]
ShardName = Annotated[str, Meta(pattern=r"^[0-9]{1,18}$(?!\n)")]
Rows = Annotated[int, Meta(ge=1, le=1 << 40)]


class Shard(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Consecutive rows in files of one name."""

    name: ShardName
    rows: Rows


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`index.json`.

    `space` says what the vectors are of, `model` and `bundle` by which name and in which folder their model is found.
    `threshold` is the least similarity of near-duplicates, where the model's contract states it. `dimension` is 0
    until there is a vector; `generation` counts the changes.
    """

    format: Literal["pixelwright-index/1"]
    space: str
    model: str
    bundle: str
    threshold: Annotated[float, Meta(ge=0, le=1)] | None = None
    dimension: Annotated[int, Meta(ge=0, le=1 << 20)] = 0
    generation: Annotated[int, Meta(ge=0, le=1 << 60)] = 0
    count: Annotated[int, Meta(ge=0)] = 0
    shards: tuple[Shard, ...] = ()
    marks: Annotated[str, Meta(pattern=r"^marks-[0-9]{1,19}\.npy$(?!\n)")] | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """The picture of one row, as it was when its vector was made.

    Attributes:
        path: Absolute, or the address of what is no file.
        bytes: Size of the file; 0 of what is no file.
        mtime_ns: When it was last changed; 0 of what is no file.
        sha256: Of its bytes; empty of what is no file.
        size_hw: Rows and columns of the upright picture.
    """

    path: str
    bytes: int
    mtime_ns: int
    sha256: str
    size_hw: tuple[int, int]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as written to JSON lines."""
        return asdict(self)

    @classmethod
    def of_line(cls, line: bytes) -> Entry:
        """What one line of a shard says."""
        said = json.loads(line)
        return cls(said["path"], said["bytes"], said["mtime_ns"], said["sha256"], tuple(said["size_hw"]))


@dataclass(frozen=True, eq=False)
class Index:
    """An index as it was when it was opened; rows are numbered from 0 in the order in which they came.

    Attributes:
        folder: Where it lies.
        manifest: What it holds.
        marks: (rows,) of each row: `LIVE`, `VANISHED` or `REPLACED`.
        kept: What is worth keeping from one search to the next.
    """

    folder: Path
    manifest: Manifest
    marks: Marks
    kept: dict[str, Any] = field(default_factory=dict, repr=False)
    _mapped: dict[str, Vectors] = field(default_factory=dict, repr=False)
    _lines: dict[str, tuple[Any, npt.NDArray[np.int64]]] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return self.manifest.count

    @property
    def live(self) -> int:
        """Rows whose picture is there."""
        return int(np.count_nonzero(self.marks == LIVE))

    def blocks(self) -> Iterator[tuple[int, Vectors]]:
        """All vectors in order, in blocks of bounded size, each with the number of its first row."""
        most = max(1, BLOCK_BYTES // (4 * max(self.manifest.dimension, 1)))
        for first, shard in self._places():
            vectors = self._vectors(shard)
            for start in range(0, shard.rows, most):
                yield first + start, vectors[start : start + most]

    def vectors(self, rows: Sequence[int] | npt.NDArray[np.int64]) -> Vectors:
        """The vectors of some rows, in their order."""
        wanted = np.asarray(rows, np.int64)
        found = np.empty((len(wanted), self.manifest.dimension), np.float32)
        for first, shard in self._places():
            here = np.flatnonzero((wanted >= first) & (wanted < first + shard.rows))
            if len(here):
                found[here] = self._vectors(shard)[wanted[here] - first]
        return found

    def entry(self, row: int) -> Entry:
        """The picture of a row."""
        for first, shard in self._places():
            if row < first + shard.rows:
                text, ends = self._text(shard)
                place = row - first
                return self._entry(shard, text[ends[place - 1] if place else 0 : ends[place]].tobytes())
        raise IndexError(f"row {row}: the index has {len(self)}.")

    def entries(self) -> Iterator[Entry]:
        """All pictures in the order of their rows."""
        for _, shard in self._places():
            try:
                with self._file(shard, "jsonl").open("rb") as lines:
                    count = 0
                    for line in lines:
                        yield self._entry(shard, line)
                        count += 1
            except OSError as err:
                raise self._damaged(shard, "jsonl", err.strerror or err) from err
            if count != shard.rows:
                raise self._damaged(shard, "jsonl", f"{count} lines for {shard.rows} rows")

    def _places(self) -> Iterator[tuple[int, Shard]]:
        first = 0
        for shard in self.manifest.shards:
            yield first, shard
            first += shard.rows

    def _file(self, shard: Shard, ending: str) -> Path:
        return self.folder / SHARDS / f"{shard.name}.{ending}"

    def _vectors(self, shard: Shard) -> Vectors:
        if shard.name not in self._mapped:
            vectors = _mapped(self._file(shard, "npy"), np.dtype(np.float32), (shard.rows, self.manifest.dimension))
            self._mapped[shard.name] = vectors
        return self._mapped[shard.name]

    def _text(self, shard: Shard) -> tuple[Any, npt.NDArray[np.int64]]:
        """The lines of a shard as bytes, and where each ends."""
        if shard.name not in self._lines:
            try:
                text = np.memmap(self._file(shard, "jsonl"), np.uint8, "r")
            except (OSError, ValueError) as err:
                raise self._damaged(shard, "jsonl", err) from err
            ends = np.flatnonzero(text == ord("\n")) + 1
            if len(ends) != shard.rows:
                raise self._damaged(shard, "jsonl", f"{len(ends)} lines for {shard.rows} rows")
            self._lines[shard.name] = text, ends
        return self._lines[shard.name]

    def _entry(self, shard: Shard, line: bytes) -> Entry:
        try:
            return Entry.of_line(line)
        except (ValueError, KeyError, TypeError) as err:
            raise self._damaged(shard, "jsonl", err) from err

    def _damaged(self, shard: Shard, ending: str, what: object) -> IndexUnusable:
        now = read_manifest(self.folder)
        if now is None or now.generation != self.manifest.generation:
            return IndexUnusable(f"{self.folder} was changed meanwhile. Run the command again.")
        return _damaged(self._file(shard, ending), what)


def open_index(folder: str | Path) -> Index:
    """An index, ready to be searched.

    Raises:
        IndexUnusable: There is none, it is damaged, or of a later version.
    """
    folder = Path(folder)
    while True:
        manifest = read_manifest(folder)
        if manifest is None:
            raise IndexUnusable(
                f"{folder} holds no index: there is no {INDEX_FILE}. Make one with: pixelwright embed PICTURES "
                f"--index {folder}"
            )
        try:
            index = Index(folder, manifest, _marks(folder, manifest))
            for shard in manifest.shards:  # at once, so that damage shows before an answer is half given
                index._vectors(shard)
        except IndexUnusable:
            now = read_manifest(folder)
            if now is None or now.generation == manifest.generation:
                raise
        else:
            return index


def read_manifest(folder: Path) -> Manifest | None:
    """What the index of a folder holds; None where there is none.

    Raises:
        IndexUnusable: It is damaged, or of a later version.
    """
    path = folder / INDEX_FILE
    try:
        text = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as err:
        raise IndexUnusable(f"cannot read {path}: {err.strerror or err}.") from err
    try:
        said = json.loads(text)
        written = said.get("format") if isinstance(said, dict) else None
        if isinstance(written, str) and written != FORMAT:
            raise IndexUnusable(
                f"{folder}: the index has format {written}, this version reads {FORMAT}. Build it anew."
            )
        manifest = msgspec.convert(said, Manifest)
        if sum(shard.rows for shard in manifest.shards) != manifest.count:
            raise ValueError("its shards do not add up to its count")
    except (ValueError, msgspec.ValidationError) as err:
        raise _damaged(path, err) from err
    return manifest


def _marks(folder: Path, manifest: Manifest) -> Marks:
    if manifest.marks is None:
        return np.zeros(manifest.count, np.uint8)
    marks = _mapped(folder / SHARDS / manifest.marks, np.dtype(np.uint8), None)
    if marks.ndim != 1 or len(marks) > manifest.count:
        raise _damaged(folder / SHARDS / manifest.marks, f"marks {marks.shape} for {manifest.count} rows")
    # Rows that came after the marks were written are live.
    return np.concatenate((marks, np.zeros(manifest.count - len(marks), np.uint8)))


def _mapped(path: Path, dtype: np.dtype[Any], shape: tuple[int, ...] | None) -> Any:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as err:
        raise _damaged(path, err) from err
    if array.dtype != dtype or (shape is not None and array.shape != shape):
        raise _damaged(path, f"it holds {array.shape} {array.dtype}, expected {shape or 'one row'} {dtype}")
    return array


def _damaged(path: Path, what: object) -> IndexUnusable:
    said = what.strerror or what if isinstance(what, OSError) else what
    return IndexUnusable(f"{path} is damaged or missing ({str(said).rstrip('.')}). Remove the index and build it anew.")
