"""The record that makes regression a task."""

from pixelwright.contract import Task, prepare, shape_of
from pixelwright.structures.results import NamedValues
from pixelwright.tasks.regress.draw import draw, rows, text
from pixelwright.tasks.regress.predict import check, predict

TASK = Task(
    name="regress",
    summary="Say numbers of each picture: an age, an angle, a count.",
    example="pixelwright regress photos/ --model my-model --json",
    default_model="",
    options=frozenset(),
    result=NamedValues,
    check=check,
    prepare=prepare,
    key=shape_of,
    predict=predict,
    draw=draw,
    columns=("name", "value"),
    rows=rows,
    text=text,
)
