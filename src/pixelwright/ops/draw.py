"""Painting results onto pictures, with the font that Pillow carries: no system font is needed.

`canvas` makes the pixels to paint on; everything else paints into them, in place and quickly enough for video.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwright.ops import color
from pixelwright.structures.image import Image

Rgb = tuple[int, int, int]

INK = (255, 255, 255)
PAPER = (24, 26, 31)
BLACK = (0, 0, 0)  # on any color at all this or white has a contrast of 4.5
LEAST_WIDTH_PX = 240  # a picture of 28 pixels is enlarged, or its caption could not be read

GOLDEN_ANGLE = 137.508  # degrees: each next hue lies in the largest gap that the ones before have left
FIRST_HUE = 255.0
LIGHTNESS = (0.68, 0.80, 0.58)
CHROMA = 0.17
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


@lru_cache(maxsize=4096)
def color_of(number: int) -> Rgb:
    """A color for each class, the same at all times, far from those of the classes before.

    Source: Ottosson, A perceptual color space for image processing, 2020 (https://bottosson.github.io/posts/oklab/),
        the matrices from Oklab to linear sRGB.
    """
    hue = np.deg2rad(FIRST_HUE + GOLDEN_ANGLE * number)
    lightness = LIGHTNESS[number % len(LIGHTNESS)]
    lab = np.array([lightness, CHROMA * np.cos(hue), CHROMA * np.sin(hue)])
    to_lms = np.array(
        [[1, 0.3963377774, 0.2158037573], [1, -0.1055613458, -0.0638541728], [1, -0.0894841775, -1.291485548]]
    )
    to_rgb = np.array(
        [[4.0767416621, -3.3077115913, 0.2309699292], [-1.2684380046, 2.6097574011, -0.3413193965],
         [-0.0041960863, -0.7034186147, 1.707614701]]
    )  # fmt: skip
    linear = np.clip(to_rgb @ (to_lms @ lab) ** 3, 0, 1)
    curved = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    red, green, blue = (int(value) for value in np.rint(curved * 255))
    return red, green, blue


@lru_cache(maxsize=4096)
def ink_on(paper: Rgb) -> Rgb:
    """Black or white, whichever is easier to read on a color.

    Source: WCAG 2.2, relative luminance and contrast ratio (https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio).
    """
    light = _luminance(paper) + 0.05
    return INK if (_luminance(INK) + 0.05) / light > light / (_luminance(BLACK) + 0.05) else BLACK


def _luminance(rgb: Rgb) -> float:
    values = np.array(rgb) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return float(linear @ np.array([0.2126, 0.7152, 0.0722]))


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

    font = _font(text_px)
    margin = max(2, text_px // 4)
    sheet = PillowImage.new("L", (round(font.getlength(text)) + 2 * margin, text_px + margin + margin // 2), 0)
    ImageDraw.Draw(sheet).text((margin, sheet.height // 2), text, fill=255, font=font, anchor="lm")
    return np.asarray(sheet)


@lru_cache(maxsize=64)
def _font(text_px: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(text_px)


def caption(image: Image, lines: Sequence[str]) -> Image:
    """The picture as 8-bit RGB with a dark strip of text below it, a line each; small pictures are enlarged."""
    from PIL import Image as PillowImage
    from PIL import ImageDraw

    picture = canvas(image).pixels
    width = picture.shape[1]
    text_px = max(14, width // 32)
    font = _font(text_px)
    margin = text_px // 2
    strip = PillowImage.new("RGB", (width, margin + len(lines) * (text_px + margin)), PAPER)
    pen = ImageDraw.Draw(strip)
    for row, line in enumerate(lines):
        at = (margin, margin + row * (text_px + margin))
        pen.text(at, _fitting(line, font, width - 2 * margin), fill=INK, font=font)
    return Image(np.concatenate((picture, np.asarray(strip))), source=image.source)


def _fitting(line: str, font: Any, width: int) -> str:
    while len(line) > 1 and font.getlength(line) > width:
        line = line[:-2] + "…"
    return line
