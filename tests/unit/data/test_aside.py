"""Files of an export appear whole, and under names that stay inside and apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from pixelwright.data.aside import new_folder, place, readable, to_json


def test_what_a_kill_left_of_a_folder_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "out.tmp").mkdir()
    (tmp_path / "out.tmp" / "stale").touch()
    new_folder(tmp_path / "out", lambda aside: (aside / "new").touch())
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["new"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.png", "a.txt"),
        ("sub/a.b.png", "sub/a.b.txt"),
        ("a.txt/b.png", "a.txt_/b.txt"),
        ("a.txt_/b.png", "a.txt__/b.txt"),
        ("../a.png", "%2E%2E/a.txt"),
        ("/a.png", "a.txt"),
        ("/", "unnamed.txt"),
        ("a\0b.png", "a%00b.txt"),
    ],
)
def test_a_name_keeps_inside(tmp_path: Path, name: str, expected: str) -> None:
    assert place(tmp_path, name, ".txt") == tmp_path / expected
    assert (tmp_path / expected).parent.is_dir()


def test_long_names_are_cut_and_stay_apart(tmp_path: Path) -> None:
    one, two = (place(tmp_path, f"{'x' * 250}{end}.jp", ".json") for end in "ab")
    assert one != two and len(one.name) < 100
    one.touch()


def test_texts_of_any_bytes_can_be_written() -> None:
    assert readable("ü \udcff") == "ü \\udcff"
    assert to_json({"a": "ü"}) == '{"a": "ü"}'.encode()
    assert to_json({"a": "\udcff"}) == b'{"a": "\\udcff"}'
