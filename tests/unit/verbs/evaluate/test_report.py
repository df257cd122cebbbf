"""The page about an evaluation: whole, offline, and safe whatever the data is called."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from bundles import brightness, squares
from pixelwright.data.opening import open_dataset
from pixelwright.errors import OutputError, UsageError
from pixelwright.io.images import write_image
from pixelwright.metrics.figures import ByClass
from pixelwright.metrics.score import Score
from pixelwright.model import load
from pixelwright.structures.image import Image
from pixelwright.verbs.evaluate import Evaluated, EvaluateOptions, evaluate, report
from pixelwright.verbs.evaluate.report import page_of, write_report
from pixelwright.verbs.evaluate.robustness import SEVERITIES, Robustness
from pixelwright.verbs.evaluate.slices import Slice
from pixelwright.verbs.report.page import check_report


class _Balanced(HTMLParser):
    """Whether every tag is closed, and what the page would load."""

    VOID = frozenset({"meta", "img", "br", "input"})
    SELF_CLOSED = frozenset({"path", "rect", "circle", "polyline", "polygon"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Evaluated:
    folder = tmp_path_factory.mktemp("data")
    for label, grays in {"dark": range(0, 200, 10), "bright": range(100, 256, 10)}.items():
        (folder / label).mkdir()
        for gray in grays:
            write_image(Image(np.full((12, 12, 3), gray, np.uint8)), folder / label / f"<b>&{gray}.png")
    model = load(brightness(tmp_path_factory.mktemp("model") / "b").path)
    return evaluate(model, open_dataset(folder), EvaluateOptions(look=True, rounds=50), split="all")


def test_the_page_is_sound_and_loads_nothing(evaluated: Evaluated) -> None:
    values = dict.fromkeys(SEVERITIES, (0.9, 0.8, 0.7, 0.6, 0.5))
    html = page_of(evaluated, Robustness("accuracy", 0.95, values, 30)).html()
    page = _Balanced()
    page.feed(html)
    assert page.open == []
    assert [link for link in page.links if not link.startswith(("data:image/", "#"))] == []
    assert "<script" not in html


def test_names_of_files_are_text_and_no_markup(evaluated: Evaluated) -> None:
    html = page_of(evaluated).html()
    assert "&lt;b&gt;&amp;" in html and "<b>&1" not in html


def test_each_part_of_the_page_is_there(evaluated: Evaluated) -> None:
    html = page_of(evaluated).html()
    assert re.findall(r'<section id="(\w+)">', html) == ["scores", "curves", "mistakes", "slices", "about"]
    for title in ("Confusion", "Reliability", "ROC", "Precision and recall", "accuracy by brightness"):
        assert f"<b>{title}</b>" in html
    assert evaluated.fingerprint[:16] in html


def test_mistakes_say_what_was_said_and_what_is_true(evaluated: Evaluated) -> None:
    html = page_of(evaluated).html()
    shown = re.findall(r'<b class="wrong">(\w+)</b> [\d.]+%<br>is <b>(\w+)</b>', html)
    assert shown and all(said != true for said, true in shown)


def test_a_page_takes_the_place_of_another_only_when_it_is_whole(evaluated: Evaluated, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_report(evaluated, path)
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert [one.name for one in tmp_path.iterdir()] == ["report.html"]
    with pytest.raises(OutputError):
        write_report(evaluated, tmp_path / "absent" / "report.html")


@pytest.mark.parametrize("name", ["report.pdf", "report", "absent/report.html"])
def test_a_name_for_no_page_is_refused_before_anything_is_computed(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--report"):
        check_report(tmp_path / name)


def test_things_are_drawn_on_their_pictures(tmp_path: Path) -> None:
    folder = tmp_path / "yolo"
    (folder / "images").mkdir(parents=True)
    (folder / "labels").mkdir()
    (folder / "data.yaml").write_text("path: .\ntrain: images\nnames:\n  0: white\n  1: red\n")
    pixels = np.zeros((100, 300, 3), np.uint8)
    pixels[20:40, 10:60] = 255
    write_image(Image(pixels), folder / "images" / "a.png")
    (folder / "labels" / "a.txt").write_text("1 0.35 0.3 0.1 0.2\n")
    found = evaluate(load(squares(tmp_path / "s").path), open_dataset(folder), EvaluateOptions(rounds=20))
    html = page_of(found).html()
    assert "0 right, 1 wrong, 1 missed" in html and "data:image/jpeg" in html
    assert "Right is green, wrong orange, missed blue" in html


def _heights(html: str, title: str) -> list[float]:
    """Of the points of the first curve of a chart."""
    points = re.findall(r'<polyline class="curve[^"]*" points="([^"]+)"', html.split(f"<b>{title}</b>")[1])[0]
    return [float(point.split(",")[1]) for point in points.split()]


def _widths(html: str, title: str) -> list[float]:
    """Of the bars of a chart."""
    chart = html.split(f"<b>{title}</b>")[1].split("</svg>")[0]
    return [float(width) for width in re.findall(r'<rect class="bar"[^>]* width="([\d.]+)"', chart)]


def test_errors_that_grow_above_one_are_drawn_as_they_grow(evaluated: Evaluated) -> None:
    values = dict.fromkeys(SEVERITIES, (1.0, 2.0, 3.0, 4.0, 5.0))
    heights = _heights(page_of(evaluated, Robustness("mse", 0.2, values, 30)).html(), "mse of spoiled pictures")
    assert heights == sorted(set(heights), reverse=True)  # the larger, the nearer to the top


def test_a_share_is_drawn_between_nothing_and_all(evaluated: Evaluated) -> None:
    values = dict.fromkeys(SEVERITIES, (0.5,) * 5)
    heights = _heights(
        page_of(evaluated, Robustness("accuracy", 0.5, values, 30)).html(), "accuracy of spoiled pictures"
    )
    assert heights == [pytest.approx((10 + 340 - 44) / 2)] * 6


@pytest.mark.parametrize("value", [0.002, -3.0])
def test_small_errors_and_negative_r2_have_bars(
    evaluated: Evaluated, monkeypatch: pytest.MonkeyPatch, value: float
) -> None:
    score = Score("mse" if value > 0 else "r2", value, None, 40, "mse" if value > 0 else "r2")
    found = {"brightness": [Slice("dark", 20, score), Slice("bright", 20, replace(score, value=value / 2))]}
    monkeypatch.setattr(report, "slices", lambda _: found)
    html = page_of(replace(evaluated, scores=(score, *evaluated.scores))).html()
    long, short = _widths(html, f"{score.metric} by brightness")
    assert long == pytest.approx(2 * short, rel=0.01) and short > 100


def test_r2_of_each_value_is_drawn_below_nothing(evaluated: Evaluated) -> None:
    scores = tuple(Score(f"r2/{name}", value, None, 40, "r2") for name, value in (("age", -2.0), ("size", 0.5)))
    html = report._bars(ByClass("R² of each value", "r2"), replace(evaluated, scores=scores))
    below, above = _widths(html, "R² of each value")
    assert below == pytest.approx(4 * above, rel=0.01) and above > 0


def test_data_that_are_the_current_folder_have_its_name(evaluated: Evaluated, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(evaluated.dataset.root)
    page = page_of(replace(evaluated, dataset=replace(evaluated.dataset, root=Path())))
    name = evaluated.dataset.root.name
    assert page.title == f"brightness on {name}" and page.heading == f"How good brightness is on {name}, all"
