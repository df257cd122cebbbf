"""Numbers for a bundle: parity of the runtimes, bootstrap intervals, fingerprints of data."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from package_plan import Plan
from pixelwright import registry
from pixelwright.errors import ParityError
from pixelwright.runtimes.choose import REFERENCE
from pixelwright.runtimes.parity import difference
from pixelwright.runtimes.timing import run_times
from pixelwright.structures import spec as s

SEED = 0
RESAMPLES = 4000
TIMING_SECONDS = 20.0


@dataclass(frozen=True)
class Limits:
    """What is allowed: differences relative to the largest output, by precision; bytes of the probe."""

    reference: float = 1e-4  # the reference itself on another processor
    f32: float = 1e-3  # one runtime against another (tests/tolerance.py)
    bf16: float = 2e-2  # 8 bits of significand: 4e-3 an operation, grown through the layers (DEPENDENCIES.md: 1e-2)
    probe_bytes: int = 100_000


LIMITS = Limits()
CANDIDATES: tuple[tuple[str, s.Precision, float], ...] = (
    ("onnxruntime", "f32", LIMITS.reference),
    ("openvino", "f32", LIMITS.f32),
    ("openvino", "bf16", LIMITS.bf16),
)


def measure_parity(model: Path, plan: Plan) -> list[s.Parity]:
    """Each runtime and precision against ONNX Runtime in f32, on the plan's real inputs; timed on the first."""
    rows = []
    reference: list[dict[str, Any]] = []
    graphs = {
        (name, precision): registry.get("runtime", name).open(model, precision=precision, threads=1)
        for name, precision, _ in CANDIDATES
    }
    seconds = run_times(graphs, [{"image": plan.real[0][:1]}], seconds=TIMING_SECONDS)
    for name, precision, tolerance in CANDIDATES:
        graph = graphs[name, precision]
        outputs = [graph.run({"image": image}) for image in plan.real]
        reference = reference or outputs
        largest = max(difference(wanted, got) for wanted, got in zip(reference, outputs, strict=True))
        before, after = (plan.metric([next(iter(o.values())) for o in side]) for side in (reference, outputs))
        row = s.Parity(
            name,
            precision,
            sum(map(len, plan.real)),
            largest,
            tolerance,
            plan.metric_name,
            after - before,
            round(seconds[name, precision] / seconds[REFERENCE, "f32"], 3),
        )
        if precision == "f32" and not row.holds:
            raise ParityError(f"{name} f32 differs by {largest:.2g}, allowed {tolerance:.2g}. Do not ship this model.")
        rows.append(row)
    return rows


def interval(values: Sequence[float]) -> tuple[float, float]:
    """The 95 % percentile bootstrap interval of the mean over images."""
    rng = np.random.default_rng(SEED)
    array = np.asarray(values, np.float64)
    means = [array[rng.integers(len(array), size=len(array))].mean() for _ in range(RESAMPLES)]
    low, high = np.percentile(means, (2.5, 97.5))
    return round(float(low), 6), round(float(high), 6)


def fingerprint(contents: Iterable[bytes]) -> str:
    """The SHA-256 of the sorted SHA-256 digests of the files, one a line."""
    digests = sorted(hashlib.sha256(content).hexdigest() for content in contents)
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def measured(
    scores: Mapping[str, Any], key: str, *, metric: str, definition: str, data: s.Data, condition: str
) -> s.Measured:
    """A row of the score file, `scores["per_image"][key]`, with its interval."""
    values = list(scores["per_image"][key].values())
    return s.Measured(
        metric=metric,
        definition=definition,
        value=round(float(np.mean(values)), 6),
        n=len(values),
        data=data,
        runtime="onnxruntime",
        date=scores["date"][:10],
        ci95=interval(values),
        condition=condition,
    )
