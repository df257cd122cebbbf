"""The skeleton of every page: one file, offline, dark and light, its pictures inside."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwright import __version__
from pixelwright.errors import ImageError, OutputError, UsageError
from pixelwright.io import atomic
from pixelwright.ops import resample
from pixelwright.verbs.report.markup import Readout, figure, text

PAGES = (".html", ".htm")
PAGE_BYTES = 24_000_000  # of pictures inside: what a browser opens at once and a mail still takes
THUMB_PX = 256
SMALL_PX = 96  # below this a picture is shown enlarged, its pixels as squares
JPEG_QUALITY = 85


def check_report(path: Path) -> None:
    """Refuse a name that no page is written under, before anything is computed.

    Raises:
        UsageError: It does not end in `.html`, or its folder is not there.
    """
    if path.suffix.lower() not in PAGES:
        raise UsageError(f"--report {path}: expected a name that ends in .html, got {path.suffix or 'no ending'!r}.")
    if not path.parent.is_dir():
        raise UsageError(f"--report {path}: the folder {path.parent} is not there. Make it first.")


@dataclass(frozen=True, slots=True)
class Page:
    """What is on a page.

    Attributes:
        kind: What wrote it: the command, `demo`.
        title: Of the window.
        heading: Of the page.
        lead: A paragraph below it (HTML).
        sections: HTML, as `markup.section` makes it.
        readouts: Headline numbers.
        footer: HTML.
        style: CSS after the common one.
        script: JavaScript, where a page cannot do without.
    """

    kind: str
    title: str
    heading: str
    lead: str
    sections: Sequence[str]
    readouts: Sequence[Readout] = ()
    footer: str = ""
    style: str = ""
    script: str = ""

    def html(self) -> str:
        """The whole file."""
        return Template(_asset("page.html")).substitute(
            kind=text(self.kind),
            title=text(self.title),
            heading=text(self.heading),
            lead=self.lead,
            style=_asset("page.css") + self.style,
            script=f"<script>\n{self.script}\n</script>" if self.script else "",
            version=text(__version__),
            date=date.today().isoformat(),
            readouts="\n".join(readout.html() for readout in self.readouts),
            sections="\n".join(self.sections),
            footer=self.footer or f"Made by <code>pixelwright {text(self.kind)}</code>, on this machine, offline.",
        )

    def write(self, path: Path) -> None:
        """The page to a file, whole or not at all.

        Raises:
            OutputError: The disk is full or not writable.
        """
        try:
            with atomic.replacing(path) as file:
                file.write(self.html().encode(errors="replace"))
        except ImageError as err:
            raise OutputError(f"report {err}") from err


@dataclass(slots=True)
class Album:
    """Pictures that go into a page, until it is large enough.

    Attributes:
        most_bytes: Of all of them, as they stand in the page.
        left_out: How many did not fit any more, to be said on the page.
    """

    most_bytes: int = PAGE_BYTES
    left_out: int = 0
    _used: int = field(default=0, repr=False)

    def figure(
        self, pixels: npt.NDArray[Any], alt: str, caption: str, *, side_px: int = THUMB_PX, css: str = "thumb"
    ) -> str:
        """A figure with the picture inside, no larger than `side_px`; nothing where the page is full.

        Args:
            pixels: (H, W, 3) uint8 sRGB.
            alt: What is seen on it.
            caption: HTML.
            side_px: Its longer side.
            css: `thumb`, or `plain` for one as wide as its column.
        """
        shown = _shrunk(pixels, side_px)
        link = data_uri(shown)
        if self._used + len(link) > self.most_bytes:
            self.left_out += 1
            return ""
        self._used += len(link)
        css += "" if max(pixels.shape[:2]) >= SMALL_PX else " small"
        return figure(link, alt, shown.shape, caption, css)

    @property
    def remark(self) -> str:
        """A sentence on what did not fit, or nothing."""
        return f"{self.left_out} pictures are not shown, so that the page stays small." if self.left_out else ""


def data_uri(pixels: npt.NDArray[Any]) -> str:
    """A picture (H, W, 3) uint8 sRGB as a link that holds it: PNG where it is tiny, JPEG else."""
    from PIL import Image as PillowImage

    out = BytesIO()
    kind = "png" if max(pixels.shape[:2]) < SMALL_PX else "jpeg"
    PillowImage.fromarray(pixels).save(out, kind, quality=JPEG_QUALITY)
    return f"data:image/{kind};base64,{base64.b64encode(out.getvalue()).decode()}"


def _shrunk(pixels: npt.NDArray[Any], side_px: int) -> npt.NDArray[Any]:
    height, width = pixels.shape[:2]
    scale = side_px / max(height, width)
    if scale >= 1:
        return np.ascontiguousarray(pixels)
    return resample.resize(pixels, (max(1, round(height * scale)), max(1, round(width * scale))))


def _asset(name: str) -> str:
    return files("pixelwright.verbs.report").joinpath(name).read_text(encoding="utf-8")
