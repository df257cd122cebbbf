"""Results of every type, and records of them as a job has them, for tests of the exports."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from pixelwright.data.export import Found
from pixelwright.structures.detections import Detections
from pixelwright.structures.label_map import LabelMap
from pixelwright.structures.masks import Masks
from pixelwright.structures.results import ClassScores, Embedding, NamedValues

SIZE_HW = (20, 30)
LABELS = ("cat", "dog & <fox>", 'the "third"\n')
KEYPOINTS = ("left eye", "right eye", "nose")
SKELETON = (("left eye", "nose"), ("nose", "right eye"))

Result = ClassScores | Detections | LabelMap | NamedValues | Embedding


def boxes(*rows: Sequence[float], scores: Sequence[float] = (), ids: Sequence[int] = (), **more: Any) -> Detections:
    """Things with these boxes."""
    count = len(rows)
    class_ids = np.array(ids or [row % len(LABELS) for row in range(count)], np.int32)
    return Detections(
        np.array(rows, np.float32).reshape(-1, 4),
        np.array(scores or [0.9 - row / 10 for row in range(count)], np.float32),
        class_ids,
        tuple(LABELS[one] for one in class_ids),
        **more,
    )


def things() -> Detections:
    """Two overlapping things with all there can be: masks (one of two parts, one with a hole), keypoints, tracks."""
    first, second = np.zeros(SIZE_HW, bool), np.zeros(SIZE_HW, bool)
    first[2:9, 3:12] = first[15:, 20:] = True
    second[5:15, 8:20] = True
    second[8:10, 14:16] = False
    points = np.array([[[4.5, 3.5, 0.9], [10.5, 4.25, 0.2], [0, 0, 0]], [[9, 9, 1], [31, 9, 0.8], [12, 14, 0.5]]])
    return boxes(
        (3, 2, 30, 20),
        (8, 5, 20, 15),
        masks=Masks.of([first, second], SIZE_HW),
        keypoints=points.astype(np.float32),
        keypoint_names=KEYPOINTS,
        track_ids=np.array([7, 8], np.int32),
    )


def regions() -> LabelMap:
    """Two classes, an island and void."""
    ids = np.zeros(SIZE_HW, np.uint8)
    ids[5:15, 10:20] = 2
    ids[8:10, 12:14] = 0
    ids[0, 0] = 255
    return LabelMap(ids, LABELS, void_id=255)


def scores() -> ClassScores:
    """Two classes."""
    return ClassScores(np.array([1, 0], np.int32), np.array([0.75, 0.25], np.float32), (LABELS[1], LABELS[0]))


RESULTS: dict[type, tuple[Result, ...]] = {
    ClassScores: (scores(), ClassScores(np.zeros(0, np.int32), np.zeros(0, np.float32), ())),
    Detections: (things(), boxes(), boxes((1, 2, 3, 4)), boxes((-5, -5, 40, 40), (50, 50, 60, 60), (3, 3, 3, 3))),
    LabelMap: (regions(), LabelMap(np.ones(SIZE_HW, np.uint8), LABELS)),
    NamedValues: (NamedValues(np.array([4.5, -0.25], np.float32), LABELS[:2]),),
    Embedding: (Embedding(np.array([0.6, 0.8], np.float32), "plane"),),
}


def record(index: int, name: str, result: Result, size_hw: tuple[int, int] = SIZE_HW) -> dict[str, Any]:
    """What a job keeps of a picture."""
    return {"index": index, "path": f"photos/{name}", "name": name, "size_hw": list(size_hw), **result.to_dict()}


def failure(index: int, name: str) -> dict[str, Any]:
    """What a job keeps of a picture that could not be read."""
    error = {"type": "UnreadableImage", "message": f"{name}: is not an image."}
    return {"index": index, "path": f"photos/{name}", "name": name, "error": error}


def found(written: Iterable[dict[str, Any]], result: type, **changes: Any) -> Found:
    """A finished job."""
    kept = list(written)

    def rows(one: dict[str, Any]) -> list[dict[str, Any]]:
        return [{"label": row["label"]} for row in one.get("detections", one.get("classes", []))]

    def again() -> Iterator[dict[str, Any]]:
        return iter(kept)

    settings: dict[str, Any] = {
        "records": again,
        "result": result,
        "labels": LABELS,
        "keypoints": KEYPOINTS if result is Detections else (),
        "skeleton": SKELETON if result is Detections else (),
        "columns": ("label",),
        "rows": rows,
        "model": "small 1.0.0",
    }
    return Found(**(settings | changes))
