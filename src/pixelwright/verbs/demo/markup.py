"""The forms that only the demo's page has: magnified parts, and two pictures under a slider."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from pixelwright.verbs.demo.measure import DETAIL_PX
from pixelwright.verbs.demo.photos import Photo
from pixelwright.verbs.report.markup import Readout, figure, grid, picture, text


@dataclass(frozen=True, slots=True)
class Layer:
    """A picture that a comparison can show: its link, the label on it, and what the switch calls it."""

    link: str
    label: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """An experiment on the page: its section, and its headline number, which links there."""

    key: str
    name: str
    value: str
    beside: str
    section: str

    def headline(self) -> Readout:
        """The number above the page."""
        return Readout(self.key, self.name, self.value, self.beside)


def details(*parts: tuple[str, str, str]) -> str:
    """Magnified parts beside each other: (name, what to say of it, link)."""
    square = (DETAIL_PX, DETAIL_PX)
    figures = [
        figure(link, f"{name}, magnified", square, f"<b>{name}</b>{words}", "detail") for name, words, link in parts
    ]
    return grid("trio", *figures)


def compare(before: Sequence[Layer], after: Layer, size_hw: tuple[int, int], caption: str, *, key: str) -> str:
    """Two pictures under one slider, for pointer and keyboard; with several before, a switch chooses among them.

    Args:
        before: What the left side can show; the first is shown at the start.
        after: The right side.
        size_hw: Of all of them.
        caption: HTML below.
        key: Unique on the page.
    """
    left = before[0]
    switch = ""
    if len(before) > 1:
        choices = "".join(
            f'<label><input type="radio" name="{text(key)}" value="{text(layer.link)}" '
            f'data-label="{text(layer.label)}"{" checked" if layer is left else ""}>{text(layer.name)}</label>'
            for layer in before
        )
        switch = f'<div class="switch" role="radiogroup" aria-label="Left side"><span>Left side</span>{choices}</div>'
    return f"""<figure class="compare">
<div class="stage">
{picture(after.link, after.label, size_hw)}
{picture(left.link, left.label, size_hw, "before")}
<span class="handle"></span>
<span class="label left">{text(left.label)}</span><span class="label right">{text(after.label)}</span>
<input type="range" min="0" max="100" step="0.5" value="50" autocomplete="off" \
aria-label="How much of the picture shows the left side">
</div>
{switch}
<figcaption>{caption}</figcaption>
</figure>"""


def credited(photo: Photo) -> str:
    """What a photo shows, whose it is, and how much of it is seen."""
    credit = f" ({text(photo.credit)})" if photo.credit else ""
    part = f"; the middle {size(photo.image.size_hw)} of {size(photo.whole_hw)}" if photo.is_crop else ""
    return f"{text(photo.title)}{credit}{part}"


def gain(value_db: float) -> str:
    """A difference in dB with its sign; none where both sides are exact."""
    if not isfinite(value_db):
        return "±0.0"
    return f"{value_db:+.1f}".replace("-", "−")


def size(size_hw: Sequence[int]) -> str:
    """Width times height."""
    return f"{size_hw[1]}\u00a0×\u00a0{size_hw[0]}"
