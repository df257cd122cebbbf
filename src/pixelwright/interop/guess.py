"""A contract for a network that came without one: what its graph shows, and what has to be assumed, kept apart."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import msgspec
import numpy as np

from pixelwright.errors import UsageError
from pixelwright.interop.imported import Imported
from pixelwright.interop.measure import MODEL, Tensors, answers_to, tensors_of
from pixelwright.interop.normalization import normalized
from pixelwright.interop.probe_picture import prepared
from pixelwright.runtimes.protocol import Array, shape_text
from pixelwright.structures.draft import Draft
from pixelwright.structures.spec import InputSpec, License, OutputSpec, Resize, TensorSpec, Terms

COLORS: Mapping[int | str, Literal["gray", "rgb"]] = MappingProxyType({1: "gray", 3: "rgb"})
UNKNOWN = Terms(license="unknown", commercial="unknown")
MULTIPLES = (1, 2, 4, 8, 16, 32, 64)  # of the sides that a network without a fixed size may ask for
LEAST_PX = 40  # of a side tried: smaller ones vanish in some networks
SUM_TOLERANCE = 1e-3  # of probabilities, to one
ROUNDED_SUM_TOLERANCE = 0.1  # a thousand probabilities in steps of 1/256 lose that much
MAX_SCALE = 16


@dataclass(slots=True)
class Guess:
    """What is known of a network, and what is not.

    Attributes:
        imported: The network.
        task: What it is wanted for.
        tensors: Its inputs and outputs.
        labels: Given beside the model; the model's own otherwise.
        shown: What the graph or its metadata say.
        assumed: What nobody says, a sentence each.
        missing: What cannot even be assumed.
        input: As far as it is known.
        output: Its decoder, or None.
    """

    imported: Imported
    task: str
    tensors: Tensors
    labels: tuple[str, ...]
    shown: list[str] = field(default_factory=list)
    assumed: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    input: InputSpec | None = None
    output: OutputSpec | None = None

    def draft(self) -> Draft:
        """The contract.

        Raises:
            UsageError: Something cannot be assumed; all of it is named.
        """
        if self.missing or self.input is None or self.output is None:
            raise UsageError(
                f"{'; '.join(self.missing)}. Write what is missing into a contract, and give it with --contract: "
                f"pixelwright convert FILES --task {self.task} --template > contract.toml"
            )
        return Draft(self.task, self.input, self.output, License(UNKNOWN, UNKNOWN))


def guess(imported: Imported, task: str, labels: Sequence[str] = ()) -> Guess:
    """What can be said of a network that is to do a task; nothing is raised for what is missing.

    Raises:
        RuntimeFailure: ONNX Runtime cannot run the network.
    """
    with tempfile.TemporaryDirectory(prefix="pixelwright-") as place:
        folder = Path(place)
        (folder / MODEL).write_bytes(imported.model.SerializeToString())
        found = Guess(imported, task, tensors_of(folder, "the model"), tuple(labels) or imported.labels)
        if spec := _guess_input(found):
            found.input = normalized(spec, imported, [])
            _guess_output(found, found.input, folder)
    found.assumed.append("The terms of use are not known: license unknown, commercial use unknown.")
    return found


def _guess_input(found: Guess) -> InputSpec | None:
    entry = found.tensors.inputs[0]
    if len(found.tensors.inputs) != 1 or len(entry.dims) != 4:
        said = ", ".join(f"{tensor.name!r} {shape_text(tensor)}" for tensor in found.tensors.inputs)
        found.missing.append(f"the network takes {said}, and expected is one input of four dimensions, a picture")
        return None
    layout: Literal["NCHW", "NHWC"] = "NCHW" if entry.dims[1] in COLORS else "NHWC"
    channels = COLORS.get(entry.dims[layout.index("C")])
    if channels is None or entry.dtype not in ("float32", "uint8", "int8"):
        found.missing.append(f"the network's input {entry.name!r} is {entry.dtype} {shape_text(entry)}: no picture")
        return None
    found.shown.append(f"Input {entry.name!r}: {entry.dtype} {shape_text(entry)}, so layout {layout}.")
    if channels == "rgb":
        found.assumed.append("Channels are in the order red, green, blue.")
    spec = _with_values(found, InputSpec(channels=channels, layout=layout, dtype=entry.dtype))
    return _with_size(found, spec, [dim for axis, dim in zip(layout, entry.dims, strict=True) if axis in "HW"])


def _with_values(found: Guess, spec: InputSpec) -> InputSpec:
    count = 1 if spec.channels == "gray" else 3
    if spec.dtype != "float32":
        less = ", less 128" if spec.dtype == "int8" else ""
        found.assumed.append(f"Values go in as they stand in the picture, 0 to 255{less} ({spec.dtype}).")
        return msgspec.structs.replace(spec, white=255.0, mean=[128.0] * count if spec.dtype == "int8" else [])
    if found.imported.mean or found.imported.std:
        found.shown.append(
            f"Values: (value - {found.imported.mean}) / {found.imported.std}, of 0 to 255 (the file's metadata)."
        )
        return spec
    found.assumed.append(
        "Values go from 0 to 1, with no other normalization: NOTHING SAYS SO, and a wrong one costs accuracy without "
        "any error. Check it with --sample, or state input.white, mean and std in a contract."
    )
    return spec


def _with_size(found: Guess, spec: InputSpec, sides: Sequence[int | str]) -> InputSpec:
    if found.task == "enhance":
        return msgspec.structs.replace(spec, color="as-is", depth="keep", alpha="keep", extra_channels="each")
    stated = found.imported.size_hw
    size_hw = stated or tuple(side for side in sides if isinstance(side, int))
    if len(size_hw) != 2:
        found.missing.append("input.resize: the network takes pictures of any size; state the one it was trained with")
        return msgspec.structs.replace(spec, resize=Resize("stretch", (224, 224)))
    others = "; the network takes others too" if any(isinstance(side, str) for side in sides) else ""
    found.shown.append(f"Size: {size_hw[1]}x{size_hw[0]}{others}.")
    found.assumed.append("Pictures are stretched to that size, bilinear with antialiasing, nothing cropped.")
    return msgspec.structs.replace(spec, resize=Resize("stretch", size_hw))


def _outputs(found: Guess) -> str:
    return ", ".join(f"{tensor.name!r} {tensor.dtype} {shape_text(tensor)}" for tensor in found.tensors.outputs)


def _only(found: Guess, what: str, fits: Callable[[TensorSpec], bool]) -> TensorSpec | None:
    """The only output of a kind, else what is missing is said."""
    candidates = [tensor for tensor in found.tensors.outputs if fits(tensor)]
    if len(candidates) == 1:
        return candidates[0]
    found.missing.append(f"expected one output that can be {what}, found {len(candidates)} of: {_outputs(found)}")
    return None


def _guess_output(found: Guess, spec: InputSpec, folder: Path) -> None:
    decide = DECIDE.get(found.task)
    if decide is None:
        found.missing.append(f"what these outputs mean for the task {found.task!r} cannot be seen: {_outputs(found)}")
        return
    decide(found, spec, folder)


def _answer(found: Guess, spec: InputSpec, folder: Path, output: TensorSpec) -> Array | None:
    """What the network makes of the probe picture."""
    (made,) = answers_to(folder, [{found.tensors.inputs[0].name: prepared(spec)}], "the model")
    if made is None:
        found.missing.append("the network does not run on a picture as assumed; state its input in a contract")
        return None
    return made[output.name]


def _classify(found: Guess, spec: InputSpec, folder: Path) -> None:
    output = _only(found, "scores (N, K)", lambda tensor: len(tensor.dims) == 2 and tensor.dtype.startswith("float"))
    values = _answer(found, spec, folder, output) if output else None
    if output is None or values is None:
        return
    if _sums_to_one(found, values, axis=1):
        found.shown.append(f"Output {output.name!r}: rows sum to one on the probe picture, so probabilities.")
        decoder = "scores"
    elif (values >= 0).all() and (values <= 1).all():
        found.assumed.append(f"Output {output.name!r} holds a probability for each class, independent of the others.")
        decoder = "scores"
    else:
        found.assumed.append(f"Output {output.name!r} holds logits: softmax makes the probabilities.")
        decoder = "softmax"
    found.output = OutputSpec(decoder, {"output": output.name}, _labels(found, values.shape[1]))


def _embed(found: Guess, spec: InputSpec, folder: Path) -> None:
    del spec, folder
    output = _only(found, "a vector", lambda tensor: len(tensor.dims) == 2 and tensor.dtype.startswith("float"))
    if output is not None:
        found.shown.append(f"Output {output.name!r}: the vector; it is brought to unit length.")
        found.output = OutputSpec("embedding", {"output": output.name})


def _segment(found: Guess, spec: InputSpec, folder: Path) -> None:
    output = _only(found, "a map of classes", lambda tensor: len(tensor.dims) in (3, 4))
    values = _answer(found, spec, folder, output) if output else None
    if output is None or values is None:
        return
    if values.dtype.kind in "iu" and (values.ndim == 3 or values.shape[3] == 1):
        found.shown.append(f"Output {output.name!r}: the number of a class for each pixel.")
        if not found.labels:
            found.missing.append(
                "output.labels: class numbers do not say how many classes there are; give a label file"
            )
        parameters = {"output": output.name, "layout": "ids"}
        found.output = OutputSpec("argmax-map", parameters, list(found.labels))
    elif values.dtype.kind == "f" and values.ndim == 4:
        axis = spec.layout.index("C")
        kind = "probabilities" if _sums_to_one(found, values, axis=axis) else "logits"
        found.shown.append(
            f"Output {output.name!r}: {kind} of {values.shape[axis]} classes, {spec.layout} as the input."
        )
        parameters = {"output": output.name, "layout": spec.layout, "values": kind}
        found.output = OutputSpec("argmax-map", parameters, _labels(found, max(2, values.shape[axis])))
    else:
        found.missing.append(
            f"output {output.name!r} is {output.dtype} {shape_text(output)}, which is no map of classes"
        )


def _enhance(found: Guess, spec: InputSpec, folder: Path) -> None:
    channels = found.tensors.inputs[0].dims[1]
    output = _only(found, "a picture (N, C, H, W)", lambda tensor: len(tensor.dims) == 4 and tensor.dims[1] == channels)
    if output is None or spec.layout != "NCHW":
        found.missing.append("an enhancer has a picture (N, C, H, W) for input and output; export the network so")
        return
    name, picture = found.tensors.inputs[0].name, prepared(spec)
    sizes = [
        (many * (LEAST_PX // many | 1), many * ((LEAST_PX // many | 1) + 2)) for many in MULTIPLES
    ]  # odd multiples
    feeds = [{name: np.resize(picture, (*picture.shape[:2], *size_hw))} for size_hw in sizes]
    for many, size_hw, made in zip(MULTIPLES, sizes, answers_to(folder, feeds, "the model"), strict=True):
        if made is None:
            continue
        scale = made[output.name].shape[2] // size_hw[0]
        if 1 <= scale <= MAX_SCALE and made[output.name].shape[2:] == (size_hw[0] * scale, size_hw[1] * scale):
            said = f"a picture {scale} times the size" if scale > 1 else "a picture of the same size"
            found.shown.append(f"Output {output.name!r}: {said}, sides in multiples of {many}.")
            found.assumed.append(
                "Large pictures are run whole, as the graph does not say how much context a tile needs."
            )
            found.input = msgspec.structs.replace(spec, multiple_of=many)
            found.output = OutputSpec("image", {"output": output.name, "scale": scale, "white": spec.white})
            return
    if any(isinstance(side, int) for side in found.tensors.inputs[0].dims[2:]):
        entry = found.tensors.inputs[0]
        found.missing.append(
            f"the network takes {shape_text(entry)} alone, and an enhancer has to take pictures of any size; export it "
            "with free height and width"
        )
        return
    found.missing.append(f"output {output.name!r} is no multiple of the input's size for any size tried")


def _sums_to_one(found: Guess, values: Array, *, axis: int) -> bool:
    from pixelwright.interop import onnx_graph  # needs the package onnx, which is an extra

    rounded = onnx_graph.has_quantized_steps(found.imported.model)
    tolerance = ROUNDED_SUM_TOLERANCE if rounded else SUM_TOLERANCE
    return bool((values >= 0).all() and np.allclose(values.sum(axis=axis), 1, atol=tolerance))


def _labels(found: Guess, classes: int) -> list[str]:
    """The labels at hand, else numbers for names."""
    if found.labels:
        return list(found.labels)
    found.assumed.append(f"The {classes} classes have no names: they are called by their numbers. Give a label file.")
    return [f"class {number}" for number in range(classes)]


Decide = Callable[[Guess, InputSpec, Path], None]
DECIDE: Mapping[str, Decide] = MappingProxyType(
    {"classify": _classify, "embed": _embed, "enhance": _enhance, "segment": _segment}
)
