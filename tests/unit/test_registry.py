"""Names lead to objects; a wrong one gets its neighbors, and a plugin at fault harms no other."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from types import ModuleType, SimpleNamespace

import pytest

from pixelwright import registry
from pixelwright.cli import main
from pixelwright.errors import DuplicateName, PixelwrightError, UnknownName

KINDS = tuple(registry.BUILTIN)

Install = Callable[..., None]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Makes the registry see entry points `(name, target)` of one kind, as if packages had brought them."""

    def install(kind: str, *points: tuple[str, str]) -> None:
        group = f"pixelwright.{kind}s"
        found = [EntryPoint(name, target, group) for name, target in points]
        monkeypatch.setattr(registry, "entry_points", lambda group: [one for one in found if one.group == group])
        forget()

    def forget() -> None:
        registry._load.cache_clear()
        registry._plugins.cache_clear()

    yield install
    monkeypatch.undo()
    forget()


def test_a_wrong_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'classify'") as caught:
        registry.get("task", "clasify")
    assert caught.value.nearest == ["classify"]


def test_a_name_like_no_other_is_answered_with_all() -> None:
    with pytest.raises(UnknownName, match=r"Known: classify, detect, .*enhance"):
        registry.get("task", "xyzzy")


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, table in registry.BUILTIN.items() for name in table])
def test_every_built_in_row_leads_to_an_object(kind: str, name: str) -> None:
    assert registry.get(kind, name) is not None


@pytest.mark.parametrize("kind", [kind for kind in KINDS if registry.BUILTIN[kind]])
def test_a_plugin_that_claims_a_built_ins_name_is_listed_and_not_used(kind: str, install: Install) -> None:
    name = next(iter(registry.BUILTIN[kind]))
    built_in = registry.get(kind, name)
    install(kind, (name, "string:Template"))
    assert registry.get(kind, name) is built_in
    assert registry.names(kind) == tuple(registry.BUILTIN[kind])
    (listed,) = registry.plugins()
    assert listed.fault is not None and f"taken by a built-in {kind}" in listed.fault


@pytest.mark.parametrize("kind", KINDS)
def test_two_plugins_of_one_name_are_refused_when_asked_for(kind: str, install: Install) -> None:
    install(kind, ("twin", "string:Template"), ("twin", "string:Formatter"))
    with pytest.raises(DuplicateName, match="another plugin"):
        registry.get(kind, "twin")
    assert "twin" not in registry.names(kind)
    assert ["another plugin" in str(one.fault) for one in registry.plugins()] == [True, True]


@pytest.mark.parametrize("kind", KINDS)
def test_a_plugin_that_fails_to_import_keeps_its_name_and_its_reason(kind: str, install: Install) -> None:
    install(kind, ("broken", "absent_module:X"))
    assert registry.names(kind)[-1] == "broken"
    with pytest.raises(PixelwrightError, match="absent_module"):
        registry.get(kind, "broken")
    assert "fails to import" in str(registry.plugins()[0].fault)


@pytest.mark.parametrize("kind", KINDS)
def test_a_plugin_that_holds_something_else_says_so(kind: str, install: Install) -> None:
    install(kind, ("odd", "string:digits"))
    assert "cannot be used" in str(registry.plugins()[0].fault)


def test_a_plugin_must_go_by_the_name_it_is_registered_under(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("runtime_plugin")
    module.__dict__["RUNTIME"] = SimpleNamespace(name="other")
    monkeypatch.setitem(sys.modules, "runtime_plugin", module)
    install("runtime", ("mine", "runtime_plugin:RUNTIME"))
    with pytest.raises(PixelwrightError, match="calls itself 'other'"):
        registry.get("runtime", "mine")


def test_the_commands_that_are_no_tasks_are_reserved(capsys: pytest.CaptureFixture[str], install: Install) -> None:
    install("task", *((name, "absent_module:TASK") for name in sorted(registry.RESERVED["task"])))
    assert registry.names("task") == tuple(registry.BUILTIN["task"])
    assert main(["plugins"]) == 1
    assert capsys.readouterr().out.count("taken by the command") == len(registry.RESERVED["task"])
