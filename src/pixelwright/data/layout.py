"""Layout: a way in which people keep pictures and their truth. One module a layout, found by the registry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pixelwright.data.dataset import Dataset, Kind


@dataclass(frozen=True, slots=True)
class Hints:
    """What the user says of the data; nothing of it has to be said.

    Attributes:
        kind: What is true of the samples, where a layout can hold several kinds.
        labels: Names of the classes, in order, where the data has only numbers.
        void_id: The value of label maps that means "not known".
        group: A column of the table, or a regular expression with one group `(...)` matched against a sample's id.
    """

    kind: Kind | None = None
    labels: tuple[str, ...] = ()
    void_id: int | None = None
    group: str = ""


@dataclass(frozen=True, slots=True)
class Layout:
    """The registry's row.

    Attributes:
        name: Registry name, as in `--layout coco`.
        summary: One line for the documentation.
        kinds: What it can hold.
        recognize: A folder or file to why it is of this layout ("data.yaml with names and paths"), or None. Quick:
            it looks at names and the heads of files.
        read: `(path, hints)`: the data set; raises `DataError` where nothing of it can be used.
    """

    name: str
    summary: str
    kinds: frozenset[Kind]
    recognize: Callable[[Path], str | None]
    read: Callable[[Path, Hints], Dataset]
