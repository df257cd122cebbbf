"""The few forms that the demo's page is made of. Every text that comes from outside passes through `text`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import isfinite

from pixelwright.verbs.demo.measure import DETAIL_PX
from pixelwright.verbs.demo.photos import Photo


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

    def headline(self) -> str:
        """The number above the page."""
        return (
            f'<a href="#{self.key}"><span class="name">{self.name}</span><span class="value">{self.value}</span>'
            f'<span class="beside">{self.beside}</span></a>'
        )


def text(value: object) -> str:
    """Anything as text that is safe between tags and in attributes."""
    return escape(str(value), quote=True)


def picture(link: str, alt: str, size_hw: Sequence[int], css: str = "") -> str:
    """An image with its size, so that nothing jumps while it loads."""
    height, width = size_hw[:2]
    kind = f' class="{css}"' if css else ""
    return f'<img{kind} src="{text(link)}" alt="{text(alt)}" width="{width}" height="{height}">'


def figure(link: str, alt: str, size_hw: Sequence[int], caption: str, css: str = "plain") -> str:
    """A picture with a caption (HTML); its proportions are at hand for rows of equal height."""
    return (
        f'<figure class="{css}" style="--ratio:{size_hw[1] / size_hw[0]:.4f}">{picture(link, alt, size_hw)}'
        f"<figcaption>{caption}</figcaption></figure>"
    )


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


def table(caption: str, headings: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: Sequence[int]) -> str:
    """A table of HTML cells; the first cell of a row is its heading, columns in `numbers` are set right."""
    head = "".join(f'<th scope="col"{_css(i, name, numbers)}>{name}</th>' for i, name in enumerate(headings))
    body = "\n".join(
        f'<tr><th scope="row">{row[0]}</th>'
        + "".join(f"<td{_css(i, cell, numbers)}>{cell}</td>" for i, cell in enumerate(row) if i > 0)
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{text(caption)}"><table>'
        f"<caption>{text(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _css(column: int, content: str, numbers: Sequence[int]) -> str:
    if column in numbers:
        return ' class="number"'
    return ' class="axis"' if content.startswith("<span class=") else ""


def facts(rows: Sequence[tuple[str, str]]) -> str:
    """Names and values (HTML) under each other."""
    return '<dl class="facts">' + "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in rows) + "</dl>"


def section(key: str, heading: str, lead: str, *parts: str) -> str:
    """A part of the page under its heading, with a leading paragraph (HTML)."""
    body = "\n".join(part for part in parts if part)
    return f'<section id="{key}">\n<h2>{text(heading)}</h2>\n<p>{lead}</p>\n{body}\n</section>'


def grid(css: str, *parts: str) -> str:
    """Parts beside each other, as many as fit."""
    return f'<div class="{css}">' + "\n".join(parts) + "</div>"


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
