"""Keras models: trained by Keras, in a process of its own and on its own back end, within a run like any other."""

from __future__ import annotations

import io
import json
import logging
import math
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

import msgspec
import numpy as np
import numpy.typing as npt
import torch

from pixelwright.errors import OutputError, TrainingError
from pixelwright.interop.keras import backend
from pixelwright.interop.keras_fit import ANSWERS, ARRAYS, BEST, WEIGHTS, FitJob, Truth
from pixelwright.interop.pytorch_keras import Config, trained
from pixelwright.verbs.train.folder import KERAS, Run
from pixelwright.verbs.train.learning.feed import normalized
from pixelwright.verbs.train.learning.progress import Progress, Shown, Watch
from pixelwright.verbs.train.learning.source import encode
from pixelwright.verbs.train.machine import free_bytes, threads_of
from pixelwright.verbs.train.planning.plan import Plan
from pixelwright.verbs.train.samples.store import MEMORY_SHARE, Store
from pixelwright.verbs.train.scoring.validate import Validation

log = logging.getLogger(__name__)

COUNTED = ("epoch", "seconds", "best_epoch")  # of what an epoch came to
TOLD = 20  # lines of Keras that a failure shows


def fit(plan: Plan, run: Run, watch: Watch) -> Progress:
    """Train, or continue, and leave the best weights as a checkpoint of the run.

    Of the configuration count epochs, size of the batch, learning rate, seed, threads, and what is said of the data; a
    model that comes compiled keeps its own optimizer and loss. Keras chooses the best epoch, by its own numbers; what
    the weights are worth is measured by ours, in the units of the data.

    Raises:
        TrainingError: Keras fails, or the loss is not finite.
        ParityError: The model does not answer the same on PyTorch, from which it is exported.
        UsageError: The goal is no metric of the task.
        OutputError: The disk is full or not writable.
    """
    folder, threads = run.path / KERAS, threads_of(plan.config.machine)
    job = _job(plan)
    count = _write_arrays(plan, run, job.truth)
    steps = -(-count // job.batch_size)
    if rows := run.rows():
        watch.before = 60 * float(rows[-1]["minutes"])
    log.info("Keras trains on %s", backend())
    for last in _epochs(folder, job, threads):
        scores = {name: value for name, value in last.items() if name not in COUNTED}
        log.info("epoch %d  %s", last["epoch"], "  ".join(f"{name} {value:.4f}" for name, value in scores.items()))
        numbers = {"step": last["epoch"] * steps, "epoch": last["epoch"], "minutes": round(watch.seconds / 60, 3)}
        run.add_row(numbers | _columns(scores, job.truth))
        _show(watch, last, job, count)
        if not math.isfinite(last["loss"]):
            log.warning(
                "epoch %d: the loss is not finite, and Keras trains no further. The weights are those of epoch %d; for "
                "more, train with a lower learning rate", last["epoch"], last["best_epoch"],
            )  # fmt: skip
    net, difference = trained(cast(Config, plan.network), folder / WEIGHTS, folder / ANSWERS)
    log.info("on PyTorch it differs from Keras by %.2g of the largest output", difference)
    step = json.loads((folder / BEST).read_text())["epoch"] * steps
    measured = Validation(plan, budget_bytes=0, threads=threads)(net)
    best = io.BytesIO()
    torch.save({"net": net.state_dict(), "step": step, "scores": dict(measured), "data": run.data()}, best)
    run.write(str(run.best.relative_to(run.path)), best.getvalue())
    (folder / ARRAYS).unlink()
    taken = int(run.rows()[-1]["step"])
    return Progress(step=taken, seconds=watch.seconds, best=measured[plan.config.goal], best_step=step)


def forget(run: Run) -> None:
    """Have any epoch from now on be better than the best so far, which other data have chosen.

    Raises:
        OutputError: The disk is full or not writable.
    """
    record = run.path / KERAS / BEST
    if record.exists():
        run.write(f"{KERAS}/{BEST}", json.dumps({**json.loads(record.read_text()), "worth": -math.inf}).encode())


def _columns(scores: Mapping[str, float], truth: Truth) -> dict[str, float]:
    """Keras' numbers by names that ours do not have: what it calls accuracy is that of the training part."""
    columns = {
        name if name == "loss" or name.startswith("val_") else f"train_{name}": value for name, value in scores.items()
    }
    if truth == "exclusive" and "val_accuracy" in columns:  # the same as ours
        columns["accuracy"] = columns.pop("val_accuracy")
    return columns


def _job(plan: Plan) -> FitJob:
    config, network = plan.config, cast(Config, plan.network)
    truth: Truth = "values" if plan.problem.task == "regress" else "exclusive" if plan.problem.exclusive else "several"
    return FitJob(
        file=str(Path(network.file).resolve()),
        function=network.function,
        truth=truth,
        classes=network.classes,
        batch_size=config.batch.size or 1,
        epochs=max(round(config.budget.epochs or 1), 1),
        learning_rate=config.optimizer.learning_rate,
        seed=config.seed,
    )


def _write_arrays(plan: Plan, run: Run, truth: Truth) -> int:
    """The training and validation parts, for Keras; gives how many there are to learn from."""
    folder = run.path / KERAS
    arrays: dict[str, npt.NDArray[Any]] = {}
    for prefix, dataset in (("", plan.splits.train), ("validation_", plan.splits.validation)):
        store = Store(
            dataset.samples,
            partial(encode, plan),
            budget_bytes=int(free_bytes() * MEMORY_SHARE / 4),
            threads=threads_of(plan.config.machine),
            note=run.add_lost,
        )
        arrays[f"{prefix}x"], arrays[f"{prefix}y"] = _arrays(plan, store, truth)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(folder / ARRAYS, **arrays)  # pyright: ignore[reportArgumentType]
    except OSError as err:
        raise OutputError(f"{folder / ARRAYS}: cannot be written: {err.strerror or err}.") from err
    return len(arrays["x"])


def _arrays(plan: Plan, store: Store, truth: Truth) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    if store.beyond:
        raise TrainingError(
            f"{len(store)} pictures of {plan.problem.size_hw} do not fit into memory, and Keras gets them as one "
            "array. Take smaller ones (--size), or one of our own architectures."
        )
    examples = store.get(place for place in range(len(store)) if place not in store.lost)
    batch = plan.training().collate(examples, np.random.default_rng(0), plan.problem)
    pictures = normalized(batch.images, plan.spec.input).contiguous().numpy()
    known = batch.values if truth == "values" else batch.classes
    if known is None:
        raise TrainingError(f"{plan.problem.task}: the data have no truth that Keras could learn.")
    return pictures, known.argmax(dim=1).numpy() if truth == "exclusive" else known.numpy()


def _epochs(folder: Path, job: FitJob, threads: int) -> Iterator[dict[str, Any]]:
    """What each epoch came to, as Keras says it."""
    path, noise = folder / "job.json", folder / "keras.log"
    path.write_bytes(msgspec.json.encode(job))
    with noise.open("ab") as errors, _process(path, errors, threads) as process:
        for line in process.stdout or ():
            yield json.loads(line)
        if process.wait() != 0:
            said = noise.read_text(encoding="utf-8", errors="replace").splitlines()[-TOLD:]
            raise TrainingError(f"Keras failed (more in {noise}):\n" + "\n".join(said))


@contextmanager
def _process(job: Path, errors: Any, threads: int) -> Iterator[subprocess.Popen[bytes]]:
    # -P: a keras.py in the folder that one works in is not the library. It ends when its standard input does.
    command = [sys.executable, "-P", "-m", "pixelwright.interop.keras_fit", str(job)]
    pipe, environment = subprocess.PIPE, _environment(threads)
    with subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, stderr=errors) as process:
        try:
            yield process
        finally:  # whatever happens here, nothing trains on in the background
            process.kill()


def _environment(threads: int) -> Mapping[str, str]:
    limits = dict.fromkeys(("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"), str(threads))
    return {"TF_CPP_MIN_LOG_LEVEL": "2", **os.environ, **limits, "KERAS_BACKEND": backend()}


def _show(watch: Watch, last: Mapping[str, Any], job: FitJob, count: int) -> None:
    if watch.show is None:
        return
    done = last["epoch"] / job.epochs
    steps = last["epoch"] * -(-count // job.batch_size)
    rate = count * last["epoch"] / max(last["seconds"], 1e-9)
    left = last["seconds"] / done * (1 - done)
    watch.show(Shown(done, steps, watch.seconds, left, last.get("loss", float("nan")), rate, {}))
