"""Layout: a way in which people keep pictures and their truth. One module a layout, found by the registry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from pixelwright.data.dataset import Dataset, Kind
from pixelwright.data.tree import Tree

# What a layout is known by, the strongest first: a file that says what there is; names of folders and files that
# belong together; or merely that there are pictures. A stronger one outranks a weaker one.
Evidence = Literal["description", "arrangement", "pictures"]


@dataclass(frozen=True, slots=True)
class Hints:
    """What the user or the task says of the data; nothing of it has to be said.

    Attributes:
        kinds: What may be true of the samples; empty for anything. A layout that holds several takes the first of
            its own that is among them.
        labels: Names of the classes, in order, where the data has only numbers.
        void_id: The value of label maps that means "not known".
        group: A column of the table, or a regular expression with one group `(...)` searched in a sample's id.
    """

    kinds: frozenset[Kind] = frozenset()
    labels: tuple[str, ...] = ()
    void_id: int | None = None
    group: str = ""

    def allow(self, kind: Kind) -> bool:
        """Whether this may be true of the samples."""
        return not self.kinds or kind in self.kinds


@dataclass(frozen=True, slots=True)
class Doubt:
    """Files that seem to be of a layout and are not read as such: a mistake in them is likely, and would go unseen.

    Attributes:
        where: File, and row within, or folder.
        what: Why not, as in a `Fault`.
        grave: Whether they look like the layout's own, so that the data would be misunderstood without them. Others
            may well be about something else.
    """

    where: str
    what: str
    grave: bool = True


@dataclass(frozen=True, slots=True)
class Layout:
    """The registry's row.

    Attributes:
        name: Registry name, as in `--layout coco`.
        summary: One line for the documentation.
        kinds: What it can hold.
        evidence: What it is known by.
        recognize: `(tree, hints)`: why the files of a folder or archive are of this layout ("data.yaml with names and
            paths"), a doubt, or None. Quick: it looks at names and the heads of files.
        read: `(tree, hints)`: the data set; raises `DataError` where nothing of it can be used.
    """

    name: str
    summary: str
    kinds: frozenset[Kind]
    evidence: Evidence
    recognize: Callable[[Tree, Hints], str | Doubt | None]
    read: Callable[[Tree, Hints], Dataset]
