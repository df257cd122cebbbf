"""Tables of people: which column is what, whatever it is called, the delimiter is, or a spreadsheet has added."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from pixelwright.data.place import Place, to_text
from pixelwright.data.tree import is_picture
from pixelwright.errors import DataError, ImageError

PATHS = ("path", "file", "filename", "file_name", "filepath", "file_path", "image", "image_path", "imagepath", "img")
PATHS += ("img_path", "picture", "photo", "image_name", "image_id", "name", "id", "uri")
LABELS = ("label", "labels", "class", "classes", "category", "categories", "target", "class_name", "classname")
LABELS += ("label_name", "tag", "tags", "diagnosis", "species", "class_id", "classid", "label_id")
SPLIT_COLUMNS = ("split", "subset", "partition", "set", "fold", "usage", "phase")
BOXES = (
    ("x1", "y1", "x2", "y2"),
    ("xmin", "ymin", "xmax", "ymax"),
    ("x_min", "y_min", "x_max", "y_max"),
    ("left", "top", "right", "bottom"),
    ("roi.x1", "roi.y1", "roi.x2", "roi.y2"),
)
SIZED_BOXES = (("x", "y", "w", "h"), ("x", "y", "width", "height"), ("left", "top", "width", "height"))

_DELIMITERS = ",;\t|"
_HEAD_BYTES = 2**16


@dataclass(frozen=True, slots=True)
class Table:
    """A table with named columns.

    Attributes:
        name: Of the file.
        columns: Headings in lower case, as stated where they are none of ours.
        rows: Cells, as many as columns; rows that are shorter or longer are among the bad ones.
        bad: Line numbers of rows with another number of cells.
        lines: The line number of each row.
    """

    name: str
    columns: tuple[str, ...]
    rows: list[list[str]] = field(repr=False)
    bad: tuple[int, ...] = ()
    lines: tuple[int, ...] = ()

    def place(self, names: Sequence[str], but: Sequence[int] = ()) -> int | None:
        """Where the first of these columns is, of those that are not among the ones excepted."""
        places = (self.columns.index(name) for name in names if name in self.columns)
        return next((place for place in places if place not in but), None)

    def column(self, place: int) -> list[str]:
        """The cells of a column."""
        return [row[place] for row in self.rows]


@dataclass(frozen=True, slots=True)
class Roles:
    """Which column of a table is what.

    Attributes:
        path: Of the picture.
        label: The class, the classes, or the value; None where there is none.
        split: Or None.
        group: Or None.
        box: Four columns, and whether the last two are width and height; None where there are none.
        others: What remains.
    """

    path: int
    label: int | None
    split: int | None
    group: int | None
    box: tuple[tuple[int, ...], bool] | None
    others: tuple[int, ...]


def read_table(place: Place, name: str, *, only_head: bool = False) -> Table:
    """A table, or its first rows: any delimiter of `, ; tab |`, quoted or not, with headings or without.

    Raises:
        DataError: It is no text, or no table.
        ImageError: It cannot be read.
    """
    text = _head(place) if only_head else place.text()
    first = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=lambda one: (first.count(one), -_DELIMITERS.index(one)))
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True)
    try:
        numbered = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if any(row)]
    except csv.Error as err:
        raise DataError(f"{name}: is no table: line {reader.line_num}: {err}.") from err
    if not numbered:
        raise DataError(f"{name}: is an empty table. Expected headings and rows.")
    headings = tuple(cell.casefold() for cell in numbered[0][1])
    if is_picture(numbered[0][1][0]) and not set(headings) & set(PATHS):  # no headings: `a.jpg,cat,train`
        headings = ("path", "label", "split", *(f"column {place}" for place in range(4, len(headings) + 1)))
        headings = headings[: len(numbered[0][1])]
    else:
        numbered = numbered[1:]
    good = [(line, row) for line, row in numbered if len(row) == len(headings)]
    bad = tuple(line for line, row in numbered if len(row) != len(headings))
    return Table(name, headings, [row for _, row in good], bad, tuple(line for line, _ in good))


def _head(place: Place) -> str:
    """The first lines, whole."""
    data = place.head(_HEAD_BYTES)
    if len(data) == _HEAD_BYTES:
        data = data[: data.rfind(b"\n") + 1] or data
    return to_text(data, str(place))


def seems_of_pictures(place: Place) -> bool:
    """Whether the first line of a file that cannot be read as a table has a heading for paths, or a picture."""
    try:
        first = place.head(_HEAD_BYTES).partition(b"\n")[0].decode("latin-1")
    except ImageError:
        return False
    cells = [cell.strip(" \"'\r").casefold() for cell in re.split(f"[{_DELIMITERS}]", first)]
    return bool(set(cells) & set(PATHS)) or any(map(is_picture, cells))


def roles(table: Table, group: str) -> Roles | None:
    """Which column is what; None where no column is a path.

    Args:
        table: With at least the first rows.
        group: The heading of the group's column, or anything else.
    """
    path = table.place(PATHS)
    if path is None:
        return None
    box = None
    for names in BOXES:
        if set(names) <= set(table.columns):
            box = tuple(map(table.columns.index, names)), False
            break
    for names in SIZED_BOXES:
        if box is None and set(names) <= set(table.columns):
            box = tuple(map(table.columns.index, names)), True
    named = LABELS if "x" in table.columns else (*LABELS, "y")  # beside x it is a place
    label, split = table.place(named, box[0] if box else ()), table.place(SPLIT_COLUMNS)
    grouped = table.place((group.casefold(),)) if group else None
    taken = {path, label, split, grouped, *(box[0] if box else ())}
    others = tuple(place for place in range(len(table.columns)) if place not in taken)
    return Roles(path, label, split, grouped, box, others)


def number_of(cell: str) -> float | None:
    """The finite number in a cell, with a decimal point or comma; None where it is none."""
    try:
        number = float(cell.replace(",", ".") if cell.count(",") == 1 and "." not in cell else cell)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
