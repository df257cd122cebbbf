"""An index on disk is whole at every moment, and whatever is wrong with it is said in one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pixelwright.errors import IndexUnusable, JobError, OutputError
from pixelwright.verbs.similar import index as index_module
from pixelwright.verbs.similar import open_index, writer
from pixelwright.verbs.similar.index import LIVE, REPLACED, VANISHED, Manifest
from pixelwright.verbs.similar.writer import open_writer

from .conftest import MakeIndex, directions, entry

PLANE = Manifest(format="pixelwright-index/1", space="plane 1.0.0 abc", model="plane", bundle="/nowhere")


def test_rows_come_back_in_order_across_shards(make_index: MakeIndex) -> None:
    vectors = directions(10, 3)
    index = make_index(vectors, sizes=(4, 1, 5))
    assert len(index) == index.live == 10 and len(index.manifest.shards) == 3
    assert (np.concatenate([block for _, block in index.blocks()]) == vectors).all()
    assert (index.vectors([9, 0, 4, 4]) == vectors[[9, 0, 4, 4]]).all()
    assert [one.path for one in index.entries()] == [f"/pictures/{row}.png" for row in range(10)]
    assert [index.entry(row).path for row in (9, 0, 4)] == ["/pictures/9.png", "/pictures/0.png", "/pictures/4.png"]


def test_blocks_are_of_bounded_size(make_index: MakeIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "BLOCK_BYTES", 3 * 4 * 2)
    index = make_index(directions(5, 3), sizes=(3, 2))
    assert [(first, len(block)) for first, block in index.blocks()] == [(0, 2), (2, 1), (3, 2)]


def test_small_shards_are_put_together_and_rows_keep_their_numbers(
    make_index: MakeIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors = directions(9, 4)
    make_index(vectors, sizes=(5, 1, 1, 2))
    monkeypatch.setattr(writer, "SHARD_ROWS", 5)
    with open_writer(tmp_path / "index", PLANE) as open_for_writing:
        open_for_writing.mark(6, VANISHED)
        open_for_writing.put_together(at_end=True)
    index = open_index(tmp_path / "index")
    assert [shard.rows for shard in index.manifest.shards] == [5, 4]
    assert (np.concatenate([block for _, block in index.blocks()]) == vectors).all()
    assert index.entry(7).path == "/pictures/7.png" and index.marks.tolist() == [0] * 6 + [VANISHED] + [0] * 2
    names = {f"{shard.name}.{ending}" for shard in index.manifest.shards for ending in ("npy", "jsonl")}
    assert {path.name for path in (tmp_path / "index" / "shards").iterdir()} == names | {index.manifest.marks}


def test_marks_stay_and_later_rows_are_live(make_index: MakeIndex, tmp_path: Path) -> None:
    make_index(directions(3, 2))
    with open_writer(tmp_path / "index", PLANE) as open_for_writing:
        open_for_writing.mark(1, REPLACED)
        open_for_writing.commit()
        open_for_writing.add(entry("later.png"), directions(1, 2)[0])
        open_for_writing.commit()
    index = open_index(tmp_path / "index")
    assert index.marks.tolist() == [LIVE, REPLACED, LIVE, LIVE] and index.live == 3


@pytest.mark.parametrize("step", range(9))
def test_a_kill_between_any_two_steps_leaves_the_index_whole(
    make_index: MakeIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    vectors = directions(6, 3)
    make_index(vectors[:4], sizes=(3, 1))
    steps = 0

    class Killed(BaseException):
        pass

    def replace(self: Path, target: Path) -> Path:
        nonlocal steps
        steps += 1
        if steps > step:
            raise Killed
        return original(self, target)

    original = Path.replace
    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(Killed) if step < 7 else _nothing(), open_writer(tmp_path / "index", PLANE) as open_for_writing:
        open_for_writing.mark(0, VANISHED)
        for row in (4, 5):
            open_for_writing.add(entry(f"{row}.png"), vectors[row])
        open_for_writing.commit()
        open_for_writing.put_together(at_end=True)
    monkeypatch.setattr(Path, "replace", original)
    index = open_index(tmp_path / "index")
    count = len(index)
    assert count in (4, 6) and (count == 6) == (index.marks[0] == VANISHED)
    assert (np.concatenate([block for _, block in index.blocks()]) == vectors[:count]).all()
    assert [one.path for one in index.entries()] == [f"/pictures/{row}.png" for row in range(count)]
    with open_writer(tmp_path / "index", PLANE):  # what was left behind goes
        kept = {path.name for path in (tmp_path / "index" / "shards").iterdir()}
    assert len(kept) == 2 * len(index.manifest.shards) + (index.manifest.marks is not None)


def _nothing():  # type: ignore[no-untyped-def]
    from contextlib import nullcontext

    return nullcontext()


def test_where_there_is_no_index_the_command_is_told(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(IndexUnusable, match=r"holds no index: .* pixelwright embed PICTURES --index"):
            open_index(folder)


def test_a_file_is_no_index(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(IndexUnusable, match="holds no index"):
        open_index(tmp_path / "file")
    with pytest.raises(OutputError, match=r"cannot use .*file as an index"), open_writer(tmp_path / "file", PLANE):
        pass


def test_an_index_of_a_later_version_is_refused(make_index: MakeIndex, tmp_path: Path) -> None:
    make_index(directions(2, 2))
    path = tmp_path / "index" / "index.json"
    path.write_text(path.read_text().replace("pixelwright-index/1", "pixelwright-index/2"))
    with pytest.raises(IndexUnusable, match="has format pixelwright-index/2, this version reads pixelwright-index/1"):
        open_index(tmp_path / "index")


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": 3}', "\x00", '{"format": "pixelwright-index/1"}', "null", "{" * 5000]
)
def test_a_damaged_index_json_is_refused(make_index: MakeIndex, tmp_path: Path, text: str) -> None:
    make_index(directions(2, 2))
    (tmp_path / "index" / "index.json").write_text(text)
    with pytest.raises(IndexUnusable, match=r"index\.json is damaged or missing .* build it anew"):
        open_index(tmp_path / "index")


def change(**changes: object):  # type: ignore[no-untyped-def]
    def damage(folder: Path) -> None:
        said = json.loads((folder / "index.json").read_text())
        (folder / "index.json").write_text(json.dumps(said | changes))

    return damage


def cut(name: str):  # type: ignore[no-untyped-def]
    def damage(folder: Path) -> None:
        path = folder / "shards" / name
        path.write_bytes(path.read_bytes()[:-9])

    return damage


@pytest.mark.parametrize(
    "damage",
    [
        change(count=3),
        change(dimension=5),
        change(dimension=-1),
        change(shards=[{"name": "../../secret", "rows": 2}]),
        change(marks="../marks-1.npy"),
        change(marks="marks-77.npy"),
        cut("000000001.npy"),
        lambda folder: (folder / "shards" / "000000001.npy").unlink(),
        lambda folder: (folder / "shards" / "000000001.npy").write_bytes(b"\x93NUMPY"),
        lambda folder: np.save(folder / "shards" / "000000001.npy", np.zeros((2, 2))),
    ],
    ids=["count", "dimension", "negative", "path", "marks path", "no marks", "cut", "gone", "header", "dtype"],
)
def test_other_damage_is_found_on_opening(make_index: MakeIndex, tmp_path: Path, damage) -> None:  # type: ignore[no-untyped-def]
    make_index(directions(2, 2))
    damage(tmp_path / "index")
    with pytest.raises(IndexUnusable, match=r"damaged or missing .* Remove the index and build it anew"):
        open_index(tmp_path / "index")


@pytest.mark.parametrize("text", [b"", b"{}\n{}\n", b"x\ny\n", b'{"path": 1}\n'])
def test_damaged_lists_of_pictures_are_found_on_reading(make_index: MakeIndex, tmp_path: Path, text: bytes) -> None:
    make_index(directions(2, 2))
    (tmp_path / "index" / "shards" / "000000001.jsonl").write_bytes(text)
    index = open_index(tmp_path / "index")
    for read in (lambda: index.entry(0), lambda: list(index.entries())):
        with pytest.raises(IndexUnusable, match=r"000000001\.jsonl is damaged"):
            read()


def test_an_index_that_grows_while_it_is_read_says_so(make_index: MakeIndex, tmp_path: Path) -> None:
    make_index(directions(4, 2), sizes=(2, 2))
    reader = open_index(tmp_path / "index")
    with open_writer(tmp_path / "index", PLANE) as open_for_writing:
        open_for_writing.put_together(at_end=True)
    assert (reader.vectors([3]) == directions(4, 2)[3]).all()  # mapped before
    with pytest.raises(IndexUnusable, match="was changed meanwhile"):
        reader.entry(0)
    assert open_index(tmp_path / "index").entry(0).path == "/pictures/0.png"


def test_another_models_index_is_left_alone(make_index: MakeIndex, tmp_path: Path) -> None:
    make_index(directions(2, 2))
    other = Manifest(format="pixelwright-index/1", space="sphere 2.0.0 def", model="sphere", bundle="/nowhere")
    said = r"holds vectors of plane 1\.0\.0 abc, this model makes sphere 2\.0\.0 def"
    with pytest.raises(IndexUnusable, match=said), open_writer(tmp_path / "index", other):
        pass


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "letter.txt").write_text("dear")
    with (
        pytest.raises(IndexUnusable, match=r"holds 'letter\.txt' and no index"),
        open_writer(tmp_path / "index", PLANE),
    ):
        pass


def test_two_cannot_write_at_a_time(tmp_path: Path) -> None:
    with (
        open_writer(tmp_path / "index", PLANE),
        pytest.raises(JobError, match="another process is adding to this index"),
        open_writer(tmp_path / "index", PLANE),
    ):
        pass


def test_a_vector_of_another_length_is_refused(make_index: MakeIndex, tmp_path: Path) -> None:
    make_index(directions(2, 2))
    with (
        open_writer(tmp_path / "index", PLANE) as open_for_writing,
        pytest.raises(IndexUnusable, match="have 2 numbers"),
    ):
        open_for_writing.add(entry("a.png"), directions(1, 3)[0])


def test_names_that_are_no_text_come_back(tmp_path: Path) -> None:
    odd = entry("caf\udce9 ünï\n.png")
    with open_writer(tmp_path / "index", PLANE) as open_for_writing:
        open_for_writing.add(odd, directions(1, 2)[0])
        open_for_writing.commit()
    assert open_index(tmp_path / "index").entry(0) == odd
