"""Export: what a job found, written in a layout that other tools read. One module a layout, found by the registry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """The records of a finished job, and what is needed to read them.

    Attributes:
        records: All of them in order, anew at each call, read from disk as they are asked for: there may be millions.
            Each has `path`, `name` (relative, unique without its ending), and either `error`, or `size_hw` (rows and
            columns of the upright image) and the result's `to_dict`. Those of a video's frames have its `path`, a
            `name` of their own, `frame` and `time_s`.
        result: The type of the results, with `from_dict`.
        labels: All classes of the model, in order.
        keypoints: Names of the keypoints, in order.
        skeleton: Which keypoints are joined.
        columns: Headings of the task's table.
        rows: A record to rows under these headings.
        model: Name and version.
    """

    records: Callable[[], Iterator[Record]]
    result: type
    labels: tuple[str, ...]
    keypoints: tuple[str, ...]
    skeleton: tuple[tuple[str, str], ...]
    columns: tuple[str, ...]
    rows: Callable[[Record], list[Record]]
    model: str

    def sound(self) -> Iterator[Record]:
        """The records without those of failures."""
        return (record for record in self.records() if "error" not in record)


@dataclass(frozen=True, slots=True)
class Export:
    """One layout.

    Attributes:
        name: Registry name, as in `--export coco`.
        summary: One line for the documentation.
        results: Types of results that it can hold; empty for all.
        write: `(found, folder)`: write into a folder that exists, whole or not at all; raises `OSError` as it comes.
        available: None where it can be used here, else what to install, without a full stop.
    """

    name: str
    summary: str
    results: tuple[type, ...]
    write: Callable[[Found, Path], None]
    available: Callable[[], str | None] = lambda: None
