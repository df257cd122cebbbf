"""Painting results onto pictures, with the font that Pillow carries: no system font is needed.

`canvas` makes the pixels to paint on; everything else paints into them, in place and quickly enough for video.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwright.ops import color
from pixelwright.structures.image import Image

Rgb = tuple[int, int, int]

INK = (255, 255, 255)
PAPER = (24, 26, 31)
COVERED = 0.25  # of a picture, by tags
BLACK = (0, 0, 0)  # on any color at all this or white has a contrast of 4.5
LEAST_WIDTH_PX = 240  # a picture of 28 pixels is enlarged, or its caption could not be read

CLASS_COLORS = 256  # then they begin again
FIRST_COLOR = (68, 153, 255)
COLOR_STEP = 17  # between the values of red, green and blue that colors of classes are made of
LIGHTNESS = (0.55, 0.9)  # of Oklab: neither black nor white, which pictures are full of,
LEAST_CHROMA = 0.12  # nor gray
SUBPIXEL_BITS = 4
FARTHEST_PX = 1 << 20  # a point may lie far outside the picture, but OpenCV counts in 32 bits
TINT = 0.42  # how much of a mask's color covers the picture


@dataclass(frozen=True, slots=True, eq=False)
class Canvas:
    """Pixels to paint on.

    Attributes:
        pixels: (H, W, 3) uint8, RGB.
        factor: How much larger than the picture they are: a small one is enlarged.
        line_px: Width of lines that suits the size.
        text_px: Height of letters that suits the size.
    """

    pixels: npt.NDArray[np.uint8]
    factor: int
    line_px: int
    text_px: int


def canvas(image: Image) -> Canvas:
    """A copy of a picture as 8-bit RGB, enlarged if it is small."""
    pixels = color.to_rgb(color.to_8_bit(color.flatten_alpha(image))).pixels
    factor = -(-LEAST_WIDTH_PX // pixels.shape[1])
    pixels = pixels.repeat(factor, axis=0).repeat(factor, axis=1) if factor > 1 else pixels.copy()
    side = (pixels.shape[0] + pixels.shape[1]) / 2
    return Canvas(np.ascontiguousarray(pixels), factor, max(2, round(side / 360)), max(13, round(side / 56)))


def color_of(class_id: int) -> Rgb:
    """The color of a class, the same for every picture, task and model, far from those of the classes before."""
    return _palette()[class_id % CLASS_COLORS]


@cache
def _palette() -> tuple[Rgb, ...]:
    """Strong colors, of which each is as far from all before as can be."""
    values = np.arange(0, 256, COLOR_STEP)
    rgb = np.stack(np.meshgrid(values, values, values, indexing="ij"), axis=-1).reshape(-1, 3)
    lab = _oklab(rgb)
    strong = np.hypot(lab[:, 1], lab[:, 2]) > LEAST_CHROMA
    strong &= (lab[:, 0] > LIGHTNESS[0]) & (lab[:, 0] < LIGHTNESS[1])
    rgb, lab = rgb[strong], lab[strong]
    apart = np.full(len(lab), np.inf)
    chosen = [int((rgb == FIRST_COLOR).all(axis=1).argmax())]
    while len(chosen) < CLASS_COLORS:
        apart = np.minimum(apart, np.linalg.norm(lab - lab[chosen[-1]], axis=1))
        chosen.append(int(apart.argmax()))
    return tuple((int(red), int(green), int(blue)) for red, green, blue in rgb[chosen])


def _oklab(rgb: npt.NDArray[np.integer]) -> npt.NDArray[np.float64]:
    """Colors (N, 3) of 8 bits in Oklab, where distances are those that are seen.

    Source: Ottosson, A perceptual color space for image processing, 2020 (https://bottosson.github.io/posts/oklab/).
    """
    to_lms = np.array(
        [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
         [0.0883024619, 0.2817188376, 0.6299787005]]
    )  # fmt: skip
    to_lab = np.array(
        [[0.2104542553, 0.793617785, -0.0040720468], [1.9779984951, -2.428592205, 0.4505937099],
         [0.0259040371, 0.7827717662, -0.808675766]]
    )  # fmt: skip
    return np.cbrt(_linear(rgb) @ to_lms.T) @ to_lab.T


def _linear(rgb: npt.ArrayLike) -> npt.NDArray[np.float64]:
    values = np.asarray(rgb) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


@lru_cache(maxsize=4096)
def ink_on(paper: Rgb) -> Rgb:
    """Black or white, whichever is easier to read on a color.

    Source: WCAG 2.2, relative luminance and contrast ratio (https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio).
    """
    light = _luminance(paper) + 0.05
    return INK if (_luminance(INK) + 0.05) / light > light / (_luminance(BLACK) + 0.05) else BLACK


def _luminance(rgb: Rgb) -> float:
    return float(_linear(rgb) @ np.array([0.2126, 0.7152, 0.0722]))


def box(on: Canvas, box_xyxy: Sequence[float], paint: Rgb) -> None:
    """The outline of a box, inside of it."""
    left, top, right, bottom = _corners(on, box_xyxy)
    width = min(on.line_px, max(1, (right - left) // 3), max(1, (bottom - top) // 3))
    area = on.pixels[top:bottom, left:right]
    for side in (area[:width], area[-width:], area[:, :width], area[:, -width:]):
        side[:] = paint


@dataclass(frozen=True, slots=True)
class Tag:
    """A text that belongs to a box."""

    text: str
    box_xyxy: tuple[float, float, float, float]
    paint: Rgb


def crowded(on: Canvas, wanted: Sequence[Tag]) -> bool:
    """Whether the tags would cover more than a quarter of the picture, and so what they speak of."""
    return sum(_stamp(tag.text, on.text_px).size for tag in wanted) > COVERED * on.pixels[:, :, 0].size


def tags(on: Canvas, wanted: Sequence[Tag]) -> None:
    """Texts on filled tags at their boxes, inside the picture, where possible beside those that come before."""
    taken = np.zeros((0, 4), np.int64)
    for tag in wanted:
        stamp = _stamp(tag.text, on.text_px)[: on.pixels.shape[0], : on.pixels.shape[1]]
        rows, columns = stamp.shape
        left, top = _place(on, tag, (rows, columns), taken)
        on.pixels[top : top + rows, left : left + columns] = _mixed(tag.paint, ink_on(tag.paint), stamp)
        taken = np.append(taken, [(left, top, left + columns, top + rows)], axis=0)


def _place(on: Canvas, tag: Tag, size_hw: tuple[int, int], taken: npt.NDArray[np.int64]) -> tuple[int, int]:
    """Left and top of a tag: the first place at its box that is free, else the first."""
    height, width = on.pixels.shape[:2]
    rows, columns = size_hw
    left, top, right, bottom = _corners(on, tag.box_xyxy)
    above, below, inner, aside = top - rows, bottom, bottom - rows, right - columns
    places = [(left, above), (left, top), (aside, above), (left, below), (aside, top), (left, inner), (aside, below)]
    inside = [(max(0, min(x, width - columns)), y) for x, y in places if 0 <= y <= height - rows]
    for x, y in inside:
        over = (taken[:, :2] < (x + columns, y + rows)) & (taken[:, 2:] > (x, y))
        if not over.all(axis=1).any():
            return x, y
    return inside[0] if inside else (max(0, min(left, width - columns)), max(0, min(top, height - rows)))


def tint(on: Canvas, mask: npt.NDArray[np.bool_], top_left: tuple[int, int], paint: Rgb) -> None:
    """A mask (h, w) as a translucent color with an outline; its first pixel is the picture's at `top_left`."""
    import cv2

    if on.factor > 1:
        mask = mask.repeat(on.factor, axis=0).repeat(on.factor, axis=1)
    top, left = (place * on.factor for place in top_left)
    area = on.pixels[top : top + mask.shape[0], left : left + mask.shape[1]]
    inside = mask.astype(np.uint8, order="C")
    mixed = np.arange(256)[:, None] * (1 - TINT) + np.array(paint) * TINT
    covered = cv2.LUT(area, np.rint(mixed).astype(np.uint8)[None])
    painted = cv2.copyTo(covered, inside, area.copy())
    outlines, _ = cv2.findContours(inside, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(painted, outlines, -1, paint, max(1, 2 * on.line_px // 3), cv2.LINE_AA)
    area[:] = painted


def line(on: Canvas, start_xy: Sequence[float], stop_xy: Sequence[float], paint: Rgb) -> None:
    """A line between two points."""
    import cv2

    cv2.line(on.pixels, _point(on, start_xy), _point(on, stop_xy), paint, on.line_px, cv2.LINE_AA, SUBPIXEL_BITS)


def dot(on: Canvas, at_xy: Sequence[float], paint: Rgb) -> None:
    """A point, with a rim that sets it off from lines of its own color."""
    import cv2

    radius = (on.line_px + 1) << SUBPIXEL_BITS
    rim = radius + (max(1, on.line_px // 2) << SUBPIXEL_BITS)
    cv2.circle(on.pixels, _point(on, at_xy), rim, PAPER, -1, cv2.LINE_AA, SUBPIXEL_BITS)
    cv2.circle(on.pixels, _point(on, at_xy), radius, paint, -1, cv2.LINE_AA, SUBPIXEL_BITS)


def _point(on: Canvas, at_xy: Sequence[float]) -> tuple[int, int]:
    # -0.5: OpenCV's point (0, 0) is the center of the first pixel
    x, y = (min(max(value * on.factor - 0.5, -FARTHEST_PX), FARTHEST_PX) for value in at_xy)
    return round(x * (1 << SUBPIXEL_BITS)), round(y * (1 << SUBPIXEL_BITS))


def _corners(on: Canvas, box_xyxy: Sequence[float]) -> tuple[int, int, int, int]:
    """A box in whole pixels of the canvas, inside of it, at least one wide and high."""
    height, width = on.pixels.shape[:2]
    left, top, right, bottom = (round(float(side) * on.factor) for side in box_xyxy)
    left, top = max(0, min(left, width - 1)), max(0, min(top, height - 1))
    return left, top, max(left + 1, min(right, width)), max(top + 1, min(bottom, height))


def _mixed(paper: Rgb, ink: Rgb, stamp: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    share = np.linspace(0, 1, 256)[:, None]
    return np.rint(np.array(paper) * (1 - share) + np.array(ink) * share).astype(np.uint8)[stamp]


@lru_cache(maxsize=2048)
def _stamp(text: str, text_px: int) -> npt.NDArray[np.uint8]:
    """How much ink (h, w) a line of text has at each pixel, with a margin; lines of one size are equally high."""
    from PIL import Image as PillowImage
    from PIL import ImageDraw

    font = font_of(text_px)
    margin = max(2, text_px // 4)
    sheet = PillowImage.new("L", (round(font.getlength(text)) + 2 * margin, text_px + margin + margin // 2), 0)
    ImageDraw.Draw(sheet).text((margin, sheet.height // 2), text, fill=255, font=font, anchor="lm")
    return np.asarray(sheet)


@lru_cache(maxsize=64)
def font_of(text_px: int) -> Any:
    """The font for letters of some height."""
    from PIL import ImageFont

    return ImageFont.load_default(text_px)


def caption(image: Image, lines: Sequence[str]) -> Image:
    """The picture as 8-bit RGB with a dark strip of text below it, a line each; small pictures are enlarged."""
    from PIL import Image as PillowImage
    from PIL import ImageDraw

    picture = canvas(image).pixels
    width = picture.shape[1]
    text_px = max(14, width // 32)
    font = font_of(text_px)
    margin = text_px // 2
    strip = PillowImage.new("RGB", (width, margin + len(lines) * (text_px + margin)), PAPER)
    pen = ImageDraw.Draw(strip)
    for row, line in enumerate(lines):
        at = (margin, margin + row * (text_px + margin))
        pen.text(at, fitting(line, font, width - 2 * margin), fill=INK, font=font)
    return Image(np.concatenate((picture, np.asarray(strip))), source=image.source)


def fitting(line: str, font: Any, width: int) -> str:
    """A line of text, cut off where it would be wider than `width`."""
    while len(line) > 1 and font.getlength(line) > width:
        line = line[:-2] + "…"
    return line
