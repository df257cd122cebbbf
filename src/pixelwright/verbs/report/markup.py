"""The few forms that pages are made of. Every text that comes from outside passes through `text`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True, slots=True)
class Readout:
    """A headline number above a page, which links to its section.

    Attributes:
        key: Of the section.
        name: What it is.
        value: HTML.
        beside: HTML below it.
    """

    key: str
    name: str
    value: str
    beside: str

    def html(self) -> str:
        """The link."""
        return (
            f'<a href="#{text(self.key)}"><span class="name">{text(self.name)}</span>'
            f'<span class="value">{self.value}</span><span class="beside">{self.beside}</span></a>'
        )


def text(value: object) -> str:
    """Anything as text that is safe between tags and in attributes; a file name may be no Unicode."""
    return escape(str(value).encode("utf-8", "replace").decode(), quote=True)


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
    """Parts beside each other, as many as fit: `pair`, `split`, `trio`, `thumbs` say how wide they are."""
    return f'<div class="{css}">' + "\n".join(parts) + "</div>"


def more(summary: str, *parts: str) -> str:
    """Parts that are folded away until somebody asks."""
    return f"<details><summary>{text(summary)}</summary>\n" + "\n".join(parts) + "</details>"
