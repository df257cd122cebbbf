"""Pascal VOC: an XML file of boxes for each picture.

```
Annotations/a.xml    JPEGImages/a.jpg    ImageSets/Main/train.txt      as in the challenge
train/a.xml          train/a.jpg         val/b.xml    val/b.jpg        side by side
```

Pixels are counted from 1 and the last one is inside, unless a corner is 0: then the whole data set counts from 0.
`difficult` things are kept and left out of scores. Classes are sorted by name. The split is that of the lists in
`ImageSets/Main`, or of the folder. Files with a DOCTYPE or entities are refused: those can be made to fill the memory.

Source: Everingham and Winn, The PASCAL VOC2012 development kit:
http://host.robots.ox.ac.uk/pascal/VOC/voc2012/htmldoc/devkit_doc.html
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

from pixelwright.data.dataset import Dataset, Fault, Sample, SplitName
from pixelwright.data.layout import Doubt, Hints, Layout
from pixelwright.data.pictures import FilePicture
from pixelwright.data.stated import split_of, split_of_path
from pixelwright.data.things import Box, Thing, Things
from pixelwright.data.tree import Tree, is_picture, stem
from pixelwright.errors import DataError, PixelwrightError

_FOLDERS = {"annotations": ("JPEGImages", "images", "Images", "imgs"), "labels": ("images",), "xmls": ("images",)}
_MAX_BYTES = 2**24  # of one file; a thousand things take 0.5 MB
_TRIED = 20  # files looked into to recognize the layout


@dataclass(slots=True)
class _Page:
    """What one XML file says."""

    name: str
    picture: str
    size_hw: tuple[int, int] | None
    rows: list[tuple[str, Box, bool]] = field(default_factory=list)  # class, corners as stated, difficult


def recognize(tree: Tree, hints: Hints) -> str | Doubt | None:
    """Whether there are XML files with `<annotation>`, those first that are called as pictures are."""
    named = {stem(name.rpartition("/")[2]) for name in tree.pictures}
    pages = tree.with_suffix(".xml")
    own = [name for name in pages if stem(name.rpartition("/")[2]) in named]
    for name in (*own[:_TRIED], *pages[:_TRIED]):
        try:
            if b"<annotation" in tree.places[name].head(512):
                return f"{len(pages):,} XML files with annotations"
        except PixelwrightError:
            continue
    if not own:
        return None
    looked = f"neither it nor others of {len(pages):,}, as far as looked into, begin with <annotation>"
    return Doubt(own[0], f"is called as a picture is, and {looked}")


def read(tree: Tree, hints: Hints) -> Dataset:
    """Every XML file and its picture.

    Raises:
        DataError: No file can be used.
    """
    faults: list[Fault] = []
    pages = [page for name in tree.with_suffix(".xml") if (page := _page(tree, name, faults)) is not None]
    if not pages:
        why = f": {faults[0].where}: {faults[0].what}" if faults else ""
        raise DataError(f"{tree.root}: no XML file of boxes with its picture{why}.")
    labels = hints.labels or tuple(sorted({label for page in pages for label, _, _ in page.rows}))
    from_zero = any(min(box[:2]) == 0 for page in pages for _, box, _ in page.rows)
    lists = _lists(tree)
    samples: dict[str, Sample] = {}
    for page in pages:
        if page.picture in samples:
            faults.append(Fault(page.name, f"a second file for {page.picture}; it is left out", lost=1))
            continue
        truth = _truth(tree, page, labels, 0 if from_zero else 1, faults)
        samples[page.picture] = Sample(page.picture, truth.picture, truth, _split(page, lists))
    without = [name for name in tree.pictures if name not in samples and "segmentation" not in name.casefold()]
    if without:
        faults.append(Fault(without[0], "has no XML file of its own", len(without)))
    counted = "0, as a corner is 0" if from_zero else "1, the last pixel is inside"
    remarks = (f"pixels are counted from {counted}", "names of the classes from the XML files")
    remarks += (f"splits from the lists {', '.join(sorted(set(lists.values())))}",) if lists else ()
    ordered = tuple(sample for _, sample in sorted(samples.items()))
    return Dataset(tree.root, "voc", "boxes", labels, ordered, faults=tuple(faults), remarks=remarks)


def _page(tree: Tree, name: str, faults: list[Fault]) -> _Page | None:
    """One file as understood; None where it cannot be used, with its fault."""
    try:
        root = parse(tree.places[name].read(_MAX_BYTES), name)
    except PixelwrightError as err:
        faults.append(Fault.of(name, err))
        return None
    picture = _picture(tree, name, root)
    if picture is None and root.tag != "annotation":  # of something else
        return None
    if picture is None:
        faults.append(Fault(name, f"there is no picture {root.findtext('filename', '')!r} or of the same name", lost=1))
        return None
    width, height = (_whole(root.findtext(f"size/{side}")) for side in ("width", "height"))
    page = _Page(name, picture, (height, width) if width and height else None)
    for number, thing in enumerate(root.iter("object"), 1):
        label = (thing.findtext("name") or "").strip()
        corners = _corners(thing.find("bndbox"))
        if not label or corners is None:
            faults.append(Fault(f"{name} object {number}", "has no name or no box of four numbers", lost=1))
            continue
        page.rows.append((label, corners, thing.findtext("difficult", "").strip() == "1"))
    return page


def parse(data: bytes, name: str) -> Any:
    """The root of an XML file without DOCTYPE and entities.

    Raises:
        DataError: It is damaged, or has such.
    """
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data or b"\0" in data:  # zeros are UTF-16, in which they hide
        raise DataError(f"{name}: expected plain XML in UTF-8, without a DOCTYPE and entities. Remove them.")
    try:
        return ElementTree.fromstring(data)
    except (ElementTree.ParseError, ValueError, LookupError) as err:
        raise DataError(f"{name}: is damaged XML: {err}.") from err


def _picture(tree: Tree, name: str, root: Any) -> str | None:
    """The picture of an XML file: of the same name beside it or in the folder for pictures, else the one it names."""
    folder, _, last = name.rpartition("/")
    above, _, own = folder.rpartition("/")
    places = [folder]
    for beside in _FOLDERS.get(own.casefold(), ()):
        places.append(f"{above}/{beside}" if above else beside)
    # VOC's folders may be split once more: Annotations/train/a.xml.
    stated = (root.findtext("filename") or "").strip()
    for place in places:
        found = tree.pictures_by_stem.get(f"{place}/{stem(last)}" if place else stem(last))
        if found is not None:
            return found
    return tree.find(stated, *places) if is_picture(stated) else None


def _truth(tree: Tree, page: _Page, labels: tuple[str, ...], first: int, faults: list[Fault]) -> Things:
    number = {label: place for place, label in enumerate(labels)}
    things = []
    for label, (left, top, right, bottom), difficult in page.rows:
        if label not in number:
            faults.append(Fault(page.name, f"has the class {label!r}, which is not among the labels given", lost=1))
            continue
        things.append(Thing(number[label], (left - first, top - first, right, bottom), ignore=difficult))
    truth = Things(FilePicture(tree.places[page.picture]), page.name, tuple(things), stated_hw=page.size_hw)
    faults += truth.faults()
    return truth


def _lists(tree: Tree) -> dict[str, SplitName]:
    """Names of pictures without their endings to the split whose list in `ImageSets/Main` they stand in."""
    found: dict[str, SplitName] = {}
    for name in tree.places:
        listed = re.fullmatch(r"(?:.*/)?ImageSets/Main/([^/]+)\.txt", name)
        split = split_of(listed[1]) if listed else None
        if split:
            rows = (line.split() for line in tree.places[name].text().split("\n"))
            found |= {row[0]: split for row in rows if row}
    return found


def _split(page: _Page, lists: dict[str, SplitName]) -> SplitName:
    last = stem(page.picture.rpartition("/")[2])
    return lists.get(last) or split_of_path(page.picture.rpartition("/")[0])


def _corners(box: Any) -> Box | None:
    """The four numbers of a box as stated; None where there are not four."""
    if box is None:
        return None
    left, top, right, bottom = (_number(box.findtext(tag)) for tag in ("xmin", "ymin", "xmax", "ymax"))
    if left is None or top is None or right is None or bottom is None:
        return None
    return left, top, right, bottom


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _whole(text: str | None) -> int:
    number = _number(text)
    return int(number) if number else 0


LAYOUT = Layout(
    "voc", "Pascal VOC: an XML file of boxes for each picture", frozenset({"boxes"}), "description", recognize, read
)
