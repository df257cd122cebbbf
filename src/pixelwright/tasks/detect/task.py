"""The record that makes detection a task."""

from pixelwright.contract import Task
from pixelwright.structures.detections import Detections
from pixelwright.tasks.detect.draw import draw, rows, text
from pixelwright.tasks.detect.predict import check, key, predict, prepare

TASK = Task(
    name="detect",
    summary="Find things in each picture: boxes with labels and scores, and the masks or keypoints that a model makes.",
    example="pixelwright detect street/ --model fastestdet-coco --classes person,car --draw -o found",
    default_model="fastestdet-coco",
    options=frozenset({"threshold", "classes", "top_k", "iou_threshold", "tile_px", "tile_overlap"}),
    result=Detections,
    check=check,
    prepare=prepare,
    key=key,
    predict=predict,
    draw=draw,
    columns=("label", "score", "left", "top", "right", "bottom"),
    rows=rows,
    text=text,
)
