"""Steps of optimizers against their formulas, and what decays, in NumPy; schedules at known places."""

from __future__ import annotations

import numpy as np
import pytest

from pixelwright.errors import UnknownName, UsageError
from tolerance import FLOAT32

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from pixelwright.models import optimizers, schedules  # noqa: E402
from pixelwright.models.optimizers import OptimizerOptions  # noqa: E402

START = np.array([[1.0, -2.0], [0.5, 3.0]])
GRADIENTS = [np.array([[0.1, -0.4], [2.0, 0.0]]), np.array([[-0.3, 0.2], [1.0, 0.7]])]


def stepped(name: str, options: OptimizerOptions) -> np.ndarray:
    """The weight after one step for each of the gradients."""
    net = nn.Linear(2, 2, bias=False).double()
    net.weight.data = torch.from_numpy(START.copy())
    optimizer = optimizers.build(name, net, options)
    for gradient in GRADIENTS:
        net.weight.grad = torch.from_numpy(gradient.copy())
        optimizer.step()
    return net.weight.detach().numpy()


def close(actual: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(actual, expected, *FLOAT32)


@pytest.mark.parametrize("nesterov", [False, True])
def test_sgd_with_momentum(nesterov: bool) -> None:
    weight, velocity = START, np.zeros_like(START)
    for gradient in GRADIENTS:
        velocity = 0.9 * velocity + gradient
        weight = weight - 0.1 * (gradient + 0.9 * velocity if nesterov else velocity)
    options = OptimizerOptions(learning_rate=0.1, weight_decay=0.0, momentum=0.9, nesterov=nesterov)
    close(stepped("sgd", options), weight)


def adam(decay: float = 0.0) -> np.ndarray:
    """m and v as running means, both corrected for having begun at zero (Kingma, Ba, algorithm 1)."""
    weight, mean, square = START, np.zeros_like(START), np.zeros_like(START)
    for number, gradient in enumerate(GRADIENTS, start=1):
        weight = weight * (1 - 0.01 * decay)
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.99 * square + 0.01 * gradient**2
        weight = weight - 0.01 * (mean / (1 - 0.9**number)) / (np.sqrt(square / (1 - 0.99**number)) + 1e-8)
    return weight


def test_adam() -> None:
    close(stepped("adam", OptimizerOptions(learning_rate=0.01, betas=(0.9, 0.99))), adam())


def test_adamw_decays_the_weight_and_not_the_gradient() -> None:
    close(stepped("adamw", OptimizerOptions(learning_rate=0.01, betas=(0.9, 0.99), weight_decay=0.5)), adam(0.5))


@pytest.mark.parametrize("name", optimizers.OPTIMIZERS)
def test_every_optimizer_goes_downhill(name: str) -> None:
    torch.manual_seed(0)
    net, given = nn.Linear(4, 1), torch.randn(64, 4)
    wanted = given @ torch.tensor([[1.0], [-2.0], [0.5], [3.0]])
    optimizer = optimizers.build(name, net, OptimizerOptions(learning_rate=0.05))
    found = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = (net(given) - wanted).square().mean()
        loss.backward()
        optimizer.step()
        found.append(loss.item())
    assert found[-1] < 0.7 * found[0]


def test_biases_and_scales_do_not_decay_and_neither_does_what_a_network_names() -> None:
    class Net(nn.Module):
        undecayed = ("place",)

        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
            self.place = nn.Parameter(torch.zeros(2, 3))

    net = Net()
    decayed, kept = optimizers.parameter_groups(net, 0.1, 0.01)
    assert (decayed["weight_decay"], kept["weight_decay"]) == (0.1, 0.0)
    assert [id(weight) for weight in decayed["params"]] == [id(net.layers[0].weight)]
    assert len(kept["params"]) == 4


def test_frozen_weights_are_left_out() -> None:
    net = nn.Linear(2, 2)
    net.weight.requires_grad_(False)
    assert [group["params"] for group in optimizers.parameter_groups(net, 0.1, 0.01)] == [[net.bias]]


def test_an_unknown_optimizer_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match="'adamw'"):
        optimizers.build("adamww", nn.Linear(1, 1), OptimizerOptions())


@pytest.mark.parametrize("name", optimizers.OPTIMIZERS)
def test_only_decoupled_decays_are_used_unasked_at_full_strength(name: str) -> None:
    made = optimizers.build(name, nn.Linear(2, 2), OptimizerOptions())
    decays = [group["weight_decay"] for group in made.param_groups if group["params"][0].ndim == 2]
    assert decays == [0.02 if name in ("adamw", "nadam", "radam") else 5e-4 if name == "sgd" else 0.0]


@pytest.mark.parametrize("options", [{"learning_rate": 0.0}, {"weight_decay": -1.0}, {"betas": (0.9, 1.0)}])
def test_options_without_sense_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=next(iter(options))):
        OptimizerOptions(**options)  # type: ignore[arg-type]


def test_a_cosine_rises_in_a_line_and_falls_by_half_a_period() -> None:
    assert [schedules.cosine(done) for done in (0.025, 0.05, 0.525, 1.0)] == pytest.approx([0.5, 1, 0.5005, 1e-3])


def test_one_cycle_is_highest_at_its_peak() -> None:
    assert [schedules.one_cycle(done) for done in (0, 0.15, 0.3, 1)] == pytest.approx([0.04, 0.52, 1, 4e-6])


def test_steps_fall_at_their_milestones() -> None:
    assert [schedules.step(done) for done in (0.0, 0.49, 0.5, 0.8)] == pytest.approx([1, 1, 0.1, 0.01])


def test_a_line_ends_at_nothing() -> None:
    assert [schedules.linear(done) for done in (0.05, 0.525, 1.0)] == pytest.approx([1, 0.5, 0])


@pytest.mark.parametrize("name", schedules.SCHEDULES)
def test_a_factor_is_never_zero_and_never_over_one(name: str) -> None:
    factors = [schedules.factor(name, done) for done in np.linspace(0, 1.5, 61)]
    assert min(factors) > 0 and max(factors) <= 1


def test_an_unknown_schedule_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match="'cosine'"):
        schedules.factor("cosin", 0.5)
