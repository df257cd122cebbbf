"""Pictures go into an index once each, whatever happens meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bundles import brightness
from pixelwright.errors import IndexUnusable, UsageError
from pixelwright.io.images import write_image
from pixelwright.model import Model, load
from pixelwright.structures.image import Image
from pixelwright.structures.spec import Decision
from pixelwright.verbs.similar import Index, IndexRequest, find_duplicates, index_pictures, open_index
from pixelwright.verbs.similar import build as build_module
from pixelwright.verbs.similar.index import LIVE
from pixelwright.verbs.tally import Summary


def add(model: Model, folder: Path, *sources: object) -> Summary:
    request = IndexRequest(tuple(map(str, sources)), folder)
    return index_pictures(model, request, on_record=lambda _: None, on_progress=lambda _: None)


def live_names(index: Index) -> list[str]:
    return sorted(Path(one.path).name for row, one in enumerate(index.entries()) if index.marks[row] == LIVE)


def test_each_picture_gets_its_vector_and_what_its_file_is(embedder: Model, photos: Path, tmp_path: Path) -> None:
    summary = add(embedder, tmp_path / "index", photos)
    index = open_index(tmp_path / "index")
    assert (summary.done, summary.failed, summary.earlier, summary.exit_code) == (5, 0, 0, 0)
    assert index.manifest.space == embedder.bundle.identity and index.manifest.dimension == 12
    for row, entry in enumerate(index.entries()):
        file = Path(entry.path)
        assert file.is_absolute() and entry.bytes == file.stat().st_size and entry.size_hw == (12, 16)
        assert np.allclose(index.vectors([row])[0], embedder(file).vector, atol=1e-6)
    assert not (tmp_path / "index" / "pending.jsonl").exists()


def test_what_is_there_is_not_made_again(embedder: Model, photos: Path, tmp_path: Path) -> None:
    add(embedder, tmp_path / "index", photos)
    before = (tmp_path / "index" / "index.json").read_bytes()
    summary = add(embedder, tmp_path / "index", photos, photos / "red.png")
    assert (summary.done, summary.earlier) == (5, 5)
    assert (tmp_path / "index" / "index.json").read_bytes() == before


def test_more_pictures_join(embedder: Model, photos: Path, tmp_path: Path) -> None:
    add(embedder, tmp_path / "index", photos / "red.png", photos / "red.png")
    add(embedder, tmp_path / "index", photos / "blue.png")
    assert live_names(open_index(tmp_path / "index")) == ["blue.png", "red.png"]


def test_a_changed_file_gets_a_new_vector(embedder: Model, photos: Path, tmp_path: Path) -> None:
    add(embedder, tmp_path / "index", photos)
    write_image(Image(np.full((9, 9, 3), (0, 0, 99), np.uint8)), photos / "red.png")
    summary = add(embedder, tmp_path / "index", photos)
    index = open_index(tmp_path / "index")
    assert (summary.done, summary.earlier, len(index), index.live) == (5, 4, 6, 5)
    assert live_names(index) == ["blue.png", "green.png", "navy.png", "red.png", "rose.png"]
    assert np.allclose(index.vectors([5])[0], embedder(photos / "red.png").vector, atol=1e-6)
    assert add(embedder, tmp_path / "index", photos).earlier == 5


def test_a_file_that_has_gone_is_marked_until_it_is_back(embedder: Model, photos: Path, tmp_path: Path) -> None:
    add(embedder, tmp_path / "index", photos)
    (photos / "red.png").rename(tmp_path / "aside.png")
    add(embedder, tmp_path / "index", photos)
    assert "red.png" not in live_names(open_index(tmp_path / "index"))
    (tmp_path / "aside.png").rename(photos / "red.png")
    assert add(embedder, tmp_path / "index", photos).earlier == 5
    index = open_index(tmp_path / "index")
    assert "red.png" in live_names(index) and len(index) == 5


def test_files_beside_those_named_stay(embedder: Model, photos: Path, tmp_path: Path) -> None:
    add(embedder, tmp_path / "index", photos)
    add(embedder, tmp_path / "index", photos / "red.png")
    assert open_index(tmp_path / "index").live == 5


def test_an_unreadable_picture_is_listed_and_stops_nobody(embedder: Model, photos: Path, tmp_path: Path) -> None:
    (photos / "bad.jpg").write_bytes(b"no picture")
    write_image(Image(np.zeros((8, 8, 3), np.uint8)), photos / "black.png")  # its vector has no direction
    summary = add(embedder, tmp_path / "index", photos)
    assert (summary.done, summary.failed, summary.exit_code) == (7, 2, 1)
    failed = [json.loads(line) for line in (tmp_path / "index" / "failed.jsonl").read_text().splitlines()]
    assert [Path(one["path"]).name for one in failed] == ["bad.jpg", "black.png"]
    assert failed[0]["error"]["type"] == "UnreadableImage"
    assert open_index(tmp_path / "index").live == 5


def test_a_file_that_was_damaged_loses_its_vector(embedder: Model, photos: Path, tmp_path: Path) -> None:
    add(embedder, tmp_path / "index", photos)
    (photos / "red.png").write_bytes(b"damaged")
    assert add(embedder, tmp_path / "index", photos).failed == 1
    assert "red.png" not in live_names(open_index(tmp_path / "index"))


def test_only_unreadable_pictures_are_exit_code_3(embedder: Model, tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    assert add(embedder, tmp_path / "index", tmp_path / "bad.jpg", tmp_path / "absent.jpg").exit_code == 3


def test_an_empty_folder_is_said_to_be_one(embedder: Model, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"no pictures in .*empty"):
        add(embedder, tmp_path / "index", tmp_path / "empty")
    assert not (tmp_path / "index").exists()
    with pytest.raises(UsageError, match="nothing to index"):
        add(embedder, tmp_path / "index")


def test_another_model_cannot_join(embedder: Model, photos: Path, tmp_path: Path) -> None:
    from bundles import quarters

    add(embedder, tmp_path / "index", photos)
    other = load(quarters(tmp_path / "b2", version="2.0.0").path)
    with pytest.raises(
        IndexUnusable, match=r"holds vectors of quarters 1\.0\.0 \w+, this model makes quarters 2\.0\.0"
    ):
        add(other, tmp_path / "index", photos)


def test_a_contract_may_say_which_similarity_means_the_same(photos: Path, tmp_path: Path) -> None:
    from bundles import quarters

    model = load(quarters(tmp_path / "b", decision=Decision(threshold=0.5)).path)
    add(model, tmp_path / "index", photos)
    index = open_index(tmp_path / "index")
    assert index.manifest.threshold == 0.5
    assert find_duplicates(index) == find_duplicates(index, threshold=0.5) != find_duplicates(index, threshold=0.9999)


def test_a_model_without_vectors_cannot_fill_an_index(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="brightness is for classify and makes no vectors"):
        add(load(brightness(tmp_path / "b").path), tmp_path / "index", photos)


def test_an_index_among_the_pictures_is_not_entered(embedder: Model, photos: Path) -> None:
    add(embedder, photos / "index", photos)
    assert add(embedder, photos / "index", photos).earlier == 5


def test_members_of_a_tar_are_pictures_as_well(embedder: Model, photos: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "photos.tar", "w") as tar:
        tar.add(photos / "red.png", "red.png")
        tar.add(photos / "blue.png", "deep/blue.png")
    assert add(embedder, tmp_path / "index", tmp_path / "photos.tar").failed == 0
    assert add(embedder, tmp_path / "index", tmp_path / "photos.tar").earlier == 2
    paths = [entry.path for entry in open_index(tmp_path / "index").entries()]
    assert paths == [f"{tmp_path / 'photos.tar'}::{name}" for name in ("red.png", "deep/blue.png")]


def test_videos_are_left_out(embedder: Model, photos: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (photos / "clip.mp4").write_bytes(b"a video")
    assert add(embedder, tmp_path / "index", photos).done == 5
    assert "1 videos were left out" in caplog.text


def test_names_that_are_no_text_are_kept(embedder: Model, photos: Path, tmp_path: Path) -> None:
    odd = os.fsdecode(os.fsencode(photos) + b"/caf\xe9.png")
    try:
        (photos / "red.png").rename(odd)
    except OSError:
        pytest.skip("this file system takes only Unicode names")
    add(embedder, tmp_path / "index", photos)
    assert add(embedder, tmp_path / "index", photos).earlier == 5
    assert odd in {one.path for one in open_index(tmp_path / "index").entries()}


def test_shards_close_after_so_many(
    embedder: Model, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build_module, "SHARD_RECORDS", 2)
    generations: list[int] = []

    def committed(self: Any) -> None:
        original(self)
        generations.append(self.index.manifest.generation)

    original = build_module.Writer.commit
    monkeypatch.setattr(build_module.Writer, "commit", committed)
    add(embedder, tmp_path / "index", photos)
    assert generations[:3] == [1, 2, 3]
    assert [shard.rows for shard in open_index(tmp_path / "index").manifest.shards] == [5]  # put together at the end


KILLED = """
import sys
from pathlib import Path
from pixelwright.model import Execution, load
from pixelwright.verbs.similar import IndexRequest, build, index_pictures
build.SHARD_RECORDS = 3
model = load(sys.argv[1], execution=Execution(workers=1, batch_size=1))
request = IndexRequest((sys.argv[2],), Path(sys.argv[3]))
index_pictures(model, request, on_record=lambda _: None, on_progress=lambda state: print(state.done, flush=True))
"""


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
def test_a_killed_run_continues_and_does_nothing_twice(embedder: Model, tmp_path: Path) -> None:
    (tmp_path / "many").mkdir()
    for number in range(40):
        pixels = np.full((8, 8, 3), (5 * number + 20, 90, 200 - 4 * number), np.uint8)
        write_image(Image(pixels), tmp_path / "many" / f"{number:02}.png")
    arguments = [str(embedder.bundle.path), str(tmp_path / "many"), str(tmp_path / "index")]
    for stop_at in (4, 11, 23):
        process = subprocess.Popen([sys.executable, "-c", KILLED, *arguments], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) >= stop_at:
                process.send_signal(signal.SIGKILL)
                break
        process.stdout.close()
        assert process.wait(30) == -signal.SIGKILL
    kept = len(open_index(tmp_path / "index"))
    summary = add(embedder, tmp_path / "index", tmp_path / "many")
    index = open_index(tmp_path / "index")
    assert 20 <= kept < 40 and summary.earlier == kept and summary.done == 40
    assert len(index) == 40 and live_names(index) == [f"{number:02}.png" for number in range(40)]
    for row, entry in enumerate(index.entries()):
        assert np.allclose(index.vectors([row])[0], embedder(entry.path).vector, atol=1e-6)
