"""Start: open the data, decide, find the run, and train in as many processes as there are devices."""

from __future__ import annotations

import json
import logging
import math
import re
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import msgspec
import torch
from lightning_fabric import Fabric
from lightning_fabric.loggers.tensorboard import TensorBoardLogger
from lightning_fabric.strategies.ddp import DDPStrategy
from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException

from pixelwright.data.augment.sheet import preview
from pixelwright.data.opening import describe
from pixelwright.data.splits import PARTS
from pixelwright.errors import OutputError, PixelwrightError, TrainingError
from pixelwright.interop.keras import is_keras
from pixelwright.io.images import write_image
from pixelwright.metrics.score import Score
from pixelwright.verbs.baseline import baseline
from pixelwright.verbs.train.finishing.finish import Origin, finish
from pixelwright.verbs.train.finishing.report import write_report
from pixelwright.verbs.train.folder import BASELINE, LOG, PREVIEW, SUMMARY, Run, find_run
from pixelwright.verbs.train.learning import keras
from pixelwright.verbs.train.learning.progress import Progress, Watch
from pixelwright.verbs.train.learning.telling import level, written
from pixelwright.verbs.train.learning.work import Work
from pixelwright.verbs.train.machine import device_of, precision_of, threads_of
from pixelwright.verbs.train.planning.decide import open_splits, plan_of
from pixelwright.verbs.train.planning.networks import parent_of
from pixelwright.verbs.train.planning.plan import Plan
from pixelwright.verbs.train.planning.variation import policy_of
from pixelwright.verbs.train.samples.identity import identity_of
from pixelwright.verbs.train.samples.sound import can_be_used, sound
from pixelwright.verbs.train.settings.config import TrainConfig
from pixelwright.verbs.train.settings.recipe import AT_THE_END, value_of
from pixelwright.verbs.train.trained import Trained

log = logging.getLogger(__name__)

MOST_LETTERS = 100  # of a bundle's name
LONGEST_WAIT = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class How:
    """What of a training is no part of its configuration.

    Attributes:
        watch: The clock, and who is shown how far it is.
        other_data: Whether a run may be continued although the data have changed.
        origin: What the configuration comes from, in words.
        bundle: Whether a bundle is made at the end.
    """

    watch: Watch
    other_data: bool = False
    origin: str = ""
    bundle: bool = True


def start(config: TrainConfig, output: Path | None, how: How) -> Trained:
    """See `train`."""
    run = find_run(config, output, _name(config))
    if run.finished:
        log.info("%s: is finished. Name another folder (-o) to train again.", run.path)
        return _read_summary(run, config)
    with run.alone():
        find_run(config, run.path, "")  # looked at again: now nobody can begin another there
        plan = decide(config, run)
        identity = identity_of(plan.splits)
        changed = _changed(run.data(), identity) if run.learned and run.data() != identity else ""
        if changed and not how.other_data:
            raise TrainingError(
                f"{run.path}: {changed}. Name another folder (-o) to start anew, or go on with what is there now "
                "(--changed-data)."
            )
        if changed:
            keras.forget(run)
        run.begin(plan.config, plan.automatic, identity)
        with written(run.path / LOG):
            if changed:
                log.warning("%s; going on with what is there now", changed)
            _tell(plan, run)
            _preview(plan, run)
            splits = sound(plan.splits, threads_of(plan.config.machine))
            lost = sum(len(getattr(plan.splits, part)) - len(getattr(splits, part)) for part in PARTS)
            plan = replace(plan, splits=splits)
            _tell_baseline(plan, run)
            by_keras = is_keras(plan.architecture)
            progress = keras.fit(plan, run, how.watch) if by_keras else _launch(plan, run, identity, how)
            done = replace(_end(plan, run, how, progress), lost=lost + len(run.lost()))
            write_report(run, done)
            run.write(SUMMARY, json.dumps({**done.to_dict(), "data": identity}, indent=2).encode())
            _tell_in_vain(run, done)
            for fault in plan.splits.faults:  # said in the beginning, and forgotten since
                log.warning("%s: %s", fault.where, fault.what)
    return done


def _end(plan: Plan, run: Run, how: How, progress: Progress) -> Trained:
    """The bundle of the best weights, and what is to be said of it."""
    best = run.kept()
    if best is None:
        raise TrainingError(f"{run.path}: {plan.config.goal} had no value in any validation, so no weights are best.")
    made = None
    if how.bundle:
        net = plan.record().build(plan.network)
        net.load_state_dict(best["net"])
        made = finish(plan, net.eval(), run.path, Origin(how.origin, parent_of(plan.architecture)))
    return Trained(
        run=run.path,
        goal=plan.config.goal,
        score=best["scores"][plan.config.goal],
        step=best["step"],
        steps=progress.step,
        seconds=progress.seconds,
        bundle=made.bundle.path if made else None,
        scores=made.scores if made else (),
    )


def _tell_baseline(plan: Plan, run: Run) -> None:
    """What can be had in seconds, once a run, for whoever waits for hours."""
    if not plan.config.budget.baseline or (run.path / BASELINE).exists():
        return
    try:
        found = baseline(plan.splits, seed=plan.config.seed)
    except PixelwrightError as err:  # such as a backbone that does not run here; the training does not need it
        log.warning("no instant baseline: %s", err)
        return
    if found is not None:
        log.info("%s", found)
        run.write(BASELINE, json.dumps(found.to_dict(), indent=2).encode())


def _tell_in_vain(run: Run, done: Trained) -> None:
    """That seconds would have done better, if so."""
    if not (run.path / BASELINE).exists():
        return
    there = json.loads((run.path / BASELINE).read_bytes())["metrics"][0]
    reached = {done.goal: done.score, **{score.metric: score.value for score in done.scores}}.get(there["metric"])
    if reached is not None and reached < there["value"]:
        log.warning(
            "the instant baseline was better: %s %.1f%% against %.1f%%. Train longer (--minutes), or start from a "
            "network that knows pictures (--model mobilenet-v2-imagenet)",
            *(there["metric"], 100 * there["value"], 100 * reached),
        )


def _read_summary(run: Run, config: TrainConfig) -> Trained:
    said = run.summary()
    learned = said.pop("data", "")
    try:
        now = identity_of(open_splits(config.task, config.data, config.seed))
    except PixelwrightError as err:
        log.warning("the data that it learned from cannot be looked at: %s", err)
    else:
        if learned and learned != now:
            log.warning("%s", _changed(learned, now))
    scores = tuple(
        Score(**{**score, "value": math.nan if score["value"] is None else score["value"]}) for score in said["scores"]
    )
    bundle = said["bundle"] and Path(said["bundle"])
    return Trained(**{**said, "run": run.path, "bundle": bundle, "scores": scores})


def _changed(learned: str, now: str) -> str:
    return f"the data have changed since: fingerprint {learned[:12]}, now {now[:12]}"


def decide(config: TrainConfig, run: Run | None = None) -> Plan:
    """The plan for a configuration, or that of a run that has begun.

    Raises:
        DataError: The data cannot be used.
        UsageError: Some of what was asked does not go together.
    """
    torch.set_num_threads(threads_of(config.machine))  # for what measures and finishes here; see also `Work`
    splits = open_splits(config.task, config.data, config.seed)
    name = _plain(run.path.resolve().name)[:MOST_LETTERS] if run else ""
    if run is None or not run.learned:
        return plan_of(config, splits, name)
    decided, automatic = run.decided()
    plan = plan_of(msgspec.structs.replace(decided, bundle=config.bundle), splits, name)
    # What matters at the end alone was asked for anew.
    kept = {name: why for name, why in automatic.items() if not name.startswith(AT_THE_END)}
    return replace(plan, automatic={**kept, **plan.automatic})


def _launch(plan: Plan, run: Run, identity: str, how: How) -> Progress:
    machine = plan.config.machine
    precision = precision_of(machine)
    alone = machine.devices == 1
    fabric = Fabric(
        accelerator=device_of(machine),
        devices=machine.devices,
        # Processes are spawned, not made by running the command line anew: this may be called from anywhere. All but
        # the first wait while it validates, however long that takes.
        strategy="auto" if alone else DDPStrategy(start_method="spawn", timeout=LONGEST_WAIT),
        plugins=[precision],
        loggers=[TensorBoardLogger(run.path, "", "")] if find_spec("tensorboard") else [],
    )
    work = Work(plan, run, precision, identity, level())
    try:
        return fabric.launch(partial(work, watch=how.watch if alone else Watch()))
    except ProcessRaisedException as err:
        raise _raised_there(err) from err
    except ProcessExitedException as err:
        how_it_ended = err.signal_name or f"exit code {err.exit_code}"
        raise TrainingError(
            f"a process of this training was ended from outside ({how_it_ended}), as a system does that runs out of "
            "memory. Take a smaller batch (--batch), or let decoded pictures take less (--set machine.memory_gb=1); "
            "the same command continues from the last checkpoint."
        ) from err


def _raised_there(err: ProcessRaisedException) -> Exception:
    """The error of a process as if it had been raised here. Of it the traceback has come, as a text."""
    ours = list(re.finditer(r"^pixelwright\.errors\.(\w+): ", str(err), re.MULTILINE))
    if not ours:
        return err
    kind = OutputError if ours[-1][1] == "OutputError" else TrainingError
    return kind(str(err)[ours[-1].end() :].strip())


def write_preview(plan: Plan, path: Path) -> None:
    """A contact sheet of pictures to be learned from, each as it is and varied, with their truth.

    Raises:
        ImageError: A picture cannot be read, or the sheet not be written.
        DataError: A truth cannot be read.
    """
    policy, _ = policy_of(plan.config, plan.splits.train)
    write_image(preview(plan.splits.train, policy, usable=can_be_used, seed=plan.config.seed), path)


def _preview(plan: Plan, run: Run) -> None:
    if plan.problem.sequence or (run.path / PREVIEW).exists():
        return
    try:
        write_preview(plan, run.path / PREVIEW)
    except PixelwrightError as err:  # a picture that is lost; training says so and goes on, and so does this
        log.warning("no %s: %s", PREVIEW, err)


def _name(config: TrainConfig) -> str:
    """For the run's folder: of the data and the model."""
    return _plain(f"{Path(config.data.path).resolve().stem}-{config.model}") or "run"


def _plain(text: str) -> str:
    """A name of letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _tell(plan: Plan, run: Run) -> None:
    parts = [sample for name in PARTS for sample in getattr(plan.splits, name).samples]
    whole = plan.splits.train.only(sorted(parts, key=lambda sample: sample.id))
    for line in (*describe(whole), *plan.splits.remarks):
        log.info("%s", line)
    for fault in plan.splits.faults:
        log.warning("%s: %s", fault.where, fault.what)
    for name, reason in plan.automatic.items():
        log.info("%s = %s (%s)", name, value_of(plan.config, name), reason)
    for remark in policy_of(plan.config, plan.splits.train)[1]:
        log.info("%s", remark)
    log.info("run: %s", run.path)
