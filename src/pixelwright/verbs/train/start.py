"""Start: open the data, decide, find the run, and train in as many processes as there are devices."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import torch
from lightning_fabric import Fabric
from lightning_fabric.loggers.tensorboard import TensorBoardLogger

from pixelwright.data.opening import describe
from pixelwright.verbs.train import Trained
from pixelwright.verbs.train.config import TrainConfig
from pixelwright.verbs.train.decide import open_splits, plan_of
from pixelwright.verbs.train.folder import SUMMARY, Run, find_run
from pixelwright.verbs.train.identity import identity_of
from pixelwright.verbs.train.learner import Progress, precision_of
from pixelwright.verbs.train.loop import Watch
from pixelwright.verbs.train.plan import Plan
from pixelwright.verbs.train.recipe import value_of
from pixelwright.verbs.train.samples import cores
from pixelwright.verbs.train.variation import policy_of
from pixelwright.verbs.train.work import Work

log = logging.getLogger(__name__)


def start(config: TrainConfig, output: Path | None, watch: Watch, *, other_data: bool = False) -> Trained:
    """See `train`."""
    run = find_run(config, output, _name(config))
    if run.finished:
        log.info("%s: is finished. Name another folder (-o) to train again.", run.path)
        return Trained(**{**run.summary(), "run": run.path})
    plan = decide(config, run)
    run.begin(plan.config, plan.automatic)
    with _written(run.path / "log.txt"):
        _tell(plan, run)
        progress = _launch(plan, run, watch, other_data=other_data)
        done = Trained(run.path, plan.config.goal, progress.best, progress.best_step, progress.step, progress.seconds)
        run.write(SUMMARY, json.dumps({**asdict(done), "run": str(run.path)}, indent=2).encode())
    return done


def decide(config: TrainConfig, run: Run | None = None) -> Plan:
    """The plan for a configuration, or that of a run that has begun.

    Raises:
        DataError: The data cannot be used.
        UsageError: Some of what was asked does not go together.
    """
    if run is None or not run.begun:
        return plan_of(config, open_splits(config.task, config.data, config.seed))
    decided, automatic = run.decided()
    return replace(plan_of(decided, open_splits(decided.task, decided.data, decided.seed)), automatic=automatic)


def _launch(plan: Plan, run: Run, watch: Watch, *, other_data: bool) -> Progress:
    machine = plan.config.machine
    torch.set_num_threads(machine.threads or cores())
    device = "cuda" if machine.accelerator != "cpu" and torch.cuda.is_available() else "cpu"
    precision = precision_of(machine.precision, device)
    alone = machine.devices == 1
    fabric = Fabric(
        accelerator=device,
        devices=machine.devices,
        # Processes are spawned, not made by running the command line anew: this may be called from anywhere.
        strategy="auto" if alone else "ddp_spawn",
        plugins=[precision],
        loggers=[TensorBoardLogger(run.path, "", "")] if find_spec("tensorboard") else [],
    )
    work = Work(plan, run, precision, identity_of(plan.splits), other_data)
    # A bar cannot be drawn by another process; it says how far it is in lines.
    return fabric.launch(partial(work, watch=watch if alone else Watch()))


def _name(config: TrainConfig) -> str:
    """For the run's folder: of the data and the model."""
    data = Path(config.data.path).resolve().stem.lower() or "data"
    return "-".join([data, *filter(None, config.model.lower().replace("/", "-").split("-"))])


def _tell(plan: Plan, run: Run) -> None:
    for line in (*describe(plan.splits.train), *plan.splits.remarks):
        log.info("%s", line)
    for fault in plan.splits.faults:
        log.warning("%s: %s", fault.where, fault.what)
    for name, reason in plan.automatic.items():
        log.info("%s = %s (%s)", name, value_of(plan.config, name), reason)
    for remark in policy_of(plan.config, plan.splits.train)[1]:
        log.info("%s", remark)
    log.info("run: %s", run.path)


@contextmanager
def _written(path: Path) -> Iterator[None]:
    """What is said while it trains, also in a file."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    logger = logging.getLogger("pixelwright")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()
