"""To and from the result types of the package supervision, whose boxes and masks are those of pixels as ours are.

Source: https://supervision.roboflow.com/latest/detection/core/ (MIT).
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np

from pixelwright.errors import MissingExtra, UsageError
from pixelwright.structures.detections import Detections
from pixelwright.structures.masks import Masks


def to_supervision(result: Detections) -> Any:
    """A `supervision.Detections` of the same rows, labels under `data["class_name"]`.

    Masks are unpacked to (N, H, W), a byte a pixel. Keypoints are in a type of their own there: `to_keypoints`.

    Raises:
        MissingExtra: supervision is not installed.
    """
    masks = result.masks
    return _package().Detections(
        xyxy=result.boxes_xyxy.astype(np.float32),
        mask=None if masks is None else np.array(list(masks), bool).reshape(-1, *masks.size_hw),
        confidence=result.scores.astype(np.float32),
        class_id=result.class_ids.astype(int),
        tracker_id=None if result.track_ids is None else result.track_ids.astype(int),
        data={"class_name": np.array(result.labels, dtype=str)},
    )


def to_keypoints(result: Detections) -> Any:
    """A `supervision.KeyPoints` of the same rows.

    Raises:
        MissingExtra: supervision is not installed.
        UsageError: The result has no keypoints.
    """
    if result.keypoints is None:
        raise UsageError("this result has no keypoints. Use to_supervision for its boxes and masks.")
    return _package().KeyPoints(
        xy=result.keypoints[:, :, :2],
        keypoint_confidence=result.keypoints[:, :, 2],
        class_id=result.class_ids.astype(int),
        data={"class_name": np.array(result.labels, dtype=str)},
    )


def from_supervision(detections: Any, labels: Sequence[str] = ()) -> Detections:
    """Our result of a `supervision.Detections`, sorted by score.

    Args:
        detections: Rows without a score count as certain, rows without a class as the first one.
        labels: All classes in order; not needed where `data["class_name"]` has the label of each row.

    Raises:
        UsageError: There is a class without a label.
    """
    count = len(detections)
    scores = np.ones(count) if detections.confidence is None else np.asarray(detections.confidence)
    order = np.argsort(-scores, kind="stable")
    ids = np.zeros(count, np.int32) if detections.class_id is None else np.asarray(detections.class_id, np.int32)[order]
    masks = None if detections.mask is None else np.asarray(detections.mask, bool)[order]
    return Detections(
        np.asarray(detections.xyxy, np.float32)[order],
        scores[order].astype(np.float32),
        ids,
        _labels(detections.data.get("class_name"), order, ids, labels),
        None if masks is None else Masks.of(list(masks), (masks.shape[1], masks.shape[2])),
        track_ids=None if detections.tracker_id is None else np.asarray(detections.tracker_id, np.int32)[order],
    )


def _labels(names: Any, order: Any, class_ids: Any, labels: Sequence[str]) -> tuple[str, ...]:
    if names is not None:
        return tuple(str(names[row]) for row in order)
    ids: list[int] = class_ids.tolist()
    unknown = [class_id for class_id in ids if not 0 <= class_id < len(labels)]
    if unknown:
        raise UsageError(f"labels: class {unknown[0]} has none among {len(labels)}. Give the labels of all classes.")
    return tuple(labels[class_id] for class_id in ids)


def _package() -> Any:
    try:
        return import_module("supervision")
    except ImportError as err:
        raise MissingExtra("Converting to and from supervision", "supervision") from err
