"""PGM and PPM: what the header says is what is read, and what is no such header is said in a sentence."""

from __future__ import annotations

import numpy as np
import pytest

from pixelwright.errors import ImageError
from pixelwright.io.images import read_image


def test_gray_with_comments_in_the_header() -> None:
    image = read_image(b"P5 # made by hand\n3\t2 #size\n255\n\x00\x01\x02\x03\x04\xff")
    assert image.pixels[:, :, 0].tolist() == [[0, 1, 2], [3, 4, 255]]
    assert image.color.is_gray and image.white == 255


def test_color_of_sixteen_bits_keeps_its_own_white() -> None:
    image = read_image(b"P6 1 1 1023\n" + np.array([1, 512, 1023], ">u2").tobytes())
    assert (image.pixels.dtype, image.pixels.tolist(), image.white) == (np.uint16, [[[1, 512, 1023]]], 1023.0)


def test_what_follows_the_picture_is_left_alone() -> None:
    assert read_image(b"P5 1 1 255\n\x07P5 1 1 255\n\x08").pixels.tolist() == [[[7]]]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"P2 1 1 255\n7\n", "kind P2; read are P5 and P6"),
        (b"P5 1 x 255\n\x07", "cut off or no numbers"),
        (b"P5 0 1 255\n\x07", "says 0x1 pixels"),
        (b"P5 1 1 70000\n\x07\x07", "up to 70000"),
        (b"P6 2 2 255\n\x07", "cut off: 1 bytes of pixels, 12 are needed"),
        (b"P5 1 1 100\n\x07".replace(b"\x07", b"\x65"), "values over 100"),
    ],
)
def test_what_is_no_such_file_is_a_sentence(content: bytes, said: str) -> None:
    with pytest.raises(ImageError, match=said):
        read_image(content)
