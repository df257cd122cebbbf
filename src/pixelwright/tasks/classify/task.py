"""The record that makes classification a task."""

from pixelwright.contract import Task, prepare, shape_of
from pixelwright.structures.results import ClassScores
from pixelwright.tasks.classify.draw import draw, rows, text
from pixelwright.tasks.classify.predict import check, predict

TASK = Task(
    name="classify",
    summary="Say what is in each picture: labels with scores, best first.",
    example="pixelwright classify scans/ --model digits --json",
    default_model="digits",
    options=frozenset({"threshold", "classes", "top_k"}),
    result=ClassScores,
    check=check,
    prepare=prepare,
    key=shape_of,
    predict=predict,
    draw=draw,
    columns=("label", "score"),
    rows=rows,
    text=text,
)
