"""Every example runs: in docstrings, in the README and in docs/, against the models that are shipped.

In Markdown a `console` block holds commands after `$ `, and below each what it prints; a `python` block is a script, or
a session after `>>>`. Both run in order in one temporary folder a page, with pictures to work on. `...` in an output
stands for anything. A `sh` block is shown and not run; it may only hold what installs or builds.
"""

from __future__ import annotations

import doctest
import importlib
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import skimage
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont

from bundles import levels, quarters, squares
from clips import clip

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "pixelwright"
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
DOCUMENTED = sorted(path for path in PACKAGE.rglob("*.py") if ">>> " in path.read_text(encoding="utf-8"))

SHOWN_ONLY = ("make ", "pip install ", "pip uninstall ", "python -m venv ", ". .venv/bin/activate", "git ")
DATA_LANGUAGES = {"", "json", "toml", "text"}
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
SECONDS = 120


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of a page."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def place(self) -> str:
        """Where it stands, for messages."""
        return f"{self.page.name}:{self.line}"


def _blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    fences = re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [Block(page, text[: m.start()].count("\n") + 1, m[1], m[2]) for m in fences]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the pictures that the examples name."""
    samples = Path(skimage.__file__).parent / "data"
    (tmp_path / "holiday").mkdir()
    (tmp_path / "scans").mkdir()
    for name, sample in (("photo.jpg", "astronaut"), ("holiday/cat.png", "chelsea"), ("holiday/cup.jpg", "coffee")):
        with PillowImage.open(samples / f"{sample}.png") as opened:
            opened.crop((120, 40, 280, 160)).save(tmp_path / name, dpi=(300, 300))
    turned = PillowImage.Exif()
    turned[0x0112] = 6  # stored lying, to be turned a quarter
    with PillowImage.open(tmp_path / "photo.jpg") as opened:
        opened.save(tmp_path / "holiday" / "turned.jpg", exif=turned)
    for digit in "37":
        _draw_digit(digit).save(tmp_path / "scans" / f"{digit}.png")
    PillowImage.fromarray(np.arange(96 * 128, dtype=np.uint16).reshape(96, 128) * 5).save(tmp_path / "scan16.tif")
    clip(tmp_path / "clip.mp4", range(0, 200, 40), sound=True)
    _draw_shapes().save(tmp_path / "shapes.png")
    for model in (squares, levels, quarters):
        model(tmp_path / model.__name__)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _draw_digit(digit: str) -> PillowImage.Image:
    picture = PillowImage.new("L", (84, 84), 0)
    ImageDraw.Draw(picture).text((42, 42), digit, fill=255, font=ImageFont.load_default(66), anchor="mm")
    return picture


def _draw_shapes() -> PillowImage.Image:
    picture = PillowImage.new("RGB", (160, 120), (20, 24, 30))
    pen = ImageDraw.Draw(picture)
    for corner, opposite, color in (((10, 12), (59, 49), "white"), ((80, 20), (109, 39), "white")):
        pen.rectangle((corner, opposite), fill=color)
    pen.rectangle(((120, 70), (149, 109)), fill=(240, 0, 0))
    return picture


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_examples_of_a_page_run(page: Path, desk: Path) -> None:
    names: dict[str, object] = {"__name__": "__main__"}
    for block in _blocks(page):
        if block.language == "console":
            _run_console(block, desk)
        elif block.language == "python" and block.text.startswith(">>>"):
            _run_session(block, names)
        elif block.language == "python":
            exec(compile(block.text, block.place, "exec"), names)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_holds_no_block_that_escapes_the_check(page: Path) -> None:
    for block in _blocks(page):
        if block.language == "sh":
            lines = [line for line in block.text.splitlines() if line and not line.startswith("#")]
            assert [line for line in lines if not line.startswith(SHOWN_ONLY)] == [], block.place
        else:
            assert block.language in {"console", "python", *DATA_LANGUAGES}, block.place


@pytest.mark.parametrize("path", DOCUMENTED, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_examples_in_docstrings_run(path: Path, desk: Path) -> None:
    module = importlib.import_module(".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts))
    assert doctest.testmod(module, optionflags=OPTIONS).failed == 0


def test_links_between_pages_lead_somewhere() -> None:
    pages = [*PAGES, *sorted((ROOT / "docs" / "decisions").glob("*.md")), *sorted(ROOT.glob("*.md"))]
    broken = [
        f"{page.name}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert broken == []


def _run_console(block: Block, folder: Path) -> None:
    """The commands of a block, each expected to end well and to print what stands below it."""
    environment = {
        **os.environ,
        "COLUMNS": "120",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        assert not set(shlex.split(command)) & {"sudo", "rm"}, block.place
        done = subprocess.run(
            command, shell=True, cwd=folder, env=environment, text=True, timeout=SECONDS, check=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert done.returncode == 0, f"{block.place}: $ {command}\n{done.stdout}"
        if expected.strip():
            assert _agree(expected, done.stdout), (
                f"{block.place}: $ {command}\nexpected:\n{expected}\ngot:\n{done.stdout}"
            )


def _agree(expected: str, said: str) -> bool:
    """Whether an output is what was expected, spaces and line ends aside, where `...` stands for anything."""
    pieces = [re.escape(" ".join(piece.split())) for piece in expected.split("...")]
    return re.fullmatch(r"\s?.*?\s?".join(pieces), " ".join(said.split())) is not None


def _run_session(block: Block, names: dict[str, object]) -> None:
    parsed = doctest.DocTestParser().get_doctest(block.text, names, block.place, str(block.page), block.line)
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    result = runner.run(parsed, out=said.append, clear_globs=False)
    names.update(parsed.globs)
    assert result.failed == 0, "".join(said)
