"""Folders of runs: what may be in one, what may change in one, what is said of a finished one."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from pixelwright.errors import TrainingError, UnreadableImage, UsageError
from pixelwright.verbs.train import TrainConfig, start
from pixelwright.verbs.train.folder import Run
from pixelwright.verbs.train.learning import keras, work
from pixelwright.verbs.train.planning.decide import open_splits
from trainings import after_steps, checkpoint, die, press_ctrl_c, run, same, score, stopped, write_data, write_gray

Configure = Callable[..., TrainConfig]


def test_a_run_that_came_to_nothing_begins_anew_by_other_options(
    configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        after_steps(patch, 1, die)
        with pytest.raises(SystemError):
            run(configure(), tmp_path / "run")
    sheet = (tmp_path / "run" / "preview.png").read_bytes()
    run(configure(batch__size=4, augment__preset="none"), tmp_path / "run")
    run(configure(batch__size=4, augment__preset="none"), tmp_path / "fresh")
    assert same(checkpoint(tmp_path / "run"), checkpoint(tmp_path / "fresh"))
    assert (tmp_path / "run" / "preview.png").read_bytes() != sheet


def test_what_matters_at_the_end_alone_may_change_in_a_stopped_run(configure: Configure, tmp_path: Path) -> None:
    stopped(configure(), tmp_path / "run", after=6)
    run(configure(bundle__threshold="precision>=0.9"), tmp_path / "run")
    assert Run(tmp_path / "run").decided()[0].bundle.threshold == "precision>=0.9"
    with pytest.raises(TrainingError, match=r"bundle\.threshold precision>=0\.9, now f1"):
        run(configure(), tmp_path / "run")  # the bundle has been made


def test_a_bundle_is_called_as_its_run(configure: Configure, tmp_path: Path) -> None:
    run(configure(budget__epochs=1), tmp_path / "My shapes (2)")
    assert Run(tmp_path / "My shapes (2)").decided()[0].bundle.name == "my-shapes-2"


def test_nothing_is_written_among_files_of_others(configure: Configure, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "precious.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"holds something else already, such as precious\.txt"):
        run(configure(), tmp_path / "run")
    (tmp_path / "run" / "config.toml").write_text("mine")
    with pytest.raises(UsageError, match="what it holds is no run of a training"):
        run(configure(), tmp_path / "run")
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"precious.txt", "config.toml"}


def test_a_file_is_no_place_for_a_run(configure: Configure, tmp_path: Path) -> None:
    (tmp_path / "run").write_text("mine")
    with pytest.raises(UsageError, match=r"run: is a file\. Name a folder"):
        run(configure(), tmp_path / "run")


def test_what_cannot_be_scored_is_said_again_at_the_end(
    configure: Configure, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    names = [*(f"{label}/{number}.png" for label in "ab" for number in range(12)), "c/0.png"]
    write_gray(tmp_path / "data", names)
    run(configure(data__path=str(tmp_path / "data"), budget__epochs=1), tmp_path / "run")
    assert caplog.text.count("class c: has one picture only; it is learned from and never scored") == 2


def test_nothing_is_written_into_the_data(configure: Configure, tmp_path: Path) -> None:
    write_gray(tmp_path / "data", [f"{label}/{number}.png" for label in "ab" for number in range(8)])
    with pytest.raises(UsageError, match="lies in the data"):
        run(configure(data__path=str(tmp_path / "data")), tmp_path / "data" / "run")
    assert {path.name for path in (tmp_path / "data").iterdir()} == {"a", "b"}


def test_pictures_that_cannot_be_used_are_counted_and_cost_no_preview(
    configure: Configure, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "pixelwright")
    names = [f"{label}/{number}.png" for label in "ab" for number in range(12)]
    write_gray(tmp_path / "data", names)
    for number, name in enumerate(names[:12:5]):
        (tmp_path / "data" / name).write_bytes(b"\x89PNG\r\n\x1a\n" + bytes([number]))
    done = run(configure(data__path=str(tmp_path / "data"), budget__epochs=1), tmp_path / "run")
    assert done.lost == 3
    assert (tmp_path / "run" / "preview.png").exists()
    assert "layout image-folder, 24 pictures, classes" in caplog.text


def test_pictures_that_are_lost_change_nothing_by_how_much_memory_there_is(
    configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"{label}/{number}.png" for label in "ab" for number in range(12)]
    write_gray(tmp_path / "data", names)
    broken = split_names(configure(data__path=str(tmp_path / "data")))[:3]
    for number, name in enumerate(broken):
        (tmp_path / "data" / name).write_bytes(b"\x89PNG\r\n\x1a\n" + bytes([number]))
    config = configure(data__path=str(tmp_path / "data"), budget__epochs=3, batch__size=4)
    whole = run(config, tmp_path / "whole")
    stopped(config, tmp_path / "parts", after=14)
    monkeypatch.setattr(work, "free_bytes", lambda: 0)
    parts = run(config, tmp_path / "parts")
    assert (whole.steps, whole.lost, parts.lost) == (15, 3, 3)  # 20 to learn from, 4 in a step, 3 epochs
    assert same(checkpoint(tmp_path / "whole"), checkpoint(tmp_path / "parts"))


def test_what_was_lost_in_any_start_of_a_run_counts_once(tmp_path: Path) -> None:
    for lost in ([("a.png", "is truncated."), ("b\nc.png", "is empty.")], [("a.png", "is truncated.")]):
        Run(tmp_path).add_lost(lost)
    with (tmp_path / "lost.jsonl").open("a") as file:
        file.write('\n["d.pn')  # by a process that was killed
    Run(tmp_path).add_lost([("e.png", "is empty.")])
    assert Run(tmp_path).lost() == {"a.png", "b\nc.png", "e.png"}


def split_names(config: TrainConfig) -> list[str]:
    """Which pictures are learned from."""
    return [sample.id for sample in open_splits(config.task, config.data, config.seed).train.samples]


def test_where_no_picture_can_be_read_it_says_of_how_many_and_why(configure: Configure, tmp_path: Path) -> None:
    for name in (f"{label}/{number}.png" for label in "ab" for number in range(12)):
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / name).write_bytes(b"\x89PNG\r\n\x1a\n" + name.encode())
    # 15 % of 12 are two of each class to validate with.
    with pytest.raises(UnreadableImage, match=r"data: none of 20 pictures can be read, such as .*\.png"):
        run(configure(data__path=str(tmp_path / "data")), tmp_path / "run")


def test_a_finished_run_whose_data_have_changed_says_so(
    configure: Configure, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    done = run(configure(), tmp_path / "run")
    assert run(configure(), tmp_path / "run") == done
    assert "changed" not in caplog.text
    write_data(tmp_path / "squares.npz", seed=1)
    assert run(configure(), tmp_path / "run") == done
    assert "the data have changed since: fingerprint" in caplog.text
    (tmp_path / "squares.npz").unlink()
    assert run(configure(), tmp_path / "run") == done
    assert "the data that it learned from cannot be looked at" in caplog.text


def test_scores_on_other_data_are_compared_with_none_of_before(
    configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        after_steps(patch, 6, press_ctrl_c)
        score(patch, 0.9)
        with pytest.raises(KeyboardInterrupt):
            run(configure(), tmp_path / "run")
    sheet = (tmp_path / "run" / "preview.png").read_bytes()
    write_data(tmp_path / "squares.npz", seed=1)
    score(monkeypatch, 0.2)
    done = run(configure(), tmp_path / "run", other_data=True)
    assert (done.score, done.step) == (0.2, 10)
    assert (tmp_path / "run" / "preview.png").read_bytes() != sheet


def test_a_run_that_was_at_its_end_keeps_its_best_weights_when_its_data_change(
    configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(start, "write_report", lambda *_: die())
        with pytest.raises(SystemError):
            run(configure(), tmp_path / "run")
    kept = Run(tmp_path / "run").kept()
    write_data(tmp_path / "squares.npz", seed=1)
    with pytest.raises(TrainingError, match="the data have changed since"):
        run(configure(), tmp_path / "run")
    done = run(configure(), tmp_path / "run", other_data=True)
    assert kept is not None and (done.score, done.step) == (kept["scores"]["accuracy"], kept["step"])
    assert same(Run(tmp_path / "run").kept(), kept)


def test_best_weights_of_keras_that_other_data_chose_stay_until_any_others_come(tmp_path: Path) -> None:
    run_, record = Run(tmp_path), tmp_path / "keras" / "best.json"
    keras.forget(run_)
    assert not record.exists()
    record.parent.mkdir()
    record.write_text('{"worth": 0.9, "epoch": 3}')
    keras.forget(run_)
    assert json.loads(record.read_text()) == {"worth": -math.inf, "epoch": 3}


def test_a_name_given_to_a_stopped_run_may_be_given_again(
    configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for steps, name in ((3, ""), (6, "fancy"), (8, "fancy")):
        with monkeypatch.context() as patch:
            after_steps(patch, steps, press_ctrl_c)
            with pytest.raises(KeyboardInterrupt):
                run(configure(bundle__name=name), tmp_path / "run")
    run(configure(bundle__name="fancy"), tmp_path / "run")
    assert run(configure(bundle__name="fancy"), tmp_path / "run").steps == 10  # read from its summary


def test_what_is_decided_is_decided_while_nobody_else_can_train_there(
    configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def decided(*_: object) -> None:
        with pytest.raises(TrainingError, match="another process is training here"), Run(tmp_path / "run").alone():
            pass
        die()

    monkeypatch.setattr(start, "decide", decided)
    with pytest.raises(SystemError):
        run(configure(), tmp_path / "run")
    assert not (tmp_path / "run").exists()
