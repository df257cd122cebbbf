"""The page about an evaluation: scores, curves, mistakes as pictures, slices, what harm does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from pixelwright.metrics.definitions import is_share
from pixelwright.metrics.figures import ByClass, Confusion, Curves, Figure, Histogram, Reliability
from pixelwright.metrics.score import Score
from pixelwright.verbs.evaluate.mistakes import mistakes
from pixelwright.verbs.evaluate.robustness import SEVERITIES, UNITS, Robustness
from pixelwright.verbs.evaluate.scored import Evaluated
from pixelwright.verbs.evaluate.slices import slices
from pixelwright.verbs.report import charts
from pixelwright.verbs.report.axes import Axis
from pixelwright.verbs.report.markup import Readout, facts, grid, more, section, table, text
from pixelwright.verbs.report.matrix import confusion
from pixelwright.verbs.report.page import Album, Page
from pixelwright.verbs.report.scores import interval, number, score_tables

HEADLINES = 4
MOST_BARS = 60
FAILURES_SHOWN = 20


def write_report(evaluated: Evaluated, path: Path, robustness: Robustness | None = None) -> None:
    """One file with everything in it.

    Args:
        evaluated: What was scored, with `look`.
        path: A name that ends in `.html`.
        robustness: What harm does, where that was measured.

    Raises:
        OutputError: The disk is full or not writable.
    """
    page_of(evaluated, robustness).write(path)


def page_of(evaluated: Evaluated, robustness: Robustness | None = None) -> Page:
    """The page."""
    spec, data = evaluated.model.bundle.spec, evaluated.dataset
    album = Album()
    sections = [
        _scores(evaluated),
        _figures(evaluated),
        *mistakes(evaluated, album),
        _slices(evaluated),
        _robustness(robustness) if robustness else "",
        _about(evaluated, album),
    ]
    part = f", {evaluated.split}" if evaluated.split else ""
    return Page(
        kind="evaluate",
        title=f"{spec.name} on {data.name}",
        heading=f"How good {spec.name} is on {data.name}{part}",
        lead=f"{text(spec.summary)} {len(evaluated.seen):,} pictures were scored, {len(evaluated.failures)} failed.",
        readouts=[_readout(score) for score in _headlines(evaluated)],
        sections=[one for one in sections if one],
        footer="Made by <code>pixelwright evaluate</code>, on this machine, offline. Intervals hold the middle 95 % of "
        f"{evaluated.rounds:,} bootstrap samples of the pictures (seed {evaluated.seed}).",
    )


def _headlines(evaluated: Evaluated) -> list[Score]:
    known = [score.metric for score in evaluated.scores]
    wanted = [evaluated.score(name) for name in evaluated.evaluation.goals_for(known)]
    return [score for score in wanted if score is not None and np.isfinite(score.value)][:HEADLINES]


def _readout(score: Score) -> Readout:
    return Readout("scores", score.metric, number(score), interval(score) or f"{score.n:,} pictures")


def _scores(evaluated: Evaluated) -> str:
    lead = "Each score with its 95 % interval; how it is computed stands in docs/metrics.md under its definition."
    return section("scores", "Scores", lead, *score_tables(evaluated.scores))


def _figures(evaluated: Evaluated) -> str:
    """Whatever the task draws: narrow ones beside each other, wide ones by themselves."""
    observations = [one.observation for one in evaluated.seen]
    narrow: list[str] = []
    wide: list[str] = []
    for figure in evaluated.evaluation.figures(observations, evaluated.scoring):
        (wide if isinstance(figure, Confusion | ByClass) else narrow).append(_drawn(figure, evaluated))
    parts = [grid("pair", *narrow)] if narrow else []
    return section("curves", "Curves", "What stands behind the scores.", *parts, *(one for one in wide if one))


def _drawn(figure: Figure, evaluated: Evaluated) -> str:
    if isinstance(figure, Confusion):
        return confusion(figure.title, figure.counts, figure.labels, answers=figure.answers)
    if isinstance(figure, Reliability):
        note = "On the dashed line what is said with 80 % is right in 80 of 100. Below, how many answers each bar has."
        return charts.reliability(figure.title, figure.confidence, figure.accuracy, figure.counts, caption=note)
    if isinstance(figure, Histogram):
        return charts.histogram(
            figure.title, figure.counts, figure.edges, x=Axis(figure.x_label), y=Axis("Pictures", low=0.0)
        )
    if isinstance(figure, ByClass):
        return _bars(figure, evaluated)
    return _lines(figure)


def _lines(figure: Curves) -> str:
    if not figure.curves:
        return ""
    series = [charts.Series(curve.name, curve.x, curve.y) for curve in figure.curves]
    x, y = Axis(figure.x_label, 0.0, 1.0), Axis(figure.y_label, 0.0, 1.0)
    return charts.lines(figure.title, series, x=x, y=y, ideal=figure.ideal, caption=text(figure.note))


def _axis(metric: str) -> Axis:
    """From nothing to all where a metric is a share, else as far as its values reach."""
    return Axis(metric, 0.0, 1.0) if is_share(metric) else Axis(metric)


def _bars(figure: ByClass, evaluated: Evaluated) -> str:
    found = [
        score for score in evaluated.scores if score.metric.startswith(f"{figure.metric}/") and np.isfinite(score.value)
    ]
    if not found:
        return ""
    found.sort(key=lambda score: score.value)
    items = [charts.Bar(score.metric.partition("/")[2], score.value, score.ci95) for score in found[:MOST_BARS]]
    note = f"The {MOST_BARS} lowest of {len(found)}." if len(found) > MOST_BARS else ""
    return charts.bars(figure.title, items, axis=_axis(figure.metric), caption=note)


def _slices(evaluated: Evaluated) -> str:
    """The headline score of pictures that are alike, and of things of a size where the task tells them apart."""
    drawn = [
        charts.bars(
            f"{evaluated.headline.metric} by {name}",
            [charts.Bar(f"{one.name} ({one.n})", one.score.value, one.score.ci95) for one in found],
            axis=_axis(evaluated.headline.metric),
        )
        for name, found in slices(evaluated).items()
    ]
    sizes = {"small": "up to 32 px square", "medium": "to 96 px square", "large": "above 96 px square"}
    for prefix, what in (("", "boxes"), ("mask_", "masks")):
        found = [(words, evaluated.score(f"{prefix}AP_{size}")) for size, words in sizes.items()]
        known = [charts.Bar(words, score.value, score.ci95) for words, score in found if score is not None]
        if known:
            drawn.append(charts.bars(f"AP by size of things, {what}", known, axis=Axis("AP", 0.0, 1.0)))
    if not drawn:
        return ""
    return section("slices", "Slices", "Where the model is weak, as far as pictures differ.", grid("pair", *drawn))


def _robustness(robustness: Robustness) -> str:
    """Curves over severity, with the strengths in words."""
    levels = np.arange(6)
    series = [charts.Series(kind, levels, [robustness.clean, *values]) for kind, values in robustness.values.items()]
    drawn = charts.lines(
        f"{robustness.metric} of spoiled pictures",
        series,
        x=Axis("Severity (0: as they are)", 0.0, 5.0),
        y=_axis(robustness.metric),
    )
    rows = [[text(kind), *(f"{value:.4f}" for value in robustness.values[kind])] for kind in SEVERITIES]
    listed = table(
        f"As they are: {robustness.clean:.4f}",
        ["Harm", "1", "2", "3", "4", "5"],
        rows,
        numbers=(1, 2, 3, 4, 5),
    )
    lead = (
        f"{robustness.n:,} of the pictures, spoiled and scored again. The idea is Hendrycks and Dietterich’s (2019); "
        "the strengths are our own."
    )
    strengths = [f"{kind}: {_strengths(kind)}" for kind in SEVERITIES]
    return section("robustness", "Robustness", lead, grid("pair", drawn, listed), *_listed(strengths))


def _strengths(kind: str) -> str:
    return UNITS[kind].format(", ".join(f"{one:g}" for one in SEVERITIES[kind]))


def _about(evaluated: Evaluated, album: Album) -> str:
    """Which model, which pictures, what was left out."""
    spec, model, data = evaluated.model.bundle.spec, evaluated.model, evaluated.dataset
    rows = [
        ("Model", f"<b>{text(spec.name)}</b> {text(spec.version)}"),
        ("Task", text(spec.task)),
        ("Runtime", f"{text(model.runtime.name)} {text(model.runtime.version())}, {text(model.precision)}"),
        ("Data", text(data.root)),
        ("Layout", text(data.layout)),
        ("Part", text(evaluated.split or "all")),
        ("Fingerprint", f"<code>{evaluated.fingerprint[:16]}…</code>"),
        ("Pictures", f"{len(evaluated.seen):,} scored, {len(evaluated.failures)} failed"),
        ("Time", f"{evaluated.seconds:.1f} s"),
    ]
    said = [*evaluated.remarks, *([album.remark] if album.remark else [])]
    parts = [facts(rows), *_listed(said)]
    if evaluated.failures:
        lost = [f"{name}: {reason}" for name, reason in evaluated.failures[:FAILURES_SHOWN]]
        rest = len(evaluated.failures) - len(lost)
        parts.append(more(f"{len(evaluated.failures)} pictures could not be scored", *_listed(lost)))
        if rest:
            parts.append(f"<p>… and {rest} more.</p>")
    return section("about", "What was scored", "The scores are of these pictures and this model alone.", *parts)


def _listed(sentences: Sequence[str]) -> Iterator[str]:
    if sentences:
        yield '<ul class="remarks">' + "".join(f"<li>{text(one)}</li>" for one in sentences) + "</ul>"
