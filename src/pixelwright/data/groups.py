"""`groups.csv` beside the pictures of any layout: which belong together, in the columns path and group.

```
path,group
train/cat/a.png,patient 7
train/cat/a-v1.png,patient 7
```
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import replace
from typing import BinaryIO

from pixelwright.data.dataset import Dataset, Fault
from pixelwright.data.table_reading import read_table
from pixelwright.data.tree import Tree
from pixelwright.errors import PixelwrightError

FILE = "groups.csv"
COLUMNS = ("path", "group")


def holds_groups(tree: Tree) -> bool:
    """Whether there is a `groups.csv`, and it is not a table of something else; of one that is damaged nobody knows."""
    if FILE not in tree.places:
        return False
    try:
        return set(COLUMNS) <= set(read_table(tree.places[FILE], FILE, only_head=True).columns)
    except PixelwrightError:
        return True


def with_groups(dataset: Dataset, tree: Tree, wrapping: Tree) -> Dataset:
    """The data set with the groups of its `groups.csv`, where there is one; groups that samples already have stay.

    Args:
        dataset: As read.
        tree: Its files.
        wrapping: Those around it, among which the table may be too.

    Raises:
        DataError: The file is no table.
        ImageError: It cannot be read.
    """
    holder = next(filter(holds_groups, (tree, wrapping)), None)
    if holder is None:
        return dataset
    table = read_table(holder.places[FILE], FILE)
    path, group = (table.columns.index(name) for name in COLUMNS)
    outside = "" if holder is tree else f"{tree.root.relative_to(holder.root).as_posix()}/"
    ids = {sample.id for sample in dataset.samples}
    groups: dict[str, str] = {}
    unknown: list[tuple[str, str]] = []
    faults: list[Fault] = []
    for line, row in zip(table.lines, table.rows, strict=True):
        where, stated = f"{FILE} line {line}", row[path].removeprefix(outside)
        name = stated if stated in ids else tree.find(stated)
        if name not in ids:
            unknown.append((where, row[path]))
        elif groups.setdefault(name, row[group]) != row[group]:
            faults.append(Fault(where, f"a second group for {name}; the first one counts"))
    if unknown:
        where, stated = unknown[0]
        faults.append(Fault(where, f"{stated!r} is no picture of the data; {len(unknown)} such in all"))
    samples = tuple(replace(one, group=one.group or groups.get(one.id, "")) for one in dataset.samples)
    if alone := sum(not sample.group for sample in samples):
        faults.append(Fault(FILE, f"does not name {alone} of the pictures; each is a group of its own"))
    count = len({one.group for one in samples if one.group})
    said = f"{count:,} group{'' if count == 1 else 's'} by {FILE}"
    return replace(dataset, samples=samples, faults=(*dataset.faults, *faults), remarks=(*dataset.remarks, said))


def write_groups(rows: Iterable[tuple[str, str]], out: BinaryIO) -> None:
    """The table of (path, group), in UTF-8; what is no valid Unicode in the name of a group stands as escapes."""
    lines = io.TextIOWrapper(out, encoding="utf-8", errors="backslashreplace", newline="", write_through=True)
    writer = csv.writer(lines)
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    lines.detach()
