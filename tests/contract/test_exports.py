"""One suite for every export in the registry, built in or plugged in, with every type of result it holds."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from found import RESULTS, failure, found, record
from pixelwright import registry
from pixelwright.data.export import Export

EXPORTS = [registry.get("export", name) for name in registry.names("export")]
HELD = [(export, kind) for export in EXPORTS for kind in export.results or RESULTS]

# Different without their endings, as those of a listing are. Some lead out of a folder or are no text.
NAMES = [
    "a.png",
    "sub/a.png",
    "a.txt/b.png",
    "a.txt_/b.png",
    "a.json/b.png",
    "a.xml/b.png",
    "a.png_/b.png",
    "labels/b.png",
    "a.tar.gz.png",
    ".hidden",
    "no ending",
    " spaces .png",
    "-dash.png",
    "quote\"'<&>;,.png",
    "new\nline.png",
    "日本 ünï 😀.jpg",
    f"{'long' * 62}.jpg",
    f"{'日' * 83}.jpg",
    "../../escape.png",
    "/absolute.png",
    "..",
    *([] if os.name == "nt" else ["bytes \udcff.png", "back\\slash.png"]),
]

every_pair = pytest.mark.parametrize(
    ("export", "kind"), HELD, ids=[f"{export.name}-{kind.__name__}" for export, kind in HELD]
)


def tree(folder: Path) -> dict[str, bytes]:
    return {os.fsdecode(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def records(kind: type, names: list[str] = NAMES) -> list[dict[str, Any]]:
    results = RESULTS[kind]
    return [record(index, name, results[index % len(results)]) for index, name in enumerate(names)]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A job folder deep enough that a name which leads out of it would be seen."""
    folder = tmp_path / "deep" / "down" / "out"
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize("export", EXPORTS, ids=lambda export: export.name)
def test_the_record_is_complete(export: Export) -> None:
    assert export.name in registry.names("export") and export.summary
    assert set(export.results) <= set(RESULTS)
    assert export.available() is None


@every_pair
def test_pictures_of_any_name_leave_a_trace_each(export: Export, kind: type, out: Path, tmp_path: Path) -> None:
    sizes = []
    for count in (0, 1, len(NAMES) - 1, len(NAMES)):
        folder = out / str(count)
        folder.mkdir()
        export.write(found(records(kind)[:count], kind), folder)
        files = tree(folder)
        sizes.append((len(files), sum(map(len, files.values()))))
        # So many files for each picture, or one for all.
        assert (len(files) - sizes[0][0]) % max(count, 1) == 0
    assert sizes[0][0] <= 3 and sizes == sorted(set(sizes))
    assert [path.name for path in tmp_path.iterdir()] == ["deep"]
    assert sorted(path.name for path in out.iterdir()) == sorted(map(str, (0, 1, len(NAMES) - 1, len(NAMES))))


@every_pair
def test_nothing_but_the_export_stays(export: Export, kind: type, out: Path) -> None:
    export.write(found(records(kind), kind), out)
    assert [name for name in tree(out) if name.endswith((".tmp", ".part"))] == []
    before = tree(out)
    export.write(found(records(kind), kind), out)  # the same command again
    assert tree(out) == before


@every_pair
def test_failures_are_no_results(export: Export, kind: type, out: Path) -> None:
    sound, mixed = out / "sound", out / "mixed"
    for folder in (sound, mixed):
        folder.mkdir()
    one, two = records(kind, ["a.png", "b.png"])
    export.write(found([one, two], kind), sound)
    export.write(found([one, two, failure(2, "c.png")], kind), mixed)
    assert tree(sound).keys() == tree(mixed).keys()
    export.write(found([failure(0, "c.png")], kind), out)


@every_pair
def test_it_is_written_whole_or_not_at_all(export: Export, kind: type, out: Path) -> None:
    def cut_off() -> Iterator[dict[str, Any]]:
        yield from records(kind, ["a.png", "b.png"])
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        export.write(found([], kind, records=cut_off), out)
    assert list(out.iterdir()) == []


class Watched(dict[str, Any]):
    """A record of which it can be told whether it is gone."""

    __hash__ = object.__hash__  # type: ignore[assignment]


@every_pair
def test_records_are_let_go_as_it_writes(export: Export, kind: type, out: Path) -> None:
    alive: weakref.WeakSet[Watched] = weakref.WeakSet()
    most = 0

    def watched() -> Iterator[Watched]:
        nonlocal most
        for number in range(20):
            one = Watched(record(number, f"{number}.png", RESULTS[kind][0]))
            alive.add(one)
            most = max(most, len(alive))
            yield one

    export.write(found([], kind, records=watched), out)
    assert most <= 3
