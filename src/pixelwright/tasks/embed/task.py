"""The record that makes embedding a task."""

from pixelwright.contract import Task, prepare, shape_of
from pixelwright.structures.results import Embedding
from pixelwright.tasks.embed.draw import draw, rows, text
from pixelwright.tasks.embed.predict import check, predict

TASK = Task(
    name="embed",
    summary="Make a vector of each picture, near those of pictures like it; with --index, for finding them.",
    example="pixelwright embed photos/ --model mobilenet-v2-features --index photos.index",
    default_model="mobilenet-v2-features",
    options=frozenset(),
    result=Embedding,
    check=check,
    prepare=prepare,
    key=shape_of,
    predict=predict,
    draw=draw,
    columns=("dimensions", "space"),
    rows=rows,
    text=text,
)
