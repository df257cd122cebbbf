"""How much of a training step is the network's: `python benchmarks/bench_train_step.py --data DIR [--seconds 20]`.

The time that forward, backward and optimizer take by themselves, on batches that lie ready, is compared with the time
of whole steps, in which batches are collated and varied by the thread that works ahead. Prints a JSON line.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import torch
from lightning_fabric import Fabric

from pixelwright.contract import LossOptions
from pixelwright.models.batch import Batch
from pixelwright.verbs.train import read_config, resolve
from pixelwright.verbs.train.learning.feed import Order
from pixelwright.verbs.train.learning.learner import Learner
from pixelwright.verbs.train.learning.source import Source, encode
from pixelwright.verbs.train.machine import free_bytes, keep_freed_memory, precision_of
from pixelwright.verbs.train.planning.plan import Plan
from pixelwright.verbs.train.planning.variation import policy_of
from pixelwright.verbs.train.samples.store import Store
from report import report, spread

WARM_UP = 5
ROUNDS = 8


def step_times(step: Callable[[int], object], seconds: float) -> list[float]:
    """Seconds of each step for as long as given; the first ones, in which kernels are chosen, are left out."""
    times: list[float] = []
    for number in range(WARM_UP):
        step(number)
    end = time.perf_counter() + seconds
    number = WARM_UP
    while time.perf_counter() < end or len(times) < 3:
        begin = time.perf_counter()
        step(number)
        times.append(time.perf_counter() - begin)
        number += 1
    return times


def measure(plan: Plan, samples: int, seconds: float) -> None:
    """Print the share of a plan's steps that is the network's."""
    device = "cuda" if plan.config.machine.accelerator != "cpu" and torch.cuda.is_available() else "cpu"
    precision = precision_of(plan.config.machine)
    fabric = Fabric(accelerator=device, devices=1, plugins=[precision])
    learner = Learner(fabric, plan, precision, LossOptions(plan.config.loss.name))
    chosen = plan.splits.train.samples[:samples]
    store = Store(chosen, partial(encode, plan), budget_bytes=free_bytes() // 2, threads=2)
    order = Order(len(store), plan.config.batch.size or 1, 0)
    policy, _ = policy_of(plan.config, plan.splits.train)
    source = Source(store, order, plan.training(), plan.problem, policy, fabric.device)
    network: list[float] = []
    whole: list[float] = []
    with source.ahead(0) as take:
        ready: list[Batch] = [take(step) for step in range(4)]
        count = 0

        def one() -> object:
            nonlocal count
            count += 1
            return learner.step(take(count + len(ready) - 1), 0.5)

        for _ in range(ROUNDS):  # in turns: a machine is not equally fast all the time
            network += step_times(lambda step: learner.step(ready[step % len(ready)], 0.5), seconds / ROUNDS)
            whole += step_times(lambda _: one(), seconds / ROUNDS)
    report(
        "train_step",
        task=plan.config.task,
        model=plan.config.model,
        augment=plan.config.augment.preset,
        size_hw=plan.problem.size_hw,
        batch=plan.config.batch.size,
        device=device,
        precision=plan.config.machine.precision,
        threads=torch.get_num_threads(),
        network_s=spread(network),
        whole_s=spread(whole),
        network_share=round(median(network) / median(whole), 4),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--task", default="classify")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--recipe", type=Path)
    parser.add_argument("--model", default="")
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    keep_freed_memory()
    changes = {"data.path": str(given.data), "machine.threads": given.threads}
    changes |= {"model": given.model} if given.model else {}
    measure(resolve(read_config(given.task, given.recipe, changes)), given.samples, given.seconds)


if __name__ == "__main__":
    main()
