"""Progress: rates are of this run, and a terminal's bar is never in the way."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest
from tqdm import tqdm

from pixelwright import cli_progress
from pixelwright.cli_progress import clear_of_bar, show_progress, show_training, show_transfers
from pixelwright.io.fetch import Transfer
from pixelwright.verbs.run import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_log_gets_a_line_now_and_then_with_the_rate_of_this_run(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter([1000.0, 1010.0, 1020.0])
    monkeypatch.setattr(cli_progress, "time", SimpleNamespace(monotonic=lambda: next(seconds)))
    log = io.StringIO()
    with show_progress(log) as progress:
        for done in (900, 905, 940):  # 900 by an earlier run, then 40 in 20 seconds
            progress(Progress(done, 1, 1000))
    assert log.getvalue() == "940/1000 done, 1 failed, 2/s, 30 s left\n"


def test_a_log_gets_no_line_before_this_run_has_done_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter([0.0, 100.0])
    monkeypatch.setattr(cli_progress, "time", SimpleNamespace(monotonic=lambda: next(seconds)))
    log = io.StringIO()
    with show_progress(log) as progress:
        progress(Progress(900, 0, 1000))
        progress(Progress(900, 0, 1000))
    assert log.getvalue() == ""


def test_what_an_earlier_run_has_done_is_no_speed_of_the_bar() -> None:
    with show_progress(Terminal()) as progress:
        progress(Progress(900, 0, 1000))
        progress(Progress(901, 0, 1000))
        (bar,) = tqdm._instances
        assert (bar.n, bar.total, bar.initial) == (901, 1000, 900)
        assert bar.last_print_n >= 900  # from here on its rate counts


def test_few_items_get_no_bar() -> None:
    screen = Terminal()
    with show_progress(screen, quiet_below=2) as progress:
        progress(Progress(0, 0, 1))
        progress(Progress(1, 0, 1))
        with clear_of_bar(screen):
            screen.write("result\n")
    assert screen.getvalue() == "result\n"


def test_a_line_takes_the_place_of_the_bar_which_comes_again_below() -> None:
    screen = Terminal()
    with show_progress(screen) as progress:
        progress(Progress(0, 0, 2))
        with clear_of_bar(screen):
            screen.write("result\n")
        progress(Progress(1, 1, 2))
    before, _, after = screen.getvalue().partition("result\n")
    assert "0/2" in before and before.endswith("\r") and "/2" in after
    assert after.endswith("\r") and not after.rstrip("\r").rpartition("\r")[2].strip()


def test_a_download_has_a_bar_of_its_own_with_bytes() -> None:
    screen = Terminal()
    with show_transfers(screen) as show:
        show(Transfer("model.onnx", 1_000_000, 4_000_000))
        show(Transfer("model.onnx", 4_000_000, 4_000_000))
        show(Transfer("labels.txt", 0, 100))
        (bar,) = [one for one in tqdm._instances if one.fp is screen or one.total == 100]
        assert (bar.n, bar.total, bar.unit) == (0, 100, "B")
    assert "model.onnx" in screen.getvalue() and "1.00M/4.00M" in screen.getvalue()
    assert "labels.txt" in screen.getvalue()


def test_a_log_gets_a_line_for_each_download_and_one_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter([0.0, 10.0, 20.0, 21.0])
    monkeypatch.setattr(cli_progress, "time", SimpleNamespace(monotonic=lambda: next(seconds)))
    log = io.StringIO()
    with show_transfers(log) as show:
        for done in (1_000_000, 2_000_000, 3_000_000):  # the first by an earlier attempt
            show(Transfer("model.onnx", done, 5_000_000))
        show(Transfer("labels.txt", 0, 20_000))
    assert log.getvalue().splitlines() == [
        "fetching model.onnx, 4.00 MB",
        "model.onnx: 3.00 of 5.00 MB, 0.1 MB/s, 20 s left",
        "fetching labels.txt, 0.02 MB",
    ]


def _shown(done: float, step: int) -> SimpleNamespace:
    return SimpleNamespace(done=done, step=step, loss=0.5, rate=1234.5, left=3725.0)


def test_a_training_has_a_bar_with_step_loss_rate_and_time_left() -> None:
    screen = Terminal()
    with show_training(screen) as show:
        show(_shown(0.25, 10))
        (bar,) = tqdm._instances
        assert (bar.n, bar.total) == (0.25, 1.0)
        bar.refresh()
    assert " 25%|" in screen.getvalue()
    assert "step 10, loss 0.5000, 1,234/s, 1:02:05 left" in screen.getvalue()


def test_a_log_gets_a_line_of_a_training_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter([0.0, 10.0, 20.0, 21.0])
    monkeypatch.setattr(cli_progress, "time", SimpleNamespace(monotonic=lambda: next(seconds)))
    log = io.StringIO()
    with show_training(log) as show:
        for step in (1, 2, 3):
            show(_shown(step / 4, step))
    assert log.getvalue() == " 50% step 2, loss 0.5000, 1,234/s, 1:02:05 left\n"
