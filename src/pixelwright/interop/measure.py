"""Runs a new model in the runtimes at hand and compares them; each runtime in a sandbox, as the model may crash it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec
import numpy as np

from pixelwright import registry
from pixelwright.errors import RuntimeFailure
from pixelwright.interop import sandbox
from pixelwright.runtimes.choose import REFERENCE
from pixelwright.runtimes.parity import CHOSEN, difference
from pixelwright.runtimes.probe import Case, read_probe, write_probe
from pixelwright.runtimes.protocol import Array, Graph, Runtime
from pixelwright.structures.spec import Parity, Precision, TensorSpec

JOB, TRIES = "pixelwright.interop.measure:answer", "pixelwright.interop.measure:tries"
MOST_RUNS, TIMING_SECONDS = 10, 0.5  # for the time of a run
MODEL, FEEDS, TRIED = "model.onnx", "feeds.npz", "tried.npz"

# Allowed differences, relative to the largest output. The reference itself: on another processor.
TOLERANCES: Mapping[tuple[str, str], float] = MappingProxyType(
    {(REFERENCE, "f32"): 1e-3, ("openvino", "f32"): 1e-3, ("openvino", "bf16"): 2e-2}
)
# Where a network rounds to 8 bits on the way, another order of sums moves a value by one step of 255, and the next
# layers move it on: ten steps. The processor matters too: without VNNI some sums of products saturate.
ROUNDED_TOLERANCE = 0.04
# Class numbers that a network has chosen itself: the difference of two numbers says nothing, the share of others does.
MOST_OTHERS = 0.02


@dataclass(frozen=True, slots=True)
class Tensors:
    """A network's inputs and outputs, as ONNX Runtime sees them."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Measurement:
    """What came of it.

    Attributes:
        cases: The inputs with the reference's answers.
        parity: A row for each runtime and precision that ran.
        notes: What did not run, or differs by too much.
    """

    cases: tuple[Case, ...]
    parity: tuple[Parity, ...]
    notes: tuple[str, ...]


def tensors_of(folder: Path, what: str) -> Tensors:
    """Inputs and outputs of `model.onnx` in the folder.

    Raises:
        RuntimeFailure: ONNX Runtime cannot open the model, or crashes.
    """
    answered = _apart(JOB, folder, {"runtime": REFERENCE, "precisions": []}, what)
    inputs, outputs = (tuple(msgspec.convert(answered[side], list[TensorSpec])) for side in ("inputs", "outputs"))
    return Tensors(inputs, outputs)


def measure(folder: Path, feeds: Sequence[Mapping[str, Array]], *, rounded: bool, what: str) -> Measurement:
    """ONNX Runtime as the reference, and every other runtime and precision of `TOLERANCES` that is installed.

    Args:
        folder: With `model.onnx`.
        feeds: Inputs by name, one entry a run.
        rounded: Whether the network rounds to integers on the way.
        what: The model, for sentences.

    Raises:
        RuntimeFailure: ONNX Runtime cannot run the model.
    """
    write_probe(folder / FEEDS, [Case(feed, {}) for feed in feeds])
    notes: list[str] = []
    found: dict[tuple[str, Precision], list[Case]] = {}
    seconds: dict[tuple[str, str], float] = {}
    for name in dict.fromkeys(runtime for runtime, _ in TOLERANCES):
        runtime: Runtime = registry.get("runtime", name)
        wanted = [p for r, p in TOLERANCES if r == name and runtime.available(p) is None]  # type: ignore[arg-type]
        if not wanted:
            continue
        try:
            answered = _apart(JOB, folder, {"runtime": name, "precisions": wanted}, what)
        except RuntimeFailure as err:
            if name == REFERENCE:
                raise
            answered = {"faults": {precision: str(err) for precision in wanted}}
        seconds |= {(name, precision): float(spent) for precision, spent in answered.get("seconds", {}).items()}
        for precision in wanted:
            if fault := answered["faults"].get(precision):
                notes.append(f"{name} {precision} does not run it: {fault}")
                continue
            found[name, precision] = read_probe(folder / f"{name}-{precision}.npz")  # type: ignore[index]
    reference = found[REFERENCE, "f32"]
    if any(
        not np.isfinite(array).all() for case in reference for array in case.outputs.values() if array.dtype.kind == "f"
    ):
        notes.append("Some answers to the probe are NaN or infinite, so no runtime can be compared on them.")
    rows = [
        msgspec.structs.replace(
            _row(where, reference, cases, rounded=rounded),
            relative_time=round(seconds[where] / seconds[REFERENCE, "f32"], 3),
        )
        for where, cases in found.items()
    ]
    notes += [f"{row.runtime} {row.precision} differs by {row.largest_difference:.2g}, allowed {row.tolerance:.2g}: "
              "it is not used unless asked for." for row in rows if not row.holds]  # fmt: skip
    cases = tuple(Case(feed, case.outputs) for feed, case in zip(feeds, reference, strict=True))
    return Measurement(cases, tuple(rows), tuple(notes))


def answers_to(folder: Path, feeds: Sequence[Mapping[str, Array]], what: str) -> list[dict[str, Array] | None]:
    """What ONNX Runtime makes of each of some inputs; None where it fails.

    Raises:
        RuntimeFailure: It cannot open `model.onnx` in the folder, or crashes.
    """
    write_probe(folder / FEEDS, [Case(feed, {}) for feed in feeds])
    good = _apart(TRIES, folder, {}, what)["good"]
    made = iter(read_probe(folder / TRIED) if any(good) else [])
    return [dict(next(made).outputs) if ok else None for ok in good]


def _apart(job: str, folder: Path, request: dict[str, Any], what: str) -> dict[str, Any]:
    limits = sandbox.Limits.of((folder / MODEL).stat().st_size)
    return sandbox.run(job, folder, request, what=what, limits=limits)


def _row(where: tuple[str, Precision], reference: Sequence[Case], cases: Sequence[Case], *, rounded: bool) -> Parity:
    pairs = [(wanted.outputs, got.outputs) for wanted, got in zip(reference, cases, strict=True)]
    largest = min(max(difference(wanted, got) for wanted, got in pairs), 1e12)
    tolerance = max(TOLERANCES[where], ROUNDED_TOLERANCE if rounded else 0.0)
    row = Parity(*where, sum(len(next(iter(case.inputs.values()))) for case in reference), largest, tolerance)
    shares = [
        difference({name: array}, got)
        for wanted, got in pairs
        for name, array in wanted.items()
        if array.dtype.name in CHOSEN
    ]
    if len(shares) == sum(len(wanted) for wanted, _ in pairs):  # nothing but class numbers
        return msgspec.structs.replace(row, tolerance=max(tolerance, MOST_OTHERS))
    return row


def answer(folder: Path, request: Mapping[str, Any]) -> dict[str, Any]:
    """The job: runs `model.onnx` on `feeds.npz` at each precision and writes `<runtime>-<precision>.npz`."""
    runtime: Runtime = registry.get("runtime", request["runtime"])
    faults: dict[str, str] = {}
    seconds: dict[str, float] = {}
    for precision in request["precisions"]:
        try:
            graph = runtime.open(folder / MODEL, precision=precision, threads=1, device="cpu")
            cases = [Case(case.inputs, graph.run(case.inputs)) for case in read_probe(folder / FEEDS)]
            seconds[precision] = _shortest_run(graph, cases[0].inputs)
        except RuntimeFailure as err:
            if request["runtime"] == REFERENCE:
                raise
            faults[precision] = str(err).replace(str(folder / MODEL), MODEL)
            continue
        write_probe(folder / f"{request['runtime']}-{precision}.npz", cases)
    graph = runtime.open(folder / MODEL, threads=1, device="cpu") if request["runtime"] == REFERENCE else None
    sides = {} if graph is None else {"inputs": graph.inputs, "outputs": graph.outputs}
    return {
        "faults": faults,
        "seconds": seconds,
        **{side: msgspec.to_builtins(list(tensors)) for side, tensors in sides.items()},
    }


def _shortest_run(graph: Graph, feeds: Mapping[str, Array]) -> float:
    """Seconds of the fastest of some runs: what disturbs a run only makes it longer."""
    spent: list[float] = []
    while len(spent) < MOST_RUNS and sum(spent) < TIMING_SECONDS:
        began = time.perf_counter()
        graph.run(feeds)
        spent.append(time.perf_counter() - began)
    return max(min(spent), 1e-9)


def tries(folder: Path, request: Mapping[str, Any]) -> dict[str, Any]:
    """The job: runs `model.onnx` on each case of `feeds.npz` as far as it can, and writes `tried.npz`."""
    del request
    runtime: Runtime = registry.get("runtime", REFERENCE)
    graph = runtime.open(folder / MODEL, threads=1, device="cpu")
    good, made = [], []
    for case in read_probe(folder / FEEDS):
        try:
            made.append(Case(case.inputs, graph.run(case.inputs)))
            good.append(True)
        except RuntimeFailure:
            good.append(False)
    write_probe(folder / TRIED, made)
    return {"good": good}
