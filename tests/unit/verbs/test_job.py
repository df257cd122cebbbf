"""A job folder keeps what was finished, takes each record once, and says what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pixelwright.errors import JobError, OutputError
from pixelwright.io.sources import Item
from pixelwright.verbs.job import Job, open_job, write_lines

REQUEST = {"task": "classify", "sources": ["a"], "options": {"classes": ("x",)}}


def items(count: int = 5) -> list[Item]:
    return [Item(f"/photos/{i}.jpg", f"{i}.jpg") for i in range(count)]


def add(job: Job, count: int) -> None:
    start = job.done + job.pending
    for index in range(start, start + count):
        record: dict[str, Any] = {"index": index, "path": str(index)}
        if index % 2:
            record["error"] = {"message": "odd"}
        job.add(record)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_job_continues_after_its_last_committed_record(tmp_path: Path) -> None:
    with open_job(tmp_path / "job", REQUEST, items) as job:
        add(job, 2)
        job.commit()
        add(job, 1)  # taken, never committed: as if killed here
    with open_job(tmp_path / "job", REQUEST, lambda: pytest.fail("listed again")) as job:
        assert (job.done, job.failed, job.total) == (2, 1, 5)
        assert [index for index, _ in job.items()] == [2, 3, 4]
        add(job, 3)
        job.commit()
        job.finish()
    assert [record["index"] for record in lines(tmp_path / "job" / "results.jsonl")] == [0, 1, 2, 3, 4]
    assert [record["index"] for record in lines(tmp_path / "job" / "failed.jsonl")] == [1, 3]


def test_another_request_is_refused_with_what_differs(tmp_path: Path) -> None:
    with open_job(tmp_path / "job", REQUEST, items):
        pass
    with (
        pytest.raises(JobError, match=r"another job \(task: 'classify' there, 'detect' now\)"),
        open_job(tmp_path / "job", {**REQUEST, "task": "detect"}, items),
    ):
        pass


def test_a_start_cut_short_before_job_json_begins_again(tmp_path: Path) -> None:
    (tmp_path / "items.jsonl").write_text('{"path": "old", "name": "old"}\n')
    with open_job(tmp_path, REQUEST, items) as job:
        assert job.total == 5


def test_a_folder_with_results_of_somebody_else_is_not_written_into(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    with pytest.raises(JobError, match=r"already has images but no job\.json"), open_job(tmp_path, REQUEST, items):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images", "job.lock"]


def test_two_processes_do_not_share_a_job(tmp_path: Path) -> None:
    with (
        open_job(tmp_path, REQUEST, items),
        pytest.raises(JobError, match="another process"),
        open_job(tmp_path, REQUEST, items),
    ):
        pass


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"request": 3}', b"\xff\xfe"])
def test_a_damaged_job_file_is_said_to_be_one(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "job.json").write_bytes(damage)
    with pytest.raises(JobError, match=r"job\.json"), open_job(tmp_path, REQUEST, items):
        pass


def test_a_missing_shard_is_noticed(tmp_path: Path) -> None:
    with open_job(tmp_path, REQUEST, items) as job:
        for _ in range(2):
            add(job, 2)
            job.commit()
    (tmp_path / "results" / "000000000.jsonl").unlink()
    with pytest.raises(JobError, match="record 0 is missing"), open_job(tmp_path, REQUEST, items):
        pass


def test_what_a_kill_left_half_written_is_cleared(tmp_path: Path) -> None:
    with open_job(tmp_path, REQUEST, items):
        (tmp_path / ".partial" / "3.jpg").write_bytes(b"half")
        (tmp_path / "results" / "000000000.jsonl.tmp").write_bytes(b"{")
    with open_job(tmp_path, REQUEST, items) as job:
        assert job.done == 0
        assert not list((tmp_path / ".partial").iterdir())
        assert not list((tmp_path / "results").iterdir())


def test_a_name_that_is_no_unicode_survives(tmp_path: Path) -> None:
    odd = Item("/photos/\udcff.jpg", "\udcff.jpg")
    with open_job(tmp_path, REQUEST, lambda: [odd]) as job:
        assert [item for _, item in job.items()] == [odd]


def test_a_changed_list_of_items_is_noticed(tmp_path: Path) -> None:
    with open_job(tmp_path, REQUEST, items):
        pass
    listing = tmp_path / "items.jsonl"
    listing.write_bytes(b"".join(listing.read_bytes().splitlines(keepends=True)[:-1]))
    with pytest.raises(JobError, match=r"items\.jsonl was changed"), open_job(tmp_path, REQUEST, items):
        pass


def test_a_job_is_not_finished_before_every_item_has_a_record(tmp_path: Path) -> None:
    with open_job(tmp_path, REQUEST, items) as job:
        add(job, 4)
        job.commit()
        with pytest.raises(JobError, match="4 of 5 items"):
            job.finish()


def test_a_damaged_shard_is_said_to_be_one(tmp_path: Path) -> None:
    with open_job(tmp_path, REQUEST, items) as job:
        add(job, 2)
        job.commit()
    (tmp_path / "results" / "000000000.jsonl").write_bytes(b'{"index": 0')
    with pytest.raises(JobError, match="is damaged"), open_job(tmp_path, REQUEST, items):
        pass


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_place_that_cannot_be_a_folder_is_refused_in_one_sentence(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot use"), open_job(tmp_path / place, REQUEST, items):
        pass


def test_an_interrupted_commit_writes_nothing_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(path: Path, records: Any) -> int:
        write_lines(path, records)
        raise KeyboardInterrupt

    with open_job(tmp_path, REQUEST, items) as job:
        add(job, 2)
        with monkeypatch.context() as patch:
            patch.setattr("pixelwright.verbs.job.write_lines", interrupted)
            with pytest.raises(KeyboardInterrupt):
                job.commit()
        job.commit()
    with open_job(tmp_path, REQUEST, items) as job:
        assert job.done == 2
