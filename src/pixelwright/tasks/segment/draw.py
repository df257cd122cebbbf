"""A label map onto its picture and into a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwright.bundle import ModelBundle
from pixelwright.ops.draw import INK, PAPER, Rgb, canvas, color_of, fitting, font_of
from pixelwright.structures.image import Image
from pixelwright.structures.label_map import Ids, LabelMap

Pixels = npt.NDArray[np.uint8]

BARE = frozenset({"background", "unlabeled"})  # classes that say "nothing in particular": the picture shows through
OPACITY = 0.5
VOID_OPACITY = 0.65
LINE_SHARE = 1 / 500  # of the longer side: the width of the line around each region
SHOWN_CLASSES = 24  # in the legend
BAND_ROWS = 256


def draw(image: Image, result: LabelMap, bundle: ModelBundle) -> Image:
    """The picture (8-bit sRGB) under translucent colors, with a legend below: each class and its share.

    A class has the same color in every picture. What is void is darkened; backgrounds stay as they are.
    """
    del bundle
    on = canvas(image)
    ids = result.ids.repeat(on.factor, axis=0).repeat(on.factor, axis=1) if on.factor > 1 else result.ids
    _paint(on.pixels, ids, result)
    entries = [
        (f"{label} {share:.1%}", PAPER if _is_bare(label) else color_of(result.labels.index(label)))
        for label, share in result.shares.items()
    ]
    legend = _legend(entries, on.pixels.shape[1])
    return Image(np.concatenate((on.pixels, legend)), source=image.source)


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


def _paint(pixels: Pixels, ids: Ids, result: LabelMap) -> None:
    """Colors of the classes over the pixels, in place; `ids` are those of the result in the size of the pixels."""
    import cv2

    count = np.iinfo(ids.dtype).max + 1
    opacity = np.full(count, OPACITY, np.float32)
    opacity[[place for place, label in enumerate(result.labels) if _is_bare(label)]] = 0
    first = {label: one for one, label in reversed(list(enumerate(result.labels)))}  # of several classes of one label
    paint = np.full((count, 3), PAPER, np.float32)
    paint[: len(result.labels)] = [color_of(first[label]) for label in result.labels]
    if result.void_id is not None:
        opacity[result.void_id], paint[result.void_id] = VOID_OPACITY, PAPER
    width = max(1, round(max(ids.shape) * LINE_SHARE))
    kernel = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
    framed = opacity > 0
    if result.void_id is not None:
        framed[result.void_id] = False
    # In bands, since weights and colors of a whole picture would take eight times its memory.
    for top in range(0, len(pixels), BAND_ROWS):
        near = ids[max(0, top - width) : top + BAND_ROWS + width]
        line = (cv2.dilate(near, kernel) != cv2.erode(near, kernel))[top - max(0, top - width) :][:BAND_ROWS]
        band, under = ids[top : top + BAND_ROWS], pixels[top : top + BAND_ROWS]
        weight = np.where(line & framed[band], np.float32(1), opacity[band])[:, :, None]
        under[:] = np.rint(under + (paint[band] - under) * weight)


def _is_bare(label: str) -> bool:
    return label.casefold() in BARE


def _legend(entries: Sequence[tuple[str, Rgb]], width: int) -> Pixels:
    """A dark strip: a colored square and a text for each class, in as many lines as needed."""
    from PIL import Image as PillowImage
    from PIL import ImageDraw

    text_px = max(14, width // 40)
    margin, line_px = text_px // 2, text_px * 3 // 2
    font = font_of(text_px)
    rest = len(entries) - SHOWN_CLASSES
    shown = [*entries[:SHOWN_CLASSES], *([(f"and {rest} more", None)] if rest > 0 else [])] or [("nothing", None)]
    placed: list[tuple[str, Rgb | None, int, int]] = []
    x, y = margin, margin
    for text, paint in shown:
        words = fitting(text, font, width - line_px - 2 * margin)
        needed = line_px + round(font.getlength(words)) + 2 * margin
        if x > margin and x + needed > width:
            x, y = margin, y + line_px
        placed.append((words, paint, x, y))
        x += needed
    strip = PillowImage.new("RGB", (width, y + line_px + margin), PAPER)
    pen = ImageDraw.Draw(strip)
    for words, paint, left, top in placed:
        if paint is not None:
            pen.rectangle((left, top, left + text_px, top + text_px), fill=paint, outline=INK)
        pen.text((left + line_px, top), words, fill=INK, font=font)
    return np.asarray(strip)
