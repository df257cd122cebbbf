"""Detections onto the picture and into a table."""

from __future__ import annotations

from typing import Any

import numpy as np

from pixelwright.bundle import ModelBundle
from pixelwright.ops import draw as paint
from pixelwright.structures.detections import Detections
from pixelwright.structures.image import Image

CERTAIN = 0.2  # keypoints with a lower score are not shown, where the bundle names no other

LEFT, RIGHT = (64, 196, 255), (255, 160, 64)  # sides of a body, told apart by color


def draw(image: Image, result: Detections, bundle: ModelBundle) -> Image:
    """The picture (8-bit sRGB) with boxes and tags, masks below them, keypoints above; the best things on top.

    Where tags would hide a crowd it has none; its masks then have no boxes either, and each thing a color of its own.
    """
    canvas = paint.canvas(image)
    rows = range(len(result) - 1, -1, -1)
    colors = [paint.color_of(int(number)) for number in result.class_ids]
    tags = [paint.Tag(_text(result, row), result[row].box_xyxy, colors[row]) for row in reversed(rows)]
    crowded = paint.crowded(canvas, tags)
    if result.masks is not None:
        for row in rows:
            _draw_mask(canvas, result, row, paint.color_of(row) if crowded else colors[row])
    if result.masks is None or not crowded:
        for row in rows:
            paint.box(canvas, result.boxes_xyxy[row], colors[row])
    if result.keypoints is not None:
        for row in rows:
            _draw_keypoints(canvas, result, row, bundle)
    if not crowded:
        paint.tags(canvas, tags)
    return Image(canvas.pixels, source=image.source)


def _text(result: Detections, row: int) -> str:
    track = "" if result.track_ids is None else f" #{result.track_ids[row]}"
    return f"{result.labels[row]}{track} {result.scores[row]:.0%}"


def _draw_mask(canvas: paint.Canvas, result: Detections, row: int, color: paint.Rgb) -> None:
    if result.masks is None:
        return
    left, top = np.floor(result.boxes_xyxy[row, :2]).astype(int)
    right, bottom = np.ceil(result.boxes_xyxy[row, 2:]).astype(int)
    mask = result.masks[row][top:bottom, left:right]
    if mask.size:
        paint.tint(canvas, mask, (int(top), int(left)), color)


def _draw_keypoints(canvas: paint.Canvas, result: Detections, row: int, bundle: ModelBundle) -> None:
    if result.keypoints is None:
        return
    output = bundle.spec.output
    certain = float(output.parameters.get("certain", CERTAIN))
    plain = paint.color_of(int(result.class_ids[row]))
    points = dict(zip(result.keypoint_names, result.keypoints[row].tolist(), strict=True))
    shown = {name: (x, y) for name, (x, y, score) in points.items() if score >= certain}
    for start, stop in output.skeleton:
        if start in shown and stop in shown:
            paint.line(canvas, shown[start], shown[stop], _side(start, stop) or plain)
    for name, at_xy in shown.items():
        paint.dot(canvas, at_xy, _side(name, name) or plain)


def _side(start: str, stop: str) -> paint.Rgb | None:
    """The color of what belongs to one side of a body alone."""
    sides = {next((side for side in ("left", "right") if side in name), "") for name in (start, stop)}
    return LEFT if sides == {"left"} else RIGHT if sides == {"right"} else None


def rows(record: dict[str, Any]) -> list[dict[str, Any]]:
    """A row for each thing: label, score, and the sides of its box in pixels."""
    sides = ("left", "top", "right", "bottom")
    return [
        {"label": one["label"], "score": one["score"], **dict(zip(sides, one["box_xyxy"], strict=True))}
        for one in record["detections"]
    ]


def text(record: dict[str, Any]) -> str:
    """How many of which label."""
    return str(Detections.from_dict(record))
