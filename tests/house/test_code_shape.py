"""Files and functions stay small, names say what is inside, and nothing is left for later."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "src" / "pixelwright").rglob("*.py"))
SCRIPTS = sorted([*(ROOT / "recipes").glob("*.py"), *(ROOT / "benchmarks").glob("*.py")])

FILE_LINES = 400
FUNCTION_LINES = 40
EMPTY_NAMES = {"utils", "util", "helpers", "common", "misc", "base", "manager", "managers", "mixins"}

# Longer functions, each with its reason.
LONGER: dict[str, str] = {}


def test_there_is_code_to_look_at() -> None:
    assert len(SOURCES) > 50


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert [str(path) for path in SOURCES if EMPTY_NAMES & {part.removesuffix(".py") for part in path.parts}] == []


def test_no_file_is_too_long() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert {name: length for name, length in lengths.items() if length > FILE_LINES} == {}


def test_no_function_is_too_long() -> None:
    longer = {name: lines for path in SOURCES for name, lines in _functions(path) if lines > FUNCTION_LINES}
    assert sorted(longer.keys() ^ LONGER.keys()) == [], longer


def test_nothing_is_left_for_later() -> None:
    later = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|raise NotImplemented")
    left = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in [*SOURCES, *SCRIPTS]
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if later.search(line)
    ]
    assert left == []


def _functions(path: Path) -> Iterator[tuple[str, int]]:
    """Each function and the lines of its code: signature and body, without docstring, blank lines and comments."""
    source = path.read_text(encoding="utf-8")
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        first = node.lineno
        skip: set[int] = set()
        if ast.get_docstring(node) is not None:
            skip.update(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
        counted = [
            number
            for number in range(first, (node.end_lineno or first) + 1)
            if number not in skip and lines[number - 1].strip() and not lines[number - 1].lstrip().startswith("#")
        ]
        yield f"{path.relative_to(ROOT)}:{node.name}", len(counted)
