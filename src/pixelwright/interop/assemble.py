"""A bundle of an imported network and its draft: filled in, measured, compared with its own executor, and tried."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from pixelwright import registry
from pixelwright.bundle import ModelBundle, write_bundle
from pixelwright.bundle.faults import spec_faults
from pixelwright.errors import BundleError, ParityError, PixelwrightError
from pixelwright.interop.imported import Imported
from pixelwright.interop.labels import needs_labels
from pixelwright.interop.measure import MODEL, Tensors, measure, tensors_of
from pixelwright.interop.normalization import normalized
from pixelwright.interop.probe_picture import prepared
from pixelwright.ops.decoders.decoder import Decoder
from pixelwright.runtimes.probe import Case, write_probe
from pixelwright.structures.draft import Draft, Reference
from pixelwright.structures.spec import (
    SCHEMA_ID,
    Artifact,
    BundleSpec,
    FileSpec,
    GraphSpec,
    InputSpec,
    OutputSpec,
    Provenance,
)

AnyPath = str | PathLike[str]

PROBES = 2
PROBE_BYTES = 32 << 20  # of all arrays; beyond it one case has to do


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """All that a bundle is made of.

    Attributes:
        imported: The network.
        draft: Its contract.
        name: Of the bundle.
        provenance: Where the network comes from.
        labels: Of a file beside the model; they count where the draft has none, and before the model's own.
        reference: What the model's own executor made of the probe picture.
    """

    imported: Imported
    draft: Draft
    name: str
    provenance: Provenance
    labels: tuple[str, ...] = ()
    reference: Reference | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Built:
    """A bundle, and what is to be known of its making, a sentence each."""

    bundle: ModelBundle
    notes: tuple[str, ...]


def build(
    plan: Plan, target: AnyPath, *, accept: Callable[[ModelBundle], None] | None = None, replace: bool = False
) -> Built:
    """The bundle written, after everything that can be checked was.

    Args:
        plan: What it is made of.
        target: Its folder.
        accept: The last word, on the finished bundle before it gets its place: it raises where something is wrong.
        replace: Whether a bundle that stands there may be replaced.

    Raises:
        BundleError: The contract does not fit the network; all faults are named.
        ParityError: The network does not answer as its own executor did.
        RuntimeFailure: ONNX Runtime cannot run it.
    """
    from pixelwright.interop import onnx_graph  # needs the package onnx, which is an extra

    where, model = Path(target), plan.imported.model
    with tempfile.TemporaryDirectory(prefix="pixelwright-") as place:
        folder = Path(place)
        (folder / "model.onnx").write_bytes(model.SerializeToString(deterministic=True))
        tensors = tensors_of(folder, plan.name)
        notes: list[str] = []
        draft = _completed(plan, notes)
        _check(where, plan, draft, tensors)
        feeds = [{tensors.inputs[0].name: prepared(draft.input, variant)} for variant in range(PROBES)]
        measured = measure(folder, feeds, rounded=onnx_graph.has_quantized_steps(model), what=plan.name)
        if plan.reference is not None:
            _compare(plan.name, plan.reference, measured.cases[0])
        spec = msgspec.structs.replace(_contract(plan, draft, tensors), parity=list(measured.parity))
        write_probe(folder / "probe.npz", _kept(measured.cases))
        files = {"model": folder / "model.onnx", "probe": folder / "probe.npz"}
        with _spoken_of(folder / "bundle", where):
            made = write_bundle(folder / "bundle", spec, files)
            _decode(made, measured.cases[0])
            if accept is not None:
                accept(made)
        bundle = write_bundle(where, spec, files, replace=replace)
    return Built(bundle, (*notes, *measured.notes))


@contextmanager
def _spoken_of(aside: Path, target: Path) -> Iterator[None]:
    """Errors about the folder aside speak of the one that was asked for."""
    try:
        yield
    except PixelwrightError as err:
        if str(aside) not in str(err):
            raise
        said = str(err).replace(str(aside), str(target)).removeprefix(f"bundle {target}: ")
        raise BundleError(target, said) from err


def _check(where: Path, plan: Plan, draft: Draft, tensors: Tensors) -> None:
    """Nothing, if the contract fits the network.

    Raises:
        BundleError: It does not; every fault is named.
    """
    files = [FileSpec(MODEL, 0, "0" * 64)]  # what the finished bundle will have, as far as faults are looked for
    spec = msgspec.structs.replace(_contract(plan, draft, tensors), artifacts=[Artifact("model", "onnx", files)])
    faults = [fault for fault in spec_faults(spec) if not fault.startswith("output.labels")]
    faults += _label_faults(plan, draft.output, tensors)
    faults += _input_faults(draft.input, tensors)
    if faults:
        raise BundleError(where, f"not made: {'; '.join(faults)}.")


def _input_faults(spec: InputSpec, tensors: Tensors) -> list[str]:
    """What is wrong with the network's input, beside what the contract's own check finds."""
    entry = tensors.inputs[0]
    if len(tensors.inputs) != 1:
        names = [tensor.name for tensor in tensors.inputs]
        return [f"the network has {len(names)} inputs ({names}), and expected is one, a picture; export it with one"]
    if len(entry.dims) != 4:
        return []
    faults = []
    if isinstance(entry.dims[0], int) and entry.dims[0] != 1:
        faults.append(f"the network takes exactly {entry.dims[0]} pictures at a time; export it for one or any number")
    sides = [dim for axis, dim in zip(spec.layout, entry.dims, strict=True) if axis in "HW" and isinstance(dim, int)]
    if sides and spec.resize is None and spec.crop_hw is None:
        faults.append(f"input.resize: the network takes one size ({sides}); state it")
    return faults


def _completed(plan: Plan, notes: list[str]) -> Draft:
    """The draft with normalization and labels from wherever they are."""
    labels = _labels(plan)[1]
    return msgspec.structs.replace(
        plan.draft,
        input=normalized(plan.draft.input, plan.imported, notes),
        output=msgspec.structs.replace(plan.draft.output, labels=list(labels)),
    )


def _labels(plan: Plan) -> tuple[str, tuple[str, ...]]:
    """The labels, and whose they are; none where the decoder makes nothing that has a label."""
    sources = (
        ("the contract", tuple(plan.draft.output.labels)),
        ("the label file", plan.labels),
        ("the model's metadata", plan.imported.labels),
    )
    if not needs_labels(plan.draft.output.decoder):
        sources = sources[:1]
    return next(((source, labels) for source, labels in sources if labels), ("nothing", ()))


def _label_faults(plan: Plan, output: OutputSpec, tensors: Tensors) -> list[str]:
    if not needs_labels(output.decoder):
        return []
    decoder: Decoder = registry.get("decoder", output.decoder)
    classes = decoder.class_count({tensor.name: tensor for tensor in tensors.outputs}, output.parameters)
    source, labels = _labels(plan)
    if not labels:
        known = "" if classes is None else f" for the network's {classes} classes"
        return [f"output.labels: there are none{known}; give a file with a label a line (--labels)"]
    if classes is None or len(labels) == classes:
        return []
    return [
        f"output.labels: {source} has {len(labels)}, from {labels[0]!r} to {labels[-1]!r}, and the network has "
        f"{classes} classes; give one for each"
    ]


def _compare(name: str, reference: Reference, case: Case) -> None:
    """Nothing, if the network answers as its own executor did.

    Raises:
        ParityError: It does not; both values stand in the sentence.
    """
    for output, values in reference.values.items():
        if output not in case.outputs:
            raise ParityError(f"model {name}: has no output {output!r}; there are {sorted(case.outputs)}.")
        got, expected = evenly(case.outputs[output], len(values)), np.asarray(values, np.float64)
        largest = np.abs(np.concatenate([expected, case.outputs[output].reshape(-1).astype(np.float64)])).max()
        apart = np.nan_to_num(np.abs(got - expected), nan=np.inf) / max(float(largest), 1e-30)
        worst = int(apart.argmax())
        if apart[worst] > reference.tolerance:
            raise ParityError(
                f"model {name}: value {worst} of output {output!r} is {got[worst]:.6g}, and {reference.executor} made "
                f"{expected[worst]:.6g}: {apart[worst]:.2g} of the largest value apart, allowed "
                f"{reference.tolerance:.2g}. Do not use this conversion; report it."
            )


def evenly(array: Any, count: int) -> Any:
    """So many values of an array, evenly spaced over all of it, the first and the last among them."""
    flat = np.asarray(array, np.float64).reshape(-1)
    return flat[np.linspace(0, flat.size - 1, count).astype(np.int64)]


def _contract(plan: Plan, draft: Draft, tensors: Tensors) -> BundleSpec:
    entry, *others = tensors.inputs
    inputs = [msgspec.structs.replace(entry, layout=draft.input.layout), *others]
    return BundleSpec(
        schema=SCHEMA_ID,
        name=plan.name,
        version=draft.version,
        task=draft.task,
        architecture=draft.architecture,
        summary=draft.summary,
        artifacts=[],
        graphs={"model": GraphSpec(inputs, list(tensors.outputs))},
        input=draft.input,
        output=draft.output,
        license=draft.license,
        provenance=plan.provenance,
        tiling=draft.tiling,
        decision=draft.decision,
        measured=draft.measured,
    )


def _decode(bundle: ModelBundle, case: Case) -> None:
    """Nothing, if the decoder makes sense of the answers."""
    spec = bundle.spec
    decoder: Decoder = registry.get("decoder", spec.output.decoder)
    (feed,) = case.inputs.values()
    rows = spec.input.layout.index("H")
    moment = {"temperature": spec.decision.temperature, "input_hw": feed.shape[rows : rows + 2], "threshold": 0.0}
    try:
        decoder.run(case.outputs, spec.output.parameters, **moment, grids=None)
    except (PixelwrightError, ValueError, IndexError) as err:  # arrays of shapes that it does not look at
        raise BundleError(bundle.path, f"the decoder {decoder.name!r} cannot read the answers: {err}") from err


def _kept(cases: tuple[Case, ...]) -> tuple[Case, ...]:
    size = sum(array.nbytes for case in cases for side in (case.inputs, case.outputs) for array in side.values())
    return cases if size <= PROBE_BYTES else cases[:1]
