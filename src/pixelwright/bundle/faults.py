"""What is wrong with a contract that its types alone cannot see; no file is opened here."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, cast, get_type_hints

import msgspec

from pixelwright import registry
from pixelwright.bundle.files import CARD_FILE, SPEC_FILE, path_fault
from pixelwright.card import size_text
from pixelwright.errors import PixelwrightError
from pixelwright.ops.decoders.decoder import ANY_RANK, Decoder
from pixelwright.structures.spec import BundleSpec, InputSpec

MAX_INPUT_PX = 2**28  # what a contract may resize or crop to: 268 megapixels, 3 GB as float32

EXACT_RULES = frozenset({"stretch", "letterbox"})  # rules of resizing that make one size of every image
NEEDS_LABELS = frozenset({"scores", "candidates", "labels", "values"})  # of what decoders make

CHANNELS: Mapping[str, int] = MappingProxyType({"rgb": 3, "bgr": 3, "gray": 1})


def spec_faults(spec: BundleSpec) -> list[str]:
    """Every fault of a contract, each a clause that names its place and says what to do; empty where it is sound."""
    checks: tuple[Callable[[BundleSpec], Iterable[str]], ...] = (
        _artifact_faults,
        _graph_faults,
        _input_faults,
        _sequence_faults,
        _entry_faults,
        _tiling_faults,
        _decoder_faults,
        _decision_faults,
        _record_faults,
    )
    return [fault for check in checks for fault in check(spec)]


def _twice(values: Iterable[str]) -> list[str]:
    return [value for value, count in Counter(values).items() if count > 1]


def _artifact_faults(spec: BundleSpec) -> Iterator[str]:
    for role in _twice(artifact.role for artifact in spec.artifacts):
        yield f"artifacts: the role {role!r} stands there twice; keep one"
    paths = [file.path for artifact in spec.artifacts for file in artifact.files]
    for path in _twice(path.casefold() for path in paths):
        yield f"artifacts: the file {path!r} is listed twice; list it once"
    for path in paths:
        if fault := path_fault(path):
            yield f"artifacts: the path {path!r} {fault}; use a relative path inside the bundle"
        elif path in (SPEC_FILE, CARD_FILE):
            yield f"artifacts: {path!r} is the bundle's own file; give the artifact another name"
    for artifact in spec.artifacts:
        if artifact.format == "npz" and len(artifact.files) != 1:
            yield f"artifacts: {artifact.role!r} is npz and has {len(artifact.files)} files; expected one"


def _graph_faults(spec: BundleSpec) -> Iterator[str]:
    onnx = {artifact.role for artifact in spec.artifacts if artifact.format == "onnx"}
    for role, graph in spec.graphs.items():
        if role not in onnx:
            yield f"graphs: {role!r} has no onnx artifact of that role (there are {sorted(onnx)}); add it"
        inputs, outputs = ([tensor.name for tensor in side] for side in (graph.inputs, graph.outputs))
        for name in (*_twice(inputs), *_twice(outputs)):
            yield f"graphs.{role}: the tensor {name!r} stands there twice; keep one"
        for output, fed in graph.states.items():
            if output not in outputs or fed not in inputs:
                yield f"graphs.{role}.states: {output!r} to {fed!r} is no output fed to an input; name existing ones"


def input_faults(spec: BundleSpec) -> list[str]:
    """Those of its input alone, which can be told before there is a graph."""
    return [*_input_faults(spec), *_sequence_faults(spec)]


def _input_faults(spec: BundleSpec) -> Iterator[str]:
    wanted = spec.input
    channels = CHANNELS[wanted.channels]
    for field, values in (("mean", wanted.mean), ("std", wanted.std)):
        if len(values) not in (0, channels):
            yield f"input.{field}: {len(values)} values for {channels} channels ({wanted.channels}); give one each"
    if wanted.dtype != "float32":
        if wanted.std or (wanted.mean and wanted.dtype == "uint8"):
            yield f"input: mean and std with dtype {wanted.dtype} would round away; normalize in the graph, or float32"
        if wanted.white != 255:
            yield f"input.white: {wanted.white:g} with dtype {wanted.dtype}; set it to 255"
    if wanted.resize is None and wanted.reduced_decode:
        yield "input.reduced_decode: means nothing without a resize; set it to 0"
    size_hw = _resized_hw(wanted)
    crop_hw = wanted.crop_hw
    if size_hw and crop_hw and (crop_hw[0] > size_hw[0] or crop_hw[1] > size_hw[1]):
        yield f"input.crop_hw: {size_text(crop_hw)} does not fit into the resized {size_text(size_hw)}; crop less"
    for field, size in (("resize.size_hw", wanted.resize and wanted.resize.size_hw), ("crop_hw", crop_hw)):
        if size and size[0] * size[1] > MAX_INPUT_PX:
            yield f"input.{field}: {size_text(size)} is over {MAX_INPUT_PX / 1e6:.0f} megapixels; no network takes that"


def _sequence_faults(spec: BundleSpec) -> Iterator[str]:
    """The numbers of a sequence are no pixels: of what is done to pixels nothing may stand in its contract."""
    wanted = spec.input
    if not wanted.is_sequence:
        return
    plain = InputSpec(color="as-is", channels="gray", depth="keep", layout="NTF")
    for field in ("color", "channels", "depth", "dtype", "white", "resize", "crop_hw", "multiple_of"):
        if getattr(wanted, field) != getattr(plain, field):
            yield f"input.{field}: has to be {getattr(plain, field)!r} with layout NTF; sequences are taken as they are"
    if spec.tiling is not None:
        yield "tiling: a sequence cannot be cut into tiles; remove it"


def _resized_hw(wanted: InputSpec) -> tuple[int, int] | None:
    """The size after the resize as far as it is the same for every image: at least this for `shorter`."""
    if wanted.resize is None:
        return None
    height, width = wanted.resize.size_hw
    exact = wanted.resize.rule in EXACT_RULES
    return (height, width) if exact else (min(height, width), min(height, width))


def _entry_faults(spec: BundleSpec) -> Iterator[str]:
    """Where an image goes straight into the only graph, both must speak of the same tensor."""
    if len(spec.graphs) != 1:
        return
    (role, graph), wanted = next(iter(spec.graphs.items())), spec.input
    fed = set(graph.states.values())
    free = [tensor for tensor in graph.inputs if tensor.name not in fed]
    if len(free) != 1:
        return
    entry = free[0]
    place = f"graphs.{role}.inputs: {entry.name!r}"
    if entry.dtype != wanted.dtype:
        yield f"{place} takes {entry.dtype}, input.dtype is {wanted.dtype}; make them equal"
    if len(entry.dims) != len(wanted.layout):
        yield f"{place} has {len(entry.dims)} dimensions; a batch has {len(wanted.layout)} ({wanted.layout})"
        return
    expected = _expected_dims(wanted)
    for axis, got, want in zip(wanted.layout, entry.dims, expected, strict=True):
        if isinstance(got, int) and axis not in "NTF" and got != want:
            yield f"{place} has {axis} = {got}, but input makes {want or 'any size'}; correct one of them"


def _expected_dims(wanted: InputSpec) -> list[int | None]:
    sizes: dict[str, int | None] = dict.fromkeys("NCHWTF")
    sizes["C"] = CHANNELS[wanted.channels]
    size_hw = wanted.crop_hw
    if size_hw is None and wanted.resize is not None and wanted.resize.rule in EXACT_RULES:
        size_hw = wanted.resize.size_hw
    if size_hw is not None:
        sizes["H"], sizes["W"] = (-(-side // wanted.multiple_of) * wanted.multiple_of for side in size_hw)
    return [sizes[axis] for axis in wanted.layout]


def _tiling_faults(spec: BundleSpec) -> Iterator[str]:
    if spec.tiling is None:
        return
    if spec.input.resize is not None or spec.input.crop_hw is not None:
        yield "tiling: stands together with input.resize or crop_hw, so tiles would be scaled one by one; keep one"
    if spec.tiling.multiple % spec.input.multiple_of:
        yield (
            f"tiling.multiple: {spec.tiling.multiple} is no multiple of input.multiple_of = {spec.input.multiple_of}, "
            "so tiled and whole results would differ; make it one"
        )


def _decoder_faults(spec: BundleSpec) -> Iterator[str]:
    place, parameters = "output.parameters", spec.output.parameters
    try:
        decoder: Decoder = registry.get("decoder", spec.output.decoder)
    except PixelwrightError as err:
        yield f"output.decoder: {str(err).rstrip('.')}"
        return
    if "temperature" in parameters and "temperature" in decoder.asks_for:
        yield f"{place}: the temperature belongs into decision.temperature; move it"
    if spec.decision.temperature != 1 and "temperature" not in decoder.asks_for:
        yield f"decision.temperature: the decoder {spec.output.decoder!r} takes none; leave it at 1"
    signature = inspect.signature(decoder.decode)
    try:
        signature.bind({}, **parameters, **dict.fromkeys(decoder.asks_for - parameters.keys()))
    except TypeError as err:
        yield f"{place}: the decoder {spec.output.decoder!r} does not take these ({err}); it takes {_taken(decoder)}"
        return
    hints = get_type_hints(decoder.decode, include_extras=True)
    for name in sorted(decoder.asks_for & parameters.keys() - {"temperature"}):
        yield f"{place}: {name} is said when the model runs; remove it, a threshold belongs into decision.threshold"
    sound = True
    for name, value in parameters.items():
        if name in decoder.asks_for:
            continue
        try:
            msgspec.convert(value, hints.get(name, Any))
        except msgspec.ValidationError as err:
            sound = False
            yield f"{place}.{name}: {err}; correct the value"
    if sound:  # what follows computes with the values
        yield from _named_output_faults(spec, decoder)


def _taken(decoder: Decoder) -> str:
    parameters = list(inspect.signature(decoder.decode).parameters)[1:]
    return ", ".join(name for name in parameters if name not in decoder.asks_for) or "none"


def _named_output_faults(spec: BundleSpec, decoder: Decoder) -> Iterator[str]:
    """What is wrong with the outputs that a decoder is told to take, and with the labels for them."""
    tensors = {tensor.name: tensor for graph in spec.graphs.values() for tensor in graph.outputs}
    given = spec.output.parameters
    named = ((parameter, name, rank) for parameter, rank in decoder.ranks.items() for name in _names(given, parameter))
    for parameter, name, rank in named:
        if name not in tensors:
            yield f"output.parameters.{parameter}: no graph has an output {name!r}; there are {sorted(tensors)}"
        elif rank not in (ANY_RANK, len(tensors[name].dims)):
            yield (
                f"output.parameters.{parameter}: {name!r} has {len(tensors[name].dims)} dimensions, and the decoder "
                f"{decoder.name!r} takes {rank}; name another output or decoder"
            )
    found, classes = len(spec.output.labels), decoder.class_count(tensors, given)
    if classes is not None and classes != found:
        yield f"output.labels: {found} labels for {classes} classes; give one for each"
    elif decoder.makes in NEEDS_LABELS and not found:
        yield f"output.labels: the decoder {decoder.name!r} needs a label for each class; add them"


def _names(given: Mapping[str, Any], parameter: str) -> list[str]:
    """The outputs that a parameter names: one, several in a list, or none where it is left out."""
    value = given.get(parameter)
    listed = cast(list[Any], value) if isinstance(value, list) else [value]
    return [name for name in listed if isinstance(name, str)]


def _decision_faults(spec: BundleSpec) -> Iterator[str]:
    labels = set(spec.output.labels)
    if unknown := sorted(set(spec.decision.thresholds) - labels):
        yield f"decision.thresholds: {unknown[0]!r} is no label; use the names in output.labels"


def _record_faults(spec: BundleSpec) -> Iterator[str]:
    for row in _twice(f"{row.runtime} {row.precision}" for row in spec.parity):
        yield f"parity: {row!r} stands there twice; keep one"
    for row in spec.measured:
        if row.ci95 is not None and not row.ci95[0] <= row.value <= row.ci95[1]:
            yield f"measured: {row.metric!r} = {row.value:g} lies outside its interval {row.ci95}; measure again"
