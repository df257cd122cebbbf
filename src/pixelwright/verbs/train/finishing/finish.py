"""Finish: from trained weights to a bundle that was compared, calibrated, measured, written whole, and tried."""

from __future__ import annotations

import copy
import logging
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from torch import nn

from pixelwright import __version__, registry
from pixelwright.bundle import ModelBundle, write_bundle
from pixelwright.contract import Decided
from pixelwright.data.dataset import Dataset, fingerprint
from pixelwright.interop.pytorch import Exported, export_onnx
from pixelwright.interop.pytorch_state import ROLE, write_state
from pixelwright.interop.pytorch_weights import round_weights
from pixelwright.metrics.calibration import Goal
from pixelwright.metrics.definitions import definition_of
from pixelwright.metrics.intervals import measure, too_few
from pixelwright.metrics.score import Score
from pixelwright.model import load
from pixelwright.models.architecture import Problem
from pixelwright.runtimes.choose import REFERENCE
from pixelwright.runtimes.parity import difference, require_parity, verify
from pixelwright.runtimes.probe import Case, write_probe
from pixelwright.runtimes.protocol import Graph
from pixelwright.runtimes.torch import TorchGraph
from pixelwright.structures.degradation import Degradation
from pixelwright.structures.spec import (
    Data,
    Decision,
    GraphSpec,
    Measured,
    Provenance,
    Splitting,
    Terms,
)
from pixelwright.verbs.train.finishing.parity import Compared, compare, open_all
from pixelwright.verbs.train.machine import threads_of
from pixelwright.verbs.train.planning.plan import Plan
from pixelwright.verbs.train.scoring.observe import ONNX, TORCH, UNROUNDED, Observed, Part, Where, observe
from pixelwright.verbs.train.scoring.probes import graph_input, probes, together
from pixelwright.verbs.train.settings.terms import license_of

log = logging.getLogger(__name__)

BUNDLE = "bundle"  # folder of the run
CHOSEN_BY = "validation: it chose the weights"
TEST = "test: looked at for this score alone"


@dataclass(frozen=True, slots=True, eq=False)
class Finished:
    """What a training ends with.

    Attributes:
        bundle: As written, in the run's folder.
        scores: On the validation part, through ONNX Runtime, with intervals.
        remarks: What a user should know, a sentence each.
    """

    bundle: ModelBundle
    scores: tuple[Score, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where weights come from, beside what the plan says.

    Attributes:
        recipe: What made them, in words.
        parent: The bundle that training started from.
    """

    recipe: str = ""
    parent: ModelBundle | None = None


def finish(plan: Plan, net: nn.Module, run: Path, origin: Origin = Origin()) -> Finished:
    """The bundle of a training, in `RUN/bundle`; one that stood there is replaced.

    Args:
        plan: What was decided, with the four parts of the data.
        net: With the weights that count; it is left as it is.
        run: The folder of the run.
        origin: What made the weights.

    Raises:
        ParityError: ONNX Runtime does not answer as PyTorch does; no bundle is written.
        UnsupportedModel: PyTorch cannot export the network.
        UsageError: A license or a goal for thresholds is not understood.
        BundleError: The bundle cannot be written.
    """
    goal = Goal.parse(plan.config.bundle.threshold)
    said = license_of(plan.config.bundle, plan.splits.train.name, _inherited(plan, origin))
    with tempfile.TemporaryDirectory(prefix="pixelwright-") as place:
        work = _Work(plan, net, Path(place))
        decided, remarks = work.decide(goal)
        compared, observed = work.compare(decided)
        scores = _scores(observed.statistics[ONNX], plan.splits.validation)
        # What was scored once comes first: the first row is the one that is shown of a model.
        measured = [*work.measure_test(decided), *work.measured(scores, plan.splits.validation, CHOSEN_BY)]
        spec = msgspec.structs.replace(
            work.spec,
            license=said,
            decision=decided,
            measured=measured,
            parity=list(compared.rows),
            provenance=_provenance(plan, origin),
            summary=work.spec.summary or _summary(plan),
        )
        bundle = write_bundle(run / BUNDLE, spec, work.files(), replace=True)
        size = work.model.stat().st_size
    _try(bundle, plan.splits.validation)
    few = too_few(len(plan.splits.validation))
    remarks = (*remarks, *compared.remarks, *([f"validation: {few}"] if few else []))
    _say(bundle, scores, size, compared, remarks)
    return Finished(bundle, tuple(scores), remarks)


class _Work:
    """The export and what is done with it, in a folder that vanishes."""

    def __init__(self, plan: Plan, net: nn.Module, folder: Path) -> None:
        self.plan, self.folder, self.model = plan, folder, folder / "model.onnx"
        self.threads = threads_of(plan.config.machine)
        self.original = copy.deepcopy(net).cpu().eval()
        self.net = self.original
        rounding = plan.config.bundle.weights
        if rounding != "f32":
            self.net = copy.deepcopy(self.original)
            round_weights(self.net, rounding)
        entry = graph_input(plan.spec)
        self.probes = probes(plan.spec.input, entry)
        exported = export_onnx(
            self.net,
            self.model,
            [entry],
            plan.record().outputs,
            [*self.probes, together(self.probes[0])],
            weights="f32" if rounding == "f32" else "packed",
            labels=plan.problem.labels,
        )
        self.exported: Exported = exported
        graph = GraphSpec(list(exported.inputs), list(exported.outputs))
        self.spec = msgspec.structs.replace(plan.spec, graphs={"model": graph})
        self.graphs = open_all(self.model, self.threads)

    def decide(self, goal: Goal) -> tuple[Decision, tuple[str, ...]]:
        """Temperature and thresholds, from the calibration part and nothing else."""
        part = self._part(self.plan.splits.calibration, Decision())
        if part.evaluation.decide is None:
            return Decision(), ()
        if not len(part.dataset):
            return Decision(), ("there is no calibration part: scores are as the network gives them.",)
        observed = observe(part, {ONNX: self.graphs[ONNX]})
        decided: Decided = part.evaluation.decide(observed.observations[ONNX], part.scoring, goal)
        missed = [label for label, fitted in decided.reached.items() if not fitted.reached]
        said = self.plan.config.bundle.threshold
        remarks = (f"{said} cannot be reached on the calibration part for: {', '.join(missed)}.",) if missed else ()
        fitted_on = _data(part.dataset, "calibration")
        named = said if decided.decision.thresholds or decided.decision.threshold is not None else ""
        return msgspec.structs.replace(decided.decision, goal=named, data=fitted_on), remarks

    def compare(self, decision: Decision) -> tuple[Compared, Observed]:
        """PyTorch and all runtimes on the validation part, by the contract that the bundle will have."""
        outputs = self.exported.outputs
        graphs: dict[Where, Graph] = {TORCH: TorchGraph(self.net, self.exported.inputs, outputs)}
        if self.net is not self.original:
            graphs[UNROUNDED] = TorchGraph(self.original, self.exported.inputs, outputs)
        observed = observe(self._part(self.plan.splits.validation, decision), graphs | self.graphs)
        for where, graph in self.graphs.items():  # whoever opens the bundle compares by its probe
            apart = [difference(self.graphs[ONNX].run(feeds), graph.run(feeds)) for feeds in self.probes]
            observed.differences[where] = max(observed.differences[where], *apart)
        return compare(self.model, observed, self.plan.config.goal), observed

    def measure_test(self, decision: Decision) -> list[Measured]:
        """Scores on the test part, where there is one."""
        dataset = self.plan.splits.test
        if not len(dataset):
            return []
        observed = observe(self._part(dataset, decision), {ONNX: self.graphs[ONNX]})
        return self.measured(_scores(observed.statistics[ONNX], dataset), dataset, TEST)

    def measured(self, scores: Sequence[Score], dataset: Dataset, split: str) -> list[Measured]:
        """The scores of all classes together as the bundle states them, the goal first; others are for reports."""
        data, today = _data(dataset, split), datetime.now(UTC).date().isoformat()
        return [
            Measured(
                metric=score.metric,
                definition=_definition(score),
                value=score.value,
                n=score.n,
                data=data,
                runtime=REFERENCE,
                date=today,
                # The values of a bootstrap may all lie on one side of what is measured on all pictures.
                ci95=score.ci95 and (min(score.ci95[0], score.value), max(score.ci95[1], score.value)),
                condition=_condition(self.plan.problem),
            )
            for score in sorted(scores, key=lambda score: score.metric != self.plan.config.goal)
            if "/" not in score.metric and np.isfinite(score.value)
        ]

    def files(self) -> dict[str, Path]:
        """What the bundle is made of: network, probe, and weights to train further."""
        reference = self.graphs[ONNX]
        write_probe(self.folder / "probe.npz", [Case(feeds, reference.run(feeds)) for feeds in self.probes])
        files = {"model": self.model, "probe": self.folder / "probe.npz"}
        architecture = self.plan.record().name
        # A network that another library builds, or that is a graph with a new head, is trained further from that.
        if self.plan.config.bundle.trainable and architecture in registry.names("architecture"):
            files[ROLE] = self.folder / "weights.safetensors"
            config: dict[str, Any] = msgspec.to_builtins(self.plan.network)
            write_state(files[ROLE], self.original, architecture, config)
        return files

    def _part(self, dataset: Dataset, decision: Decision) -> Part:
        spec = msgspec.structs.replace(self.spec, decision=decision)
        return Part(dataset, spec, self.plan.problem, self.threads)


def _data(dataset: Dataset, split: str) -> Data:
    return Data(dataset.name, fingerprint(dataset), split)


def _scores(statistic: Any, dataset: Dataset) -> list[Score]:
    groups = [sample.group for sample in dataset.samples]
    return measure(statistic, len(dataset), groups=groups if any(groups) else ())


def _definition(score: Score) -> str:
    return f"{score.definition}: {definition_of(score.metric).formula}. Interval: percentile bootstrap over pictures."


def _condition(problem: Problem) -> str:
    """How pictures were made worse, where the data have only the better ones."""
    if problem.degradation is None:
        return ""
    usual, said = Degradation(), []
    for field in fields(Degradation):
        value = getattr(problem.degradation, field.name)
        if value != getattr(usual, field.name):
            shown = " to ".join(f"{one:.4g}" for one in value) if isinstance(value, tuple) else f"{value:.4g}"
            said.append(f"{field.name} {shown}")
    return f"clean pictures made worse: {', '.join(said)}"


def _inherited(plan: Plan, origin: Origin) -> list[Terms]:
    """Terms of what training started from: the data of the parent, and the parent's weights themselves."""
    if origin.parent:
        said = origin.parent.spec.license
        return [*said.data, msgspec.structs.replace(said.weights, name=f"weights of {origin.parent.spec.name}")]
    if strangers := _strangers(plan):
        return [Terms("unknown", plan.config.bundle.commercial, name=f"weights of {strangers}")]
    return []


def _strangers(plan: Plan) -> str:
    """The name under which another library fetched the weights that training started from, if it did."""
    return plan.architecture if getattr(plan.network, "pretrained", False) else ""


def _provenance(plan: Plan, origin: Origin) -> Provenance:
    data = plan.config.data
    parent = _strangers(plan)
    if origin.parent:
        parent = f"{origin.parent.spec.name} {origin.parent.spec.version}, {origin.parent.digest}"
    return Provenance(
        toolkit=f"pixelwright {__version__}",
        recipe=origin.recipe,
        seed=plan.config.seed,
        parent=parent,
        data=[_data(plan.splits.train, "train")],
        splitting=Splitting(
            plan.config.seed, data.validation, data.calibration, data.test, data.by_content, data.group
        ),
    )


def _summary(plan: Plan) -> str:
    labels = ", ".join(plan.problem.labels[:5]) + (", ..." if len(plan.problem.labels) > 5 else "")
    of = f": {labels}" if labels else ""
    return f"{plan.config.model} for {plan.config.task}, trained on {plan.splits.train.name}{of}."


def _try(bundle: ModelBundle, dataset: Dataset) -> None:
    """Nothing, if the bundle works as its users will use it: its probe holds, and it answers to a picture."""
    checks = verify(bundle, device="cpu")
    require_parity(bundle.spec.name, [check for check in checks if bundle.spec.allows(check.runtime, check.precision)])
    model = load(bundle.path, task=bundle.spec.task)
    model(dataset.samples[0].read())


def _say(bundle: ModelBundle, scores: Sequence[Score], size: int, compared: Compared, remarks: Sequence[str]) -> None:
    for row in bundle.spec.parity:
        log.info(
            "%s %s: differs from PyTorch by %.2g, %s by %+.2g, takes %s of ONNX Runtime's time",
            row.runtime, row.precision, row.largest_difference, row.metric, row.metric_delta,
            "an unknown share" if row.relative_time is None else f"{row.relative_time:.2f}",
        )  # fmt: skip
    goals = {metric for metric, _ in registry.get("evaluation", bundle.spec.task).goals}
    for score in scores:
        if score.metric in goals:
            log.info("%s", score_line(score))
    for remark in remarks:
        log.warning("%s", remark)
    log.info("%s: %.2f MB, %.1f ms a picture on one thread", bundle.path, size / 1e6, compared.run_s * 1e3)


def score_line(score: Score) -> str:
    """A score as in `accuracy 0.9931 [0.9902, 0.9957], n = 2000`."""
    interval = f" [{score.ci95[0]:.4f}, {score.ci95[1]:.4f}]" if score.ci95 else ""
    return f"{score.metric} {score.value:.4f}{interval}, n = {score.n}"
