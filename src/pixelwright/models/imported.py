"""Networks of other bundles as backbones: an ONNX graph up to its features as a torch network, and a new head.

Weights stored as 8-bit integers become real numbers. Where a quantized network rounds its activations, ours only
keeps them within the same limits: that is where such graphs hide their ReLU6.

Source: Donahue et al., DeCAF, ICML 2014, https://arxiv.org/abs/1310.1531 (features of one task serve another);
quantization as in Jacob et al., CVPR 2018, equation 1, https://arxiv.org/abs/1712.05877.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from pixelwright.bundle import ModelBundle, read_bundle
from pixelwright.errors import UnsupportedModel, UsageError
from pixelwright.models.architecture import Architecture, Problem, whole_picture
from pixelwright.models.onnx_steps import STEPS, TOLD, Attributes
from pixelwright.structures.spec import InputSpec

WEIGHTED = ("Conv", "Gemm", "MatMul")
TRAINED = {"Conv": (1, 2), "Gemm": (1, 2), "MatMul": (1,), "BatchNormalization": (1, 2)}  # which of the inputs
HEADED = ("classify", "embed")  # tasks whose networks end in one vector a picture
SHAPING = ("Transpose", "Reshape", "Squeeze", "Flatten", "Identity")
MEASURED_PX = 64  # side of the picture that shows how long a graph's features are, where it takes any size


class Node(NamedTuple):
    """One step of a graph."""

    operator: str
    inputs: tuple[str, ...]
    output: str
    attributes: Attributes


@dataclass(frozen=True, slots=True, eq=False)
class Backbone:
    """A graph up to its features, in real numbers.

    Attributes:
        nodes: In order.
        constants: By name.
        entry: Name of its input, (N, C, H, W).
        features: Name of the tensor that a new head reads.
        input: The contract of its input.
    """

    nodes: tuple[Node, ...]
    constants: Mapping[str, np.ndarray[Any, Any]]
    entry: str
    features: str
    input: InputSpec


@dataclass(frozen=True, slots=True)
class Config:
    """A bundle whose network is the backbone, and the head that is put on it: dropout, then a dense layer.

    `body_rate` is the learning rate of the backbone as a share of the head's: it knows something already. 0 freezes it.
    """

    bundle: str
    classes: int = 2
    dropout: float = 0.2
    body_rate: float = 0.1

    def __post_init__(self) -> None:
        if self.classes < 1 or not 0 <= self.dropout < 1 or not 0 <= self.body_rate <= 1:
            raise UsageError(
                "backbone: expected one class or more, dropout below 1 and body_rate from 0 to 1, got "
                f"{self.classes}, {self.dropout} and {self.body_rate}."
            )


class Transferred(nn.Module):
    """A backbone and a dense layer: images (N, C, H, W) to logits (N, classes)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        backbone = open_backbone(read_bundle(config.bundle))
        self.body, self.bgr = GraphNetwork(backbone), backbone.input.channels == "bgr"
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(self.body.feature_count(), config.classes)
        self.rates = {"body.": config.body_rate}
        if config.body_rate == 0:
            self.body.requires_grad_(requires_grad=False)

    def forward(self, images: Tensor) -> Tensor:
        images = images.flip(1) if self.bgr else images  # we give them, and vary them, as red, green, blue
        return self.head(self.dropout(pooled(self.body(images))))


class GraphNetwork(nn.Module):
    """A graph with trainable weights: images (N, C, H, W) to its features."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.nodes = backbone.nodes
        self.entry, self.last = backbone.entry, backbone.features
        self.side_px = _side(backbone.input)
        self.channels = _channels(backbone.input)
        self.places: dict[str, str] = {}  # names in ONNX may hold dots and slashes, those of torch may not
        trained = {
            node.inputs[at] for node in self.nodes for at in TRAINED.get(node.operator, ()) if at < len(node.inputs)
        }
        told = {name for node in self.nodes if node.operator in TOLD for name in node.inputs[1:]}
        self.told = {name: array.tolist() for name, array in backbone.constants.items() if name in told}
        for number, (name, array) in enumerate(backbone.constants.items()):
            if name in told:
                continue
            tensor = torch.from_numpy(np.array(array))
            place = self.places[name] = f"w{number}"
            if name in trained and tensor.is_floating_point():
                self.register_parameter(place, nn.Parameter(tensor))
            else:
                self.register_buffer(place, tensor)

    def forward(self, images: Tensor) -> Tensor:
        values: dict[str, Any] = {name: getattr(self, place) for name, place in self.places.items()}
        values |= {**self.told, self.entry: images, "": None}
        for node in self.nodes:
            values[node.output] = STEPS[node.operator]([values[name] for name in node.inputs], node.attributes)
        return values[self.last]

    @torch.no_grad()
    def feature_count(self) -> int:
        """How many features there are."""
        return pooled(self(torch.zeros(1, self.channels, self.side_px, self.side_px))).shape[1]


def pooled(features: Tensor) -> Tensor:
    """Features (N, D): the mean over space where there is any."""
    return features.mean(dim=(2, 3)) if features.ndim == 4 else features.flatten(1)


def open_backbone(bundle: ModelBundle) -> Backbone:
    """The network of a bundle up to its features, and the input contract that it needs.

    Raises:
        UnsupportedModel: It has an operator that cannot be trained here.
        UsageError: The bundle is no network of pictures, or has none but a head.
    """
    if list(bundle.spec.graphs) != ["model"]:
        raise UsageError(
            f"model {bundle.spec.name}: expected one graph, got {sorted(bundle.spec.graphs)}. Take another."
        )
    return read_backbone(bundle.file("model"), bundle.spec.task, bundle.spec.input)


def read_backbone(path: Path, task: str, spec: InputSpec) -> Backbone:
    """Like `open_backbone`, for a model file and the contract of its input."""
    graph = onnx.load(path).graph
    constants: dict[str, Any] = {entry.name: numpy_helper.to_array(entry) for entry in graph.initializer}
    entry = next(value.name for value in graph.input if value.name not in constants)
    nodes, input_spec = _with_real_entry(_channels_first(_nodes(graph, constants), entry, spec), entry, constants, spec)
    nodes = _real(nodes, constants)
    if task in HEADED:
        last = _features(nodes, graph.output[0].name, constants, task)
    else:
        last = _deepest(nodes, constants, entry, input_spec)
    kept = _leading_to(nodes, last)
    if not any(node.operator in WEIGHTED for node in kept):
        raise UsageError(f"{path.name}: has nothing that could serve as a backbone. Choose another network.")
    if unknown := sorted({node.operator for node in kept} - STEPS.keys()):
        raise UnsupportedModel(f"{path.name}: {', '.join(unknown)} cannot be trained here. Choose another backbone.")
    used = {name for node in kept for name in node.inputs}
    return Backbone(kept, {name: array for name, array in constants.items() if name in used}, entry, last, input_spec)


def architecture(bundle: ModelBundle, name: str) -> Architecture:
    """The record for the network of a bundle as a backbone, as the trainer takes it.

    Raises:
        UnsupportedModel: It has an operator that cannot be trained here.
        UsageError: There is nothing in it that could serve as a backbone.
    """
    spec = open_backbone(bundle).input

    def fit(config: Config, problem: Problem) -> Config:
        if problem.task not in ("classify", "regress") or problem.sequence or problem.channels != _channels(spec):
            raise UsageError(
                f"backbone {name}: reads pictures of {_channels(spec)} channels to classify or regress, and asked is "
                f"{problem.task} of {problem.channels}. Choose another model, or the channels (--channels)."
            )
        return replace(config, classes=len(problem.labels))

    return Architecture(
        name=name,
        summary=f"The features of {name} with a new head.",
        tasks=frozenset({"classify", "regress"}),
        source="https://arxiv.org/abs/1310.1531",
        variants={"features": Config(str(bundle.path))},
        fit=fit,
        build=Transferred,
        outputs=("logits",),
        reading=whole_picture,
        mean_std=levels(spec),
    )


def levels(spec: InputSpec) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of an input where full white is 1; of colors red first."""
    order = -1 if spec.channels == "bgr" else 1
    mean, std = (spec.mean or [0.0])[::order], (spec.std or [1.0])[::order]
    return tuple(level / spec.white for level in mean), tuple(level / spec.white for level in std)


def _nodes(graph: Any, constants: dict[str, Any]) -> list[Node]:
    """The graph's steps; what follows from constants alone is put among them.

    That is what `Constant` nodes make, weights that are stored in fewer bits (a cast, and perhaps a scale), and shapes.
    """
    found = []
    for node in graph.node:
        attributes = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
        if node.op_type == "Constant":
            (value,) = attributes.values()
            read = numpy_helper.to_array if isinstance(value, onnx.TensorProto) else np.array
            constants[node.output[0]] = read(value)
        elif node.op_type in ("Cast", "Mul") and all(name in constants for name in node.input):
            stored = [_unpacked(constants[name]) for name in node.input]
            constants[node.output[0]] = (
                _unpacked(stored[0].astype(onnx.helper.tensor_dtype_to_np_dtype(attributes["to"])))
                if node.op_type == "Cast"
                else stored[0] * stored[1]
            )
        else:
            found.append(Node(node.op_type, tuple(node.input), node.output[0], attributes))
    return found


def _unpacked(array: Any) -> np.ndarray[Any, Any]:
    """Real numbers of any width as float32; integers, which may be a shape, as they are."""
    return array if array.dtype.kind in "iub" else array.astype(np.float32)


def _real(nodes: Sequence[Node], constants: dict[str, Any]) -> list[Node]:
    """The steps in real numbers: weights dequantized, activations only held within their limits."""
    found = []
    for node in nodes:
        if node.operator == "DequantizeLinear":
            if node.inputs[0] in constants:
                constants[node.output] = _dequantized(node, constants)
                continue
            found.append(Node("Identity", node.inputs[:1], node.output, {}))
        elif node.operator == "QuantizeLinear":
            low, high = _limits(node, constants)
            names = f"{node.output}.low", f"{node.output}.high"
            constants |= dict(zip(names, (low, high), strict=True))
            found.append(Node("Clip", (node.inputs[0], *names), node.output, {}))
        else:
            found.append(node)
    return found


def _dequantized(node: Node, constants: Mapping[str, Any]) -> np.ndarray[Any, Any]:
    stored, scale = (constants[name] for name in node.inputs[:2])
    zero = constants[node.inputs[2]] if len(node.inputs) > 2 else np.zeros_like(scale, dtype=np.int32)
    if np.ndim(scale):
        along = [1] * np.ndim(stored)
        along[node.attributes.get("axis", 1)] = -1
        scale, zero = np.reshape(scale, along), np.reshape(zero, along)
    return ((stored.astype(np.int64) - zero.astype(np.int64)) * scale).astype(np.float32)


def _limits(node: Node, constants: Mapping[str, Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    scale, zero = constants[node.inputs[1]], constants[node.inputs[2]]
    if np.ndim(scale):
        raise UnsupportedModel("activations that are quantized by channel cannot be trained here. Choose another.")
    ends = np.iinfo(zero.dtype)
    return tuple(np.float32((end - int(zero)) * float(scale)) for end in (ends.min, ends.max))  # type: ignore[return-value]


def _channels_first(nodes: Sequence[Node], entry: str, spec: InputSpec) -> list[Node]:
    """The steps for an input with its channels first.

    Raises:
        UnsupportedModel: The graph does something else with channels that come last than put them first.
    """
    readers = [node for node in nodes if entry in node.inputs]
    if spec.layout == "NCHW":
        return list(nodes)
    if any(node.operator != "Transpose" or list(node.attributes["perm"]) != [0, 3, 1, 2] for node in readers):
        raise UnsupportedModel("the network reads channels last in a way that cannot be trained here. Choose another.")
    turned = {node.output for node in readers}
    return [
        node._replace(inputs=tuple(entry if name in turned else name for name in node.inputs))
        for node in nodes
        if node.output not in turned
    ]


def _with_real_entry(
    nodes: Sequence[Node], entry: str, constants: Mapping[str, Any], spec: InputSpec
) -> tuple[list[Node], InputSpec]:
    """The steps for an input of real numbers, and its contract, which takes over what a first dequantization does.

    Raises:
        UnsupportedModel: The graph takes integers and does something else with them.
    """
    real = msgspec.structs.replace(spec, layout="NCHW", dtype="float32")
    if spec.dtype == "float32":
        return list(nodes), real
    readers = [node for node in nodes if entry in node.inputs]
    if len(readers) != 1 or readers[0].operator != "DequantizeLinear":
        raise UnsupportedModel(f"the network reads {spec.dtype} in a way that cannot be trained here. Choose another.")
    first = readers[0]
    scale = float(constants[first.inputs[1]])
    zero = float(constants[first.inputs[2]]) if len(first.inputs) > 2 else 0.0
    count = max(len(spec.mean), len(spec.std), 1)
    mean, std = (spec.mean or [0.0]) * count, (spec.std or [1.0]) * count
    mean, std = [m + zero * s for m, s in zip(mean, std, strict=False)], [s / scale for s in std]
    kept = [node._replace(operator="Identity", inputs=(entry,)) if node is first else node for node in nodes]
    return kept, msgspec.structs.replace(real, mean=mean[:count], std=std[:count])


def _features(nodes: Sequence[Node], output: str, constants: Mapping[str, Any], task: str) -> str:
    """The tensor with one vector a picture: what the last layer with weights reads, or an embedding itself."""
    kept = _leading_to(nodes, output)
    if task == "embed":
        while kept and kept[-1].operator in SHAPING:
            kept = _leading_to(kept, kept[-1].inputs[0])
        return kept[-1].output if kept else output
    heads = [node for node in kept if node.operator in WEIGHTED and node.inputs[1] in constants]
    if not heads:
        raise UsageError("the network has no layer with weights. Choose another.")
    return heads[-1].inputs[0]


@torch.no_grad()
def _deepest(nodes: Sequence[Node], constants: Mapping[str, Any], entry: str, spec: InputSpec) -> str:
    """Of what convolutions make, the map of the fewest pixels and then the most channels: the widest view."""
    told = {name for node in nodes if node.operator in TOLD for name in node.inputs[1:]}
    values: dict[str, Any] = {
        name: array.tolist() if name in told else torch.from_numpy(np.array(array)) for name, array in constants.items()
    }
    side = _side(spec)
    values |= {entry: torch.zeros(1, _channels(spec), side, side), "": None}
    found: list[tuple[int, int, int, str]] = []
    for number, node in enumerate(nodes):
        if node.operator not in STEPS or any(name not in values for name in node.inputs):
            continue  # what comes after it cannot be used; the backbone is what comes before
        made = values[node.output] = STEPS[node.operator]([values[name] for name in node.inputs], node.attributes)
        if node.operator == "Conv" and min(made.shape[2:]) > 1:
            found.append((made.shape[2] * made.shape[3], -made.shape[1], -number, node.output))
    if not found:
        raise UsageError("the network has no convolution over a picture. Choose another.")
    return min(found)[-1]


def _leading_to(nodes: Sequence[Node], target: str) -> tuple[Node, ...]:
    """The steps that a tensor depends on, in order."""
    wanted, kept = {target}, []
    for node in reversed(nodes):
        if node.output in wanted:
            wanted.update(node.inputs)
            kept.append(node)
    return tuple(reversed(kept))


def _side(spec: InputSpec) -> int:
    size = spec.crop_hw or (spec.resize.size_hw if spec.resize else None)
    return size[0] if size else MEASURED_PX


def _channels(spec: InputSpec) -> int:
    return 1 if spec.channels == "gray" else 3
