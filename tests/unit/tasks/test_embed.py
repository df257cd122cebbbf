"""Pictures become vectors of unit length that say which model made them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bundles import brightness, quarters
from pixelwright.errors import BundleError, RuntimeFailure
from pixelwright.model import load
from pixelwright.structures.image import Image
from pixelwright.structures.results import Embedding
from pixelwright.tasks.embed.task import TASK


def plain(*rgb: int) -> Image:
    return Image(np.full((9, 12, 3), rgb, np.uint8))


def test_a_vector_points_where_the_arithmetic_says(tmp_path: Path) -> None:
    bundle = quarters(tmp_path / "b")
    found = load(bundle.path)(plain(51, 102, 102))
    assert found.vector.tolist() == pytest.approx(np.repeat([1, 2, 2], 4) / 6, abs=1e-6)
    assert found.space == bundle.identity


def test_like_pictures_are_near_and_unlike_ones_are_not(tmp_path: Path) -> None:
    model = load(quarters(tmp_path / "b").path)
    red, pink, blue = (model(plain(*rgb)) for rgb in ((200, 0, 0), (220, 40, 40), (0, 0, 200)))
    assert red.similarity(pink) > 0.9 and red.similarity(blue) == pytest.approx(0, abs=1e-6)


def test_a_picture_without_direction_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RuntimeFailure, match="vector of zeros"):
        load(quarters(tmp_path / "b").path)(plain(0, 0, 0))


def test_a_model_that_makes_no_vectors_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="'softmax' makes no vectors; embed needs 'embedding'"):
        load(brightness(tmp_path / "b", task="embed").path)


def test_records_say_how_many_numbers_of_which_model(tmp_path: Path) -> None:
    found = load(quarters(tmp_path / "b").path)(plain(9, 9, 9))
    assert TASK.rows(found.to_dict()) == [{"dimensions": 12, "space": found.space}]
    assert TASK.text(found.to_dict()) == f"12 numbers in {found.space}" == str(found)
    assert np.allclose(Embedding.from_dict(found.to_dict()).vector, found.vector, atol=1e-7)


def test_a_drawing_has_a_strip_below(tmp_path: Path) -> None:
    bundle = quarters(tmp_path / "b")
    image = plain(9, 99, 9)
    drawn = TASK.draw(image, load(bundle.path)(image), bundle)
    assert drawn.pixels[0, 0].tolist() == [9, 99, 9] and drawn.size_hw[0] > 9
