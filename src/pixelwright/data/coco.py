"""COCO: `results.coco.json`, a whole data set, and `results.coco-predictions.json`, which `COCO.loadRes` reads.

| here | COCO |
|---|---|
| box `left, top, right, bottom` | `bbox` `[left, top, width, height]`, the same origin |
| mask | run lengths with compressed counts, also where `iscrowd` is 0 |
| keypoint `x, y, score` | `x - 0.5, y - 0.5`: COCO gives the index of a pixel, we the place of its center |
| score of a keypoint | `v` 2 from 0.5 up, 1 above 0, else 0 with both coordinates 0; in predictions the score itself |
| class id | `category_id` is one more, since several readers take 0 for the background |
| the map of a class | one annotation, without a score; predictions need one and have 1 |

The id of a picture is its place among all records, failures counted, so that a picture keeps it when another gets
readable. Pictures that failed are left out. `path` leads to the file, and of videos `frame` and `time_s` into it.

Sources: data and result formats: https://cocodataset.org/#format-data and https://cocodataset.org/#format-results
(read 2026); the half pixel of keypoints: `detectron2/data/detection_utils.py` (Apache-2.0).
"""

# Without `from __future__ import annotations`: that name is a function's here.
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from pixelwright.data.aside import to_json
from pixelwright.data.export import Export, Found
from pixelwright.io.atomic import whole_file
from pixelwright.structures.detections import Detections
from pixelwright.structures.label_map import LabelMap
from pixelwright.structures.masks import encode_runs, runs_to_text

VISIBLE_FROM = 0.5  # the least score of a keypoint that counts as seen rather than guessed


def annotations(result: Detections | LabelMap, *, image_id: int = 1, first_id: int = 1) -> list[dict[str, Any]]:
    """What was found in one picture, as annotations of a data set."""
    rows = _rows(result)
    for annotation_id, row in enumerate(rows, first_id):
        row |= {"id": annotation_id, "image_id": image_id, "iscrowd": 0}
        row.setdefault("segmentation", [])
        if isinstance(result, Detections) and result.keypoints is not None:
            points = zip(*(row["keypoints"][place::3] for place in range(3)), strict=True)
            row["keypoints"] = [value for point in points for value in _flagged(*point)]
            row["num_keypoints"] = sum(flag > 0 for flag in row["keypoints"][2::3])
    return rows


def predictions(result: Detections | LabelMap, *, image_id: int = 1) -> list[dict[str, Any]]:
    """What was found in one picture, in the format of COCO results."""
    rows = _rows(result)
    for row in rows:
        row |= {"image_id": image_id, "score": row.get("score", 1.0)}
        del row["area"]
    return rows


def categories(
    labels: Sequence[str], keypoints: Sequence[str] = (), skeleton: Iterable[tuple[str, str]] = ()
) -> list[dict[str, Any]]:
    """The classes of a model, in order."""
    shape: dict[str, Any] = {}
    if keypoints:
        place = {name: number for number, name in enumerate(keypoints, 1)}
        bones = [[place[start], place[end]] for start, end in skeleton]
        shape = {"keypoints": list(keypoints), "skeleton": bones}
    return [{"id": number, "name": label, "supercategory": "", **shape} for number, label in enumerate(labels, 1)]


def _rows(result: Detections | LabelMap) -> list[dict[str, Any]]:
    if isinstance(result, LabelMap):
        return [_region(result, class_id) for class_id in np.unique(result.ids).tolist() if class_id != result.void_id]
    return [_thing(result, row) for row in range(len(result))]


def _thing(result: Detections, row: int) -> dict[str, Any]:
    left, top, right, bottom = map(float, result.boxes_xyxy[row])
    width, height = right - left, bottom - top
    thing: dict[str, Any] = {
        "category_id": int(result.class_ids[row]) + 1,
        "bbox": [round(left, 3), round(top, 3), round(width, 3), round(height, 3)],
        "area": round(width * height, 3),
        "score": round(float(result.scores[row]), 6),
    }
    if result.masks is not None:
        runs = result.masks.runs[row]
        thing["segmentation"] = {"size": list(result.masks.size_hw), "counts": runs_to_text(runs)}
        thing["area"] = int(runs[1::2].sum())
    if result.keypoints is not None:
        thing["keypoints"] = _numbers(result.keypoints[row] - np.array([0.5, 0.5, 0], np.float32))
    if result.track_ids is not None:
        thing["track_id"] = int(result.track_ids[row])
    return thing


def _region(result: LabelMap, class_id: int) -> dict[str, Any]:
    mask = result.ids == class_id
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, left, height, width = rows[0], columns[0], np.ptp(rows) + 1, np.ptp(columns) + 1
    return {
        "category_id": class_id + 1,
        "bbox": [int(left), int(top), int(width), int(height)],
        "area": int(np.count_nonzero(mask)),
        "segmentation": {"size": list(result.size_hw), "counts": runs_to_text(encode_runs(mask))},
    }


def _flagged(x: float, y: float, score: float) -> tuple[float, float, int]:
    return (0, 0, 0) if score <= 0 else (x, y, 2 if score >= VISIBLE_FROM else 1)


def _numbers(points: np.ndarray[Any, Any]) -> list[float]:
    return [round(float(value), 3) for value in points.ravel()]


def write(found: Found, folder: Path) -> None:
    """Both files, an element a line, read from the records as they are written."""
    with (
        whole_file(folder / "results.coco.json") as data,
        whole_file(folder / "results.coco-predictions.json") as results,
    ):
        head = {"description": f"made by Pixelwright with {found.model}"}
        data.write(b'{"info": ' + to_json(head) + b', "licenses": [],\n"categories": ')
        _write_list(data, categories(found.labels, found.keypoints, found.skeleton))
        data.write(b',\n"images": ')
        _write_list(data, (_image(record, image_id) for image_id, record in _numbered(found)))
        data.write(b',\n"annotations": ')
        _write_list(data, _annotations(found))
        data.write(b"}\n")
        _write_list(results, _predictions(found))
        results.write(b"\n")


def _numbered(found: Found) -> Iterator[tuple[int, dict[str, Any]]]:
    return ((number, record) for number, record in enumerate(found.records(), 1) if "error" not in record)


def _image(record: dict[str, Any], image_id: int) -> dict[str, Any]:
    height, width = record["size_hw"]
    image = {"id": image_id, "file_name": record["name"], "width": width, "height": height}
    return image | {key: record[key] for key in ("path", "frame", "time_s") if key in record}


def _annotations(found: Found) -> Iterator[dict[str, Any]]:
    first_id = 1
    for image_id, record in _numbered(found):
        rows = annotations(found.result.from_dict(record), image_id=image_id, first_id=first_id)
        first_id += len(rows)
        yield from rows


def _predictions(found: Found) -> Iterator[dict[str, Any]]:
    for image_id, record in _numbered(found):
        yield from predictions(found.result.from_dict(record), image_id=image_id)


def _write_list(out: BinaryIO, rows: Iterable[dict[str, Any]]) -> None:
    out.write(b"[")
    for number, row in enumerate(rows):
        out.write((b",\n" if number else b"\n") + to_json(row))
    out.write(b"]")


EXPORT = Export("coco", "a COCO data set, and predictions in COCO's results format", (Detections, LabelMap), write)
