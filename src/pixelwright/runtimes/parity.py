"""Whether a runtime, here and now, gives the answers that the bundle's maker got from the reference."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from pixelwright import registry
from pixelwright.bundle import ModelBundle
from pixelwright.errors import BundleError, DamagedModel, ParityError, PixelwrightError, RuntimeFailure
from pixelwright.runtimes.choose import REFERENCE
from pixelwright.runtimes.probe import Case, read_probe
from pixelwright.runtimes.protocol import Array, Runtime
from pixelwright.structures.spec import Parity, Precision

PROBE = "probe"
# What the reference may differ by from its own stored answers where the record does not say: it has run on another
# processor, perhaps a GPU.
REFERENCE_TOLERANCE = 1e-3


CHOSEN = ("int32", "int64")  # what networks write the numbers of classes in that they have chosen themselves


@dataclass(frozen=True, slots=True)
class ParityCheck:
    """A runtime and precision compared with the stored answers.

    Attributes:
        runtime: Registry name.
        precision: In which arithmetic.
        tolerance: What the bundle's record allows.
        n: How many stored inputs were run; 0 where it was not tried.
        largest_difference: Relative to the reference's largest value; infinite where there is none or NaN came out.
        skipped: Why it was not tried here, or None.
        fault: Why it gave no answer although it was tried, or None.
    """

    runtime: str
    precision: Precision
    tolerance: float
    n: int = 0
    largest_difference: float = math.inf
    skipped: str | None = None
    fault: str | None = None

    @property
    def holds(self) -> bool:
        """Whether it was tried and is within the tolerance."""
        return self.skipped is None and self.largest_difference <= self.tolerance

    @property
    def verdict(self) -> str:
        """The outcome in words."""
        if self.skipped or self.fault:
            return self.skipped or f"fails: {self.fault}"
        return f"differs by {self.largest_difference:.2g}, allowed {self.tolerance:.2g}"


def difference(reference: Mapping[str, Array], outputs: Mapping[str, Array]) -> float:
    """The largest absolute difference of any output, relative to the largest absolute value of its reference.

    Of class numbers (int32, int64) it is the share of those that differ: how far apart two of them are says nothing.

    Infinite where an output is missing, of another shape, or differs by something that is no number.
    """
    return max((_difference(array, outputs.get(name)) for name, array in reference.items()), default=math.inf)


def _difference(reference: Array, output: Array | None) -> float:
    if output is None or output.shape != reference.shape:
        return math.inf
    if not reference.size:
        return 0.0
    if reference.dtype.name in CHOSEN and output.dtype == reference.dtype:
        return float(np.count_nonzero(reference != output)) / reference.size
    expected = reference.astype(np.float64)
    with np.errstate(invalid="ignore"):  # infinity less infinity is no number, which the next lines catch
        apart = float(np.abs(expected - output.astype(np.float64)).max())
    scale = float(np.abs(expected).max())
    if not math.isfinite(apart) or not math.isfinite(scale):
        return math.inf
    return apart / scale if scale else (math.inf if apart else 0.0)


def verify(bundle: ModelBundle, *, device: str = "auto", threads: int = 0) -> list[ParityCheck]:
    """The reference, and each runtime and precision that the parity record vouches for, run here on the stored inputs.

    Raises:
        BundleError: The stored inputs cannot be read.
    """
    rows = bundle.spec.parity
    if not any(row.runtime == REFERENCE and row.precision == "f32" for row in rows):
        rows = [Parity(REFERENCE, "f32", 1, 0.0, REFERENCE_TOLERANCE), *rows]
    if not any(artifact.role.startswith(PROBE) for artifact in bundle.spec.artifacts):
        reason = "the bundle stores no inputs to compare on"
        return [ParityCheck(row.runtime, row.precision, row.tolerance, skipped=reason) for row in rows]
    probes = {role: _probe(bundle, role) for role in bundle.spec.graphs}
    return [_check(bundle, probes, row, device, threads) for row in rows]


def require_parity(name: str, checks: Iterable[ParityCheck]) -> None:
    """Nothing, if every check that was tried holds.

    Raises:
        ParityError: Naming every one that does not.
    """
    failed = [check for check in checks if check.skipped is None and not check.holds]
    if failed:
        said = "; ".join(f"{check.runtime} {check.precision} {check.verdict}" for check in failed)
        raise ParityError(f"model {name}: {said}. Use another runtime (--runtime) or precision (--precision).")


def _probe(bundle: ModelBundle, role: str) -> list[Case]:
    """The stored cases of a graph: role `probe` where there is one graph, else `probe-<role>`."""
    probe = PROBE if len(bundle.spec.graphs) == 1 else f"{PROBE}-{role}"
    try:
        return read_probe(bundle.file(probe))
    except DamagedModel as err:
        raise BundleError(bundle.path, str(err)) from err


def _check(
    bundle: ModelBundle, probes: Mapping[str, list[Case]], row: Parity, device: str, threads: int
) -> ParityCheck:
    if reason := _why_not(row):
        return ParityCheck(row.runtime, row.precision, row.tolerance, skipped=reason)
    runtime: Runtime = registry.get("runtime", row.runtime)
    where = device if row.runtime == REFERENCE else "auto"  # a GPU is the reference's business
    try:
        largest = max(
            difference(case.outputs, graph.run(case.inputs))
            for role, cases in probes.items()
            for graph in (runtime.open(bundle.file(role), precision=row.precision, threads=threads, device=where),)
            for case in cases
        )
    except RuntimeFailure as err:
        return ParityCheck(row.runtime, row.precision, row.tolerance, fault=str(err))
    return ParityCheck(row.runtime, row.precision, row.tolerance, sum(map(len, probes.values())), largest)


def _why_not(row: Parity) -> str | None:
    if not row.holds and row.runtime != REFERENCE:  # known when the bundle was made; it is not chosen by itself
        return f"differed by {row.largest_difference:.2g} when the bundle was made, and is not vouched for"
    try:
        runtime: Runtime = registry.get("runtime", row.runtime)
    except PixelwrightError as err:
        return str(err)
    return runtime.available(row.precision)
