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
from pixelwright.errors import DataError

FILE = "groups.csv"
COLUMNS = ("path", "group")


def with_groups(dataset: Dataset, tree: Tree) -> Dataset:
    """The data set with the groups of its `groups.csv`, where there is one; groups that samples already have stay.

    Raises:
        DataError: The file is no such table.
        ImageError: It cannot be read.
    """
    if FILE not in tree.places:
        return dataset
    table = read_table(tree.places[FILE], FILE)
    if not set(COLUMNS) <= set(table.columns):
        raise DataError(f"{FILE}: expected the columns {', '.join(COLUMNS)}, got {', '.join(table.columns)}.")
    path, group = (table.columns.index(name) for name in COLUMNS)
    groups = {row[path]: row[group] for row in table.rows}
    samples = tuple(replace(one, group=one.group or groups.get(one.id, "")) for one in dataset.samples)
    alone = sum(not sample.group for sample in samples)
    faults = (Fault(FILE, f"does not name {alone} of the pictures; each is a group of its own"),) if alone else ()
    said = f"{len({one.group for one in samples if one.group}):,} groups by {FILE}"
    return replace(dataset, samples=samples, faults=(*dataset.faults, *faults), remarks=(*dataset.remarks, said))


def write_groups(rows: Iterable[tuple[str, str]], out: BinaryIO) -> None:
    """The table of (path, group), in UTF-8."""
    lines = io.TextIOWrapper(out, encoding="utf-8", errors="surrogateescape", newline="", write_through=True)
    writer = csv.writer(lines)
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    lines.detach()
