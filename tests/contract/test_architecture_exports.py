"""What every architecture keeps on the way out: an ONNX file that answers as PyTorch does, which its decoder reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tolerance

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")

from pixelwright import registry  # noqa: E402
from pixelwright.data.dataset import Dataset  # noqa: E402
from pixelwright.errors import UsageError  # noqa: E402
from pixelwright.interop.pytorch import export_onnx  # noqa: E402
from pixelwright.interop.pytorch_weights import round_weights  # noqa: E402
from pixelwright.models.architecture import Architecture, Problem  # noqa: E402
from pixelwright.runtimes.onnx import RUNTIME  # noqa: E402
from pixelwright.runtimes.torch import TorchGraph  # noqa: E402
from pixelwright.structures.spec import BundleSpec, InputSpec, Resize  # noqa: E402
from pixelwright.verbs.train import TrainConfig  # noqa: E402
from pixelwright.verbs.train.planning.plan import spec_of  # noqa: E402
from pixelwright.verbs.train.scoring.probes import graph_input, probes, together  # noqa: E402

LABELS = ("one", "two", "three")
PROBLEMS: Mapping[str, dict[str, Any]] = {
    "classify": {"labels": LABELS},
    "regress": {"labels": LABELS, "mean_std": ((5.0, 2.0),) * 3},
    "detect": {"labels": LABELS, "size_hw": (64, 96)},
    "segment": {"labels": LABELS, "size_hw": (64, 64), "fixed": False},
    "enhance": {"labels": (), "fixed": False},
}
# Some learn from one kind of data alone.
NEEDS: Mapping[str, dict[str, Any]] = {"span": {"scale": 2}, "starconvex": {"masks": True}}


def _cases() -> Iterator[Any]:
    for name in registry.names("architecture"):
        for task in sorted(registry.get("architecture", name).tasks):
            yield pytest.param(name, task, False, id=f"{name}-{task}")
            if name in ("rnn", "lstm"):
                yield pytest.param(name, task, True, id=f"{name}-{task}-sequences")


CASES = list(_cases())


def problem_of(name: str, task: str, *, sequence: bool = False, **changes: Any) -> Problem:
    shape: dict[str, Any] = {"channels": 3, "size_hw": (32, 32)} | PROBLEMS[task]
    if sequence:
        shape |= {"channels": 1, "size_hw": (12, 5), "fixed": False, "sequence": True}
    return Problem(**{"task": task} | shape | NEEDS.get(name, {}) | changes)


def built(name: str, problem: Problem) -> tuple[Architecture, Any, torch.nn.Module]:
    record: Architecture = registry.get("architecture", name)
    config = record.fit(next(iter(record.variants.values())), problem)
    torch.manual_seed(0)
    return record, config, record.build(config)


def contract(name: str, problem: Problem, config: Any) -> BundleSpec:
    """The contract as a training proposes it: whole pictures in one size, or pictures of any."""
    resize = Resize("stretch", problem.size_hw) if problem.fixed else None
    proposed = InputSpec(resize=resize)
    if problem.sequence:
        proposed = InputSpec(color="as-is", channels="gray", depth="keep", layout="NTF")
    data = Dataset(Path("data"), "none", "classes", problem.labels, ())
    return spec_of(TrainConfig(task=problem.task, model=name), problem, config, proposed, data)


def statistics_moved(net: torch.nn.Module) -> None:
    """Means and variances as if the network had seen pictures: fresh ones would hide a wrong fold."""
    generator = torch.Generator().manual_seed(1)
    for part in net.modules():
        if isinstance(part, torch.nn.BatchNorm2d) and part.running_mean is not None and part.running_var is not None:
            part.running_mean.uniform_(-0.2, 0.2, generator=generator)
            part.running_var.uniform_(0.5, 1.5, generator=generator)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "task", "sequence"), CASES)
def test_its_export_answers_as_it_does_whatever_the_batch_and_size(
    name: str, task: str, sequence: bool, tmp_path: Path
) -> None:
    problem = problem_of(name, task, sequence=sequence)
    record, config, net = built(name, problem)
    statistics_moved(net)
    spec = contract(name, problem, config)
    entry = graph_input(spec)
    first, second = probes(spec.input, entry)
    exported = export_onnx(net, tmp_path / "m.onnx", [entry], record.outputs, [first, together(first)])
    assert [tensor.name for tensor in exported.outputs] == list(record.outputs)
    assert all(tensor.dims[0] == entry.dims[0] for tensor in exported.outputs)

    graph = RUNTIME.open(tmp_path / "m.onnx", threads=1)
    reference = TorchGraph(net, (entry,), exported.outputs)
    relative, absolute = tolerance.ACROSS_RUNTIMES
    for feeds in (second, together(second)):  # a size that was not traced, and two batches
        made, expected = graph.run(feeds), reference.run(feeds)
        for output, wanted in expected.items():
            scale = max(float(np.abs(wanted).max()), 1.0)
            np.testing.assert_allclose(made[output], wanted, rtol=relative, atol=absolute * scale)

    decoder = registry.get("decoder", spec.output.decoder)
    input_hw = second[entry.name].shape[-2:]
    moment = {"temperature": 1.0, "input_hw": input_hw, "threshold": 0.0, "grids": None}
    answers = decoder.run(graph.run(together(second)), spec.output.parameters, **moment)
    assert len(answers) == 3


@pytest.mark.slow
@pytest.mark.parametrize("name", registry.names("architecture"))
def test_its_rounded_weights_make_a_file_of_half_the_size(name: str, tmp_path: Path) -> None:
    record: Architecture = registry.get("architecture", name)
    problem = problem_of(name, min(record.tasks))
    _, config, net = built(name, problem)
    spec = contract(name, problem, config)
    entry = graph_input(spec)
    round_weights(net, "f16")
    exported = export_onnx(
        net, tmp_path / "m.onnx", [entry], record.outputs, probes(spec.input, entry), weights="packed"
    )
    weights = sum(one.numel() for one in net.parameters())
    graph_bytes = 4_000 + 400 * len(list(net.modules()))  # nodes, small tensors
    assert exported.size_bytes < 2.2 * weights + graph_bytes


@pytest.mark.parametrize(("name", "task", "sequence"), CASES)
@pytest.mark.parametrize("size_hw", [(1, 1), (3, 7), (33, 47)])
def test_it_works_at_a_size_or_says_that_it_cannot(
    name: str, task: str, sequence: bool, size_hw: tuple[int, int]
) -> None:
    problem = problem_of(name, task, sequence=sequence, size_hw=size_hw)
    try:
        record, config, net = built(name, problem)
    except UsageError as err:
        assert any(str(side) in str(err) for side in size_hw)
        return
    spec = contract(name, problem, config)
    entry = graph_input(spec)
    sides = [dim if isinstance(dim, int) else side for dim, side in zip(entry.dims[-2:], size_hw, strict=True)]
    padded = [-(-side // spec.input.multiple_of) * spec.input.multiple_of for side in sides]
    feeds = np.zeros((2, *([] if sequence else [problem.channels]), *padded), np.float32)
    outputs = net.eval()(torch.from_numpy(feeds))
    found = (outputs,) if isinstance(outputs, torch.Tensor) else tuple(outputs)
    assert len(found) == len(record.outputs)
    assert all(torch.isfinite(one).all() for one in found)
