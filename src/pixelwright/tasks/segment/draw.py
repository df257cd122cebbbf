"""A label map onto its picture and into a table."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwright.bundle import ModelBundle
from pixelwright.ops import color
from pixelwright.ops.draw import INK, LEAST_WIDTH_PX, PAPER
from pixelwright.structures.image import Image
from pixelwright.structures.label_map import LabelMap

Pixels = npt.NDArray[np.uint8]
Color = tuple[int, int, int]

BARE = frozenset({"background", "unlabeled"})  # classes that say "nothing in particular": the picture shows through
OPACITY = 0.5
VOID_OPACITY = 0.65
LINE_SHARE = 1 / 500  # of the longer side: the width of the line around each region
SHOWN_CLASSES = 24  # in the legend
# Steps around the circle of hues, and saturations and values in turn, strong enough to be told from what they cover:
# the first 8, 21 and 40 colors lie 57, 24 and 13 apart in CIELAB, where 2.3 can just be seen.
HUE_STEP = 0.157
TONES = ((1.0, 1.0), (0.55, 1.0), (1.0, 0.7), (0.7, 0.9), (1.0, 0.5))


def draw(image: Image, result: LabelMap, bundle: ModelBundle) -> Image:
    """The picture (8-bit sRGB) under translucent colors, with a legend below: each class and its share.

    A class has the same color in every picture. What is void is darkened; backgrounds stay as they are.
    """
    del bundle
    pixels = color.to_rgb(color.to_8_bit(color.flatten_alpha(image))).pixels
    painted = _painted(pixels, result)
    factor = -(-LEAST_WIDTH_PX // painted.shape[1])
    if factor > 1:  # or a legend could not be read
        painted = painted.repeat(factor, axis=0).repeat(factor, axis=1)
    entries = [
        (f"{label} {share:.1%}", PAPER if _is_bare(label) else class_color(result.labels.index(label)))
        for label, share in result.shares.items()
    ]
    return Image(_with_legend(painted, entries), source=image.source)


def rows(record: dict[str, Any]) -> list[dict[str, Any]]:
    """Each class that is there, with its share of the picture, largest first; void is left out."""
    written = record["label_map"]
    height, width = written["size"]
    return [
        {"label": row["label"], "share": round(row["pixels"] / (height * width), 6), "pixels": row["pixels"]}
        for row in written["classes"]
        if row["id"] != written["void"]
    ]


def text(record: dict[str, Any]) -> str:
    """The classes with their shares, largest first."""
    return ", ".join(f"{row['label']} {row['share']:.1%}" for row in rows(record)) or "nothing"


def _painted(pixels: Pixels, result: LabelMap) -> Pixels:
    import cv2

    count = np.iinfo(result.ids.dtype).max + 1
    opacity = np.full(count, OPACITY, np.float32)
    opacity[[place for place, label in enumerate(result.labels) if _is_bare(label)]] = 0
    paint = np.array([class_color(one) if one < len(result.labels) else PAPER for one in range(count)], np.float32)
    if result.void_id is not None:
        opacity[result.void_id], paint[result.void_id] = VOID_OPACITY, PAPER
    width = max(1, round(max(result.size_hw) * LINE_SHARE))
    kernel = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
    framed = opacity > 0
    if result.void_id is not None:
        framed[result.void_id] = False
    out = np.empty_like(pixels)
    # In bands, since weights and colors of a whole picture would take eight times its memory.
    for top in range(0, len(pixels), 256):
        near = result.ids[max(0, top - width) : top + 256 + width]
        line = (cv2.dilate(near, kernel) != cv2.erode(near, kernel))[top - max(0, top - width) :][:256]
        ids = result.ids[top : top + 256]
        weight = np.where(line & framed[ids], np.float32(1), opacity[ids])[:, :, None]
        under = pixels[top : top + 256]
        out[top : top + 256] = np.rint(under + (paint[ids] - under) * weight)
    return out


@cache
def class_color(class_id: int) -> Color:
    """The color of a class, the same for every picture and model."""
    saturation, value = TONES[class_id % len(TONES)]
    red, green, blue = colorsys.hsv_to_rgb(class_id * HUE_STEP % 1, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def _is_bare(label: str) -> bool:
    return label.casefold() in BARE


def _with_legend(pixels: Pixels, entries: Sequence[tuple[str, Color]]) -> Pixels:
    """A picture with a dark strip below it: a colored square and a text for each class, in as many lines as needed."""
    from PIL import Image as PillowImage
    from PIL import ImageDraw, ImageFont

    height, width = pixels.shape[:2]
    text_px = max(14, width // 40)
    margin, line_px = text_px // 2, text_px * 3 // 2
    font = ImageFont.load_default(text_px)
    rest = len(entries) - SHOWN_CLASSES
    shown = [*entries[:SHOWN_CLASSES], *([(f"and {rest} more", None)] if rest > 0 else [])] or [("nothing", None)]
    places: list[tuple[int, int]] = []
    x, y = margin, height + margin
    for words, _ in shown:
        needed = line_px + round(font.getlength(words)) + 2 * margin
        if x > margin and x + needed > width:
            x, y = margin, y + line_px
        places.append((x, y))
        x += needed
    canvas = PillowImage.new("RGB", (width, y + line_px + margin), PAPER)
    canvas.paste(PillowImage.fromarray(pixels), (0, 0))
    pen = ImageDraw.Draw(canvas)
    for (words, paint), (left, top) in zip(shown, places, strict=True):
        if paint is not None:
            pen.rectangle((left, top, left + text_px, top + text_px), fill=paint, outline=INK)
        pen.text((left + line_px, top), words, fill=INK, font=font)
    return np.asarray(canvas)
