"""Every command explains itself with an example, and what the house promises is where it says."""

from __future__ import annotations

import argparse
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from pixelwright.cli import _parser

ROOT = Path(__file__).resolve().parents[2]


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
    assert re.findall(r"^make \w+", script, re.MULTILINE) == ["make test", "make check"]


def test_every_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [*project["dependencies"], *(line for extra in project["optional-dependencies"].values() for line in extra)]
    names = {re.split(r"[\[<>=!~; ]", line, maxsplit=1)[0].lower() for line in asked} - {"pixelwright"}
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9][0-9.a-z]*", pin) for pin in pins)
    assert sorted(names - {pin.partition("==")[0] for pin in pins}) == []
