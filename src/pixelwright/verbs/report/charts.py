"""Charts as SVG inside a page: no script, colors from the page's style, each with its numbers in words.

What a chart shows stands in its label for those who cannot see it; series differ in dashes as well as in color.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelwright.verbs.report.axes import Axis, Frame, number
from pixelwright.verbs.report.markup import text

SERIES_COLORS = 6  # of the style; the seventh series is drawn like the first
MOST_POINTS = 400  # of a curve: more than a chart has pixels for
ROW_PX = 26  # of a bar
LARGEST = 1.15  # times its own size that a drawing is shown at
LETTER_PX = 7.2  # of the charts' type, on average

Values = Sequence[float] | npt.NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """A curve.

    Attributes:
        name: In the legend.
        x: Ascending.
        y: As many; the curve has a gap where one is NaN.
        low: Lower end of a band around it, or nothing.
        high: Upper end.
    """

    name: str
    x: Values
    y: Values
    low: Values | None = None
    high: Values | None = None


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar, perhaps with the interval its value lies in, and what is said at its end."""

    name: str
    value: float
    ci95: tuple[float, float] | None = None
    note: str = ""


def chart(title: str, body: str, size: tuple[float, float], words: str, caption: str = "") -> str:
    """A drawing as a figure.

    Args:
        title: Above it.
        body: SVG.
        size: Its width and height.
        words: What it shows, for those who cannot see it.
        caption: HTML below.
    """
    width, height = size
    below = f"<figcaption>{caption}</figcaption>" if caption else ""
    return (
        f'<figure class="chart"><b>{text(title)}</b><svg viewBox="0 0 {width:.0f} {height:.0f}" '
        f'style="max-width:{LARGEST * width:.0f}px" role="img" '
        f'aria-label="{text(title)}: {text(words)}">{body}</svg>{below}</figure>'
    )


def lines(
    title: str,
    series: Sequence[Series],
    *,
    x: Axis,
    y: Axis,
    ideal: Sequence[tuple[float, float]] = (),
    caption: str = "",
) -> str:
    """Curves over a common axis.

    Args:
        title: Above the chart.
        series: The curves; a chart with more than six of them is hard to read.
        x: The axis, which takes its ends from the data where it names none.
        y: The same.
        ideal: Points of a dashed line to compare with: the diagonal of a ROC curve.
        caption: HTML below.
    """
    low = [values for one in series for values in (one.y, one.low, one.high) if values is not None]
    frame = Frame(x.over(*(one.x for one in series)), y.over(*low))
    parts = [frame.svg()]
    if ideal:
        parts.append(f'<polyline class="ideal" points="{_points(frame, *zip(*ideal, strict=True))}"/>')
    parts += [_band(frame, one, place) for place, one in enumerate(series) if one.low is not None]
    parts += [_curve(frame, one, place) for place, one in enumerate(series)]
    height = frame.height
    if len(series) > 1:
        legend, height = _legend([one.name for one in series], frame)
        parts.append(legend)
    words = "; ".join(f"{one.name} {_course(one)}" for one in series)
    return chart(title, "".join(parts), (frame.width, height), words, caption)


def bars(title: str, items: Sequence[Bar], *, axis: Axis, caption: str = "") -> str:
    """Horizontal bars with their names on the left and their values on the right, one below the other."""
    left = min(220.0, 16 + LETTER_PX * max((len(item.name) for item in items), default=0))
    axis = axis.over([item.value for item in items], [0.0], *(item.ci95 for item in items if item.ci95))
    frame = Frame(axis, Axis(""), left=left, right=92.0, height=ROW_PX * len(items) + 44.0, top=4.0)
    parts = [frame.svg(y_axis=False)]
    most = int((left - 14) / LETTER_PX)
    for row, item in enumerate(items):
        middle = frame.top + ROW_PX * (row + 0.5)
        parts.append(
            f'<text class="strong" x="{left - 8:.1f}" y="{middle + 4:.1f}" text-anchor="end">'
            f"{text(_shortened(item.name, most))}<title>{text(item.name)}</title></text>"
        )
        parts.append(_bar(frame, item, middle))
    words = "; ".join(f"{item.name} {number(item.value)}" for item in items)
    return chart(title, "".join(parts), (frame.width, frame.height), words, caption)


def histogram(title: str, counts: Values, edges: Values, *, x: Axis, y: Axis, caption: str = "") -> str:
    """How many there are between each two neighboring edges."""
    frame = Frame(x.over(edges), y.over([0.0], counts))
    parts = [frame.svg()]
    for left, right, count in zip(edges[:-1], edges[1:], counts, strict=True):
        if count > 0:
            parts.append(_column(frame, (float(left), float(right)), float(count), "bar", f"{number(count)} from "))
    words = ", ".join(
        f"{number(count)} from {number(left)} to {number(right)}"
        for left, right, count in zip(edges[:-1], edges[1:], counts, strict=True)
        if count > 0
    )
    return chart(title, "".join(parts), (frame.width, frame.height), words, caption)


def reliability(title: str, confidence: Values, accuracy: Values, counts: Values, *, caption: str = "") -> str:
    """How often answers were right, by how sure they were: bins of equal width, the diagonal being perfect.

    Args:
        title: Above it.
        confidence: (B,) mean of each bin, 0..1; NaN where it is empty.
        accuracy: (B,) share of right answers in it; NaN where it is empty.
        counts: (B,) answers in it: the strip below the diagram.
        caption: HTML below.
    """
    frame = Frame(Axis("Confidence", 0.0, 1.0), Axis("Share of right answers", 0.0, 1.0), bottom=92.0, height=392.0)
    edges = np.linspace(0, 1, len(counts) + 1)
    most = max((float(count) for count in counts), default=0.0) or 1.0
    parts = [frame.svg(), f'<polyline class="ideal" points="{_points(frame, (0, 1), (0, 1))}"/>']
    for left, right, sure, right_share, count in zip(edges[:-1], edges[1:], confidence, accuracy, counts, strict=True):
        if not count:
            continue
        words = f"{number(count)} answers, {right_share:.1%} right at {sure:.1%} confidence, "
        parts.append(_column(frame, (float(left), float(right)), float(right_share), "bar", words))
        x, y = frame.at(float(sure), float(right_share))
        parts.append(f'<circle class="f2" cx="{x:.1f}" cy="{y:.1f}" r="4"/>')
        share = 28 * float(count) / most
        x0, x1 = frame.at(float(left), 0)[0], frame.at(float(right), 0)[0]
        parts.append(
            f'<rect class="f6" x="{x0 + 1:.1f}" y="{frame.height - share:.1f}" width="{x1 - x0 - 2:.1f}" '
            f'height="{share:.1f}"><title>{text(words)}</title></rect>'
        )
    words = "; ".join(
        f"{right_share:.0%} right at {sure:.0%}"
        for sure, right_share, count in zip(confidence, accuracy, counts, strict=True)
        if count
    )
    return chart(title, "".join(parts), (frame.width, frame.height), words, caption)


def _points(frame: Frame, xs: Values | tuple[float, ...], ys: Values | tuple[float, ...]) -> str:
    return " ".join("{:.1f},{:.1f}".format(*frame.at(float(x), float(y))) for x, y in zip(xs, ys, strict=True))


def _thinned(one: Series) -> npt.NDArray[np.intp]:
    """Which points of a curve to draw: evenly taken, and the extremes of what lies between."""
    y = np.asarray(one.y, float)
    if len(y) <= MOST_POINTS:
        return np.arange(len(y))
    kept = [0, len(y) - 1]
    for part in np.array_split(np.arange(len(y)), MOST_POINTS // 3):
        if np.isfinite(y[part]).any():
            kept += [int(part[0]), int(part[np.nanargmin(y[part])]), int(part[np.nanargmax(y[part])])]
    return np.unique(kept)


def _curve(frame: Frame, one: Series, place: int) -> str:
    rows = _thinned(one)
    x, y = np.asarray(one.x, float)[rows], np.asarray(one.y, float)[rows]
    shown = np.isfinite(x) & np.isfinite(y)
    css = f"c{place % SERIES_COLORS + 1}"
    parts = []
    for run in np.split(np.arange(len(rows)), np.flatnonzero(np.diff(shown)) + 1):
        if not len(run) or not shown[run[0]]:
            continue
        if len(run) == 1:  # a line of one point cannot be seen
            cx, cy = frame.at(float(x[run[0]]), float(y[run[0]]))
            parts.append(f'<circle class="{css.replace("c", "f")}" cx="{cx:.1f}" cy="{cy:.1f}" r="3"/>')
        else:
            parts.append(f'<polyline class="curve {css}" points="{_points(frame, x[run], y[run])}"/>')
    return f"<g><title>{text(one.name)}</title>{''.join(parts)}</g>"


def _band(frame: Frame, one: Series, place: int) -> str:
    if one.low is None or one.high is None:
        return ""
    rows = _thinned(one)
    x, low, high = (np.asarray(values, float)[rows] for values in (one.x, one.low, one.high))
    shown = np.isfinite(low) & np.isfinite(high)
    around = f"{_points(frame, x[shown], high[shown])} {_points(frame, x[shown][::-1], low[shown][::-1])}"
    return f'<polygon class="band f{place % SERIES_COLORS + 1}" points="{around}"/>'


def _course(one: Series) -> str:
    y = np.asarray(one.y, float)
    y = y[np.isfinite(y)]
    if not len(y):
        return "has no values"
    return f"from {number(y[0])} to {number(y[-1])}, between {number(y.min())} and {number(y.max())}"


def _bar(frame: Frame, item: Bar, middle: float) -> str:
    if not np.isfinite(item.value):
        return f'<text x="{frame.left + 6:.1f}" y="{middle + 4:.1f}">no value</text>'
    zero, end = frame.at(0.0, 0.0)[0], frame.at(item.value, 0.0)[0]
    parts = [
        f'<rect class="bar" x="{min(zero, end):.1f}" y="{middle - 8:.1f}" width="{abs(end - zero):.1f}" height="16"/>'
    ]
    if item.ci95:
        low, high = (frame.at(side, 0.0)[0] for side in item.ci95)
        parts.append(
            f'<path class="whisker" d="M{low:.1f} {middle - 5:.1f}v10M{high:.1f} {middle - 5:.1f}v10'
            f'M{low:.1f} {middle:.1f}H{high:.1f}"/>'
        )
        end = max(end, high)
    label = item.note or number(item.value)
    parts.append(f'<text class="strong" x="{max(end, zero) + 8:.1f}" y="{middle + 4:.1f}">{text(label)}</text>')
    return "".join(parts)


def _column(frame: Frame, sides: tuple[float, float], value: float, css: str, words: str) -> str:
    x0, top = frame.at(sides[0], value)
    x1, bottom = frame.at(sides[1], max(0.0, frame.y.low or 0.0))
    return (
        f'<rect class="{css}" x="{x0 + 0.75:.1f}" y="{top:.1f}" width="{max(0.5, x1 - x0 - 1.5):.1f}" '
        f'height="{max(0.0, bottom - top):.1f}"><title>{text(words)}{number(sides[0])} to {number(sides[1])}'
        "</title></rect>"
    )


def _legend(names: Sequence[str], frame: Frame) -> tuple[str, float]:
    """The legend below a chart, and the height of both."""
    x, y, parts = frame.left, frame.height + 14, []
    for place, name in enumerate(names):
        shown = _shortened(name, 60)
        width = 44 + LETTER_PX * len(shown)
        if x > frame.left and x + width > frame.width:
            x, y = frame.left, y + 20
        css = f"c{place % SERIES_COLORS + 1}"
        parts.append(f'<path class="curve {css}" d="M{x:.1f} {y - 4:.1f}h24"/>')
        parts.append(f'<text class="strong" x="{x + 30:.1f}" y="{y:.1f}">{text(shown)}</text>')
        x += width
    return "".join(parts), y + 8


def _shortened(name: str, letters: int) -> str:
    return name if len(name) <= letters else name[: max(1, letters - 1)] + "…"
