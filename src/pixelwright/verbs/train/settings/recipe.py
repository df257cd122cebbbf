"""Recipes: configurations as TOML files, and the values given on top of them."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

from pixelwright.errors import UsageError
from pixelwright.interop.keras import is_keras
from pixelwright.verbs.train.settings.config import TrainConfig
from pixelwright.verbs.train.settings.wording import sentence

# A table of a run's config.toml: names of values that were chosen, with the reason.
AUTOMATIC = "automatic"
# Of these a training has one.
EITHER = ("budget.minutes", "budget.epochs")
# What matters only once it has trained, and may be said otherwise when it goes on.
AT_THE_END = "bundle."
# What of the configuration Keras models are trained by; all else is theirs to say.
OF_KERAS = (
    "task", "model", "goal", "seed", "data.", "input.", "batch.size", "optimizer.learning_rate", "augment.preset",
    "budget.epochs", "budget.baseline", "machine.threads", "bundle.",
)  # fmt: skip


def read_config(
    task: str,
    recipe: Path | None = None,
    changes: Mapping[str, Any] | None = None,
    *,
    called: Mapping[str, str] = MappingProxyType({}),
) -> TrainConfig:
    """The configuration of a recipe with changes on top.

    Args:
        task: Registry name of the task; a recipe may name it too, and has to name the same.
        recipe: A TOML file, also the `config.toml` of a run.
        changes: Values by dotted name, `{"optimizer.learning_rate": 0.1}`.
        called: What errors should call them, by dotted name: `{"optimizer.learning_rate": "--lr"}`.

    Raises:
        UsageError: The file cannot be read, is of another task, or a name or value is not known; with its place.
    """
    content = {} if recipe is None else _read(recipe)
    content.pop(AUTOMATIC, None)
    if content.setdefault("task", task) != task:
        raise UsageError(f"{recipe}: is a recipe for {content['task']!r}, and the task is {task!r}.")
    changes = changes or {}
    for name, other in (EITHER, EITHER[::-1]):
        if name in changes and other not in changes:  # of the recipe: nobody can take a value away by an option
            table, _, last = other.partition(".")
            content.get(table, {}).pop(last, None)
    for name, value in changes.items():
        _put(content, name, value)
    return _checked(content, str(recipe) if recipe else "", called)


def changed(config: TrainConfig, changes: Mapping[str, Any]) -> TrainConfig:
    """A configuration with values by dotted name changed, checked again."""
    content = msgspec.to_builtins(config)
    for name, value in changes.items():
        _put(content, name, value)
    return _checked(content)


def counts(config: TrainConfig, name: str) -> bool:
    """Whether the value of a dotted name makes a difference to this model."""
    return not is_keras(config.model) or name.startswith(OF_KERAS)


def without_effect(config: TrainConfig) -> list[str]:
    """What was asked for and makes no difference, in words: `optimizer.name 'sgd'`."""
    start = _flat(msgspec.to_builtins(TrainConfig(task=config.task)))
    asked = _flat(msgspec.to_builtins(config)).items()
    return [f"{name} {value!r}" for name, value in asked if value != start.get(name) and not counts(config, name)]


def value_of(config: TrainConfig, name: str) -> Any:
    """The value under a dotted name."""
    found: Any = config
    for part in name.split("."):
        found = getattr(found, part)
    return found


def to_toml(config: TrainConfig, automatic: Mapping[str, str]) -> str:
    """What counts of the configuration as TOML; a comment marks what was chosen; the table `automatic` says why."""
    content = msgspec.to_builtins(config)
    tables = {name: value for name, value in content.items() if isinstance(value, dict)}
    lines = _entries("", {name: value for name, value in content.items() if name not in tables}, automatic)
    for table, values in tables.items():
        counted = {name: value for name, value in values.items() if counts(config, f"{table}.{name}")}
        if entries := _entries(f"{table}.", counted, automatic):
            lines += ["", f"[{table}]", *entries]
    lines += ["", f"[{AUTOMATIC}]", *(f"{_text(name)} = {_text(reason)}" for name, reason in automatic.items())]
    return "\n".join(lines) + "\n"


def read_run(path: Path) -> tuple[TrainConfig, dict[str, str]]:
    """What `to_toml` wrote: the configuration, and what of it was chosen, with the reasons."""
    content = _read(path)
    automatic = content.pop(AUTOMATIC, {})
    return _checked(content, str(path)), automatic


def asked_of(config: TrainConfig, automatic: Mapping[str, str]) -> TrainConfig:
    """What was asked for, without what was chosen."""
    start = TrainConfig(task=config.task)
    return changed(config, {name: value_of(start, name) for name in automatic})


def differences(one: TrainConfig, other: TrainConfig, *, apart: str = "") -> list[str]:
    """Where two configurations differ, in words: `batch.size 32, now 64`; apart from names that begin like this."""
    before, now = _flat(msgspec.to_builtins(one)), _flat(msgspec.to_builtins(other))
    names = [name for name in before | now if before.get(name) != now.get(name)]
    names = [name for name in names if not apart or not name.startswith(apart)]
    return [f"{name} {_said(before.get(name))}, now {_said(now.get(name))}" for name in names]


def _said(value: Any) -> Any:
    return "open" if value is None or value == "" else value


def _flat(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in content.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return flat


def _entries(prefix: str, values: Mapping[str, Any], automatic: Mapping[str, str]) -> list[str]:
    mark = "  # automatic"
    return [
        f"{name} = {_text(value)}{mark if prefix + name in automatic else ''}"
        for name, value in values.items()
        if value is not None
    ]


def _text(value: Any) -> str:
    """A value of TOML; its strings are those of JSON, its inline tables have other signs."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_text(name)} = {_text(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_text(one) for one in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as err:
        raise UsageError(f"{path}: cannot be read: {err.strerror or err}.") from err
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as err:
        raise UsageError(f"{path}: is no TOML: {err}.") from err


def _put(content: dict[str, Any], name: str, value: Any) -> None:
    *tables, last = name.split(".")
    for table in tables:
        content = content.setdefault(table, {})
    content[last] = value


def _checked(content: dict[str, Any], where: str = "", called: Mapping[str, str] = MappingProxyType({})) -> TrainConfig:
    try:
        config = msgspec.convert(content, TrainConfig)
    except msgspec.ValidationError as err:
        said = sentence(err, content, TrainConfig, called)
        where = "" if not where or said.startswith("--") else f"{where}: "
        raise UsageError(where + said) from err
    if config.budget.minutes is not None and config.budget.epochs is not None:
        named = [f"{called.get(name, name)} {value_of(config, name):g}" for name in EITHER]
        raise UsageError(f"{' and '.join(named)}: minutes or epochs, not both. Leave one out.")
    return config
