"""Columns of numbers to classes or values: the truth of arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwright.data.dataset import Kind
from pixelwright.data.layout import Hints
from pixelwright.data.pictures import Known
from pixelwright.data.stated import numbered_labels
from pixelwright.errors import DataError
from pixelwright.structures.targets import Classes, Values

Column = npt.NDArray[Any]  # (N,) or (N, K)


@dataclass(frozen=True, slots=True)
class Truths:
    """What columns say, understood together so that all splits have the same classes.

    Attributes:
        kind: Classes or values.
        labels: Their names.
        exclusive: Whether there is one class a row.
        known: For each column the truth of its rows.
        remark: How the numbers were understood.
    """

    kind: Kind
    labels: tuple[str, ...]
    exclusive: bool
    known: list[list[Known]]
    remark: str


def truths_of(columns: Sequence[Column], hints: Hints, beside: tuple[str, ...], where: str) -> Truths:
    """Whole numbers as classes, several columns of 0 and 1 as one class each, and other numbers as values.

    Args:
        columns: One for each split, (N,) or (N, K).
        hints: What the user says.
        beside: Names of the classes found beside the data.
        where: For messages.

    Raises:
        DataError: The columns do not fit each other, or are no finite numbers.
    """
    tables = [column[:, None] if column.ndim == 1 else column for column in columns]
    widths = sorted({table.shape[1] for table in tables})
    if len(widths) != 1:
        raise DataError(f"{where}: expected the same number of columns of truth in every split, got {widths}.")
    joined = np.concatenate(tables)
    if joined.dtype.kind not in "iufb" or (joined.dtype.kind == "f" and not np.isfinite(joined).all()):
        raise DataError(f"{where}: expected finite numbers as classes or values, got {joined.dtype}.")
    whole = joined.dtype.kind in "iub" or bool((joined == np.rint(joined)).all())
    if not hints.allow("classes") or not whole:
        return _values(tables, hints, widths[0], where)
    given = hints.labels or beside
    if widths[0] > 1:
        return _several(tables, joined, given, where)
    if joined.size and joined.min() < 0:
        raise DataError(f"{where}: expected classes from 0 up, got {int(joined.min())}.")
    labels = numbered_labels(int(joined.max()) + 1 if joined.size else 0, given, where)
    known = [Known(Classes((number,))) for number in range(len(labels))]
    rows = [[known[int(number)] for number in table[:, 0]] for table in tables]
    return Truths("classes", labels, True, rows, f"{len(labels)} classes from whole numbers")


def _values(tables: Sequence[Column], hints: Hints, width: int, where: str) -> Truths:
    if not hints.allow("values"):
        raise DataError(f"{where}: expected classes, whole numbers from 0 up; got numbers with fractions.")
    names = hints.labels or (("value",) if width == 1 else tuple(f"value_{place}" for place in range(width)))
    if len(names) != width:
        raise DataError(f"{where}: {width} columns of values, but {len(names)} labels. Name each.")
    rows = [[Known(Values(tuple(map(float, row)))) for row in table.tolist()] for table in tables]
    return Truths("values", tuple(names), True, rows, f"{width} values a sample")


def _several(tables: Sequence[Column], joined: Column, given: tuple[str, ...], where: str) -> Truths:
    if ((joined != 0) & (joined != 1)).any():
        raise DataError(f"{where}: expected 0 or 1 in each of the {joined.shape[1]} columns of classes.")
    labels = numbered_labels(joined.shape[1], given, where)
    if len(labels) != joined.shape[1]:
        raise DataError(f"{where}: {joined.shape[1]} columns of classes, but {len(labels)} labels. Name each.")
    exclusive = bool((joined.sum(axis=1) == 1).all())
    rows = [[Known(Classes(tuple(np.flatnonzero(row).tolist()))) for row in table] for table in tables]
    how = "exactly one a sample" if exclusive else "any number a sample"
    return Truths("classes", labels, exclusive, rows, f"{len(labels)} classes from columns of 0 and 1, {how}")
