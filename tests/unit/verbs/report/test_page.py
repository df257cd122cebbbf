"""The skeleton of every page, and the pictures inside it."""

from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from pixelwright.errors import OutputError
from pixelwright.verbs.report.markup import Readout, facts, grid, more, section, table, text
from pixelwright.verbs.report.page import Album, Page, data_uri


def _page(**changes: object) -> Page:
    start: dict[str, object] = {"kind": "doctor", "title": "T", "heading": "H", "lead": "L", "sections": ["<p>S</p>"]}
    return Page(**(start | changes))  # type: ignore[arg-type]


def test_a_page_says_what_made_it_and_has_both_color_schemes() -> None:
    html = _page().html()
    assert 'content="pixelwright doctor"' in html
    assert "prefers-color-scheme: dark" in html and 'lang="en"' in html


def test_titles_are_text_and_no_markup() -> None:
    html = _page(title="<i>", heading="a & b").html()
    assert "<title>&lt;i&gt;</title>" in html and "<h1>a &amp; b</h1>" in html


def test_a_dollar_sign_in_a_section_stays_one() -> None:
    assert "$style costs $5" in _page(sections=["$style costs $5"]).html()


def test_a_readout_leads_to_its_section() -> None:
    html = _page(readouts=[Readout("scores", "accuracy", "0.99", "of 5")]).html()
    assert '<a href="#scores"><span class="name">accuracy</span>' in html


def test_a_name_that_is_no_unicode_can_be_written(tmp_path: Path) -> None:
    page = _page(sections=[text("b\udce4d")])
    page.write(tmp_path / "p.html")
    assert "b?d" in (tmp_path / "p.html").read_text(encoding="utf-8")


def test_a_disk_that_cannot_be_written_to_is_an_error_of_the_output(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"report .*cannot be written"):
        _page().write(tmp_path / "absent" / "p.html")


def _decoded(link: str) -> PillowImage.Image:
    return PillowImage.open(BytesIO(base64.b64decode(link.partition(",")[2])))


def test_a_tiny_picture_keeps_each_pixel_and_a_large_one_is_made_smaller() -> None:
    tiny = np.random.default_rng(0).integers(0, 256, (28, 28, 3)).astype(np.uint8)
    assert (np.asarray(_decoded(data_uri(tiny))) == tiny).all()
    html = Album().figure(np.zeros((1000, 500, 3), np.uint8), "alt", "caption", side_px=200)
    assert 'width="100" height="200"' in html and "data:image/jpeg" in html


def test_pictures_that_do_not_fit_are_counted_and_said() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (90, 90, 3)).astype(np.uint8)
    album = Album(most_bytes=50_000)
    figures = [album.figure(noise, "noise", "") for _ in range(3)]
    assert [bool(one) for one in figures] == [True, False, False]
    assert album.remark == "2 pictures are not shown, so that the page stays small."


def test_the_forms_nest() -> None:
    made = section(
        "k", "A < B", "lead", grid("pair", facts([("n", "5")]), table("t", ["a", "b"], [["1", "2"]], numbers=(1,)))
    )
    assert "<h2>A &lt; B</h2>" in made and '<td class="number">2</td>' in made
    assert more("5 > 4", "<p>in</p>") == "<details><summary>5 &gt; 4</summary>\n<p>in</p></details>"
