"""Files, folders, globs and lists become items with names of their own."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from pixelwright.errors import UsageError
from pixelwright.io.sources import list_images


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("b.JPG", "a.png", "sub/a.png", "sub/c.tiff", ".hidden.png", "text.txt", ".trash/x.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def names(*arguments: Path | str, **options: object) -> list[str]:
    return [item.name for item in list_images([str(one) for one in arguments], **options)]  # type: ignore[arg-type]


def test_a_folder_is_walked_in_order_without_hidden_and_other_files(tree: Path) -> None:
    assert names(tree) == ["a.png", "b.JPG", "sub/a.png", "sub/c.tiff"]


def test_a_named_file_is_taken_whatever_it_is_called(tree: Path) -> None:
    assert names(tree / "text.txt", tree / "absent.png") == ["text.txt", "absent.png"]


def test_a_glob_is_expanded_and_must_match(tree: Path) -> None:
    assert names(f"{tree}/**/*.png") == ["a.png", "a-2.png"]
    with pytest.raises(UsageError, match="nothing matches"):
        names(f"{tree}/*.xyz")


def test_a_file_whose_name_looks_like_a_pattern_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "photo[1].png").touch()
    assert names(tmp_path / "photo[1].png") == ["photo[1].png"]


def test_a_list_on_standard_input_may_have_windows_line_ends(tree: Path) -> None:
    assert names("-", stdin=io.StringIO(f"{tree}/a.png\r\n\n{tree}/b.JPG")) == ["a.png", "b.JPG"]


def test_equal_names_are_told_apart_even_where_case_does_not_count(tree: Path) -> None:
    assert names(tree / "a.png", tree / "sub" / "a.png", "/x/A.PNG") == ["a.png", "a-2.png", "A-3.PNG"]


def test_the_jobs_own_folder_is_left_out(tree: Path) -> None:
    assert names(tree, leave_out=tree / "sub") == ["a.png", "b.JPG"]
