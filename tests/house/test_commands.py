"""Every command explains itself with an example, and what the house promises is where it says."""

from __future__ import annotations

import argparse
import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from pixelwright.cli import _parser

ROOT = Path(__file__).resolve().parents[2]
# It cannot be pinned together with the CPU build of torch: what it needs brings a CUDA build.
UNPINNED = frozenset({"timm"})
# The core and the extras that it can do without.
ALWAYS = ("", "formats", "medical", "openvino", "parquet", "remote", "search", "video")


def _commands(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for child in action.choices.values():
                yield child
                yield from _commands(child)


@pytest.mark.parametrize("parser", [pytest.param(parser, id=parser.prog) for parser in _commands(_parser())])
def test_a_command_says_what_it_does_and_shows_an_example(parser: argparse.ArgumentParser) -> None:
    said = parser.format_help()
    assert parser.description
    assert re.search(rf"^  {re.escape(parser.prog)}( |$)", said, re.MULTILINE), said


def test_the_readme_has_the_two_commands() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.search(r"^make demo\b", readme, re.MULTILINE) and re.search(r"^make test\b", readme, re.MULTILINE)


def test_ci_runs_the_readmes_test_command_and_then_the_checks() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    ran = re.findall(r"^make (.*) </dev/null$", script, re.MULTILINE)
    assert ran == ["test", 'test ARGS="-m slow"', "check"]


def test_every_dependency_is_pinned() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9][0-9.a-z]*", pin) for pin in pins)
    asked = {name for extra in _dependencies().values() for name in extra}
    assert sorted(asked - UNPINNED - {pin.partition("==")[0] for pin in pins}) == []


@pytest.mark.parametrize(("folder", "extras"), [("src", ("keras", "timm", "train")), ("tests", ("dev", "train"))])
def test_every_import_is_of_a_declared_dependency(folder: str, extras: tuple[str, ...]) -> None:
    declared = {name for extra in (*ALWAYS, *extras) for name in _dependencies()[extra]}
    ours = {path.stem for path in (ROOT / folder).iterdir()} | {"pixelwright", "house"}
    imported = {name for path in (ROOT / folder).rglob("*.py") for name in _top_level(path)} - ours
    installed = packages_distributions()
    foreign = {name: installed.get(name, [name]) for name in imported - set(sys.stdlib_module_names)}
    assert {name for name, owners in foreign.items() if not {_plain(owner) for owner in owners} & declared} == set()


def _dependencies() -> dict[str, set[str]]:
    """Names of the packages that the core (under an empty name) and each extra ask for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = {"": project["dependencies"], **project["optional-dependencies"]}
    found = {
        extra: {_plain(re.split(r"[\[<>=!~; ]", one, maxsplit=1)[0]) for one in asked}
        for extra, asked in extras.items()
    }
    return {extra: names - {"pixelwright"} for extra, names in found.items()}


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _top_level(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]
