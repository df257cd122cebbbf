"""YOLO: the folder `yolo/`, a data set that trainers of that family read, and what the model said with its scores.

```
yolo/data.yaml               classes, where pictures belong, and the layout of keypoints
yolo/labels/<name>.txt       a line a thing: the truth, as a trainer wants it, without scores
yolo/predictions/<name>.txt  the same with the score at the end of each line, then the track if there is one
```

| result | a line |
|---|---|
| box | `class x_center y_center width height` |
| mask | `class x1 y1 x2 y2 ...`: the outer edge; parts are tied together by bridges of no width, holes are lost |
| keypoints | `class x_center y_center width height`, then `x y v` of each; in predictions its score in place of `v` |

All numbers are shares of the width and height of the upright picture, from the top-left corner of the top-left pixel,
cut off at its border; things outside are left out. `v` is 2 (seen) from a score of 0.5 up, 1 (guessed) above 0, else
0. A picture without things has an empty file. Trainers look for pictures in `yolo/images/`, which is not made: a link
to the folder that the model ran on serves, as names are the same.

Sources: https://docs.ultralytics.com/datasets/detect, .../segment and .../pose (read 2026).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwright.data.aside import new_folder, place, readable
from pixelwright.data.coco import VISIBLE_FROM
from pixelwright.data.export import Export, Found
from pixelwright.data.polygons import joined, outlines
from pixelwright.structures.detections import Detections

Floats = npt.NDArray[np.floating[Any]]

SIDES = {"left": "right", "right": "left", "l": "r", "r": "l"}
# JSON's quotes are YAML's, except for characters that YAML wants escaped.
ESCAPED_IN_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def lines(result: Detections, size_hw: tuple[int, int], *, with_scores: bool = False) -> list[str]:
    """The lines of one picture of (height, width)."""
    return list(_lines(result, size_hw, with_scores=with_scores))


def _lines(result: Detections, size_hw: tuple[int, int], *, with_scores: bool) -> Iterator[str]:
    height, width = size_hw
    scale = np.array([width, height], float)
    for row in range(len(result)):
        left, top, right, bottom = np.clip(result.boxes_xyxy[row].reshape(2, 2) / scale, 0, 1).ravel()
        if right <= left or bottom <= top:
            continue
        values = [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top]
        if result.keypoints is not None:
            values += _keypoints(result.keypoints[row], scale, as_scores=with_scores)
        elif result.masks is not None:
            parts = outlines(result.masks[row])
            # In a file of polygons a box has to be one too, or its four numbers would pass for two corners.
            corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
            values = (joined(parts) / scale if parts else corners).ravel().tolist()
        numbers = [f"{value:.6f}" for value in values]
        if with_scores:
            numbers.append(f"{result.scores[row]:.6f}")
            numbers += [] if result.track_ids is None else [str(result.track_ids[row])]
        yield " ".join([str(result.class_ids[row]), *numbers])


def _keypoints(points: Floats, scale: Floats, *, as_scores: bool) -> list[float]:
    places, scores = points[:, :2] / scale, points[:, 2]
    seen = (scores > 0) & (places >= 0).all(axis=1) & (places <= 1).all(axis=1)
    last = scores if as_scores else np.where(scores >= VISIBLE_FROM, 2, 1)
    return np.where(seen[:, None], np.column_stack([places, last]), 0).ravel().tolist()


def data_yaml(labels: Sequence[str], keypoints: Sequence[str] = ()) -> str:
    """The file that describes the data set."""
    text = "train: images\nval: images\nnames:\n" if labels else "train: images\nval: images\nnames: {}\n"
    text += "".join(f"  {number}: {_quoted(label)}\n" for number, label in enumerate(labels))
    if keypoints:
        text += f"kpt_shape: [{len(keypoints)}, 3]\n"
        mirrored = [_mirrored(name) for name in keypoints]
        if sorted(mirrored) == sorted(keypoints):
            text += f"flip_idx: {[list(keypoints).index(name) for name in mirrored]}\n"
    return text


def _mirrored(name: str) -> str:
    """What a keypoint is called once the picture is mirrored."""
    return "".join(SIDES.get(part, part) for part in re.split(r"([^a-z]+)", name))


def _quoted(text: str) -> str:
    quoted = json.dumps(readable(text), ensure_ascii=False)
    return ESCAPED_IN_YAML.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)


def write(found: Found, folder: Path) -> None:
    """The folder `yolo/`, two files a picture."""

    def fill(aside: Path) -> None:
        (aside / "data.yaml").write_text(data_yaml(found.labels, found.keypoints), encoding="utf-8", newline="\n")
        for name in ("labels", "predictions"):
            (aside / name).mkdir()
        for record in found.sound():
            result, size_hw = found.result.from_dict(record), tuple(record["size_hw"])
            for name, with_scores in (("labels", False), ("predictions", True)):
                text = "".join(f"{line}\n" for line in _lines(result, size_hw, with_scores=with_scores))
                place(aside / name, record["name"], ".txt").write_text(text, encoding="ascii", newline="\n")

    new_folder(folder / "yolo", fill)


EXPORT = Export("yolo", "a data set for YOLO trainers, and predictions with scores", (Detections,), write)
