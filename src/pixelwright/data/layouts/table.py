"""Tables: a CSV file with a row for each picture, or for each thing in one.

```
path,label,split           one class             a.jpg,cat,train
path,labels                several classes       a.jpg,cat|dog      or cat;dog
path,cat,dog,bird          several classes       a.jpg,1,0,1
path,age                   numbers               a.jpg,31.5
file,class,x1,y1,x2,y2     boxes in pixels       a.jpg,cat,10,10,50,60      or x,y,w,h
```

Columns are known by their names, of which many are understood; delimiters are `,` `;` tab and `|`; marks at the
beginning, Windows line ends and quotes do not matter. Paths are relative to the table, to a folder called as the table
is (`train.csv`, `train/`), or to `images/`; endings may be missing. A table `train.csv` or `test.csv` names the split
of its rows, unless there is a column that does.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import compress, groupby

from pixelwright.data import groups
from pixelwright.data.dataset import Dataset, Fault, Kind, Sample, SplitName
from pixelwright.data.layout import Doubt, Hints, Layout
from pixelwright.data.lookup import Lookup, remarks_on_strays
from pixelwright.data.pictures import FilePicture, Known
from pixelwright.data.stated import labels_beside, split_of, split_of_path, split_within
from pixelwright.data.table_reading import Roles, Table, number_of, read_table, roles, seems_of_pictures
from pixelwright.data.things import Box, Thing, Things
from pixelwright.data.tree import Tree, is_picture, stem
from pixelwright.errors import DataError, PixelwrightError, UsageError
from pixelwright.structures.targets import Classes, Values

_ASIDE = re.compile(r"submission[^/]*$|class_dict\.csv$")
_MISSING = frozenset({"", "-", "?", "na", "n/a", "nan", "none", "null", "inf", "+inf", "-inf"})
_SEPARATORS = ("|", ";")  # between the classes of a picture

_Understood = tuple[Kind, tuple[str, ...], bool, list[Sample], str]


@dataclass(frozen=True, slots=True)
class _Row:
    """A row with its picture; empty where that is yet to be found."""

    where: str
    picture: str
    lookup: Lookup
    cells: list[str]
    roles: Roles
    split: SplitName
    group: str


def recognize(tree: Tree, hints: Hints) -> str | Doubt | None:
    """Whether there is a table that names pictures and says what is true of them."""
    return _look(tree, hints)[1]


def _look(tree: Tree, hints: Hints) -> tuple[list[str], str | Doubt | None]:
    """The outermost tables of which one says what is true of pictures; why they are such, or a doubt, or None."""
    aside = {groups.FILE} if groups.holds_groups(tree) else set[str]()
    named = [one for one in tree.with_suffix(".csv", ".tsv") if one not in aside and not _ASIDE.search(one.casefold())]
    by_depth = [list(names) for _, names in groupby(sorted(named, key=_depth), _depth)]
    left: list[Doubt] = []
    for names in by_depth:
        for name in names:
            answer = _answer(tree, name, hints)
            if isinstance(answer, str):
                return names, answer
            left += [answer] if answer else []
        if any(doubt.grave for doubt in left):
            break
    return by_depth[0] if by_depth else [], min(left, key=lambda one: not one.grave, default=None)


def _depth(name: str) -> int:
    return name.count("/")


def _answer(tree: Tree, name: str, hints: Hints) -> str | Doubt | None:
    """Why a table is one of pictures and of what is true of them, or a doubt, or None."""
    try:
        table = read_table(tree.places[name], name, only_head=True)
    except PixelwrightError as err:
        return Doubt(name, Fault.of(name, err).what) if seems_of_pictures(tree.places[name]) else None
    found = roles(table, hints.group)
    if found is None or not table.rows:
        return None
    stated, lookup = table.column(found.path), _lookup(tree, name, "")
    there = any(map(lookup.find, stated))
    if there and _says(table, found):
        return f"the table {name} with the columns {', '.join(table.columns[:6])}"
    if there:
        what = f"has the columns {', '.join(table.columns[:6])}, none of which holds classes, values or boxes"
        alone = len(found.others) == 1  # a single one is hardly there for anything else
        called = "`label`; of groups `group`, beside `path`" if name == groups.FILE else "`label`"
        return Doubt(name, f"{what}; one of classes is called {called}", grave=alone)
    if _says(table, found) and tree.pictures and sum(map(is_picture, stated)) * 2 > len(stated):
        what = f"{tree.missing(stated[0])}, nor are others that its rows name"
        return Doubt(f"{name} line {table.lines[0]}", what)
    return None


def read(tree: Tree, hints: Hints) -> Dataset:
    """Every row whose picture is there.

    Raises:
        DataError: No table can be used.
        UsageError: There is no such column of groups.
    """
    faults: list[Fault] = []
    rows: list[_Row] = []
    columns: tuple[str, ...] = ()
    names = []
    for name in _look(tree, hints)[0]:
        table = read_table(tree.places[name], name)
        found = roles(table, hints.group)
        if found is None:
            continue
        if not _says(table, found):
            what = "has no column of classes, values or boxes; its pictures are left out"
            faults.append(Fault(name, what, len(table.rows)))
            continue
        if hints.group and found.group is None and "(" not in hints.group:
            what = f"is no column of {name}, which has {', '.join(table.columns)}"
            raise UsageError(f"group {hints.group!r}: {what}; nor is it a pattern, which has parentheses.")
        added = list(_rows(tree, table, found, faults))
        if added and columns and table.columns != columns:
            raise DataError(
                f"{name}: has the columns {', '.join(table.columns)}; another table has {', '.join(columns)}."
            )
        if added:
            columns, names = table.columns, [*names, name]
        rows += added
    rows, strays = _settled(rows, faults)
    if not rows:
        why = f" {faults[0].where}: {faults[0].what}." if faults else ""
        raise DataError(f"{tree.root}: no table with a column `path` and pictures that are there.{why}")
    given = hints.labels or (beside[0] if (beside := labels_beside(tree)) else ())
    kind, labels, exclusive, samples, remark = _understand(tree, rows, columns, given, hints, faults)
    samples.sort(key=lambda sample: sample.id)
    remarks = (f"tables {', '.join(names)} with the columns {', '.join(columns)}", remark, *strays)
    return Dataset(tree.root, "csv", kind, labels, tuple(samples), exclusive, faults=tuple(faults), remarks=remarks)


def _rows(tree: Tree, table: Table, found: Roles, faults: list[Fault]) -> Iterator[_Row]:
    if table.bad:
        what = f"has another number of cells than the {len(table.columns)} headings"
        faults.append(Fault(f"{table.name} line {table.bad[0]}", what, len(table.bad)))
    lookups: dict[SplitName, Lookup] = {}
    for line, cells, split in zip(table.lines, table.rows, _splits(table, found.split, faults), strict=True):
        if split is None:
            continue
        lookup = lookups.get(split) or lookups.setdefault(split, _lookup(tree, table.name, split))
        where, stated = f"{table.name} line {line}", cells[found.path]
        picture = lookup.find(stated) or ""
        if not split and picture in (several := lookup.may_be(stated)):
            what = f"{stated!r} may be any of {', '.join(several)}; state its folder, or the split"
            faults.append(Fault(where, what, lost=1))
            continue
        yield _Row(where, picture, lookup, cells, found, split, cells[found.group] if found.group is not None else "")


def _lookup(tree: Tree, table: str, split: SplitName) -> Lookup:
    folder, _, last = table.rpartition("/")
    prefix = f"{folder}/" if folder else ""
    places = [*tree.tops, f"{prefix}images/{stem(last)}", f"{prefix}images", f"{prefix}{stem(last)}"]
    return Lookup.of(tree, split, places, folder)


def _settled(rows: list[_Row], faults: list[Fault]) -> tuple[list[_Row], tuple[str, ...]]:
    """The rows whose pictures are there, and what is to be said of those that lie in folders of another split."""
    claimed: dict[str, SplitName] = {row.picture: row.split for row in rows if row.picture}
    settled: list[_Row] = []
    strays: dict[str, SplitName] = {}
    for row in rows:
        if row.picture:
            settled.append(row)
            continue
        picture, why = row.lookup.elsewhere(row.cells[row.roles.path], claimed)
        if picture is None:
            faults.append(Fault(row.where, why, lost=1))
        else:
            strays[picture] = row.split
            settled.append(replace(row, picture=picture))
    return settled, remarks_on_strays(strays.items())


def _splits(table: Table, column: int | None, faults: list[Fault]) -> list[SplitName | None]:
    """The split of each row, which the table's name or folder says where no column does; None of one not known.

    Such a row is in some part, but nobody can say whether it may be learned from. A column without any split in it,
    such as one of the numbers of folds, is not used.
    """
    folder, _, last = table.name.rpartition("/")
    by_name: SplitName = split_within(stem(last)) or split_of_path(folder)
    cells = [""] * len(table.rows) if column is None else table.column(column)
    found: list[SplitName | None] = [split_of(cell) if cell else by_name for cell in cells]
    unknown = Counter(cell for cell, split in zip(cells, found, strict=True) if split is None)
    if column is not None and unknown and not any(map(split_of, cells)):
        what = f"column {table.columns[column]!r} holds {', '.join(sorted(unknown)[:5])}, no splits; it is not used"
        faults.append(Fault(table.name, what))
        return [by_name] * len(cells)
    for value, count in unknown.items():
        where = f"{table.name} line {table.lines[cells.index(value)]}"
        what = f"has the split {value!r}, expected train, validation, calibration or test; rows with it are left out"
        faults.append(Fault(where, what, lost=count))
    return found


def _says(table: Table, found: Roles) -> bool:
    """Whether a table says something of its pictures: classes, boxes, or nothing but numbers."""
    numbers = bool(found.others) and all(_is_of_numbers(table.column(place)) for place in found.others)
    return found.label is not None or found.box is not None or numbers


def _is_of_numbers(cells: Iterable[str]) -> bool:
    """Whether most cells are numbers, of those in which anything is."""
    known = [number_of(cell) is not None for cell in cells if cell.casefold() not in _MISSING]
    return sum(known) * 2 > len(known)


def _understand(
    tree: Tree, rows: list[_Row], columns: Sequence[str], given: tuple[str, ...], hints: Hints, faults: list[Fault]
) -> _Understood:
    """Kind, labels, whether these exclude each other, samples, and how the columns were understood."""
    first = rows[0].roles
    if first.box is not None and hints.allow("boxes"):
        labels, number = _numbered(rows, given)
        return "boxes", labels, True, _boxed(tree, rows, number, faults), "a box in pixels in each row"
    rows = list(_once(rows, faults))
    places = first.others if first.label is None else (first.label,)
    names = given or tuple(columns[place] for place in places)
    numbers = [[number_of(row.cells[place]) for place in places] for row in rows]
    stated = [value for values in numbers for value in values if value is not None]
    if first.label is None:
        if not places:
            raise DataError(f"{tree.root}: the table says nothing of its pictures. Add a column `label`.")
        if len(places) > 1 and hints.allow("classes") and all(value in (0, 1) for value in stated):
            return _flagged(tree, rows, numbers, names, faults)
        return "values", names, True, _valued(tree, rows, numbers, faults), "numbers in columns"
    # Cells in which nothing is do not decide what the others are.
    numeric = bool(stated) and len(stated) == sum(row.cells[first.label].casefold() not in _MISSING for row in rows)
    if not hints.allow("classes") or (numeric and not all(map(float.is_integer, stated))):
        return "values", names, True, _valued(tree, rows, numbers, faults), "a number in each row"
    if numeric:
        rows, _ = _complete(rows, numbers, "has no class", faults)
    return _classes(tree, rows, given, faults)


def _flagged(
    tree: Tree, rows: list[_Row], numbers: list[list[float | None]], names: tuple[str, ...], faults: list[Fault]
) -> _Understood:
    """Classes from a column of 0 and 1 for each."""
    rows, flags = _complete(rows, numbers, "has a class with neither 0 nor 1", faults)
    truths = [Known(Classes(tuple(place for place, flag in enumerate(row) if flag))) for row in flags]
    exclusive = all(sum(row) == 1 for row in flags)
    return "classes", names, exclusive, _samples(tree, rows, truths), "a column of 0 and 1 for each class"


def _complete(
    rows: list[_Row], numbers: list[list[float | None]], what: str, faults: list[Fault]
) -> tuple[list[_Row], list[tuple[float, ...]]]:
    """The rows in which no number is missing, and their numbers; each other one is a fault."""
    whole = [tuple(value for value in values if value is not None) for values in numbers]
    sound = [len(found) == len(values) for found, values in zip(whole, numbers, strict=True)]
    faults += (Fault(row.where, what, lost=1) for row, kept in zip(rows, sound, strict=True) if not kept)
    return list(compress(rows, sound)), list(compress(whole, sound))


def _once(rows: Iterable[_Row], faults: list[Fault]) -> Iterator[_Row]:
    """Each picture once, by its first row."""
    seen: set[str] = set()
    for row in rows:
        if row.picture in seen:
            faults.append(Fault(row.where, f"a second row for {row.picture}; it is left out", lost=1))
        else:
            seen.add(row.picture)
            yield row


def _classes(tree: Tree, rows: list[_Row], given: tuple[str, ...], faults: list[Fault]) -> _Understood:
    label = rows[0].roles.label or 0
    cells = [row.cells[label] for row in rows]
    separator = next((one for one in _SEPARATORS if any(one in cell for cell in cells)), None)
    if separator is None:
        labels, number = _numbered(rows, given)
        known = {name: Known(Classes((place,))) for name, place in number.items()}
        kept = []
        for row in rows:
            if row.cells[label] in known:
                kept.append(row)
            else:
                what = f"has the unknown class {row.cells[label]!r}" if row.cells[label] else "has no class"
                faults.append(Fault(row.where, what, lost=1))
        truths = [known[row.cells[label]] for row in kept]
        return "classes", labels, True, _samples(tree, kept, truths), f"one class in each row, {len(labels)} in all"
    parts = [[part.strip() for part in cell.split(separator) if part.strip()] for cell in cells]
    labels = given or tuple(sorted({part for row in parts for part in row}, key=_natural))
    place_of = {name: place for place, name in enumerate(labels)}
    for row, names in zip(rows, parts, strict=True):
        faults += (Fault(row.where, f"has the unknown class {one!r}", 1) for one in names if one not in place_of)
    truths = [Known(Classes(tuple(sorted({place_of[one] for one in row if one in place_of})))) for row in parts]
    return "classes", labels, False, _samples(tree, rows, truths), f"several classes in a row, {len(labels)} in all"


def _numbered(rows: Iterable[_Row], given: tuple[str, ...]) -> tuple[tuple[str, ...], dict[str, int]]:
    """The labels, and what stands in the column of the class to its position in them."""
    present = Counter("thing" if row.roles.label is None else row.cells[row.roles.label] for row in rows)
    present.pop("", None)
    if given and all(cell.isdecimal() for cell in present) and not set(present) <= set(given):
        return given, {cell: int(cell) for cell in present if int(cell) < len(given)}
    labels = given or tuple(sorted(present, key=_natural))
    return labels, {name: place for place, name in enumerate(labels)}


def _natural(name: str) -> tuple[float, str]:
    """Numbers by their value, then names."""
    return (float(name), name) if name.isdecimal() else (math.inf, name)


def _samples(tree: Tree, rows: Iterable[_Row], truths: Iterable[Known]) -> list[Sample]:
    return [
        Sample(row.picture, FilePicture(tree.places[row.picture]), truth, row.split, row.group)
        for row, truth in zip(rows, truths, strict=True)
    ]


def _valued(tree: Tree, rows: list[_Row], numbers: list[list[float | None]], faults: list[Fault]) -> list[Sample]:
    rows, values = _complete(rows, numbers, "has a value that is no finite number", faults)
    return _samples(tree, rows, map(Known, map(Values, values)))


def _boxed(tree: Tree, rows: list[_Row], number: dict[str, int], faults: list[Fault]) -> list[Sample]:
    by_picture: dict[str, list[_Row]] = {}
    for row in rows:
        by_picture.setdefault(row.picture, []).append(row)
    samples = []
    for name, own in by_picture.items():
        picture = FilePicture(tree.places[name])
        things = tuple(thing for row in own if (thing := _thing(row, number, faults)) is not None)
        truth = Things(picture, own[0].where, things)
        faults += truth.faults()
        samples.append(Sample(name, picture, truth, own[0].split, own[0].group))
    return samples


def _thing(row: _Row, number: dict[str, int], faults: list[Fault]) -> Thing | None:
    columns, sized = row.roles.box or ((), False)
    cells = [row.cells[place] for place in columns]
    if not any(cells):  # a picture with nothing in it
        return None
    values = [number_of(cell) for cell in cells]
    label = "thing" if row.roles.label is None else row.cells[row.roles.label]
    if None in values or label not in number:
        what = "has no box of four numbers" if None in values else f"has the unknown class {label!r}"
        faults.append(Fault(row.where, what, lost=1))
        return None
    left, top, right, bottom = (value or 0.0 for value in values)
    box: Box = (left, top, left + right, top + bottom) if sized else (left, top, right, bottom)
    return Thing(number[label], box)


LAYOUT = Layout(
    "csv",
    "a table with a row for each picture, or for each box in one",
    frozenset({"classes", "values", "boxes"}),
    "description",
    recognize,
    read,
)
