"""The network is chosen by the time there is to train it, and the time there is to answer."""

from __future__ import annotations

import pytest
import torch

from pixelwright.errors import UsageError
from pixelwright.models.architecture import Problem
from pixelwright.verbs.train.planning import choice
from pixelwright.verbs.train.planning.choice import Bench, Candidate, Limits, candidates, choose, measure, survey
from pixelwright.verbs.train.planning.networks import record_of

SMALL = Candidate("a/s", 10_000, 0.001, 1.0)
MIDDLE = Candidate("a/m", 100_000, 0.010, 5.0)
LARGE = Candidate("a/l", 1_000_000, 0.100, 40.0)
ALL = (MIDDLE, LARGE, SMALL)


@pytest.mark.parametrize(
    ("minutes", "latency_ms", "expected"),
    [
        (10_000.0, None, LARGE),  # time for everything
        (60.0, None, MIDDLE),  # 3,060 s of network: the large one would see each of 1,000 pictures 31 times, not 100
        (5.0, None, SMALL),
        (0.001, None, SMALL),  # time for nothing: the one that sees most
        (10_000.0, 10.0, MIDDLE),
        (None, None, LARGE),
        (None, 2.0, SMALL),
    ],
)
def test_the_largest_is_taken_that_sees_enough(minutes: float, latency_ms: float, expected: Candidate) -> None:
    chosen, why = choose(ALL, Limits(minutes, latency_ms, 1000))
    assert chosen is expected and why


def test_a_limit_that_none_meets_is_told_with_the_fastest() -> None:
    with pytest.raises(UsageError, match=r"the fastest network, a/s, takes 1\.0 ms"):
        choose(ALL, Limits(None, 0.5, 10))


def test_variants_that_do_not_fit_the_problem_are_left_out() -> None:
    sequence = Problem("classify", ("a", "b"), 1, (20, 10), sequence=True)
    assert {name for name, _, _ in candidates(("residual", "lstm"), sequence)} == {
        f"lstm/{variant}" for variant in record_of("lstm").variants
    }


def test_what_is_measured_is_per_picture_and_in_milliseconds() -> None:
    step = [0.0, 0.1, 1.0, 1.8, 2.0, 2.8, 3.0, 3.8]  # a round to warm up, then three
    answer = [4.0, 4.1, 5.0, 5.004, 6.0, 6.004, 7.0, 7.004]
    ticks = iter([*step, *answer])
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(48, 2))
    found = measure("x", net, Problem("classify", ("a", "b"), 3, (4, 4)), clock=lambda: next(ticks))
    assert found.parameters == 98
    assert found.picture_s == pytest.approx(0.1) and found.answer_ms == pytest.approx(4.0)


def test_devices_share_the_pictures_of_a_batch() -> None:
    ticks = iter([*(0.0, 0.1, 1.0, 1.8, 2.0, 2.8, 3.0, 3.8), *(4.0, 4.1, 5.0, 5.004, 6.0, 6.004, 7.0, 7.004)])
    seen: list[int] = []
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(48, 2))
    net.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    problem = Problem("classify", ("a", "b"), 3, (4, 4))
    found = measure("x", net, problem, Bench(batch=16, devices=2), clock=lambda: next(ticks))
    assert found.picture_s == pytest.approx(0.8 / 32)
    assert seen == [16] * 4 + [1] * 4


@pytest.mark.parametrize("err", [torch.OutOfMemoryError("CUDA out of memory."), MemoryError()])
def test_networks_that_do_not_fit_into_memory_are_left_out(monkeypatch: pytest.MonkeyPatch, err: Exception) -> None:
    def full(*_: object, **__: object) -> Candidate:
        raise err

    monkeypatch.setattr(choice, "measure", full)
    problem, limits = Problem("classify", ("a", "b"), 3, (8, 8)), Limits(1.0, None, 100)
    found = survey(("residual", "efficient"), problem, limits, Bench())
    with pytest.raises(UsageError, match=r"^no network fits into memory\."):
        choose(found, limits)


@pytest.mark.gpu
def test_a_gpu_is_measured_where_it_trains_and_the_answer_where_bundles_give_it() -> None:
    where: list[str] = []
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(48, 2))
    net.register_forward_pre_hook(lambda _, given: where.append(given[0].device.type))
    problem = Problem("classify", ("a", "b"), 3, (4, 4))
    found = measure("x", net, problem, Bench("cuda", "bf16", 64))
    assert found.picture_s > 0
    assert set(where[: len(where) // 2]) == {"cuda"} and where[-1] == "cpu"


def test_larger_networks_of_a_kind_that_is_too_slow_already_are_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def slow(model: str, *_: object, **__: object) -> Candidate:
        tried.append(model)
        return Candidate(model, 1, 1.0, 1000.0)

    monkeypatch.setattr(choice, "measure", slow)
    survey(("residual", "efficient"), Problem("classify", ("a", "b"), 3, (8, 8)), Limits(1.0, None, 100), Bench())
    assert tried == ["residual/xs", "efficient/s"]
