"""Report: how a training went, as one HTML page: curves, scores, what was decided, and the pictures it learned from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from pixelwright.errors import PixelwrightError
from pixelwright.io.images import read_image
from pixelwright.metrics.score import Score
from pixelwright.ops import color
from pixelwright.verbs.report.axes import Axis
from pixelwright.verbs.report.charts import Series, lines
from pixelwright.verbs.report.markup import Readout, grid, section, table, text
from pixelwright.verbs.report.page import Album, Page
from pixelwright.verbs.report.scores import score_tables
from pixelwright.verbs.train.folder import PREVIEW, REPORT, Run
from pixelwright.verbs.train.settings.recipe import to_toml, value_of
from pixelwright.verbs.train.trained import Trained

SHEET_PX = 1400


def write_report(run: Run, done: Trained) -> None:
    """`RUN/report.html`, from what the run holds.

    Raises:
        OutputError: The disk is full or not writable.
    """
    config, automatic = run.decided()
    where = f"step {done.step:,} of {done.steps:,}"
    Page(
        kind="train",
        title=f"{run.path.name}: {config.task}",
        heading=f"How {config.model} learned {Path(config.data.path).resolve().name}",
        lead=f"{done.steps:,} steps in {done.seconds / 60:.1f} minutes. The weights are those of {where}, which "
        "did best on the validation part: a score that is chosen by is a little too good.",
        readouts=[
            Readout("curves", done.goal, f"{done.score:.4f}", "validation, best weights"),
            Readout("curves", "minutes", f"{done.seconds / 60:.1f}", where),
        ],
        sections=[
            _curves(run, done),
            *_scores(done.scores),
            _decided(
                to_toml(config, automatic), [(name, value_of(config, name), why) for name, why in automatic.items()]
            ),
            *_pictures(run),
        ],
    ).write(run.path / REPORT)


def _curves(run: Run, done: Trained) -> str:
    rows = run.rows()
    minutes = [float(row["minutes"]) for row in rows]
    x = Axis("minutes", low=0.0)
    charts = [
        lines(title, [Series(title, minutes, [_number(row.get(name)) for row in rows])], x=x, y=Axis(name))
        for title, name in (
            ("Loss of what is learned from", "loss"),
            (f"{done.goal} on the validation part", done.goal),
            ("Learning rate", "learning_rate"),
        )
        if rows and name in rows[0]
    ]
    lead = "One point for each validation. The loss is the mean since the one before, on pictures that are varied."
    return section("curves", "Curves", lead, grid("trio", *charts))


def _scores(scores: Sequence[Score]) -> list[str]:
    if not scores:
        return []
    return [
        section("scores", "Scores", "Of the bundle, on the validation part, in ONNX Runtime.", *score_tables(scores))
    ]


def _decided(written: str, chosen: Sequence[tuple[str, object, str]]) -> str:
    rows = [[f"<code>{text(name)}</code>", text(value), text(why)] for name, value, why in chosen]
    return section(
        "decided",
        "What was decided",
        f"{len(rows)} values were left open, and chosen. The whole is a recipe that trains the same again.",
        table("Chosen", ("Value", "Chosen", "Why"), rows, numbers=()) if rows else "",
        f"<details><summary>config.toml</summary><pre>{text(written)}</pre></details>",
    )


def _pictures(run: Run) -> list[str]:
    try:
        sheet = color.to_rgb(read_image(run.path / PREVIEW))
    except PixelwrightError:  # sequences have none
        return []
    shown = Album().figure(sheet.pixels, "Pictures as they are and varied", "", side_px=SHEET_PX, css="plain")
    return [
        section("pictures", "Pictures", "Each as it is, and as training varies it, with what is true of it.", shown)
    ]


def _number(value: str | None) -> float:
    return float(value) if value else math.nan
