"""What `inspect` says of a file, and the upright picture."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image as PillowImage

from pixelwright.errors import ImageTooLarge, UnreadableImage
from pixelwright.verbs.inspect import inspect, report_dict, report_text, upright


@pytest.fixture
def turned() -> bytes:
    tags = PillowImage.Exif()
    tags[274] = 6
    target = io.BytesIO()
    array = np.zeros((20, 30, 3), np.uint8)
    array[:, :15, 0] = 255  # red on the left as stored is red on top once upright
    PillowImage.fromarray(array).save(target, "PNG", exif=tags, dpi=(300, 300))
    return target.getvalue()


def test_the_report_tells_stored_and_upright(turned: bytes) -> None:
    report = inspect(turned)
    assert (report.size_hw, report.stored_size_hw, report.orientation) == ((30, 20), (20, 30), 6)
    assert (report.format, report.dtype, report.channels) == ("png", "uint8", ("red", "green", "blue"))


def test_the_report_is_plain_json(turned: bytes) -> None:
    record = report_dict(inspect(turned))
    assert json.loads(json.dumps(record)) == record
    assert record["version"] == 1


def test_the_text_names_what_matters(turned: bytes) -> None:
    text = report_text(inspect(turned))
    assert "PNG, 20 x 30 pixels, RGB" in text
    assert "orientation   6, stored 30 x 20" in text
    assert "300 x 300 dpi" in text


def test_upright_is_8_bit_srgb_without_alpha(turned: bytes) -> None:
    image = upright(turned)
    assert image.pixels.shape == (30, 20, 3)
    assert image.pixels[0, 0].tolist() == [255, 0, 0]
    assert image.pixels[-1, 0].tolist() == [0, 0, 0]
    target = io.BytesIO()
    PillowImage.fromarray(np.full((2, 2), 65535, np.uint16)).save(target, "PNG")
    assert upright(target.getvalue()).pixels.tolist() == [[[255] * 3] * 2] * 2


def test_limits_and_faults_pass_through(turned: bytes) -> None:
    with pytest.raises(ImageTooLarge):
        inspect(turned, max_pixels=10)
    with pytest.raises(UnreadableImage):
        inspect(b"nothing")
