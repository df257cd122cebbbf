"""Tables of scores: those of all pictures, and those of single classes folded away."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from pixelwright.metrics.definitions import definition_of
from pixelwright.metrics.score import Score
from pixelwright.verbs.report.markup import more, table, text


def number(score: Score) -> str:
    """The value as it is read: shares and areas with four digits."""
    return f"{score.value:.4f}" if np.isfinite(score.value) else "no value"


def interval(score: Score) -> str:
    """Its ends in words."""
    return f"{score.ci95[0]:.4f} to {score.ci95[1]:.4f}" if score.ci95 else ""


def score_tables(scores: Iterable[Score]) -> list[str]:
    """One table of all pictures, with intervals and definitions; and one with a row for each class, the worst first."""
    scores = list(scores)
    rows = [
        [text(score.metric), number(score), interval(score), str(score.n), text(definition_of(score.metric).formula)]
        for score in scores
        if "/" not in score.metric
    ]
    headings = ["Score", "Value", "95 % interval", "n", "Definition"]
    parts = [table("All pictures", headings, rows, numbers=(1, 2, 3))]
    by_class: dict[str, dict[str, Score]] = {}
    for score in scores:
        name, slash, label = score.metric.partition("/")
        if slash:
            by_class.setdefault(label, {})[name] = score
    if by_class:
        names = list(dict.fromkeys(name for found in by_class.values() for name in found))
        cells = [
            [text(label), *(_cell(found.get(name)) for name in names)]
            for label, found in sorted(by_class.items(), key=lambda item: _worst(item[1], names[0]))
        ]
        listed = table("Each class, the worst first", ["Class", *names], cells, numbers=range(1, len(names) + 1))
        parts.append(more(f"Scores of each of {len(by_class)} classes", listed))
    return parts


def _cell(score: Score | None) -> str:
    if score is None or not np.isfinite(score.value):
        return "–"
    return f'<span title="{interval(score)}">{score.value:.4f}</span>'


def _worst(scores: dict[str, Score], name: str) -> float:
    value = scores[name].value if name in scores else float("nan")
    return value if np.isfinite(value) else float("inf")
