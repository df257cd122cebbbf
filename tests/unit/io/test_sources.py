"""Files, folders, globs and lists become items with names of their own."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from pixelwright.errors import UsageError
from pixelwright.io import images, sources
from pixelwright.io.sources import image_suffixes, list_images


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


def job(folder: Path) -> Path:
    """A folder as a job leaves it."""
    for name in ("job.json", "items.jsonl", "images/a.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_a_recursive_glob_lists_each_picture_once(tree: Path) -> None:
    assert names(f"{tree}/**") == ["a.png", "b.JPG", "a-2.png", "c.tiff"]


def test_a_plain_glob_takes_files_by_their_endings_and_walks_folders(tree: Path) -> None:
    assert names(f"{tree}/*") == ["a.png", "b.JPG", "a-2.png", "c.tiff"]


def test_a_glob_that_matches_no_picture_lists_nothing(tree: Path) -> None:
    assert names(f"{tree}/*.txt") == []


def test_a_match_named_like_standard_input_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("-", "a.png"):
        (tmp_path / name).touch()
    assert names("*", stdin=io.BytesIO(b"never.png\n")) == ["a.png"]


@pytest.mark.parametrize("pattern", ["", "/**", "/*", "/**/*.png"])
def test_pictures_that_a_job_made_are_no_sources(tree: Path, pattern: str) -> None:
    job(tree / "sub" / "answers")
    job(tree / "answers")
    listed = [item.path for item in list_images([f"{tree}{pattern}"])]
    assert f"{tree}/sub/a.png" in listed and not any("answers" in path for path in listed)


def test_a_jobs_folder_that_is_named_itself_is_walked(tmp_path: Path) -> None:
    folder = job(tmp_path / "answers")
    assert names(folder) == ["images/a.png"]
    assert names(f"{folder}/**") == names(f"{folder}/images/*") == ["a.png"]


def test_a_folder_that_cannot_be_listed_is_an_item(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scan = os.scandir

    def closed(path: Path) -> object:
        if Path(path).name == "sub":
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(sources.os, "scandir", closed)
    assert names(tree) == ["a.png", "b.JPG", "sub"]
    assert names(tree / "sub", tree / "sub") == ["sub", "sub-2"]


def test_a_name_on_standard_input_may_be_no_text(tree: Path) -> None:
    (item,) = list_images(["-"], stdin=io.BytesIO(b"\xff.png\n"))
    assert os.fsencode(item.path) == b"\xff.png"


def test_a_line_that_names_no_file_has_a_name_too() -> None:
    assert names("-", stdin=io.StringIO("/\n/\n.\n")) == ["unnamed", "unnamed-2", "unnamed-3"]


def test_equal_names_do_not_take_longer_and_longer() -> None:
    tries: list[str] = []

    class Counting(dict[str, int]):
        def __contains__(self, name: object) -> bool:
            tries.append(str(name))
            return super().__contains__(name)

    taken = Counting()
    unique = {sources._unique("frame.png", taken) for _ in range(300)}
    assert len(unique) == 300 and len(tries) < 4 * 300


def test_a_number_that_is_a_name_already_is_not_given_again() -> None:
    assert names("/x/a-2.png", "/x/a.png", "/y/a.png", "/y/a-2.png") == ["a-2.png", "a.png", "a-3.png", "a-2-2.png"]


def test_a_broken_format_plugin_costs_only_its_own_endings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images.registry, "names", lambda kind: (*images.registry.BUILTIN[kind], "broken"))
    for remembered in (images.formats, image_suffixes):
        remembered.cache_clear()
    assert ".png" in image_suffixes()
    for remembered in (images.formats, image_suffixes):
        remembered.cache_clear()


def test_names_differ_even_without_their_endings() -> None:
    assert names("/x/a.jpg", "/x/a.png", "/x/a-2.jpg", "/y/a.jpg") == ["a.jpg", "a-2.png", "a-2-2.jpg", "a-3.jpg"]


def test_a_name_is_no_longer_than_file_systems_take(tmp_path: Path) -> None:
    named = [tmp_path / ("x" * 251 + ".png"), tmp_path / ("x" * 251 + ".mp4"), tmp_path / ("\u00e4" * 120 + ".png")]
    names = [item.name for item in list_images(list(map(str, named)))]
    assert names == ["x" * 220 + ".png", "x" * 220 + "-2.mp4", "\u00e4" * 110 + ".png"]
    deep = "/".join(["d" * 100] * 20)
    (item,) = list_images([f"camera:http://host/{deep}/{'y' * 300}"])
    assert len(item.name) == 220
    assert [item.name for item in list_images([f"memory://{deep}/z.png"])] == ["z.png"]


def test_names_tell_no_password() -> None:
    (item,) = list_images(["rtsp://me:secret@host/a"])
    assert item.name == "rtsp_-host-a"
