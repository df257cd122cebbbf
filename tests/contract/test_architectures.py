"""What every architecture keeps, whatever it computes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import FrozenInstanceError, fields, replace
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from pixelwright import registry  # noqa: E402
from pixelwright.errors import UsageError  # noqa: E402
from pixelwright.models.architecture import Architecture, Problem  # noqa: E402

LABELS = ("one", "two", "three")
PROBLEMS: Mapping[str, dict[str, Any]] = {
    "classify": {"labels": LABELS},
    "regress": {"labels": LABELS, "mean_std": ((5.0, 2.0),) * 3},
    "detect": {"labels": LABELS, "size_hw": (64, 64)},
    "segment": {"labels": LABELS, "size_hw": (64, 64), "fixed": False},
    "enhance": {"labels": (), "fixed": False},
}


def _cases() -> Iterator[Any]:
    for name in registry.names("architecture"):
        for task in sorted(registry.get("architecture", name).tasks):
            yield pytest.param(name, task, id=f"{name}-{task}")


CASES = list(_cases())


def _problem(name: str, task: str) -> Problem:
    """A problem of the task that the architecture is for: one of things with masks, where boxes do not suffice it."""
    problem = Problem(**{"task": task, "channels": 3, "size_hw": (32, 32)} | PROBLEMS[task])
    architecture = registry.get("architecture", name)
    try:
        architecture.fit(next(iter(architecture.variants.values())), problem)
    except UsageError:
        return replace(problem, masks=True)
    return problem


def _smallest(name: str, problem: Problem) -> tuple[Architecture, Any, torch.nn.Module]:
    architecture = registry.get("architecture", name)
    config = architecture.fit(next(iter(architecture.variants.values())), problem)
    torch.manual_seed(0)
    return architecture, config, architecture.build(config)


def _answers(net: torch.nn.Module, pictures: torch.Tensor) -> tuple[torch.Tensor, ...]:
    made = net(pictures)
    return (made,) if isinstance(made, torch.Tensor) else tuple(made)


@pytest.mark.parametrize(("name", "task"), CASES)
def test_it_gives_the_outputs_it_names_for_each_picture(name: str, task: str) -> None:
    problem = _problem(name, task)
    architecture, _, net = _smallest(name, problem)
    made = _answers(net, torch.rand(2, problem.channels, *problem.size_hw))
    assert len(made) == len(architecture.outputs)
    assert all(len(output) == 2 for output in made)


@pytest.mark.parametrize(("name", "task"), CASES)
def test_every_weight_learns(name: str, task: str) -> None:
    problem = _problem(name, task)
    _, _, net = _smallest(name, problem)
    # Two steps: branches that begin at zero pass no gradient on in the first.
    for _ in range(2):
        net.zero_grad()
        loss = torch.stack([(o * torch.randn_like(o)).sum() for o in _answers(net, torch.rand(4, 3, *problem.size_hw))])
        loss.sum().backward()
        with torch.no_grad():
            for weight in net.parameters():
                if weight.grad is not None:
                    weight -= 1e-2 * weight.grad.clamp(-1, 1)
    idle = [key for key, weight in net.named_parameters() if weight.grad is None or not weight.grad.abs().sum() > 0]
    assert idle == []


@pytest.mark.parametrize(("name", "task"), CASES)
def test_an_answer_does_not_depend_on_the_rest_of_the_batch(name: str, task: str) -> None:
    problem = _problem(name, task)
    _, _, net = _smallest(name, problem)
    pictures = torch.rand(3, 3, *problem.size_hw)
    with torch.no_grad():
        together = _answers(net.eval(), pictures)
        alone = _answers(net, pictures[1:2])
    for output, one in zip(together, alone, strict=True):
        torch.testing.assert_close(output[1:2], one, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("name", "task"), CASES)
def test_a_seed_gives_the_same_weights(name: str, task: str) -> None:
    nets = [_smallest(name, _problem(name, task))[2].state_dict() for _ in range(2)]
    assert all(torch.equal(nets[0][key], nets[1][key]) for key in nets[0])


@pytest.mark.parametrize(("name", "task"), CASES)
def test_its_reading_is_by_a_decoder_that_takes_its_outputs(name: str, task: str) -> None:
    problem = _problem(name, task)
    architecture, config, _ = _smallest(name, problem)
    reading = architecture.reading(config, problem)
    decoder = registry.get("decoder", reading.decoder)
    named = [reading.parameters[key] for key in decoder.ranks if key in reading.parameters]
    flat = [one for entry in named for one in (entry if isinstance(entry, list | tuple) else [entry])]
    assert flat and set(flat) <= set(architecture.outputs)


@pytest.mark.parametrize("name", registry.names("architecture"))
def test_its_configurations_cannot_be_changed_and_grow(name: str) -> None:
    architecture = registry.get("architecture", name)
    problem = _problem(name, min(architecture.tasks))
    configs = [architecture.fit(config, problem) for config in architecture.variants.values()]
    sizes = []
    for config in configs:
        with pytest.raises(FrozenInstanceError):
            setattr(config, fields(config)[0].name, None)
        sizes.append(sum(weight.numel() for weight in architecture.build(config).parameters()))
    assert sizes == sorted(sizes)


@pytest.mark.parametrize("name", registry.names("architecture"))
def test_it_says_where_it_comes_from(name: str) -> None:
    architecture = registry.get("architecture", name)
    assert architecture.name == name
    assert "https://" in architecture.source
    assert architecture.tasks <= PROBLEMS.keys()
