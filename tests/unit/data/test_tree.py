"""Trees: files of folders and archives by name, none of which lies outside."""

from __future__ import annotations

import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from datasets import picture, text
from pixelwright.data.tree import Tree, stem
from pixelwright.errors import DataError, ImageError

links = pytest.mark.skipif(os.name == "nt", reason="links need rights there")


def test_names_are_relative_sorted_and_with_slashes(tmp_path: Path) -> None:
    for name in ("b/c/d.txt", "b/a.txt", "a.txt", ".hidden", "__MACOSX/x.txt", "b/.git/config", "Thumbs.db"):
        text(tmp_path / name, "")
    tree = Tree.of(tmp_path)
    assert list(tree.places) == ["a.txt", "b/a.txt", "b/c/d.txt"]
    assert dict(tree.folders) == {"": ("a.txt",), "b": ("a.txt",), "b/c": ("d.txt",)}
    assert tree.tops == ("b",)
    assert list(tree.below("b").places) == ["a.txt", "c/d.txt"]


@links
def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    picture(tmp_path / "elsewhere" / "a.png")
    (tmp_path / "data" / "sub").mkdir(parents=True)
    (tmp_path / "data" / "photos").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data" / "sub" / "up").symlink_to(tmp_path / "data")
    (tmp_path / "data" / "sub" / "gone").symlink_to(tmp_path / "nowhere")
    names = list(Tree.of(tmp_path / "data").places)
    assert "photos/a.png" in names
    assert len(names) == 2  # and the link that leads nowhere, which is said when it is read


@links
def test_a_link_to_itself_costs_nothing_else(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    (tmp_path / "loop.png").symlink_to("loop.png")
    assert list(Tree.of(tmp_path).places) == ["a.png", "loop.png"]


@pytest.mark.parametrize("stated", ["../secret.txt", "/etc/passwd", "b/../../secret.txt", "", ".", "b", "a.txt/.."])
def test_what_is_not_in_the_tree_is_not_found(tmp_path: Path, stated: str) -> None:
    text(tmp_path / "secret.txt", "")
    text(tmp_path / "data" / "b" / "a.txt", "")
    assert Tree.of(tmp_path / "data").find(stated) is None


def test_names_are_found_by_any_spelling(tmp_path: Path) -> None:
    text(tmp_path / "images" / "bär.txt", "")
    tree = Tree.of(tmp_path)
    found = "images/bär.txt"
    assert tree.find("images/bär.txt") == found
    assert tree.find("images\\ba\u0308r.txt") == found
    assert tree.find("bär.txt", "images") == found
    assert tree.find("./sub/../bär.txt", "images") == found
    assert tree.find(f"{tmp_path}/images/bär.txt") == found


def test_members_that_lead_out_are_left_out(tmp_path: Path) -> None:
    names = ["a.txt", "../b.txt", "/c.txt", "d/../../e.txt", "f/./g.txt", "h\\i.txt"]
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        for name in names:
            packed.writestr(name, "x")
    assert list(Tree.of(tmp_path / "a.zip").places) == ["a.txt", "f/g.txt", "h/i.txt"]
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for name in names[:4]:
            tar.addfile(tarfile.TarInfo(name))
        link = tarfile.TarInfo("link.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    assert list(Tree.of(tmp_path / "a.tar").places) == ["a.txt"]


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz"])
def test_archives_that_cannot_be_read_are_one_clear_error(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"nothing of the kind")
    with pytest.raises(DataError, match=name):
        Tree.of(tmp_path / name)


def test_a_path_that_is_not_there_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no such file or folder"):
        Tree.of(tmp_path / "gone")


def test_text_is_read_without_mark_and_with_plain_line_ends(tmp_path: Path) -> None:
    place = Tree.of(text(tmp_path / "a.txt", "\ufeffä\r\nb\rc")).places["a.txt"]
    assert place.text() == "ä\nb\nc"
    with pytest.raises(DataError, match=r"has 10 bytes, at most 3"):
        place.text(3)


def test_an_encrypted_or_damaged_member_is_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("a.txt", "x" * 1000)
    data = bytearray(path.read_bytes())
    damaged = data.copy()
    damaged[40:44] = b"\xff" * 4
    path.write_bytes(damaged)
    with pytest.raises(ImageError, match=r"a\.zip::a\.txt: is a damaged zip"):
        Tree.of(path).places["a.txt"].text()
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "b.zip").write_bytes(data)
    with pytest.raises(ImageError, match=r"cannot be unpacked"):
        Tree.of(tmp_path / "b.zip").places["a.txt"].text()


def test_a_stem_is_a_name_without_its_last_ending() -> None:
    assert [stem(name) for name in ("a/b.c.jpg", "a.b/c", "a/.c", ".c", "c")] == ["a/b.c", "a.b/c", "a/.c", ".c", "c"]


@links
def test_a_root_through_a_link_or_a_relative_path_leads_to_each_file_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture(tmp_path / "data" / "cat" / "a.png")
    (tmp_path / "data" / "cat" / "up").symlink_to(tmp_path / "data")
    (tmp_path / "data" / "dog").mkdir()
    (tmp_path / "data" / "dog" / "cats").symlink_to(tmp_path / "data" / "cat")
    (tmp_path / "linked").symlink_to(tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    for root in (tmp_path / "data", Path("data"), Path("linked")):
        assert list(Tree.of(root).places) == ["cat/a.png", "dog/cats/a.png"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_pipe_that_would_block_its_reader_is_passed_over(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    os.mkfifo(tmp_path / "b.png")
    (tmp_path / "c.png").symlink_to(tmp_path / "b.png")
    assert list(Tree.of(tmp_path).places) == ["a.png"]
