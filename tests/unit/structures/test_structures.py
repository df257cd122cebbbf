"""Central types refuse what makes no sense, and show themselves in a notebook."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image as PillowImage

from pixelwright.errors import ShapeError
from pixelwright.structures.image import GRAY, Color, Image
from pixelwright.structures.raster import Raster, Window
from pixelwright.structures.results import ClassScores


@pytest.mark.parametrize(
    ("pixels", "said"),
    [
        (np.zeros((4, 4), np.uint8), "expected (H, W, C)"),
        (np.zeros((0, 4, 3), np.uint8), "at least one pixel"),
        (np.zeros((4, 4, 3), np.int32), "expected uint8, uint16 or float32"),
        (np.zeros((4, 4, 4), np.uint8), "4 channels"),
    ],
)
def test_an_image_is_checked_once_when_made(pixels: np.ndarray, said: str) -> None:
    with pytest.raises(ShapeError) as caught:
        Image(pixels)
    assert said in str(caught.value)


def test_alpha_must_have_the_pixels_shape_and_dtype() -> None:
    with pytest.raises(ShapeError, match="alpha"):
        Image(np.zeros((4, 4, 3), np.uint8), alpha=np.zeros((4, 4), np.uint16))


@pytest.mark.parametrize(("dtype", "white"), [(np.uint8, 255), (np.uint16, 65535), (np.float32, 1)])
def test_white_follows_from_the_dtype_unless_said(dtype: type, white: float) -> None:
    assert Image(np.zeros((1, 1, 3), dtype)).white == white
    assert Image(np.zeros((1, 1, 3), dtype), white=4095).white == 4095


def test_a_raster_reads_windows_and_refuses_what_lies_outside() -> None:
    image = Image(np.arange(60, dtype=np.uint8).reshape(4, 5, 3))
    raster = Raster.of(image)
    assert np.array_equal(raster.read(Window(1, 2, 2, 3)).pixels, image.pixels[1:3, 2:5])
    for outside in (Window(0, 0, 5, 1), Window(-1, 0, 1, 1), Window(0, 4, 1, 2), Window(0, 0, 0, 1)):
        with pytest.raises(ShapeError, match="outside"):
            raster.read(outside)
    assert raster.nbytes == 60


def test_scores_must_descend_and_columns_agree() -> None:
    ids, labels = np.array([0, 1], np.int32), ("a", "b")
    with pytest.raises(ShapeError, match="descending"):
        ClassScores(ids, np.array([0.1, 0.9], np.float32), labels)
    with pytest.raises(ShapeError, match="NaN"):
        ClassScores(ids, np.array([0.9, np.nan], np.float32), labels)
    with pytest.raises(ShapeError, match="columns differ"):
        ClassScores(ids, np.array([0.9], np.float32), labels)


def test_results_show_themselves_in_a_notebook() -> None:
    scores = ClassScores(np.array([0], np.int32), np.array([0.75], np.float32), ("<script>",))
    assert "&lt;script&gt;" in scores._repr_html_() and "75.0%" in scores._repr_html_()
    for image in (
        Image(np.full((3, 3000, 3), 65535, np.uint16)),
        Image(np.full((3, 9, 1), 0.5, np.float32), GRAY),
    ):
        with PillowImage.open(io.BytesIO(image._repr_png_() or b"")) as shown:
            assert shown.width <= 1024
    assert Image(np.zeros((3, 3, 2), np.uint8), Color(("a", "b")))._repr_png_() is None
