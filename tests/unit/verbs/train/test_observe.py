"""Answers of several graphs to the same pictures, through the task's own steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from pixelwright.runtimes.torch import TorchGraph
from pixelwright.structures.image import Image
from pixelwright.structures.targets import Annotations
from pixelwright.verbs.train import TrainConfig
from pixelwright.verbs.train.finishing.parity import ONNX, TORCH
from pixelwright.verbs.train.planning.decide import open_splits, plan_of
from pixelwright.verbs.train.planning.plan import Plan
from pixelwright.verbs.train.scoring import observe
from pixelwright.verbs.train.scoring.observe import Kept, Part, held_bytes
from pixelwright.verbs.train.scoring.probes import graph_input

Configure = Callable[..., TrainConfig]


@pytest.fixture
def plan(configure: Configure) -> Plan:
    config = configure()
    return plan_of(config, open_splits("classify", config.data, config.seed))


@pytest.fixture
def part(plan: Plan) -> Part:
    return Part(plan.splits.validation, plan.spec, plan.problem)


def graph(plan: Plan, *, times: float = 1.0) -> TorchGraph:
    torch.manual_seed(0)
    net = plan.record().build(plan.network)
    with torch.no_grad():
        net.classify.weight.mul_(times)
        net.classify.bias.mul_(times)
    return TorchGraph(net, (graph_input(plan.spec),), tuple(plan.spec.graphs["model"].outputs))


def test_every_graph_is_scored_on_all_pictures_and_compared_with_the_first(plan: Plan, part: Part) -> None:
    found = observe.observe(part, {TORCH: graph(plan), ONNX: graph(plan, times=1.25)})
    assert found.n == len(part.dataset) == 16
    assert {where: len(rows) for where, rows in found.observations.items()} == {TORCH: 16, ONNX: 16}
    # All outputs are a quarter larger, and so is the largest.
    assert found.differences[TORCH] == 0
    assert found.differences[ONNX] == pytest.approx(0.25, rel=1e-5)
    # The best class stays the best; how sure it is does not.
    assert found.metrics[TORCH]["accuracy"] == found.metrics[ONNX]["accuracy"]
    assert found.metrics[TORCH]["brier"] != found.metrics[ONNX]["brier"]


def test_the_statistic_counts_the_pictures_it_is_given(plan: Plan, part: Part) -> None:
    found = observe.observe(part, {TORCH: graph(plan)})
    single = [found.statistics[TORCH](np.array([place]))["accuracy"] for place in range(16)]
    assert found.metrics[TORCH]["accuracy"] == pytest.approx(np.mean(single))


def test_the_first_picture_is_kept_as_it_was_fed(plan: Plan, part: Part) -> None:
    (feeds,) = observe.observe(part, {TORCH: graph(plan)}).feeds
    (first, _), *_ = next(part.batches())
    np.testing.assert_array_equal(feeds["images"], first.tensor[None])


def test_batches_hold_no_more_numbers_than_they_may(part: Part, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observe, "BATCH_VALUES", 5 * 64)
    assert [len(batch) for batch in part.batches()] == [5, 5, 5, 1]
    monkeypatch.setattr(observe, "BATCH_VALUES", 1)
    assert [len(batch) for batch in part.batches()] == [1] * 16


def test_truth_counts_as_what_is_kept() -> None:
    clean = Image(np.zeros((16, 16, 3), np.uint8))
    assert held_bytes((np.zeros((3, 4, 4), np.float32), clean)) == 3 * 4 * 4 * 4 + 16 * 16 * 3
    things = Annotations(np.array([[0, 0, 2, 2]], np.float32), np.zeros(1, np.int32))
    assert held_bytes(things) == 4 * 4 + 4


def test_what_is_kept_is_not_read_again(part: Part) -> None:
    kept = Kept(budget_bytes=10 * held_bytes(next(part.batches())[0]))  # ten pictures
    once = [truth for batch in replace(part, kept=kept).batches() for _, truth in batch]
    assert sorted(kept.pairs) == list(range(10))
    assert kept.budget_bytes == 0

    class Gone:
        def __getattr__(self, name: str) -> None:
            raise AssertionError("read again")

    samples = [replace(sample, picture=Gone()) for sample in part.dataset.samples[:10]]
    again = replace(part, dataset=part.dataset.only(samples), kept=kept)
    assert [truth for batch in again.batches() for _, truth in batch] == once[:10]
