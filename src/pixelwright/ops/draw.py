"""Painting text onto pictures, with the font that Pillow carries: no system font is needed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pixelwright.ops import color
from pixelwright.structures.image import Image

INK = (255, 255, 255)
PAPER = (24, 26, 31)
LEAST_WIDTH_PX = 240  # a picture of 28 pixels is enlarged, or its caption could not be read


def caption(image: Image, lines: Sequence[str]) -> Image:
    """The picture as 8-bit RGB with a dark strip of text below it, a line each; small pictures are enlarged."""
    from PIL import Image as PillowImage
    from PIL import ImageDraw, ImageFont

    picture = PillowImage.fromarray(color.to_rgb(color.to_8_bit(color.flatten_alpha(image))).pixels)
    factor = -(-LEAST_WIDTH_PX // picture.width) if picture.width < LEAST_WIDTH_PX else 1
    picture = picture.resize((picture.width * factor, picture.height * factor), PillowImage.Resampling.NEAREST)
    text_px = max(14, picture.width // 32)
    font = ImageFont.load_default(text_px)
    margin = text_px // 2
    strip = margin + len(lines) * (text_px + margin)
    canvas = PillowImage.new("RGB", (picture.width, picture.height + strip), PAPER)
    canvas.paste(picture, (0, 0))
    pen = ImageDraw.Draw(canvas)
    for row, line in enumerate(lines):
        at = (margin, picture.height + margin + row * (text_px + margin))
        pen.text(at, _fitting(line, font, canvas.width - 2 * margin), fill=INK, font=font)
    return Image(np.asarray(canvas), source=image.source)


def _fitting(line: str, font, width: int) -> str:  # type: ignore[no-untyped-def]
    while len(line) > 1 and font.getlength(line) > width:
        line = line[:-2] + "…"
    return line
