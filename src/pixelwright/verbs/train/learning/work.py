"""Work: what each process of a training does. It can be pickled, for processes that are spawned."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from functools import partial

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.precision import Precision

from pixelwright.contract import LossOptions
from pixelwright.verbs.train.folder import LOG, Run
from pixelwright.verbs.train.learning.feed import Order
from pixelwright.verbs.train.learning.learner import Learner, memory_told
from pixelwright.verbs.train.learning.loop import Loop
from pixelwright.verbs.train.learning.progress import Progress, Watch
from pixelwright.verbs.train.learning.rate import STEPS, find_rate
from pixelwright.verbs.train.learning.source import Source, encode
from pixelwright.verbs.train.learning.telling import lines, told_by
from pixelwright.verbs.train.machine import free_bytes, keep_freed_memory, threads_of
from pixelwright.verbs.train.planning.plan import Plan
from pixelwright.verbs.train.planning.variation import policy_of
from pixelwright.verbs.train.samples import balance
from pixelwright.verbs.train.samples.store import MEMORY_SHARE, Store
from pixelwright.verbs.train.scoring.validate import Validation
from pixelwright.verbs.train.settings.recipe import changed

log = logging.getLogger(__name__)

VALIDATION_MEMORY = 0.25  # of what pictures may take


@dataclass(frozen=True, slots=True)
class Work:
    """A plan, and where it is carried out.

    Attributes:
        plan: What is trained.
        run: Where it is kept.
        precision: Fabric's plugin.
        identity: Of the data (`identity.identity_of`).
        level: From which on something is said, where processes are spawned.
    """

    plan: Plan
    run: Run
    precision: Precision
    identity: str
    level: int = logging.INFO

    def __call__(self, fabric: Fabric, watch: Watch) -> Progress:
        """All steps that remain; gives how far it came."""
        with memory_told(self.plan):
            if fabric.world_size == 1:
                return self._work(fabric, watch)
            watch.show = lines()
            with told_by(fabric.global_rank, self.run.path / LOG, self.level):
                return self._work(fabric, watch)

    def _work(self, fabric: Fabric, watch: Watch) -> Progress:
        plan, config = self.plan, self.plan.config
        threads = threads_of(config.machine)
        torch.set_num_threads(threads)
        keep_freed_memory()
        memory = int(config.machine.memory_gb * 1e9 if config.machine.memory_gb else free_bytes() * MEMORY_SHARE)
        store = self._store(memory // fabric.world_size, threads)
        loss, order = self._balanced(store)
        source = Source(
            store=store,
            order=order,
            training=plan.training(),
            problem=plan.problem,
            policy=policy_of(config, plan.splits.train)[0],
            device=fabric.device,
            rank=fabric.global_rank,
            world=fabric.world_size,
        )
        open_rate = "optimizer.learning_rate" in plan.automatic  # one that is said is taken
        if config.optimizer.find_rate and open_rate and not self.run.last.exists():
            scale = self.precision.state_dict()  # of float16: what the search made of it is not the training's
            plan = self._found(fabric, find_rate(Learner(fabric, plan, self.precision, loss), source))
            self.precision.load_state_dict(scale)
        learner = Learner(fabric, plan, self.precision, loss)
        self._restore(fabric, learner, watch)
        validation = Validation(plan, budget_bytes=int(memory * VALIDATION_MEMORY), threads=threads)
        Loop(fabric, learner, source, validation, self.run, watch, self.identity).train()
        return learner.progress

    def _found(self, fabric: Fabric, rate: float) -> Plan:
        """The plan with a learning rate that was found, which the run keeps."""
        why = f"found by {STEPS} steps at growing rates around {self.plan.config.optimizer.name}'s usual one"
        log.info("optimizer.learning_rate = %g (%s)", rate, why)
        config = changed(self.plan.config, {"optimizer.learning_rate": rate})
        automatic = {**self.plan.automatic, "optimizer.learning_rate": why}
        if fabric.is_global_zero:
            self.run.keep(config, automatic)
        return replace(self.plan, config=config, automatic=automatic)

    def _store(self, memory: int, threads: int) -> Store:
        samples = self.plan.splits.train.samples
        made, note = partial(encode, self.plan), self.run.add_lost
        store = Store(samples, made, budget_bytes=memory, threads=threads, note=note)
        if store.beyond:
            held = len(store) - store.beyond
            log.info("%d of %d samples fit into memory; the others are decoded each time", held, len(store))
        return store

    def _balanced(self, store: Store) -> tuple[LossOptions, Order]:
        """Class weights and the order of samples, which may both rest on how much of each class there is."""
        config = self.plan.config
        draws, weighs = config.batch.sampler == "balanced", config.loss.class_weights == "balanced"
        table = balance.amounts(store, self.plan.training(), self.plan.problem) if draws or weighs else None
        weights = balance.weights_of(config.loss.class_weights, table, self.plan.problem.labels)
        chances = balance.chances(table) if draws and table is not None else None
        order = Order(len(store), config.batch.size or 1, config.seed, chances)
        return LossOptions(config.loss.name, config.loss.label_smoothing, weights), order

    def _restore(self, fabric: Fabric, learner: Learner, watch: Watch) -> None:
        """Continue from the last checkpoint, if there is one.

        Raises:
            TrainingError: It cannot be used.
        """
        state = learner.state()
        if not self.run.load(fabric, state):
            return
        learner.restored(state)
        watch.before = learner.progress.seconds
        log.info("continuing from step %d, after %.1f minutes", learner.progress.step, learner.progress.seconds / 60)
