"""Parity: an export next to the network that it was made of, in every runtime at hand, on real pictures.

Exports are compared, never trusted: by their outputs, by the metric that chose the weights, and by their time.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pixelwright import registry
from pixelwright.errors import ParityError, RuntimeFailure
from pixelwright.interop.measure import TOLERANCES
from pixelwright.runtimes.protocol import Graph, Runtime
from pixelwright.runtimes.timing import run_times
from pixelwright.structures.spec import Parity
from pixelwright.verbs.train.scoring.observe import ONNX, TORCH, UNROUNDED, Observed, Where

log = logging.getLogger(__name__)

MOST_APART = 1e-4  # of the metric, in its own unit, between PyTorch and the reference runtime
# Outputs as near as this differ by the order of sums alone. A metric may jump nevertheless, where two scores are equal
# but for rounding: on 20 pictures, one of them is 0.05 of the accuracy.
ROUNDING = 1e-5


@dataclass(frozen=True, slots=True)
class Compared:
    """What came of it.

    Attributes:
        rows: For the bundle; differences are those to PyTorch.
        run_s: Seconds that the reference takes for one picture on one thread.
        remarks: What a user should know, a sentence each.
    """

    rows: tuple[Parity, ...]
    run_s: float
    remarks: tuple[str, ...]


def open_all(model: Path, threads: int) -> dict[Where, Graph]:
    """The model in the reference, and in every other runtime and precision that can be had here."""
    graphs: dict[Where, Graph] = {}
    for name, precision in TOLERANCES:
        where: Where = (name, precision)  # type: ignore[assignment]
        runtime: Runtime = registry.get("runtime", name)
        if reason := runtime.available(where[1]):
            log.info("%s %s is not compared: %s", *where, reason)
            continue
        try:
            graphs[where] = runtime.open(model, precision=where[1], threads=threads, device="cpu")
        except RuntimeFailure as err:
            if where == ONNX:
                raise
            log.warning("%s %s does not run it: %s", *where, err)
    return graphs


def compare(model: Path, observed: Observed, goal: str) -> Compared:
    """The rows of the parity record.

    Args:
        model: The export.
        observed: What PyTorch and the runtimes answered to the validation part, PyTorch first.
        goal: The metric that chose the weights.

    Raises:
        ParityError: The metric in the reference runtime is not that in PyTorch, and not for rounding, or the outputs
            differ by more than their tolerance; both numbers stand in the sentence.
    """
    trained = observed.metrics[TORCH][goal]
    timed = open_all(model, 1)
    seconds = run_times(timed, observed.feeds[:1]) if observed.feeds else {}
    rows: list[Parity] = []
    remarks: list[str] = []
    for where in observed.metrics:
        if where in (TORCH, UNROUNDED):
            continue
        apart, value = min(observed.differences[where], 1e12), observed.metrics[where][goal]
        delta = 0.0 if value == trained or (math.isnan(value) and math.isnan(trained)) else value - trained
        ratio = round(seconds[where] / seconds[ONNX], 3) if where in seconds else None
        row = Parity(*where, observed.n, apart, TOLERANCES[where], goal, _finite(delta), relative_time=ratio)
        rows.append(row)
        if not row.holds:
            said = f"{where[0]} {where[1]} differs from PyTorch by {apart:.2g} of the largest output"
            remarks.append(f"{said}, allowed {row.tolerance:.2g}: it is not used unless asked for.")
        if where == ONNX:
            remarks += _require(row, trained, value)
    remarks += _rounded(observed, goal)
    return Compared(tuple(rows), seconds.get(ONNX, math.nan), tuple(remarks))


def _finite(delta: float) -> float:
    return delta if math.isfinite(delta) else 1e12


def _require(row: Parity, trained: float, exported: float) -> list[str]:
    both = f"{row.metric} is {trained:.6g} in PyTorch and {exported:.6g} in ONNX Runtime"
    equal = (math.isnan(trained) and math.isnan(exported)) or abs(exported - trained) <= MOST_APART
    if equal and row.holds:
        return []
    if row.largest_difference <= ROUNDING:
        return [
            f"on {row.n} validation pictures {both}, although outputs differ by {row.largest_difference:.2g} of the "
            "largest alone: scores that are equal but for rounding have changed places."
        ]
    raise ParityError(
        f"the export is not the network that was trained: on {row.n} validation pictures {both} (allowed difference "
        f"{MOST_APART:g}); outputs differ by {row.largest_difference:.2g} of the largest (allowed {row.tolerance:g}). "
        "No bundle was written; the weights are in the run's checkpoints."
    )


def _rounded(observed: Observed, goal: str) -> list[str]:
    metrics: Mapping[str, float] | None = observed.metrics.get(UNROUNDED)
    if metrics is None:
        return []
    before, after = metrics[goal], observed.metrics[TORCH][goal]
    return [
        f"rounding the weights changed {goal} on the validation pictures from {before:.6g} to {after:.6g}, and the "
        f"outputs by {observed.differences[UNROUNDED]:.2g} of the largest."
    ]
