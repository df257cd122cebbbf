"""Things found in an image: boxes, and where a model gives them masks and keypoints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pixelwright.errors import ShapeError
from pixelwright.structures.masks import Masks, runs_to_text, text_to_runs

Floats = npt.NDArray[np.float32]


class Detection(NamedTuple):
    """One row of `Detections`."""

    label: str
    score: float
    box_xyxy: tuple[float, float, float, float]
    class_id: int


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """Things with their boxes, best first, in pixels of the upright full-resolution image.

    Attributes:
        boxes_xyxy: (N, 4) float32: left, top, right, bottom; the top-left corner of the top-left pixel is (0, 0).
        scores: (N,) float32, 0..1, descending.
        class_ids: (N,) int32, position in the bundle's labels.
        labels: N texts.
        masks: One for each row, or None.
        keypoints: (N, K, 3) float32: x, y, score; or None.
        keypoint_names: K texts.
        track_ids: (N,) int32, or None.

    Raises:
        ShapeError: The columns do not fit each other, a number is not finite, a keypoint's name is there twice, or the
            scores do not descend.

    Example:
        >>> import numpy as np
        >>> box = np.array([[10, 20, 50, 80]], np.float32)
        >>> found = Detections(box, np.array([0.9], np.float32), np.array([0], np.int32), ("face",))
        >>> found[0].label, len(found), str(found)
        ('face', 1, '1 face')
    """

    boxes_xyxy: Floats
    scores: Floats
    class_ids: npt.NDArray[np.int32]
    labels: tuple[str, ...]
    masks: Masks | None = None
    keypoints: Floats | None = None
    keypoint_names: tuple[str, ...] = ()
    track_ids: npt.NDArray[np.int32] | None = None

    def __post_init__(self) -> None:
        count = len(self.labels)
        wanted: dict[str, tuple[Any, tuple[int, ...]]] = {
            "boxes_xyxy": (self.boxes_xyxy, (count, 4)),
            "scores": (self.scores, (count,)),
            "class_ids": (self.class_ids, (count,)),
            "keypoints": (self.keypoints, (count, len(self.keypoint_names), 3)),
            "track_ids": (self.track_ids, (count,)),
        }
        for name, (column, shape) in wanted.items():
            if column is not None and column.shape != shape:
                raise ShapeError(f"{name}: expected {shape}, got {column.shape}. Give one row for each label.")
            if column is not None and not np.isfinite(column).all():
                raise ShapeError(f"{name}: holds NaN or infinity. Leave such rows out.")
        if self.masks is not None and len(self.masks) != count:
            raise ShapeError(f"masks: expected {count}, got {len(self.masks)}. Give one for each label.")
        if len(set(self.keypoint_names)) < len(self.keypoint_names):
            raise ShapeError(f"keypoint_names: one is there twice among {self.keypoint_names}. Give each its own.")
        if np.any(np.diff(self.scores) > 0):
            raise ShapeError("scores: expected them descending. Sort the rows, best first.")

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, row: int) -> Detection:
        left, top, right, bottom = map(float, self.boxes_xyxy[row])
        return Detection(
            self.labels[row], float(self.scores[row]), (left, top, right, bottom), int(self.class_ids[row])
        )

    def __iter__(self) -> Iterator[Detection]:
        return (self[row] for row in range(len(self)))

    def __str__(self) -> str:
        counts = Counter(self.labels)
        return ", ".join(f"{count} {label}" for label, count in counts.items()) or "nothing above the threshold"

    def _repr_html_(self) -> str:
        """A table for notebooks, one row a thing."""
        rows = "".join(
            f"<tr><td>{escape(row.label)}</td><td>{row.score:.1%}</td>"
            f"<td>{', '.join(f'{side:.0f}' for side in row.box_xyxy)}</td></tr>"
            for row in self
        )
        head = "<tr><th>label</th><th>score</th><th>left, top, right, bottom</th></tr>"
        return f"<table>{head}{rows}</table>" if rows else escape(str(self))

    def take(self, rows: npt.NDArray[np.intp] | npt.NDArray[np.bool_] | slice) -> Detections:
        """Some of the rows, in the order given."""
        picked: npt.NDArray[np.intp] = np.arange(len(self))[rows]
        order: list[int] = picked.tolist()
        return Detections(
            self.boxes_xyxy[picked],
            self.scores[picked],
            self.class_ids[picked],
            tuple(self.labels[row] for row in order),
            self.masks and Masks(self.masks.size_hw, tuple(self.masks.runs[row] for row in order)),
            None if self.keypoints is None else self.keypoints[picked],
            self.keypoint_names,
            None if self.track_ids is None else self.track_ids[picked],
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as written to JSON lines; a mask as COCO's `{"size": [H, W], "counts": text}`."""
        return {"detections": [self._row_dict(row) for row in range(len(self))]}

    def _row_dict(self, row: int) -> dict[str, Any]:
        record: dict[str, Any] = {
            "label": self.labels[row],
            "score": round(float(self.scores[row]), 6),
            "box_xyxy": [round(float(side), 3) for side in self.boxes_xyxy[row]],
            "id": int(self.class_ids[row]),
        }
        if self.masks is not None:
            record["mask"] = {"size": list(self.masks.size_hw), "counts": runs_to_text(self.masks.runs[row])}
        if self.keypoints is not None:
            points = [[round(float(value), 3) for value in point] for point in self.keypoints[row]]
            record["keypoints"] = dict(zip(self.keypoint_names, points, strict=True))
        if self.track_ids is not None:
            record["track"] = int(self.track_ids[row])
        return record

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Detections:
        """The result that `to_dict` wrote."""
        rows: list[dict[str, Any]] = record["detections"]
        first: dict[str, Any] = rows[0] if rows else {}
        names: tuple[str, ...] = tuple(first.get("keypoints", ()))
        return cls(
            boxes_xyxy=np.array([row["box_xyxy"] for row in rows], np.float32).reshape(-1, 4),
            scores=np.array([row["score"] for row in rows], np.float32),
            class_ids=np.array([row["id"] for row in rows], np.int32),
            labels=tuple(row["label"] for row in rows),
            masks=_masks(rows) if "mask" in first else None,
            keypoints=np.array([list(row["keypoints"].values()) for row in rows], np.float32) if names else None,
            keypoint_names=names,
            track_ids=np.array([row["track"] for row in rows], np.int32) if "track" in first else None,
        )


def _masks(rows: list[dict[str, Any]]) -> Masks:
    height, width = rows[0]["mask"]["size"]
    return Masks((height, width), tuple(text_to_runs(row["mask"]["counts"]) for row in rows))
