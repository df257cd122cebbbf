"""Plain YAML: the part that people write into `data.yaml`, read without a library that could run what is in a file.

Understood are `key: value`, lists and maps in blocks or in brackets, quotes, numbers and comments. A value that is
more than that (anchors, tags, blocks of text) is left out, and missed only where it is asked for.
"""

from __future__ import annotations

import json
import re
from typing import Any

from pixelwright.errors import DataError

_KEY = re.compile(
    r"""(?P<key>"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s#:\[\]{},&*!|>'"-][^:#]*?|-?\d+)\s*:(?:\s+(?P<value>.*))?$"""
)
_INTEGER, _NUMBER = re.compile(r"[-+]?\d{1,18}$"), re.compile(r"[-+]?(\d+\.\d*|\.\d+|\d+)([eE][-+]?\d+)?$")
_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None, "~": None, "": None}
_DEEPEST = 8


def parse(text: str, name: str) -> dict[Any, Any]:
    """The keys of a file with their values.

    Raises:
        DataError: A line that is read cannot be understood.
    """
    lines = [
        (len(line) - len(line.lstrip(" ")), line.strip(), number)
        for number, line in enumerate(text.split("\n"), 1)
        if line.strip() and not line.lstrip().startswith("#") and line.strip() not in ("---", "...")
    ]
    found: dict[Any, Any] = {}
    at = 0
    while at < len(lines):
        indent, line, number = lines[at]
        at += 1
        block = at
        # A list may stand as far left as its key.
        while at < len(lines) and (lines[at][0] > indent or (lines[at][0] == indent and _is_item(lines[at][1]))):
            at += 1
        match = _KEY.match(_without_comment(line))
        if indent or match is None:
            raise DataError(f"{name} line {number}: expected `key: value`, got {line[:60]!r}.")
        key, value = _scalar(match["key"], name, number), (match["value"] or "").strip()
        try:
            found[key] = _value(value, name, number) if value else _block(lines[block:at], name)
        except DataError:
            if key in ("names", "train", "val", "test", "path", "kpt_shape"):
                raise
    return found


def _block(lines: list[tuple[int, str, int]], name: str) -> Any:
    """A list, or a map, of plain values."""
    if not lines:
        return None
    first = lines[0][0]
    rows = [(line, number) for indent, line, number in lines if indent == first]
    if len(rows) != len(lines):
        raise DataError(f"{name} line {lines[0][2]}: expected one plain value a line.")
    if all(_is_item(line) for line, _ in rows):
        return [_value(_without_comment(line[1:]).strip(), name, number) for line, number in rows]
    found = {}
    for line, number in rows:
        match = _KEY.match(_without_comment(line))
        if match is None:
            raise DataError(f"{name} line {number}: expected `key: value`, got {line[:60]!r}.")
        found[_scalar(match["key"], name, number)] = _value((match["value"] or "").strip(), name, number)
    return found


def _is_item(line: str) -> bool:
    return line == "-" or line.startswith("- ")


def _value(text: str, name: str, number: int, depth: int = 0) -> Any:
    """A plain value, or what is in brackets."""
    closing = {"[": "]", "{": "}"}.get(text[:1])
    if closing is None:
        return _scalar(text, name, number)
    if not text.endswith(closing) or depth == _DEEPEST:
        raise DataError(f"{name} line {number}: expected {closing!r} at the end of the line, got {text[-20:]!r}.")
    parts = [part.strip() for part in _parts(text[1:-1])]
    if closing == "]":
        return [_value(part, name, number, depth + 1) for part in parts]
    found = {}
    for part in parts:
        match = _KEY.match(part)
        if match is None:
            raise DataError(f"{name} line {number}: expected `key: value`, got {part[:60]!r}.")
        found[_scalar(match["key"], name, number)] = _value((match["value"] or "").strip(), name, number, depth + 1)
    return found


def _parts(text: str) -> list[str]:
    """What commas separate, outside of quotes and brackets."""
    found, depth, quote, start = [], 0, "", 0
    for place, one in enumerate(text):
        if quote:
            quote = "" if one == quote and text[place - 1] != "\\" else quote
        elif one in "\"'":
            quote = one
        elif one in "[{":
            depth += 1
        elif one in "]}":
            depth -= 1
        elif one == "," and not depth:
            found.append(text[start:place])
            start = place + 1
    return [*found, text[start:]] if text[start:].strip() else found


def _without_comment(line: str) -> str:
    quote = ""
    for place, one in enumerate(line):
        if quote:
            quote = "" if one == quote and line[place - 1] != "\\" else quote
        elif one in "\"'" and (place == 0 or line[place - 1] in " [{,:"):
            quote = one
        elif one == "#" and (place == 0 or line[place - 1] == " "):
            return line[:place].rstrip()
    return line


def _scalar(text: str, name: str, number: int) -> Any:
    text = text.strip()
    if text.startswith('"'):
        try:
            return json.loads(text)
        except ValueError as err:
            raise DataError(f"{name} line {number}: the quotes of {text[:60]!r} do not close.") from err
    if text.startswith("'"):
        if len(text) < 2 or not text.endswith("'"):
            raise DataError(f"{name} line {number}: the quotes of {text[:60]!r} do not close.")
        return text[1:-1].replace("''", "'")
    if text[:1] in ("&", "*", "!", "|", ">", "%", "@", "`"):
        raise DataError(f"{name} line {number}: {text[:60]!r} is more than a plain value. Write it out.")
    if _INTEGER.match(text):
        return int(text)
    return float(text) if _NUMBER.match(text) else _WORDS.get(text.casefold(), text)
