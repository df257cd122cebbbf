"""Labelme: the folder `labelme/`, a JSON file for each picture, to be corrected by hand in labelme.

| result | shapes |
|---|---|
| box | a `rectangle` of two corners |
| mask | a `polygon` for each part, the outer edge; holes are lost |
| keypoints | a `point` called like the keypoint, beside the box or mask |
| label map | a `polygon` for each part of each class, without holes, the larger ones first; void is left out |
| class scores | no shapes: the label of the best class is among the `flags`, as true |

Coordinates are ours: pixels of the upright picture, from the top-left corner of the top-left pixel. The shapes of one
thing share a `group_id`, which is its row. `imagePath` leads from the JSON file to the picture; the pixels are not
copied (`imageData` is null). `score` is a key of ours that labelme keeps.

Source: `labelme/_label_file.py` (GPL-3.0; read for the keys alone): https://github.com/wkentaro/labelme
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pixelwright.data.aside import new_folder, place, to_json
from pixelwright.data.export import Export, Found
from pixelwright.data.polygons import outlines
from pixelwright.structures.detections import Detections
from pixelwright.structures.label_map import LabelMap
from pixelwright.structures.results import ClassScores

VERSION = "5.5.0"  # of labelme, whose keys these are

Result = Detections | LabelMap | ClassScores
Points = list[list[float]]


def document(result: Result, image_path: str, size_hw: tuple[int, int]) -> dict[str, Any]:
    """What the JSON file of one picture of (height, width) holds; `image_path` leads there from that file."""
    height, width = size_hw
    best = result.top if isinstance(result, ClassScores) else None
    return {
        "version": VERSION,
        "flags": {best.label: True} if best else {},
        "shapes": [] if isinstance(result, ClassScores) else list(_shapes(result)),
        "imagePath": image_path,
        "imageData": None,
        "imageHeight": height,
        "imageWidth": width,
    }


def _shapes(result: Detections | LabelMap) -> Iterator[dict[str, Any]]:
    if isinstance(result, LabelMap):
        present = [class_id for class_id in np.unique(result.ids).tolist() if class_id != result.void_id]
        parts = [
            (part, result.labels[class_id])
            for class_id in present
            for part in outlines(result.ids == class_id, with_islands=True)
        ]
        # A later shape is painted over an earlier one: what lies in a hole of another has to come after it.
        parts.sort(key=lambda one: -float(np.prod(np.ptp(one[0], axis=0))))
        yield from (_shape(label, "polygon", _points(part)) for part, label in parts)
        return
    for row, thing in enumerate(result):
        shapes = [*_region(result, row, thing.label), *_keypoints(result, row)]
        for shape in shapes:
            yield shape | {"group_id": row if len(shapes) > 1 else None, "score": round(thing.score, 6)}


def _region(result: Detections, row: int, label: str) -> Iterator[dict[str, Any]]:
    parts = outlines(result.masks[row]) if result.masks is not None else []
    yield from (_shape(label, "polygon", _points(part)) for part in parts)
    if not parts:
        yield _shape(label, "rectangle", _points(result.boxes_xyxy[row].reshape(2, 2)))


def _keypoints(result: Detections, row: int) -> Iterator[dict[str, Any]]:
    if result.keypoints is not None:
        for name, point in zip(result.keypoint_names, result.keypoints[row], strict=True):
            if point[2] > 0:
                yield _shape(name, "point", _points(point[None, :2]))


def _shape(label: str, kind: str, points: Points) -> dict[str, Any]:
    return {
        "label": label,
        "points": points,
        "group_id": None,
        "description": "",
        "shape_type": kind,
        "flags": {},
        "mask": None,
    }


def _points(points: np.ndarray[Any, Any]) -> Points:
    return [[round(float(x), 3), round(float(y), 3)] for x, y in points]


def write(found: Found, folder: Path) -> None:
    """The folder `labelme/`, one file a picture."""
    final = folder / "labelme"

    def fill(aside: Path) -> None:
        for record in found.sound():
            target = place(aside, record["name"], ".json")
            image_path = _way(final / target.relative_to(aside), record["path"])
            text = to_json(document(found.result.from_dict(record), image_path, tuple(record["size_hw"])))
            target.write_bytes(text + b"\n")

    new_folder(final, fill)


def _way(document_path: Path, picture: str) -> str:
    """From a JSON file to its picture: relative where both lie on one drive, so that a whole tree may be moved."""
    if "://" in picture:
        return picture
    try:
        relative = os.path.relpath(picture, document_path.parent)
    except ValueError:
        relative = os.path.abspath(picture)  # noqa: PTH100 (resolves "..", keeps links)
    return relative.replace(os.sep, "/")


EXPORT = Export(
    "labelme", "a JSON file for each picture, to be corrected in labelme", (Detections, LabelMap, ClassScores), write
)
