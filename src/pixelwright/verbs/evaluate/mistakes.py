"""The worst answers and the most confident mistakes, as pictures with answer and truth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from pixelwright.verbs.evaluate.scored import Evaluated, Seen, chosen
from pixelwright.verbs.report.markup import grid, section, table, text
from pixelwright.verbs.report.page import Album

SHOWN = 24
SMALL_PX, WIDE = 160, 1.8  # a picture up to that side is a thumbnail; one that wide takes half of the page
SIDES_PX = {"thumbs": 256, "trio": 560, "split": 960}


def mistakes(evaluated: Evaluated, album: Album) -> Iterator[str]:
    """Sections of the page; none where nothing is wrong."""
    worst = sorted(evaluated.seen, key=lambda one: (_known(one.outcome.quality), one.place))
    wrong = [one for one in worst if one.outcome.right is not True]
    sure = [one for one in wrong if one.outcome.right is False and one.outcome.confidence is not None]
    sure.sort(key=lambda one: (-(one.outcome.confidence or 0.0), one.place))
    judged = any(one.outcome.right is not None for one in evaluated.seen)
    total = f" {len(wrong):,} of {len(evaluated.seen):,} answers are not wholly right." if judged else ""
    if not wrong:
        yield section("mistakes", "Mistakes", "Every answer was right.")
        return
    shows = f" {text(evaluated.evaluation.shows)}" if evaluated.evaluation.shows else ""
    first = _shown(evaluated, sure[:SHOWN], album)
    if first:
        lead = f"Where the model was surest of what is wrong.{total}{shows}"
        yield section("mistakes", "Most confident mistakes", lead, first)
    again = {one.place for one in sure[:SHOWN]}
    rest = _shown(evaluated, [one for one in wrong if one.place not in again][:SHOWN], album)
    if rest:
        lead = "The lowest of all, by the task’s measure of a single picture"
        lead += ", without those above." if first else f".{total}"
        yield section("worst", "Worst answers", lead + shows, rest)


def _shown(evaluated: Evaluated, seen: Sequence[Seen], album: Album) -> str:
    if evaluated.dataset.sequence:
        rows = [[text(one.id), text(one.outcome.said), text(one.outcome.true)] for one in seen]
        return table("Sequences", ["Sequence", "Said", "Is"], rows, numbers=()) if rows else ""
    figures: list[str] = []
    css = "trio"
    for one, image, result, target in chosen(evaluated, seen):
        pixels = evaluated.evaluation.draw(image, result, target, evaluated.scoring).pixels
        height, width = pixels.shape[:2]
        if not figures:
            css = "thumbs" if max(height, width) <= SMALL_PX else "split" if width > WIDE * height else "trio"
        thumb = "thumb" if css == "thumbs" else "plain"
        figures.append(album.figure(pixels, _alt(one), _caption(one), side_px=SIDES_PX[css], css=thumb))
    found = [figure for figure in figures if figure]
    return grid(css, *found) if found else ""


def _alt(one: Seen) -> str:
    return f"{one.id}: {one.outcome.said or 'answered'}" + (f", is {one.outcome.true}" if one.outcome.true else "")


def _caption(one: Seen) -> str:
    outcome = one.outcome
    sure = "" if outcome.confidence is None else f" {outcome.confidence:.1%}"
    wrong = ' class="wrong"' if outcome.right is False else ""
    said = f"<b{wrong}>{text(outcome.said)}</b>{sure}" if outcome.said else ""
    true = f"<br>is <b>{text(outcome.true)}</b>" if outcome.true else ""
    return f"{said}{true}<br>{text(one.id)}"


def _known(value: float) -> float:
    return value if np.isfinite(value) else float("inf")
