"""Pictures find those like them, through the model that made the index and no other."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from bundles import brightness, quarters
from pixelwright.errors import IndexUnusable, UsageError
from pixelwright.io.images import read_image, write_image
from pixelwright.model import Model
from pixelwright.structures.image import Image
from pixelwright.verbs.similar import (
    Index,
    find_duplicates,
    load_model,
    open_index,
    rows_of_answers,
    rows_of_groups,
    similar,
    write_sheet,
)
from pixelwright.verbs.similar.sheet import Cell, check_sheet

from .test_build import add


@pytest.fixture
def index(embedder: Model, photos: Path, tmp_path: Path) -> Index:
    add(embedder, tmp_path / "index", photos)
    return open_index(tmp_path / "index")


def test_like_pictures_come_first(embedder: Model, index: Index, tmp_path: Path) -> None:
    write_image(Image(np.full((5, 5, 3), (200, 20, 20), np.uint8)), tmp_path / "asked.png")
    (answer,) = similar(embedder, index, [str(tmp_path / "asked.png")], top=2)
    assert [Path(entry.path).stem for entry, _ in answer.matches] == ["red", "rose"]
    assert answer.to_dict()["similar"][0]["similarity"] == pytest.approx(answer.matches[0][1], abs=1e-6)


def test_the_picture_itself_is_not_among_the_answers(
    embedder: Model, index: Index, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photos)
    (answer,) = similar(embedder, index, ["red.png"], top=4)
    assert len(answer.matches) == 4 and "red" not in {Path(entry.path).stem for entry, _ in answer.matches}


def test_a_bad_picture_stops_nobody(embedder: Model, index: Index, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"?")
    bad, good = similar(embedder, index, [str(tmp_path / "bad.png"), str(photos / "red.png")])
    assert bad.error is not None and bad.to_dict()["error"]["type"] == "UnreadableImage" and good.error is None


def test_the_model_is_the_one_that_made_the_index(index: Index, embedder: Model) -> None:
    assert load_model(index).bundle.identity == embedder.bundle.identity


def test_a_model_that_has_moved_is_named(index: Index, embedder: Model, tmp_path: Path) -> None:
    shutil.move(embedder.bundle.path, tmp_path / "elsewhere")
    with pytest.raises(IndexUnusable, match=r"that model cannot be loaded .* Name its folder with --model"):
        load_model(index)
    assert load_model(index, str(tmp_path / "elsewhere")).bundle.spec.name == "quarters"


@pytest.mark.parametrize("other", ["quarters", "brightness"])
def test_another_model_is_refused(index: Index, tmp_path: Path, other: str) -> None:
    made = quarters(tmp_path / "b2", version="1.0.1") if other == "quarters" else brightness(tmp_path / "b2")
    with pytest.raises(
        IndexUnusable, match=r"holds vectors of quarters 1\.0\.0 \w+, the model at hand is .* cannot be"
    ):
        load_model(index, str(made.path))


def test_an_empty_index_and_an_empty_folder_are_said_to_be_so(embedder: Model, index: Index, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"no pictures in .*empty"):
        list(similar(embedder, index, [str(tmp_path / "empty")]))
    (tmp_path / "bad.png").write_bytes(b"?")
    add(embedder, tmp_path / "nothing", tmp_path / "bad.png")
    with pytest.raises(IndexUnusable, match="holds no pictures"):
        list(similar(embedder, open_index(tmp_path / "nothing"), [str(tmp_path / "bad.png")]))
    assert find_duplicates(open_index(tmp_path / "nothing")) == []


def test_a_sheet_shows_the_picture_asked_for_and_then_the_others(
    embedder: Model, index: Index, photos: Path, tmp_path: Path
) -> None:
    rows = rows_of_answers(similar(embedder, index, [str(photos / "red.png"), str(photos / "blue.png")], top=2))
    assert [[Path(cell.path).stem for cell in row] for row in rows] == [
        ["red", "rose", "navy"],
        ["blue", "navy", "rose"],
    ]
    write_sheet(rows, tmp_path / "sheet.png")
    pixels = read_image(tmp_path / "sheet.png").pixels
    assert pixels.shape[1] == 10 + 3 * 210
    assert (pixels[110, 110] == (220, 10, 10)).all() and (pixels[110, 320] == (220, 40, 40)).all()
    assert (pixels[8, 8] == (255, 196, 0)).all()  # framed


def test_a_page_shows_the_same(embedder: Model, index: Index, photos: Path, tmp_path: Path) -> None:
    write_sheet(rows_of_answers(similar(embedder, index, [str(photos / "red.png")], top=2)), tmp_path / "sheet.html")
    page = (tmp_path / "sheet.html").read_text(encoding="utf-8")
    assert page.count("data:image/jpeg;base64,") == 3 and "rose.png" in page


def test_names_cannot_break_a_page_and_missing_pictures_are_gray(tmp_path: Path) -> None:
    row = [Cell("/absent/<i>&\udce9.png", "<1>", leads=True)]
    write_sheet([row], tmp_path / "sheet.html")
    page = (tmp_path / "sheet.html").read_text(encoding="utf-8")
    assert "<i>" not in page and "&lt;i&gt;&amp;" in page and "&lt;1&gt;" in page
    write_sheet([row], tmp_path / "sheet.png")
    assert (read_image(tmp_path / "sheet.png").pixels[110, 110] == (70, 74, 82)).all()


def test_a_sheet_of_nothing_and_a_long_one_are_sheets(tmp_path: Path) -> None:
    for name in ("sheet.png", "sheet.html"):
        write_sheet([], tmp_path / name)
        assert (tmp_path / name).stat().st_size
    write_sheet([[Cell("/absent", "x")]] * 51, tmp_path / "long.html")
    assert "1 more rows are not shown" in (tmp_path / "long.html").read_text(encoding="utf-8")


def test_duplicates_fill_a_sheet(embedder: Model, photos: Path, tmp_path: Path) -> None:
    shutil.copy(photos / "red.png", photos / "zz-copy.png")
    write_image(Image(np.full((40, 40, 3), (221, 10, 10), np.uint8)), photos / "large.png")
    add(embedder, tmp_path / "index", photos)
    groups = find_duplicates(open_index(tmp_path / "index"), threshold=0.999)
    (row,) = [row for row in rows_of_groups(groups) if row[0].path.endswith("large.png")]
    assert (Path(row[0].path).stem, row[0].leads) == ("large", True)
    assert {Path(cell.path).stem for cell in row} >= {"large", "red", "zz-copy"}


def test_a_sheet_needs_a_known_ending(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no sheet is written under the ending '\.xyz'\. Known: .*\.html .*\.png"):
        check_sheet(tmp_path / "sheet.xyz")
