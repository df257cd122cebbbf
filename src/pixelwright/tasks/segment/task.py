"""The record that makes segmentation a task."""

from pixelwright.contract import Task
from pixelwright.structures.label_map import LabelMap
from pixelwright.tasks.segment.draw import draw, rows, text
from pixelwright.tasks.segment.predict import check, key, predict, prepare

TASK = Task(
    name="segment",
    summary="Say of which class each pixel is: label maps in the size of the picture, and each class's share.",
    example="pixelwright segment photo.jpg --model deeplab-voc --draw -o parts",
    default_model="deeplab-voc",
    options=frozenset({"threshold", "classes", "tile_px"}),
    result=LabelMap,
    check=check,
    prepare=prepare,
    key=key,
    predict=predict,
    draw=draw,
    columns=("label", "share", "pixels"),
    rows=rows,
    text=text,
)
