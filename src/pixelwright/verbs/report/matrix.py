"""A matrix as colored cells: who is taken for whom. It stays readable for many classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwright.verbs.report.axes import number
from pixelwright.verbs.report.charts import LETTER_PX, chart
from pixelwright.verbs.report.markup import grid, table, text

COUNTS_UP_TO = 16  # classes, with a number in each cell; further ones say theirs when pointed at
MOST_CLASSES = 120  # that a drawing shows; of more, those with most mistakes
LONGEST = 24  # letters of a name beside the cells
LISTED = 20  # mistakes in the table beside it


def confusion(title: str, matrix: npt.NDArray[Any], labels: Sequence[str], *, answers: Sequence[str] = ()) -> str:
    """A confusion matrix, each row colored by its share, and below it a table of the most frequent mistakes.

    Args:
        title: Above it.
        matrix: (K, K) counts: the row is the true class, the column the answer; (K, A) where there are other answers.
        labels: Of the rows.
        answers: Of the columns, where they are not the rows'.
    """
    columns = list(answers or labels)
    shown, remark = _most_mistaken(matrix, len(columns) == len(labels))
    rows = [labels[int(place)] for place in shown]
    kept = shown if len(columns) == len(labels) else np.arange(len(columns))
    drawing, size = _cells(matrix[np.ix_(shown, kept)], rows, [columns[int(place)] for place in kept], shown, kept)
    mistakes = _mistakes(matrix, labels, columns)
    words = "; ".join(f"{true} taken for {said} {number(count)} times" for true, said, count in mistakes[:5])
    below = (
        "Rows are the true classes, columns the answers; a cell is the darker the larger its share of the row. "
        f"Right answers in the first color, mistakes in the second. {remark}"
    )
    figure = chart(title, drawing, size, words or "no mistakes", below)
    listed = [[text(true), text(said), number(count)] for true, said, count in mistakes[:LISTED]]
    if not listed:
        return figure
    beside = table("The most frequent mistakes", ["Is", "Taken for", "Times"], listed, numbers=(2,))
    return grid("pair", figure, beside) if len(rows) <= COUNTS_UP_TO else figure + beside


def heatmap(
    title: str, matrix: npt.NDArray[Any], rows: Sequence[str], columns: Sequence[str], caption: str = ""
) -> str:
    """Numbers from 0 to 1 as colored cells, each with its value: what a change of the pictures does to a score."""
    drawing, size = _cells(matrix, rows, columns, np.arange(0), np.arange(0), shares=matrix)
    finite = matrix[np.isfinite(matrix)]
    words = f"between {number(finite.min())} and {number(finite.max())}" if finite.size else "no values"
    return chart(title, drawing, size, words)


def _most_mistaken(matrix: npt.NDArray[Any], square: bool) -> tuple[npt.NDArray[np.intp], str]:  # noqa: FBT001
    count = len(matrix)
    if count <= MOST_CLASSES:
        return np.arange(count), ""
    wrong = matrix.sum(axis=1) - (np.diag(matrix) if square else 0)
    kept = np.sort(np.argsort(-wrong, kind="stable")[:MOST_CLASSES])
    return kept, f"The {MOST_CLASSES} classes with most mistakes of {count}."


def _mistakes(matrix: npt.NDArray[Any], labels: Sequence[str], columns: Sequence[str]) -> list[tuple[str, str, float]]:
    wrong = [
        (labels[row], columns[column], float(matrix[row, column]))
        for row, column in np.argwhere(matrix > 0).tolist()
        if labels[row] != columns[column]
    ]
    return sorted(wrong, key=lambda one: -one[2])


def _cells(
    matrix: npt.NDArray[Any],
    rows: Sequence[str],
    columns: Sequence[str],
    row_ids: npt.NDArray[np.intp],
    column_ids: npt.NDArray[np.intp],
    *,
    shares: npt.NDArray[Any] | None = None,
) -> tuple[str, tuple[float, float]]:
    """The drawing and its size. Cells without a count are left out: most of a large matrix is empty."""
    side = float(np.clip(760 / max(1, len(columns)), 9, 44))
    letters = max((len(name) for name in (*rows, *columns)), default=1)
    type_px = float(np.clip(side * 0.82, 7, 13))
    room = min(LONGEST, letters) * LETTER_PX * type_px / 13 + 12
    depths = matrix / np.maximum(1, matrix.sum(axis=1, keepdims=True)) if shares is None else shares
    width, height = room + side * len(columns) + 8, room + side * len(rows) + 8
    parts = [f'<rect class="frame" x="{room}" y="{room}" width="{side * len(columns)}" height="{side * len(rows)}"/>']
    for place, name in enumerate(rows):
        y = room + side * (place + 0.5) + type_px * 0.35
        label = f'x="{room - 6:.1f}" y="{y:.1f}" text-anchor="end"'
        parts.append(f'<text class="strong" style="font-size:{type_px:.1f}px" {label}>{_name(name)}</text>')
    for place, name in enumerate(columns):
        x = room + side * (place + 0.5) + type_px * 0.35
        turned = f'transform="translate({x:.1f} {room - 6:.1f}) rotate(-90)"'
        parts.append(f'<text class="strong" style="font-size:{type_px:.1f}px" {turned}>{_name(name)}</text>')
    for row, column in np.argwhere(np.isfinite(matrix) & (matrix > 0)).tolist():
        right = not len(row_ids) or rows[row] == columns[column]
        place = (room + side * column, room + side * row)
        words = f"{rows[row]} → {columns[column]}: {number(matrix[row, column])}"
        written = max(len(rows), len(columns)) <= COUNTS_UP_TO
        share = float(depths[row, column])
        parts.append(_cell(place, side, (share, right), words, number(matrix[row, column]) if written else ""))
    return "".join(parts), (max(width, 320.0), height)


def _cell(place: tuple[float, float], side: float, value: tuple[float, bool], words: str, written: str) -> str:
    x, y = place
    share, right = value
    depth = 0.12 + 0.88 * min(1.0, share) ** 0.5  # a share of 1 % must be seen as well
    drawn = (
        f'<rect class="cell{"" if right else " off"}" x="{x + 0.5:.1f}" y="{y + 0.5:.1f}" width="{side - 1:.1f}" '
        f'height="{side - 1:.1f}" fill-opacity="{depth:.2f}"><title>{text(words)}</title></rect>'
    )
    if written:
        css = "on" if depth > 0.6 else "strong"
        size = min(13.0, 1.5 * side / max(1, len(written)))
        drawn += (
            f'<text class="{css}" style="font-size:{size:.1f}px" pointer-events="none" text-anchor="middle" '
            f'x="{x + side / 2:.1f}" y="{y + side / 2 + size * 0.35:.1f}">{written}</text>'
        )
    return drawn


def _name(name: str) -> str:
    if len(name) <= LONGEST:
        return text(name)
    return f"{text(name[: LONGEST - 1])}…<title>{text(name)}</title>"
