"""A bundle of an imported network and its draft: filled in, measured, compared with its own executor, and tried."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from pixelwright import registry
from pixelwright.bundle import ModelBundle, write_bundle
from pixelwright.errors import BundleError, ParityError, PixelwrightError, UsageError
from pixelwright.interop import onnx_graph
from pixelwright.interop.imported import Imported
from pixelwright.interop.measure import Measurement, measure, tensors_of
from pixelwright.interop.probe_picture import prepared
from pixelwright.ops.decoders.decoder import Decoder
from pixelwright.runtimes.probe import Case, write_probe
from pixelwright.structures.draft import Draft, Reference
from pixelwright.structures.spec import (
    SCHEMA_ID,
    BundleSpec,
    GraphSpec,
    InputSpec,
    OutputSpec,
    Provenance,
    TensorSpec,
)

AnyPath = str | PathLike[str]

PROBES = 2
PROBE_BYTES = 32 << 20  # of all arrays; beyond it one case has to do
CHANNELS = {"rgb": 3, "bgr": 3, "gray": 1}
NEEDS_LABELS = frozenset({"scores", "candidates", "labels"})  # of what decoders make


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
        UsageError: The labels are not as many as the classes.
        ParityError: The network does not answer as its own executor did.
        RuntimeFailure: ONNX Runtime cannot run it.
    """
    where, model = Path(target), plan.imported.model
    with tempfile.TemporaryDirectory(prefix="pixelwright-") as place:
        folder = Path(place)
        (folder / "model.onnx").write_bytes(model.SerializeToString(deterministic=True))
        inputs, outputs = tensors_of(folder, plan.name)
        notes: list[str] = []
        draft = _completed(plan, {tensor.name: tensor for tensor in outputs}, notes)
        feeds = [{_entry(where, inputs).name: prepared(draft.input, variant)} for variant in range(PROBES)]
        _check_feed(where, inputs[0], feeds[0][inputs[0].name], draft.input)
        measured = measure(folder, feeds, rounded=onnx_graph.has_quantized_steps(model), what=plan.name)
        if plan.reference is not None:
            _compare(plan.name, plan.reference, measured.cases[0])
        spec = _contract(plan, draft, measured)
        write_probe(folder / "probe.npz", _kept(measured.cases))
        files = {"model": folder / "model.onnx", "probe": folder / "probe.npz"}
        with _spoken_of(folder / "bundle", where):
            made = write_bundle(folder / "bundle", spec, files)
            _decode(made, measured.cases[0])
            if accept is not None:
                accept(made)
        bundle = write_bundle(where, spec, files, replace=replace)
    return Built(bundle, (*notes, *measured.notes))


def assemble(  # noqa: PLR0913 - what `Plan` holds, one by one, for callers that need no notes
    imported: Imported,
    draft: Draft,
    target: AnyPath,
    *,
    name: str,
    provenance: Provenance,
    labels: tuple[str, ...] = (),
    reference: Reference | None = None,
    replace: bool = False,
) -> ModelBundle:
    """Like `build`, for callers that need the bundle alone."""
    return build(Plan(imported, draft, name, provenance, labels, reference), target, replace=replace).bundle


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


def _entry(where: Path, inputs: tuple[TensorSpec, ...]) -> TensorSpec:
    if len(inputs) != 1:
        names = [tensor.name for tensor in inputs]
        raise BundleError(where, f"the network has {len(inputs)} inputs ({names}); expected one, a picture.")
    return inputs[0]


def _check_feed(where: Path, entry: TensorSpec, feed: Any, spec: InputSpec) -> None:
    """Nothing, if the prepared picture fits the network's input."""
    dims = entry.dims
    fits = len(dims) == 4 and all(
        isinstance(dim, str) or not axis or dim == size
        for axis, (dim, size) in enumerate(zip(dims, feed.shape, strict=True))
    )
    if not fits or feed.dtype != entry.dtype:
        raise BundleError(
            where,
            f"the network's input {entry.name!r} takes {entry.dtype} {tuple(dims)}, and the contract makes "
            f"{feed.dtype} {feed.shape} ({spec.layout}). Correct input.resize, crop_hw, layout, channels or dtype.",
        )
    if isinstance(dims[0], int) and dims[0] != 1:
        raise BundleError(
            where, f"the network takes exactly {dims[0]} pictures at a time; expected 1 or any number. Export it anew."
        )


def _completed(plan: Plan, outputs: Mapping[str, TensorSpec], notes: list[str]) -> Draft:
    """The draft with normalization and labels from wherever they are."""
    draft = msgspec.structs.replace(plan.draft, input=_normalized(plan.draft.input, plan.imported, notes))
    return msgspec.structs.replace(draft, output=_labeled(draft.output, plan, outputs))


def _normalized(spec: InputSpec, imported: Imported, notes: list[str]) -> InputSpec:
    if not (imported.mean or imported.std) or spec.dtype != "float32":
        return spec
    count = CHANNELS[spec.channels]
    mean, std = (_spread(values, count, least) for values, least in ((imported.mean, 0.0), (imported.std, 1.0)))
    if not spec.mean and not spec.std and spec.white == 1.0:
        notes.append(f"Normalization from the file's metadata: (value - {mean}) / {std}, values 0 to 255.")
        return msgspec.structs.replace(spec, white=255.0, mean=mean, std=std)
    scale = 255 / spec.white
    ours = (
        [scale * value for value in (spec.mean or [0.0] * count)],
        [scale * value for value in (spec.std or [1.0] * count)],
    )
    if not np.allclose(ours, (mean, std), rtol=1e-2, atol=1e-2):
        notes.append(
            f"The draft normalizes by mean {ours[0]} and std {ours[1]} (values 0 to 255), the file's metadata says "
            f"mean {mean} and std {std}. The draft was followed."
        )
    return spec


def _spread(values: tuple[float, ...], count: int, least: float) -> list[float]:
    return list(values) if len(values) == count else [values[0] if values else least] * count


def _labeled(output: OutputSpec, plan: Plan, outputs: Mapping[str, TensorSpec]) -> OutputSpec:
    decoder: Decoder = registry.get("decoder", output.decoder)
    classes = decoder.class_count(outputs, output.parameters)
    if decoder.makes not in NEEDS_LABELS:
        return output
    sources = (
        ("the draft", tuple(output.labels)),
        ("the label file", plan.labels),
        ("the model's metadata", plan.imported.labels),
    )
    source, labels = next(((source, labels) for source, labels in sources if labels), ("", ()))
    if not labels:
        known = "" if classes is None else f" for {classes} classes"
        raise UsageError(f"{plan.name}: there are no labels{known}. Give a file with a label a line (--labels).")
    if classes is not None and len(labels) != classes:
        raise UsageError(
            f"{plan.name}: {source} has {len(labels)} labels, from {labels[0]!r} to {labels[-1]!r}, and the network "
            f"has {classes} classes. Give one for each."
        )
    return msgspec.structs.replace(output, labels=list(labels))


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


def _contract(plan: Plan, draft: Draft, measured: Measurement) -> BundleSpec:
    (entry,) = measured.inputs
    graph = GraphSpec([msgspec.structs.replace(entry, layout=draft.input.layout)], list(measured.outputs))
    return BundleSpec(
        schema=SCHEMA_ID,
        name=plan.name,
        version=draft.version,
        task=draft.task,
        architecture=draft.architecture,
        summary=draft.summary,
        artifacts=[],
        graphs={"model": graph},
        input=draft.input,
        output=draft.output,
        license=draft.license,
        provenance=plan.provenance,
        tiling=draft.tiling,
        decision=draft.decision,
        measured=draft.measured,
        parity=list(measured.parity),
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
