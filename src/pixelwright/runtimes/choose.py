"""Open a bundle's graphs in the runtime that suits: asked for, or vouched for by the bundle's parity record."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import cast, get_args

from pixelwright import registry
from pixelwright.bundle import ModelBundle
from pixelwright.errors import BundleError, RuntimeFailure, UsageError
from pixelwright.runtimes.fixed_batch import any_batch
from pixelwright.runtimes.onnx import has_cuda
from pixelwright.runtimes.protocol import Graph, Runtime, shape_text
from pixelwright.structures.spec import Precision, TensorSpec

log = logging.getLogger(__name__)

REFERENCE = "onnxruntime"
CANDIDATES = (REFERENCE, "openvino")  # that `auto` chooses from
# What is hardly faster, and perhaps only by chance of a timing, is not taken before the reference; nor is what nobody
# has timed.
WORTH_LEAVING = 0.9


def open_graphs(
    bundle: ModelBundle, runtime: Runtime, precision: Precision, *, threads: int = 0, device: str = "auto"
) -> Mapping[str, Graph]:
    """The bundle's graphs by role, opened, and checked to be what its contract says; they take any batch.

    Args:
        bundle: A bundle as read.
        runtime: As `choose` found it.
        precision: The same.
        threads: Cores that one run uses; 0 for all.
        device: `auto`, `cpu`, `cuda` or `cuda:N`.

    Raises:
        RuntimeFailure: The runtime, precision or device cannot be used here.
        BundleError: A graph is not what the contract says.
    """
    graphs = {}
    for role in bundle.spec.graphs:
        graph = runtime.open(bundle.file(role), precision=precision, threads=threads, device=device)
        _check(bundle, role, graph)
        graphs[role] = any_batch(graph)
    return MappingProxyType(graphs)


def choose(
    bundle: ModelBundle, *, runtime: str = "auto", precision: str = "auto", device: str = "auto"
) -> tuple[Runtime, Precision]:
    """The runtime and precision to run a bundle with; warns where its parity record does not vouch for them.

    Args:
        bundle: A bundle as read.
        runtime: A registry name. `auto`: of those that are installed and that the parity record vouches for, the one
            with the shortest time in that record, if it is clearly shorter than ONNX Runtime's; else ONNX Runtime.
        precision: `auto` is f32; another one is used only if asked for.
        device: `auto`, `cpu`, `cuda` or `cuda:N`.

    Raises:
        UsageError: There is no such precision.
        UnknownName: There is no such runtime.
        RuntimeFailure: The runtime does not have the precision, or is not installed; the message says how to.
    """
    if precision != "auto" and precision not in get_args(Precision):
        raise UsageError(f"precision {precision!r} is not known. Use auto, {', '.join(get_args(Precision))}.")
    exact = cast(Precision, "f32" if precision == "auto" else precision)
    chosen = _automatic(bundle, exact, device) if runtime == "auto" else registry.get("runtime", runtime)
    if reason := chosen.available(exact):
        raise RuntimeFailure(f"{reason}.")
    is_reference = chosen.name == REFERENCE and exact == "f32"
    if not is_reference and not bundle.spec.allows(chosen.name, exact):
        log.warning(
            "%s: its parity record does not vouch for %s at %s; results may differ. Check: pixelwright models verify",
            bundle.spec.name,
            chosen.name,
            exact,
        )
    return chosen, exact


def _automatic(bundle: ModelBundle, precision: Precision, device: str) -> Runtime:
    reference: Runtime = registry.get("runtime", REFERENCE)
    if device.startswith("cuda") or (device == "auto" and precision == "f32" and has_cuda()):
        return reference
    able = [found for name in CANDIDATES if precision in (found := registry.get("runtime", name)).precisions]
    usable = [found for found in able if found.available(precision) is None]
    exact = precision == "f32"  # at which nobody needs to vouch for the reference
    vouched = [f for f in usable if (exact and f is reference) or bundle.spec.allows(f.name, precision)]
    if vouched:
        stated = {row.runtime: row.relative_time for row in bundle.spec.parity if row.precision == precision}
        times = {found.name: stated.get(found.name) or math.inf for found in vouched} | {REFERENCE: WORTH_LEAVING}
        return min(vouched, key=lambda found: times[found.name])
    # Nothing vouched for: at f32 the reference; else the one that can do what was asked, or says what it needs.
    return reference if reference in usable else (usable or able or [reference])[0]


def _check(bundle: ModelBundle, role: str, graph: Graph) -> None:
    stated = bundle.spec.graphs[role]
    faults = [
        *_tensor_faults("input", stated.inputs, graph.inputs),
        *_tensor_faults("output", stated.outputs, graph.outputs),
    ]
    if faults:
        raise BundleError(bundle.path, f"graph {role!r} is not what the contract says: {'; '.join(faults)}.")


def _tensor_faults(side: str, stated: list[TensorSpec], real: tuple[TensorSpec, ...]) -> list[str]:
    found = {tensor.name: tensor for tensor in real}
    names = [tensor.name for tensor in stated]
    if sorted(names) != sorted(found):
        return [f"{side}s are {sorted(found)}, stated {sorted(names)}"]
    faults = []
    for tensor in stated:
        other = found[tensor.name]
        if tensor.dtype != other.dtype:
            faults.append(f"{side} {tensor.name!r} is {other.dtype}, stated {tensor.dtype}")
        if not _agree(tensor, other):
            faults.append(f"{side} {tensor.name!r} is {shape_text(other)}, stated {shape_text(tensor)}")
    return faults


def _agree(stated: TensorSpec, real: TensorSpec) -> bool:
    return len(stated.dims) == len(real.dims) and all(
        isinstance(left, str) or isinstance(right, str) or left == right
        for left, right in zip(stated.dims, real.dims, strict=True)
    )
