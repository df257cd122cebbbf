"""The page about an evaluation: whole, offline, and safe whatever the data is called."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from bundles import brightness, squares
from pixelwright.data.opening import open_dataset
from pixelwright.errors import OutputError, UsageError
from pixelwright.io.images import write_image
from pixelwright.model import load
from pixelwright.structures.image import Image
from pixelwright.verbs.evaluate import Evaluated, EvaluateOptions, evaluate
from pixelwright.verbs.evaluate.report import check_report, page_of, write_report
from pixelwright.verbs.evaluate.robustness import SEVERITIES, Robustness


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
