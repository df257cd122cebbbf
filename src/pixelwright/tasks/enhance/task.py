"""The record that makes enhancement a task."""

from pixelwright.contract import Task
from pixelwright.structures.raster import Raster
from pixelwright.tasks.enhance.draw import draw, rows, text
from pixelwright.tasks.enhance.predict import check, predict, prepare

TASK = Task(
    name="enhance",
    summary="Make each picture better: denoise or enlarge it, keeping bit depth, gamut, alpha and metadata.",
    example="pixelwright enhance photo.jpg --model denoise -o better.png",
    default_model="denoise",
    options=frozenset({"tile_px"}),
    result=Raster,
    check=check,
    prepare=prepare,
    key=None,
    predict=predict,
    draw=draw,
    columns=("width", "height", "output"),
    rows=rows,
    text=text,
)
