"""Checks: what would be found wrong in the middle of a training, or after hours at its end, found before it begins."""

from __future__ import annotations

from pixelwright.bundle.faults import input_faults
from pixelwright.contract import Training
from pixelwright.data.dataset import Dataset
from pixelwright.errors import DataError, UnknownName, UsageError
from pixelwright.metrics.calibration import Goal
from pixelwright.models.architecture import Problem
from pixelwright.models.optimizers import OPTIMIZERS
from pixelwright.models.schedules import SCHEDULES
from pixelwright.structures.spec import BundleSpec
from pixelwright.verbs.train.samples.balance import weights_of
from pixelwright.verbs.train.settings.config import TrainConfig
from pixelwright.verbs.train.settings.terms import license_of


def check_labels(dataset: Dataset) -> None:
    """Refuse data in which there is nothing to tell apart.

    Raises:
        DataError: There is one class only, or no thing at all.
    """
    if dataset.kind == "classes" and dataset.exclusive and len(dataset.labels) < 2:
        only = f" ({dataset.labels[0]})" if dataset.labels else ""
        raise DataError(f"{dataset.root}: there is one class only{only}; expected two or more to tell apart.")
    if dataset.kind in ("boxes", "instances") and not dataset.labels:
        raise DataError(
            f"{dataset.root}: nothing is in any of {len(dataset)} pictures to learn from; expected {dataset.kind}."
        )


def check_learning(config: TrainConfig, training: Training, problem: Problem) -> None:
    """Refuse names of what learns that do not exist, and what the task has no use for.

    Raises:
        UnknownName: No such optimizer, schedule or loss; with the nearest.
        UsageError: The task would ignore it, or weights are not one for each class.
    """
    known = {"optimizer": (config.optimizer.name, OPTIMIZERS), "schedule": (config.optimizer.schedule, SCHEDULES)}
    if config.loss.name:
        if not training.losses:
            raise UsageError(
                f"--loss {config.loss.name}: the networks for {training.task} bring their own. Leave it out."
            )
        known[f"loss for {training.task}"] = config.loss.name, dict.fromkeys(training.losses)
    for kind, (name, names) in known.items():
        if name not in names:
            raise UnknownName(kind, name, names)
    if training.amounts is None:
        options = {
            "--label-smoothing": config.loss.label_smoothing,
            "--class-weights": config.loss.class_weights,
            "--sampler balanced": config.batch.sampler == "balanced",
        }
        if said := [option for option, value in options.items() if value]:
            one = "it" if len(said) == 1 else "them"
            raise UsageError(f"{', '.join(said)}: {training.task} has no classes to be balanced. Leave {one} out.")
    if not isinstance(config.loss.class_weights, str):
        weights_of(config.loss.class_weights, None, problem.labels)


def check_end(config: TrainConfig, validation: Dataset) -> None:
    """Refuse what would come to nothing at the end, whatever the network: such thresholds and licenses.

    Raises:
        UsageError: They cannot be had; or there is nothing to choose the weights by.
    """
    if not len(validation):
        raise UsageError("--validation 0: nothing is left to choose the weights by. Give a share, such as 0.1.")
    Goal.parse(config.bundle.threshold)
    license_of(config.bundle, config.data.path)


def check_input(spec: BundleSpec) -> None:
    """Refuse an input that the bundle at the end could not have, such as means of other channels.

    Raises:
        UsageError: It cannot be made.
    """
    if faults := input_faults(spec):
        raise UsageError(f"the bundle would be refused: {'; '.join(faults)}.")
