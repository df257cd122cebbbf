"""The axes of a chart: what values become in pixels, and which of them are written beside it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import chain
from math import ceil, floor, isfinite, log10

from pixelwright.verbs.report.markup import text

TICKS = 6


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis.

    Attributes:
        label: What is counted, with its unit.
        low: Where it begins; None takes it from the data.
        high: Where it ends.
        log: Whether each step is ten times the one before; then everything on it is above 0.
    """

    label: str
    low: float | None = None
    high: float | None = None
    log: bool = False

    def over(self, *values: Iterable[float]) -> Axis:
        """The axis with both ends, so that the values fit on it; never of no length."""
        known = [float(value) for value in chain(*values) if isfinite(value) and (value > 0 or not self.log)]
        low = self.low if self.low is not None else min(known, default=0.1 if self.log else 0.0)
        high = self.high if self.high is not None else max(known, default=1.0)
        if high - low <= 1e-9 * max(abs(low), abs(high)):  # nothing to see, and rounding would place the steps
            low, high = (low / 2, low * 2) if self.log else (low - abs(low or 1) / 2, low + abs(low or 1) / 2)
        if not self.log:
            step = _step(high - low)
            low = low if self.low is not None else floor(low / step + 1e-9) * step
            high = high if self.high is not None else ceil(high / step - 1e-9) * step
        return replace(self, low=low, high=high)

    def place(self, value: float) -> float:
        """Where a value stands, 0 at the begin and 1 at the end; what lies outside stands at the nearer end."""
        low, high = self.ends
        if self.log:
            low, high, value = log10(low), log10(high), log10(max(value, low))
        return min(1.0, max(0.0, (value - low) / (high - low)))

    @property
    def ends(self) -> tuple[float, float]:
        """Both ends; those of an axis that has not seen its data are 0 and 1."""
        return (0.0 if self.low is None else self.low, 1.0 if self.high is None else self.high)

    def ticks(self) -> list[float]:
        """Round numbers to write beside it."""
        low, high = self.ends
        if self.log:
            tens = [10.0**power for power in range(ceil(log10(low) - 1e-9), floor(log10(high) + 1e-9) + 1)]
            return tens if len(tens) > 1 else [low, high]
        step = _step(high - low)
        return [count * step for count in range(ceil(low / step - 1e-9), floor(high / step + 1e-9) + 1)]


@dataclass(frozen=True, slots=True)
class Frame:
    """The area of a chart, in pixels of its drawing.

    Attributes:
        x: With both ends.
        y: With both ends.
        left: Room beside the area.
        right: The same.
        top: The same.
        bottom: Room for the x axis.
        width: Of the drawing.
        height: The same.
    """

    x: Axis
    y: Axis
    left: float = 62.0
    right: float = 14.0
    top: float = 10.0
    bottom: float = 44.0
    width: float = 620.0
    height: float = 340.0

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a point is drawn."""
        across, down = self.width - self.left - self.right, self.height - self.top - self.bottom
        return self.left + across * self.x.place(x), self.top + down * (1 - self.y.place(y))

    def svg(self, *, y_axis: bool = True) -> str:
        """Grid lines, numbers and labels."""
        right, floor_px = self.width - self.right, self.height - self.bottom
        parts = []
        for value in self.x.ticks():
            x = self.at(value, 0.0)[0]
            parts.append(f'<path class="grid" d="M{x:.1f} {self.top:.1f}V{floor_px:.1f}"/>')
            parts.append(f'<text x="{x:.1f}" y="{floor_px + 17:.1f}" text-anchor="middle">{number(value)}</text>')
        for value in self.y.ticks() if y_axis else ():
            y = self.at(0.0 if not self.x.log else self.x.ends[0], value)[1]
            parts.append(f'<path class="grid" d="M{self.left:.1f} {y:.1f}H{right:.1f}"/>')
            parts.append(f'<text x="{self.left - 7:.1f}" y="{y + 4:.1f}" text-anchor="end">{number(value)}</text>')
        middle = (self.left + right) / 2
        parts.append(f'<text x="{middle:.1f}" y="{floor_px + 37:.1f}" text-anchor="middle">{text(self.x.label)}</text>')
        if y_axis:
            parts.append(f'<path class="base" d="M{self.left:.1f} {floor_px:.1f}H{right:.1f}"/>')
            parts.append(
                f'<text transform="translate(13 {(self.top + floor_px) / 2:.1f}) rotate(-90)" text-anchor="middle">'
                f"{text(self.y.label)}</text>"
            )
        return "".join(parts)


def number(value: float) -> str:
    """A value as it is written on charts: whole numbers whole, else three digits that say something."""
    value = float(value)
    if not isfinite(value):
        return "no value"
    if value == int(value) and abs(value) < 1e6:
        return f"{int(value):,}".replace(",", "\u202f").replace("-", "−")
    return f"{value:.3g}".replace("-", "−")


def _step(span: float) -> float:
    """The round number, one, two or five times a power of ten, of which about six make the span."""
    rough = span / (TICKS - 1)
    power = 10.0 ** floor(log10(rough))
    return next(power * times for times in (1, 2, 5, 10) if power * times >= rough * (1 - 1e-9))
