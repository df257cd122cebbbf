"""Folders of runs: what may be in one, what may change in one, what is said of a finished one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pixelwright.errors import TrainingError, UsageError
from pixelwright.verbs.train import TrainConfig
from pixelwright.verbs.train.folder import Run
from trainings import after_steps, checkpoint, die, press_ctrl_c, run, same, write_data, write_gray

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


def test_what_matters_at_the_end_alone_may_change_in_a_stopped_run(
    configure: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        after_steps(patch, 6, press_ctrl_c)
        with pytest.raises(KeyboardInterrupt):
            run(configure(), tmp_path / "run")
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


def test_nothing_is_written_into_the_data(configure: Configure, tmp_path: Path) -> None:
    write_gray(tmp_path / "data", [f"{label}/{number}.png" for label in "ab" for number in range(8)])
    with pytest.raises(UsageError, match="lies in the data"):
        run(configure(data__path=str(tmp_path / "data")), tmp_path / "data" / "run")
    assert {path.name for path in (tmp_path / "data").iterdir()} == {"a", "b"}


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
