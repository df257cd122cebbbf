"""The record that makes classification a task."""

from pixelwright.contract import Task
from pixelwright.tasks.classify.draw import draw, row, text
from pixelwright.tasks.classify.predict import check, key, predict, prepare

TASK = Task(
    name="classify",
    summary="Say what is in each picture: labels with scores, best first.",
    example="pixelwright classify scans/ --model digits --json",
    default_model="digits",
    options=frozenset({"threshold", "classes", "top_k"}),
    makes_images=False,
    check=check,
    prepare=prepare,
    key=key,
    predict=predict,
    draw=draw,
    columns=("label", "score"),
    row=row,
    text=text,
)
