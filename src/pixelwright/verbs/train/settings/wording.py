"""Wording: what is wrong with a configuration, in words for whoever wrote it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from pixelwright.errors import UnknownName, UsageError

T = TypeVar("T")

# `Expected `float` > 0.0 - at `$.budget.epochs``: what, and where.
_SAID = re.compile(r"(?P<what>.*?)(?: - at `\$\.?(?P<path>.*)`)?", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`")
_EXPECTED = re.compile(
    r"Expected `(?P<kinds>[^`]*)`(?P<length> of length)?(?: (?P<sign>[<>]=?))?(?: (?P<limit>[-+.e\d]+))?.*", re.DOTALL
)
_KINDS: Mapping[str, str] = MappingProxyType(
    {
        "float": "a number",
        "int": "a whole number",
        "str": "a text",
        "bool": "true or false",
        "array": "a list",
        "object": "a table of values",
    }
)
_LIMITS: Mapping[str, Callable[[str], str]] = MappingProxyType(
    {">": "more than {}".format, ">=": "{} or more".format, "<": "less than {}".format, "<=": "{} or less".format}
)
# Where a rule is a pattern, in words.
_PATTERNS: Mapping[str, str] = MappingProxyType(
    {
        "name": "lower-case letters, digits, dots, dashes and underscores, 100 at the most and no sign first",
        "version": "three numbers, as in 1.0.0",
    }
)
_SHOWN = 60  # letters of a value


def with_changes(start: T, changes: Mapping[str, Any], of: str) -> T:
    """A configuration with some values changed by name, which may be of a type that becomes the right one.

    Args:
        start: As it is.
        changes: What is to be otherwise.
        of: What it is, for messages.

    Raises:
        UnknownName: It has no value of such a name.
        UsageError: A value is of another type, or out of its range.
    """
    content = msgspec.to_builtins(start)
    if unknown := sorted(changes.keys() - content.keys()):
        raise UnknownName(f"value of {of}", unknown[0], content)
    content |= changes
    try:
        return msgspec.convert(content, type(start), strict=False)
    except msgspec.ValidationError as err:
        raise UsageError(f"{of}: {sentence(err, content, type(start))}") from err


def sentence(
    err: msgspec.ValidationError, content: Mapping[str, Any], of: type, called: Mapping[str, str] = MappingProxyType({})
) -> str:
    """What is wrong, as in `budget.epochs 0: expected a number, more than 0.`

    Args:
        err: What msgspec says.
        content: The plain data that it was given.
        of: The type that these should have had.
        called: What a value is called, by its dotted name, where it is called otherwise.
    """
    found = _SAID.fullmatch(str(err))
    what, path = (found["what"], found["path"] or "") if found else (str(err), "")
    place = re.sub(r"\[[^]]*\]", "", path)
    if unknown := _UNKNOWN.fullmatch(what):
        kind = f"value of [{place}]" if place else "section or value"
        return str(UnknownName(kind, unknown[1], get_type_hints(_type_at(of, place))))
    given: Any = content
    for part in filter(None, place.split(".")):
        given = given.get(part) if isinstance(given, Mapping) else None
    kind = _type_at(of, place) if path == place else object  # what holds of a whole list says nothing of one in it
    shown = f"{str(given)[:_SHOWN]}..." if len(str(given)) > _SHOWN else given
    return f"{called.get(place, place)} {shown}: expected {_expected(what, kind, place)}."


def _expected(what: str, kind: Any, place: str) -> str:
    if "matching regex" in what:
        return _PATTERNS.get(place.rpartition(".")[2], what)
    if choices := [str(choice) for choice in _choices(kind) if choice != ""]:
        choices += ["a list of numbers" for one in get_args(kind) if get_origin(one) is tuple]
        return choices[0] if len(choices) == 1 else f"{', '.join(choices[:-1])} or {choices[-1]}"
    if not (found := _EXPECTED.fullmatch(what)):
        return what
    kinds = [_KINDS.get(one, one) for one in found["kinds"].split(" | ") if one != "null"]
    limit = f"{float(found['limit']):.12g}" if found["limit"] else ""
    limit = _LIMITS[found["sign"]](limit) if found["sign"] else limit
    between = " of length " if found["length"] else ", " if limit else ""
    return f"{' or '.join(kinds)}{between}{limit}"


def _type_at(of: Any, place: str) -> Any:
    for part in filter(None, place.split(".")):
        hints = get_type_hints(of, include_extras=True) if isinstance(of, type) else {}
        of = hints.get(part, object)
    return of


def _choices(kind: Any) -> Iterator[Any]:
    """All values that literals in a type allow."""
    if get_origin(kind) is Literal:
        yield from get_args(kind)
        return
    for one in get_args(kind):
        yield from _choices(one)
