"""A contact sheet: rows of pictures with a line of text below each, as one picture or as an HTML page."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from io import BytesIO
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pixelwright.errors import PixelwrightError, UsageError
from pixelwright.io.icc import to_srgb
from pixelwright.io.images import formats, open_raster
from pixelwright.ops import color, resample
from pixelwright.ops.draw import INK, PAPER
from pixelwright.structures.image import Image
from pixelwright.structures.raster import Raster
from pixelwright.structures.spec import Resize
from pixelwright.verbs.outputs import write_picture
from pixelwright.verbs.similar.groups import Group
from pixelwright.verbs.similar.query import Answer
from pixelwright.verbs.similar.writer import write_whole

Pixels = npt.NDArray[np.uint8]

PAGES = frozenset({".html", ".htm"})
SHOWN_ROWS = 50  # of 12 cells: a picture of 100 MB
SHOWN_CELLS = 12  # of a row
THUMB_PX = 200
TEXT_PX = 15
GAP_PX = 10
FRAME = (255, 196, 0)  # around what a row is about
MISSING = (70, 74, 82)


@dataclass(frozen=True, slots=True)
class Cell:
    """A picture on the sheet; `leads` says that the row is about it."""

    path: str
    text: str
    leads: bool = False


def rows_of_answers(answers: Iterable[Answer]) -> list[list[Cell]]:
    """Each picture asked about, followed by those like it."""
    return [
        [
            Cell(answer.path, "asked for", leads=True),
            *(Cell(entry.path, f"{similarity:.3f}") for entry, similarity in answer.matches),
        ]
        for answer in answers
        if answer.error is None
    ]


def rows_of_groups(groups: Iterable[Group]) -> list[list[Cell]]:
    """Each picture to keep, followed by its duplicates."""
    return [
        [
            Cell(entry.path, "largest" if not place else "copy" if copy else f"{similarity:.3f}", leads=not place)
            for place, (entry, similarity, copy) in enumerate(
                zip(group.entries, group.similarities, group.copies, strict=True)
            )
        ]
        for group in groups
    ]


def check_sheet(path: Path) -> None:
    """Refuse an ending that no sheet is written under, before anything is computed.

    Raises:
        UsageError: Naming those there are.
    """
    pictures = {suffix for form in formats() if form.write is not None for suffix in form.suffixes}
    if path.suffix.lower() not in pictures | PAGES:
        known = " ".join(sorted(pictures | PAGES))
        raise UsageError(f"--sheet {path}: no sheet is written under the ending {path.suffix!r}. Known: {known}")


def write_sheet(rows: Sequence[Sequence[Cell]], path: Path) -> None:
    """A sheet of the first fifty rows: a page where the name ends in `.html`, else a picture.

    Raises:
        OutputError: The disk is full or not writable.
        ImageError: The picture cannot be written.
    """
    shown = [list(islice(row, SHOWN_CELLS)) for row in islice(rows, SHOWN_ROWS)]
    left_out = len(rows) - len(shown)
    if path.suffix.lower() in PAGES:
        write_whole(path, lambda out: out.writelines(map(str.encode, _page(shown, left_out))))
    else:
        write_picture(Raster.of(Image(_sheet(shown, left_out))), path, None)


def _thumb(path: str, side_px: int) -> Pixels:
    """A picture within a square; a gray square where it cannot be read."""
    frame = np.full((side_px, side_px, 3), PAPER, np.uint8)
    rule = Resize(rule="letterbox", size_hw=(side_px, side_px))
    try:
        with open_raster(path) as raster:
            size_hw = resample.resized_hw(raster.size_hw, rule)
            image = raster.read(at_least_hw=size_hw)
            pixels = color.to_rgb(color.to_8_bit(color.flatten_alpha(to_srgb(image)))).pixels
    except PixelwrightError:
        frame[:] = MISSING
        return frame
    top, left = (side_px - size_hw[0]) // 2, (side_px - size_hw[1]) // 2
    frame[top : top + size_hw[0], left : left + size_hw[1]] = resample.resize(pixels, size_hw)
    return frame


def _sheet(rows: Sequence[Sequence[Cell]], left_out: int) -> Pixels:
    from PIL import Image as PillowImage
    from PIL import ImageDraw, ImageFont

    font = ImageFont.load_default(TEXT_PX)
    line_px = TEXT_PX * 4 // 3
    cell_w, cell_h = THUMB_PX + GAP_PX, THUMB_PX + 2 * line_px + 2 * GAP_PX
    columns = max((len(row) for row in rows), default=1)
    remark = _remark(rows, left_out)
    height = GAP_PX + len(rows) * cell_h
    canvas = PillowImage.new("RGB", (GAP_PX + columns * cell_w, height + (2 * line_px if remark else 0)), PAPER)
    pen = ImageDraw.Draw(canvas)
    pen.text((GAP_PX, height), remark, fill=INK, font=font)
    for y, row in enumerate(rows):
        for x, cell in enumerate(row):
            left, top = GAP_PX + x * cell_w, GAP_PX + y * cell_h
            canvas.paste(PillowImage.fromarray(_thumb(cell.path, THUMB_PX)), (left, top))
            if cell.leads:
                pen.rectangle((left - 3, top - 3, left + THUMB_PX + 2, top + THUMB_PX + 2), outline=FRAME, width=3)
            pen.text((left, top + THUMB_PX + 4), cell.text, fill=FRAME if cell.leads else INK, font=font)
            name = _shortened(Path(cell.path).name, font.getlength, THUMB_PX)
            pen.text((left, top + THUMB_PX + 4 + line_px), name, fill=INK, font=font)
    return np.asarray(canvas)


def _shortened(name: str, width_of: Callable[[str], float], most_px: int) -> str:
    """A name without its middle where it is too long: the begin says which folder, the end which number."""
    name = name.encode("utf-8", "replace").decode()
    if width_of(name) <= most_px:
        return name
    kept = len(name) - 1
    while kept > 2 and width_of(_without_middle(name, kept)) > most_px:
        kept -= 1
    return _without_middle(name, kept)


def _without_middle(name: str, kept: int) -> str:
    return name[: kept // 2] + "…" + name[len(name) - (kept - kept // 2) :]


STYLE = """
body { background: #181a1f; color: #fff; font: 15px/1.4 system-ui, sans-serif; margin: 16px; }
section { display: flex; flex-wrap: wrap; gap: 12px; padding: 12px 0; border-bottom: 1px solid #3a3e46; }
figure { margin: 0; width: 200px; overflow-wrap: anywhere; }
img { border-radius: 3px; } .leads img { outline: 3px solid #ffc400; } .leads b { color: #ffc400; }
"""


def _page(rows: Sequence[Sequence[Cell]], left_out: int) -> Iterable[str]:
    yield '<!doctype html><html lang="en"><meta charset="utf-8"><title>Similar pictures</title>'
    yield f"<style>{STYLE}</style>\n"
    for row in rows:
        yield "<section>\n"
        for cell in row:
            name = escape(cell.path.encode("utf-8", "replace").decode())
            yield (
                f'<figure class="{"leads" if cell.leads else ""}"><img width=200 height=200 alt="" '
                f'src="data:image/jpeg;base64,{_jpeg(_thumb(cell.path, THUMB_PX))}">'
                f'<figcaption><b>{escape(cell.text)}</b><br><span title="{name}">{Path(name).name}</span></figcaption>'
                "</figure>\n"
            )
        yield "</section>\n"
    yield f"<p>{_remark(rows, left_out)}</p>\n"


def _remark(rows: Sequence[Sequence[Cell]], left_out: int) -> str:
    if not rows:
        return "Nothing found."
    return f"{left_out} more rows are not shown." if left_out > 0 else ""


def _jpeg(pixels: Pixels) -> str:
    from PIL import Image as PillowImage

    out = BytesIO()
    PillowImage.fromarray(pixels).save(out, "JPEG", quality=85)
    return base64.b64encode(out.getvalue()).decode()
