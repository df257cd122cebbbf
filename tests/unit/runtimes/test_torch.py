"""A PyTorch network called as a runtime would call its export."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from pixelwright.errors import RuntimeFailure  # noqa: E402
from pixelwright.runtimes.torch import TorchGraph  # noqa: E402
from pixelwright.structures.spec import TensorSpec  # noqa: E402

IMAGE = TensorSpec("image", "float32", ["N", 1, "H", "W"])
OUTPUT = TensorSpec("out", "float32", ["N", 1, "H", "W"])


class Mixed(nn.Module):
    """Dropout, which only training has, and two outputs, one of which the network keeps."""

    def __init__(self) -> None:
        super().__init__()
        self.drop = nn.Dropout(0.5)
        self.weight = nn.Parameter(torch.tensor(3.0))

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.drop(image) * self.weight, self.weight


def picture(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((2, 1, 5, 3), np.float32)


def test_outputs_are_named_in_order_and_computed_without_dropout() -> None:
    graph = TorchGraph(Mixed().train(), (IMAGE,), (OUTPUT, TensorSpec("gain", "float32", [])))
    made = graph.run({"image": picture()})
    np.testing.assert_array_equal(made["out"], picture() * np.float32(3))
    assert made["gain"] == np.float32(3)


def test_writing_into_an_answer_changes_nothing_of_the_network() -> None:
    net = Mixed()
    graph = TorchGraph(net, (IMAGE,), (OUTPUT, TensorSpec("gain", "float32", [])))
    graph.run({"image": picture()})["gain"][...] = 0
    assert net.weight.item() == 3.0


def test_a_network_that_has_been_run_can_be_trained_on() -> None:
    net = nn.Conv2d(1, 1, 3, padding=1)
    TorchGraph(net, (IMAGE,), (OUTPUT,)).run({"image": picture()})
    net(torch.from_numpy(picture())).sum().backward()
    assert net.weight.grad is not None


def test_autocast_does_not_reach_it() -> None:
    net = nn.Conv2d(1, 1, 3, padding=1)
    graph = TorchGraph(net, (IMAGE,), (OUTPUT,))
    exact = graph.run({"image": picture()})["out"]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        np.testing.assert_array_equal(graph.run({"image": picture()})["out"], exact)


def test_read_only_pictures_are_taken() -> None:
    stored = picture()
    stored.flags.writeable = False
    made = TorchGraph(nn.Identity(), (IMAGE,), (OUTPUT,)).run({"image": stored})["out"]
    np.testing.assert_array_equal(made, stored)
    assert made.flags.writeable


def test_threads_do_not_disturb_each_other() -> None:
    graph = TorchGraph(nn.Conv2d(1, 1, 3, padding=1), (IMAGE,), (OUTPUT,))
    expected = [graph.run({"image": picture(seed)})["out"] for seed in range(8)]
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda seed: graph.run({"image": picture(seed)})["out"], range(8)))
    np.testing.assert_array_equal(made, expected)


def test_sequences_come_with_their_lengths() -> None:
    class Last(nn.Module):
        def forward(self, steps: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
            return steps[torch.arange(len(steps)), lengths - 1]

    inputs = (TensorSpec("sequence", "float32", ["N", "T", 2]), TensorSpec("lengths", "int64", ["N"]))
    steps = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    graph = TorchGraph(Last(), inputs, (TensorSpec("out", "float32", ["N", 2]),))
    made = graph.run({"sequence": steps, "lengths": np.array([1, 3])})
    assert made["out"].tolist() == [[0, 1], [10, 11]]


@pytest.mark.parametrize(
    ("feeds", "said"),
    [
        ({"image": np.zeros((1, 3, 4, 4), np.float32)}, r"expected shape \(N, 1, H, W\), got \(1, 3, 4, 4\)"),
        ({"image": np.zeros((1, 1, 4, 4))}, "expected float32, got float64"),
        ({}, "'image' is missing"),
    ],
)
def test_wrong_feeds_are_named(feeds: dict[str, np.ndarray], said: str) -> None:
    with pytest.raises(RuntimeFailure, match=said):
        TorchGraph(nn.Identity(), (IMAGE,), (OUTPUT,)).run(feeds)


def test_what_the_network_cannot_compute_is_a_runtime_failure() -> None:
    with pytest.raises(RuntimeFailure, match="Conv2d: PyTorch failed on"):
        TorchGraph(nn.Conv2d(1, 1, 9), (IMAGE,), (OUTPUT,)).run({"image": picture()})


def test_a_network_with_other_outputs_than_stated_is_refused() -> None:
    with pytest.raises(RuntimeFailure, match=r"gave 2 outputs, expected \['out'\]"):
        TorchGraph(Mixed(), (IMAGE,), (OUTPUT,)).run({"image": picture()})
