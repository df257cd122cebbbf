"""A contact sheet of what a policy does: each row a picture as it is and some of its variants, with their truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice

import numpy as np
import numpy.typing as npt

from pixelwright.data.augment.policy import Policy
from pixelwright.data.augment.single import vary
from pixelwright.data.dataset import Dataset, Sample
from pixelwright.io.icc import to_srgb
from pixelwright.ops import color, draw, resample
from pixelwright.structures.image import Image
from pixelwright.structures.label_map import LabelMap
from pixelwright.structures.spec import Resize
from pixelwright.structures.targets import Annotations, Classes, Target, Values

ROWS = 6
CELL_PX = 224
GAP_PX = 8
TEXT_PX = 15
LEGEND_PX = 22  # below each row


def preview(
    dataset: Dataset,
    policy: Policy,
    *,
    usable: Callable[[Sample], bool] = lambda _: True,
    variants: int = 5,
    seed: int = 0,
) -> Image:
    """The sheet: 8-bit RGB.

    Args:
        dataset: Where the samples are from.
        policy: What is shown.
        usable: Which samples may be shown, of which six spread over the data set are.
        variants: Of each, beside the picture itself.
        seed: Of the variants.

    Raises:
        ImageError: A picture cannot be read.
        DataError: Its truth cannot.
    """
    stride = max(len(dataset) // ROWS, 1)
    parts = (dataset.samples[first : first + stride] for first in range(0, len(dataset), stride))
    firsts = (next(filter(usable, part), None) for part in parts)
    chosen = islice((sample for sample in firsts if sample is not None), ROWS)
    rows = []
    for place, sample in enumerate(chosen):
        image, target = sample.read(), sample.truth()
        cells = [drawn(image, target)]
        cells += [drawn(*vary(image, target, policy, seed + place * variants + one)) for one in range(variants)]
        rows.append((cells, f"{_said(target, dataset)} {sample.id}"))
    return _sheet(rows, 1 + variants)


def drawn(image: Image, target: Target | None) -> npt.NDArray[np.uint8]:
    """A picture (h, w, 3) within a square of the sheet with what is true of it painted on: boxes, masks, keypoints."""
    shown = color.to_rgb(color.to_8_bit(color.flatten_alpha(to_srgb(image))))
    size_hw = resample.resized_hw(shown.size_hw, Resize(rule="letterbox", size_hw=(CELL_PX, CELL_PX)))
    kernel = "nearest" if size_hw[0] >= shown.size_hw[0] else "bilinear"
    on = draw.canvas(Image(resample.resize(shown.pixels, size_hw, kernel=kernel)))
    scale = size_hw[1] / shown.size_hw[1], size_hw[0] / shown.size_hw[0]
    if isinstance(target, LabelMap):
        _paint_map(on, target, size_hw)
    elif isinstance(target, Annotations):
        _paint_things(on, target, (size_hw, scale))
    elif isinstance(target, Image):
        better = drawn(target, None)
        on.pixels[:, on.pixels.shape[1] // 2 :] = _fitted(better, on.pixels.shape)[:, on.pixels.shape[1] // 2 :]
    return _fitted(on.pixels, (*size_hw, 3))


def _fitted(pixels: npt.NDArray[np.uint8], shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    return resample.resize(np.ascontiguousarray(pixels), (shape[0], shape[1]))


def _paint_map(on: draw.Canvas, target: LabelMap, size_hw: tuple[int, int]) -> None:
    ids = resample.resize(target.ids[:, :, None], size_hw, kernel="nearest")[:, :, 0]
    for class_id in np.unique(ids).tolist():
        paint = draw.PAPER if class_id == target.void_id else draw.color_of(class_id)
        draw.tint(on, ids == class_id, (0, 0), paint)


def _paint_things(on: draw.Canvas, target: Annotations, frame: tuple[tuple[int, int], tuple[float, float]]) -> None:
    size_hw, (across, down) = frame
    ignored = np.zeros(len(target), bool) if target.ignore is None else target.ignore
    for row, class_id in enumerate(target.class_ids.tolist()):
        # Things of one class side by side are told apart by their colors, where there are masks.
        paint = draw.color_of(class_id if target.masks is None else row)
        if target.masks is not None:
            mask = resample.resize(target.masks[row].astype(np.uint8)[:, :, None], size_hw, kernel="nearest")
            draw.tint(on, mask[:, :, 0] > 0, (0, 0), paint)
        else:
            box = target.boxes_xyxy[row] * np.array((across, down, across, down), np.float32)
            draw.box(on, box.tolist(), draw.PAPER if ignored[row] else paint)
        for x, y, visible in () if target.keypoints is None else target.keypoints[row].tolist():
            if visible:
                draw.dot(on, (x * across, y * down), paint)


def _said(target: Target | None, dataset: Dataset) -> str:
    if isinstance(target, Classes):
        return ", ".join(dataset.labels[one] for one in target.ids)
    if isinstance(target, Values):
        return ", ".join(f"{value:g}" for value in target.values)
    if isinstance(target, Annotations):
        return f"{len(target)} things:"
    return ""


def _sheet(rows: Sequence[tuple[Sequence[npt.NDArray[np.uint8]], str]], columns: int) -> Image:
    from PIL import Image as PillowImage
    from PIL import ImageDraw

    side, high = CELL_PX + GAP_PX, CELL_PX + GAP_PX + LEGEND_PX
    paper = PillowImage.new("RGB", (GAP_PX + columns * side, GAP_PX + len(rows) * high), draw.PAPER)
    pen, font = ImageDraw.Draw(paper), draw.font_of(TEXT_PX)
    for y, (cells, said) in enumerate(rows):
        for x, pixels in enumerate(cells):
            left = GAP_PX + x * side + (CELL_PX - pixels.shape[1]) // 2
            top = GAP_PX + y * high + (CELL_PX - pixels.shape[0]) // 2
            paper.paste(PillowImage.fromarray(pixels), (left, top))
        words = draw.fitting(said, font, paper.width - 2 * GAP_PX)
        pen.text((GAP_PX, GAP_PX + y * high + CELL_PX + 2), words, fill=draw.INK, font=font)
    return Image(np.asarray(paper))
