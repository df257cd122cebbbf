"""Pascal VOC: the folder `voc/`, an XML file for each picture.

```
voc/Annotations/<name>.xml            size, and a box for each thing
voc/ImageSets/Main/default.txt        the names of all pictures, without their endings
```

VOC counts pixels from 1 and names the first and the last one inside: a box over the two top-left pixels has `xmin` 1
and `xmax` 2, where ours goes from 0 to 2. Corners are rounded to whole pixels, kept inside the picture, and hold at
least one pixel; things outside of the picture are left out. `score` is an element of ours that readers pass over.
Masks do not go here: export them as `masks`.

Source: Everingham and Winn, The PASCAL VOC2012 development kit (annotation of objects; pixels count from 1):
http://host.robots.ox.ac.uk/pascal/VOC/voc2012/htmldoc/devkit_doc.html
"""

from __future__ import annotations

import math
import re
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree

from pixelwright.data.aside import new_folder, place, readable
from pixelwright.data.export import Export, Found
from pixelwright.structures.detections import Detection, Detections

# XML 1.0 has no way to write these, not even as references, and turns a carriage return into a line feed.
FORBIDDEN = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def document(result: Detections, name: str, size_hw: tuple[int, int]) -> str:
    """The XML of one picture of (height, width) called `name`."""
    height, width = size_hw
    path = PurePosixPath(name)
    root = ElementTree.Element("annotation")
    _add(root, "folder", path.parent.as_posix() if path.parent.name else "")
    _add(root, "filename", path.name)
    size = ElementTree.SubElement(root, "size")
    for tag, value in (("width", width), ("height", height), ("depth", 3)):
        _add(size, tag, value)
    _add(root, "segmented", 0)
    for row in result:
        box = _pixels(row, size_hw)
        if box is not None:
            _add_object(root, row, box)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _pixels(row: Detection, size_hw: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """First and last column and row of a box, counted from 1; None where it lies outside."""
    height, width = size_hw
    left, top, right, bottom = row.box_xyxy
    if right <= 0 or bottom <= 0 or left >= width or top >= height:
        return None
    xmin, xmax = _span(left, right, width)
    ymin, ymax = _span(top, bottom, height)
    return xmin, ymin, xmax, ymax


def _span(start: float, end: float, count: int) -> tuple[int, int]:
    first = min(max(math.floor(start + 0.5), 0), count - 1) + 1
    return first, max(min(math.floor(end + 0.5), count), first)


def _add_object(root: ElementTree.Element, row: Detection, box: tuple[int, int, int, int]) -> None:
    thing = ElementTree.SubElement(root, "object")
    _add(thing, "name", row.label)
    _add(thing, "pose", "Unspecified")
    _add(thing, "truncated", 0)
    _add(thing, "difficult", 0)
    corners = ElementTree.SubElement(thing, "bndbox")
    for tag, value in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True):
        _add(corners, tag, value)
    _add(thing, "score", f"{row.score:.6f}")


def _add(parent: ElementTree.Element, tag: str, value: str | int) -> None:
    text = readable(str(value))
    ElementTree.SubElement(parent, tag).text = FORBIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def write(found: Found, folder: Path) -> None:
    """The folder `voc/`, one file a picture."""

    def fill(aside: Path) -> None:
        (aside / "Annotations").mkdir()
        (aside / "ImageSets" / "Main").mkdir(parents=True)
        with (aside / "ImageSets" / "Main" / "default.txt").open("w", encoding="utf-8", newline="\n") as names:
            for record in found.sound():
                size_hw = tuple(record["size_hw"])
                text = document(found.result.from_dict(record), record["name"], size_hw)
                target = place(aside / "Annotations", record["name"], ".xml")
                target.write_text(text, encoding="utf-8", newline="\n")
                written = target.relative_to(aside / "Annotations").with_suffix("").as_posix()
                names.write(" ".join(readable(written).splitlines()) + "\n")

    new_folder(folder / "voc", fill)


EXPORT = Export("voc", "an XML file of boxes for each picture, as Pascal VOC has them", (Detections,), write)
