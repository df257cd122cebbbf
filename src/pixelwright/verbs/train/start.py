"""Start: open the data, decide, find the run, and train in as many processes as there are devices."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from lightning_fabric import Fabric

from pixelwright.contract import Example, LossOptions
from pixelwright.data.dataset import Sample
from pixelwright.io.atomic import whole_file
from pixelwright.verbs.train import Trained, balance
from pixelwright.verbs.train.config import TrainConfig
from pixelwright.verbs.train.decide import open_splits, plan_of, policy_of
from pixelwright.verbs.train.feed import Order
from pixelwright.verbs.train.folder import CONFIG, Run
from pixelwright.verbs.train.learner import Learner, Progress, precision_of
from pixelwright.verbs.train.loop import Loop, Shown, Watch, restore
from pixelwright.verbs.train.plan import Plan
from pixelwright.verbs.train.recipe import to_toml
from pixelwright.verbs.train.samples import MEMORY_SHARE, Store, cores, free_bytes, lost_text
from pixelwright.verbs.train.source import Source
from pixelwright.verbs.train.validate import Validation, goal_of

log = logging.getLogger(__name__)


def start(config: TrainConfig, output: Path | None, show: Callable[[Shown], None]) -> Trained:
    """See `train`."""
    watch = Watch(show=show)
    splits = open_splits(config.task, config.data, config.seed)
    for remark in (*splits.train.remarks, *splits.remarks):
        log.info("%s", remark)
    plan = plan_of(config, splits)
    run = Run(output or Path("runs") / config.task / "run")
    (run.path / "checkpoints").mkdir(parents=True, exist_ok=True)
    with whole_file(run.path / CONFIG) as out:
        out.write(to_toml(plan.config, plan.automatic).encode())
    machine = plan.config.machine
    torch.set_num_threads(machine.threads or cores())
    device = "cuda" if machine.accelerator != "cpu" and torch.cuda.is_available() else "cpu"
    precision = precision_of(plan.config.machine.precision, device)
    fabric = Fabric(accelerator=device, devices=machine.devices, plugins=[precision])
    progress = fabric.launch(partial(_train, plan=plan, run=run, watch=watch))
    return Trained(run.path, plan.config.goal, progress.best, progress.best_step, progress.step, progress.seconds)


def _train(fabric: Fabric, *, plan: Plan, run: Run, watch: Watch) -> Progress:
    """What each process does."""
    config = plan.config
    threads = config.machine.threads or cores()
    budget = int(config.machine.memory_gb * 1e9) if config.machine.memory_gb else int(free_bytes() * MEMORY_SHARE)
    store = Store(
        plan.splits.train.samples, partial(_encode, plan), budget_bytes=budget // fabric.world_size, threads=threads
    )
    if store.lost:
        log.warning("%d samples cannot be used: %s", len(store.lost), lost_text(store.lost))
    table = None
    if config.batch.sampler == "balanced" or config.loss.class_weights == "balanced":
        table = balance.amounts(store, plan.training(), plan.problem)
    chances = balance.chances(table) if table is not None and config.batch.sampler == "balanced" else None
    weights = balance.weights_of(config.loss.class_weights, table, plan.problem.labels)
    loss = LossOptions(config.loss.name, config.loss.label_smoothing, weights)
    learner = Learner(fabric, plan, fabric._precision, loss)
    restore(learner, run, fabric, watch)
    source = Source(
        store=store,
        order=Order(len(store), config.batch.size or 1, config.seed, chances),
        training=plan.training(),
        problem=plan.problem,
        policy=policy_of(config, plan.splits.train),
        device=fabric.device,
        rank=fabric.global_rank,
        world=fabric.world_size,
    )
    validation = Validation(plan, *goal_of(config.task, config.goal), budget_bytes=budget // 4, threads=threads)
    Loop(fabric, plan, learner, source, validation, run, watch).train()
    return learner.progress


def _encode(plan: Plan, sample: Sample) -> Example:
    with sample.picture.open() as raster:
        image = raster.read()
    return plan.training().encode(image, sample.truth(), plan.problem, plan.spec.input)
