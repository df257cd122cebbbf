"""Plan: all that is decided before the first step. Everything in it can be pickled, for processes that are spawned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from pixelwright import __version__, registry
from pixelwright.contract import Training
from pixelwright.data.dataset import Dataset
from pixelwright.data.splits import Splits
from pixelwright.errors import UsageError
from pixelwright.models.architecture import Architecture, Problem
from pixelwright.structures.spec import (
    SCHEMA_ID,
    BundleSpec,
    GraphSpec,
    InputSpec,
    License,
    OutputSpec,
    Provenance,
    TensorSpec,
    Terms,
)
from pixelwright.verbs.train.planning.networks import fitted, name_and_variant, record_of
from pixelwright.verbs.train.settings.config import TrainConfig
from pixelwright.verbs.train.settings.wording import with_changes

UNKNOWN = Terms(license="unknown", commercial="unknown")


@dataclass(frozen=True, slots=True)
class Plan:
    """A training, ready to begin.

    Attributes:
        config: Everything decided.
        automatic: What of it was chosen, by dotted name, with the reason.
        splits: What is learned from, what thresholds are set on, what chooses the best weights.
        problem: What has to be learned.
        architecture: Registry name.
        network: The architecture's configuration for the problem.
        spec: The contract that the bundle at the end will have, as far as it is known; validation works by it.
    """

    config: TrainConfig
    splits: Splits
    problem: Problem
    architecture: str
    network: Any
    spec: BundleSpec
    automatic: Mapping[str, str] = field(default_factory=dict)

    def record(self) -> Architecture:
        """The architecture."""
        return record_of(self.architecture)

    def training(self) -> Training:
        """What the task adds to be learned."""
        return registry.get("training", self.config.task)


def network_of(config: TrainConfig, problem: Problem) -> tuple[str, Any]:
    """Architecture and configuration that `model` and `network` name, fitted to the problem.

    Raises:
        UnknownName: There is no such architecture, or nothing of this name in its configuration.
        UsageError: It is not for this task, or cannot be had in this way.
    """
    name, variant = name_and_variant(config.model)
    record = record_of(name)
    if record.loss is not None and not config.loss.name and (config.loss.label_smoothing or config.loss.class_weights):
        raise UsageError(f"{name}: brings its own loss, without label smoothing and class weights. Leave them out.")
    variant = variant or next(iter(record.variants))
    if variant not in record.variants:
        known = ", ".join(record.variants)
        raise UsageError(f"{name}: there is no variant {variant!r}; there are: {known}.")
    changed = with_changes(record.variants[variant], config.network, f"the network {config.model}")
    return name, fitted(record, changed, problem)


def spec_of(config: TrainConfig, problem: Problem, network: Any, proposed: InputSpec, dataset: Dataset) -> BundleSpec:
    """The contract of what will be trained: inputs as proposed, outputs as the architecture says they are read."""
    record = record_of(name_and_variant(config.model)[0])
    reading = record.reading(network, problem)
    return BundleSpec(
        schema=SCHEMA_ID,
        name=config.bundle.name or config.task,
        version=config.bundle.version,
        task=config.task,
        architecture=config.model,
        summary=config.bundle.summary,
        artifacts=[],
        graphs={"model": _graph(problem, record)},
        input=_input(config, record, proposed, reading.multiple_of),
        output=OutputSpec(
            decoder=reading.decoder,
            parameters=dict(reading.parameters),
            labels=list(problem.labels),
            suppression=reading.suppression,
            keypoints=list(dataset.keypoints),
            skeleton=list(dataset.skeleton),
            void_id=problem.void_id,
        ),
        license=License(code=Terms(license="Apache-2.0", commercial="yes"), weights=UNKNOWN),
        provenance=Provenance(toolkit=f"pixelwright {__version__}", seed=config.seed),
        tiling=None if proposed.resize or proposed.crop_hw else reading.tiling,  # tiles would be scaled one by one
    )


def _input(config: TrainConfig, record: Architecture, proposed: InputSpec, multiple_of: int) -> InputSpec:
    mean, std = (list(level) if isinstance(level, tuple) else [level] for level in record.mean_std)
    means = list(config.input.mean) or [level * proposed.white for level in mean]
    stds = list(config.input.std) or [level * proposed.white for level in std]
    plain = not any(means) and all(one == 1 for one in stds)
    channels = 1 if proposed.channels == "gray" else 3
    return msgspec.structs.replace(
        proposed,
        mean=[] if plain else _each(means, channels),
        std=[] if plain else _each(stds, channels),
        multiple_of=multiple_of,
        layout=proposed.layout if proposed.is_sequence else record.layout,
    )


def _each(values: list[float], channels: int) -> list[float]:
    return values * channels if len(values) == 1 else values


def _graph(problem: Problem, record: Architecture) -> GraphSpec:
    if problem.sequence:
        features = problem.size_hw[1]
        inputs = [TensorSpec("steps", "float32", ["batch", "time", features], "NTF")]
    else:
        sides: list[str | int] = list(problem.size_hw) if problem.fixed else ["height", "width"]
        dims = [problem.channels, *sides] if record.layout == "NCHW" else [*sides, problem.channels]
        inputs = [TensorSpec("images", "float32", ["batch", *dims], record.layout)]
    return GraphSpec(
        inputs=inputs, outputs=[TensorSpec(name, "float32", ["batch", f"{name}_1"]) for name in record.outputs]
    )
