"""Masks: the folder `masks/`, index PNGs in which the value of a pixel says what is there.

```
masks/classes/<name>.png     the class of each pixel
masks/instances/<name>.png   of things: 0 where there is none, 1 for the best one, 2 for the next ...
masks/labels.txt             a label a line, the first for the value 0
```

Of a label map the values are the class ids, and void keeps its own. Of things they are the class ids plus one, as 0 is
`background`; where things overlap the better one is on top, and one without a mask fills its box. The files have 8 bits
and the palette of Pascal VOC, or 16 bits without one where there are more than 256 classes or more than 255 things. The
numbers of `instances` are the rows of the record plus one.

Source of the palette: Everingham and Winn, The PASCAL VOC2012 development kit, `VOClabelcolormap.m`:
http://host.robots.ox.ac.uk/pascal/VOC/voc2012/htmldoc/devkit_doc.html
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from pixelwright.data.aside import new_folder, place, readable
from pixelwright.data.export import Export, Found
from pixelwright.structures.detections import Detections
from pixelwright.structures.label_map import LabelMap

Ids = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]

MOST_THINGS = 65535


def classes(result: LabelMap | Detections, size_hw: tuple[int, int], *, highest: int = 0) -> Ids:
    """The class of each pixel (H, W): the ids of a label map, or those of things plus one with 0 for none.

    Args:
        result: What was found.
        size_hw: Of the picture.
        highest: The largest value there might be in other pictures of the same kind; it decides on 8 or 16 bits.
    """
    if isinstance(result, LabelMap):
        return _smallest(result.ids, max(highest, result.void_id or 0))
    return _smallest(_painted(result, size_hw, result.class_ids + 1), highest)


def instances(result: Detections, size_hw: tuple[int, int]) -> Ids:
    """The number of the thing at each pixel (H, W): its row plus one, 0 where there is none."""
    return _smallest(_painted(result, size_hw, np.arange(1, len(result) + 1)))


def _painted(result: Detections, size_hw: tuple[int, int], values: npt.NDArray[np.integer]) -> npt.NDArray[np.uint16]:
    canvas = np.zeros(size_hw, np.uint16, order="F")
    columns = canvas.T.reshape(-1)  # the same pixels one after another, as runs count them
    for row in reversed(range(min(len(result), MOST_THINGS))):
        if result.masks is not None:
            bounds = np.cumsum(result.masks.runs[row], dtype=np.int64).tolist()
            for start, stop in zip(bounds[::2], bounds[1::2], strict=False):  # perhaps the last run is outside
                columns[start:stop] = values[row]
        else:
            corners = np.floor(result.boxes_xyxy[row] + 0.5)
            left, top, right, bottom = np.clip(corners, 0, [*size_hw[::-1]] * 2).astype(int)
            canvas[top:bottom, left:right] = values[row]
    return canvas


def _smallest(ids: Ids, highest: int = 0) -> Ids:
    fits = max(highest, int(ids.max(initial=0))) < 256
    return ids.astype(np.uint8) if fits else ids.astype(np.uint16)


def palette() -> npt.NDArray[np.uint8]:
    """The colors (256, 3) of Pascal VOC: each three bits of the index are one of red, green and blue, from the top."""
    index = np.arange(256)[:, None]
    colors = np.zeros((256, 3), int)
    for place_of_bit in range(8):
        bits = (index >> (3 * place_of_bit + np.arange(3))) & 1
        colors |= bits << (7 - place_of_bit)
    return colors.astype(np.uint8)


def write(found: Found, folder: Path) -> None:
    """The folder `masks/`, one or two files a picture."""
    has_things = found.result is Detections
    names = ["background", *found.labels] if has_things else list(found.labels)

    def fill(aside: Path) -> None:
        text = "".join(" ".join(readable(name).splitlines()) + "\n" for name in names)
        (aside / "labels.txt").write_text(text, encoding="utf-8", newline="\n")
        for record in found.sound():
            result, size_hw = found.result.from_dict(record), tuple(record["size_hw"])
            ids = classes(result, size_hw, highest=len(names) - 1)
            _save(ids, place(aside / "classes", record["name"], ".png"))
            if has_things:
                _save(instances(result, size_hw), place(aside / "instances", record["name"], ".png"))

    new_folder(folder / "masks", fill)


def _save(ids: Ids, path: Path) -> None:
    from PIL import Image as PillowImage

    picture = PillowImage.fromarray(ids)
    if ids.dtype == np.uint8:
        picture.putpalette(palette().tobytes())
    picture.save(path)


EXPORT = Export("masks", "index PNGs: the class of each pixel, and its thing", (LabelMap, Detections), write)
