"""Changes to ONNX graphs without native code: what can be converted, which nodes are needed, which sizes are free."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import onnx
from onnx import helper, numpy_helper

from pixelwright.errors import DamagedModel, UnsupportedModel, UsageError

OPSET, IR_VERSION = 21, 10  # what ONNX Runtime 1.23 and OpenVINO 2026 both know; as the TensorFlow Lite importer writes
OLDEST_OPSET = 7  # ONNX Runtime promises nothing below
STANDARD = ("", "ai.onnx")
RANDOM = frozenset(
    {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"}
)


def check_opset(model: onnx.ModelProto, path: str) -> None:
    """Nothing, if the opset of a network is known.

    Raises:
        DamagedModel: It states none.
        UnsupportedModel: It is too old or too new.
    """
    opsets = {imported.domain: imported.version for imported in model.opset_import}
    version = next((opsets[domain] for domain in STANDARD if domain in opsets), None)
    if version is None:
        raise DamagedModel(f"{path}: states no version of the ONNX operators. Export the model again.")
    if version < OLDEST_OPSET:
        raise UnsupportedModel(
            f"{path}: is of opset {version}; expected {OLDEST_OPSET} or newer. Export the model again with a newer one."
        )
    known = onnx.defs.onnx_opset_version()
    if version > known:
        raise UnsupportedModel(
            f"{path}: is of opset {version}; the installed onnx knows up to {known}. Run: pip install -U onnx"
        )


def check_operators(model: onnx.ModelProto, path: str) -> None:
    """Nothing, if all operators of a tidy network are of the standard.

    Raises:
        UnsupportedModel: Some are not; all of them are named.
    """
    version = opset_of(model)
    foreign = Counter(
        f"{node.domain}.{node.op_type}" if node.domain else node.op_type
        for node in all_nodes(model.graph)
        if node.domain or not _is_standard(node.op_type, version)
    )
    if foreign:
        said = ", ".join(f"{name} ({count} times)" for name, count in sorted(foreign.items()))
        raise UnsupportedModel(
            f"{path}: uses operators that are not of the ONNX standard (opset {version}): {said}. "
            "Export the model without them, or expose tensors before them with --output-tensor."
        )
    if rolled := sorted({node.op_type for node in all_nodes(model.graph)} & RANDOM):
        raise UnsupportedModel(
            f"{path}: rolls dice ({', '.join(rolled)}), so that no two answers can be compared. Export the model with "
            "its noise as constants, or expose tensors before them with --output-tensor."
        )


def _is_standard(kind: str, version: int) -> bool:
    try:
        onnx.defs.get_schema(kind, version, "")
    except onnx.defs.SchemaError:
        return False
    return True


def all_nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """The nodes of a graph and of the graphs within them."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from all_nodes(inner)


def tidy(model: onnx.ModelProto) -> None:
    """Drop what no runtime needs: constants among the inputs, foreign opsets, training information, remarks."""
    graph = model.graph
    constants = {tensor.name for tensor in graph.initializer} | {
        sparse.values.name for sparse in graph.sparse_initializer
    }
    _keep(graph.input, [info for info in graph.input if info.name not in constants])
    used = {node.domain for node in all_nodes(graph)}
    versions = {("" if one.domain in STANDARD else one.domain): one.version for one in model.opset_import}
    del model.opset_import[:]
    model.opset_import.extend(
        helper.make_opsetid(domain, number) for domain, number in versions.items() if not domain or domain in used
    )
    for node in all_nodes(graph):
        node.domain = "" if node.domain in STANDARD else node.domain
        node.doc_string = ""
        del node.metadata_props[:]
    del model.training_info[:]
    model.doc_string = graph.doc_string = ""
    del graph.value_info[:], graph.quantization_annotation[:]
    model.ir_version = max(IR_VERSION, helper.find_min_ir_version_for(list(model.opset_import), ignore_unknown=True))


def opset_of(model: onnx.ModelProto) -> int:
    """The version of the standard operators, of a tidy model."""
    return next(one.version for one in model.opset_import if one.domain == "")


def expose(model: onnx.ModelProto, outputs: Sequence[str], path: str) -> None:
    """Make these tensors the outputs, in this order, instead of the network's own.

    Raises:
        UsageError: There are no such tensors; what there is stands in the message.
    """
    own = {info.name: info for info in model.graph.output}
    made = {name for node in model.graph.node for name in node.output if name}
    if unknown := [name for name in outputs if name not in made | own.keys()]:
        last = [name for node in model.graph.node[-12:] for name in node.output if name]
        raise UsageError(
            f"{path}: has no tensors {unknown}; its outputs are {sorted(own)}, the last tensors are {last}. Name those."
        )
    _keep(model.graph.output, [own.get(name) or onnx.ValueInfoProto(name=name) for name in outputs])


def prune(graph: onnx.GraphProto) -> None:
    """Drop the nodes, constants and inputs that no output needs."""
    wanted = {info.name for info in graph.output}
    nodes = []
    for node in reversed(graph.node):
        if wanted & set(node.output):
            nodes.append(node)
            wanted |= set(_reads(node))
    _keep(graph.node, nodes[::-1])
    for field in (graph.initializer, graph.input):
        _keep(field, [one for one in field if one.name in wanted])


def _reads(node: onnx.NodeProto) -> Iterator[str]:
    yield from node.input
    for attribute in node.attribute:
        for inner in (attribute.g, *attribute.graphs):
            yield from (name for one in inner.node for name in _reads(one))
            yield from (info.name for info in inner.output)  # a branch may hand on a tensor from outside


def dims_of(info: onnx.ValueInfoProto) -> list[int | str]:
    """Sizes, or a name where one varies: the file's, else one of our own."""
    dims = info.type.tensor_type.shape.dim
    return [dim.dim_value if dim.dim_value > 0 else dim.dim_param or f"d{axis}" for axis, dim in enumerate(dims)]


def set_dims(info: onnx.ValueInfoProto, dims: Sequence[int | str]) -> None:
    """State the dimensions of an input or output."""
    kind = info.type.tensor_type.elem_type
    info.CopyFrom(helper.make_tensor_value_info(info.name, kind, list(dims)))


def with_dims(model: onnx.ModelProto, dims: Sequence[int | str]) -> onnx.ModelProto:
    """A copy whose first input has these dimensions; what was stated of the outputs is left open."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    set_dims(changed.graph.input[0], dims)
    for info in changed.graph.output:
        info.type.tensor_type.ClearField("shape")
    return changed


def with_free_reshapes(model: onnx.ModelProto, batch: int) -> onnx.ModelProto:
    """A copy in which the first size of each constant reshape follows the batch, where it may mean it.

    Networks exported for one picture have `(1, -1)` or `(24, 2, 1936)` written in. Whether the change was right has to
    be tried: it is a guess.
    """
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    constants = constants_of(changed.graph)
    for number, node in enumerate(changed.graph.node):
        if node.op_type != "Reshape" or node.input[1] not in constants:
            continue
        sizes = numpy_helper.to_array(constants[node.input[1]]).copy()
        if sizes.ndim != 1 or sizes.size < 2 or sizes[0] <= 0 or sizes[0] % batch:
            continue
        if -1 not in sizes:
            sizes[0] = -1
        elif sizes[0] == batch:
            sizes[0] = 0  # as it is in the input
        else:
            continue
        name = f"{node.input[1]}.free{number}"  # the constant may serve others
        changed.graph.initializer.append(numpy_helper.from_array(sizes, name))
        node.input[1] = name
    return changed


def constants_of(graph: onnx.GraphProto) -> dict[str, onnx.TensorProto]:
    """The constants of a graph by name, whether they stand among its tensors or its nodes."""
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
            constants[node.output[0]] = node.attribute[0].t
    return constants


def has_quantized_steps(model: onnx.ModelProto) -> bool:
    """Whether results are rounded to integers on the way."""
    kinds = {node.op_type for node in all_nodes(model.graph)}
    return any(
        kind.startswith("QLinear") or kind in ("QuantizeLinear", "ConvInteger", "MatMulInteger") for kind in kinds
    )


def feed_shape(info: onnx.ValueInfoProto, free: Mapping[str, int]) -> tuple[int, ...]:
    """The dimensions of an input with numbers for its free sizes."""
    return tuple(free.get(dim, 1) if isinstance(dim, str) else dim for dim in dims_of(info))


def make_feed(info: onnx.ValueInfoProto, shape: Sequence[int], seed: int = 0) -> np.ndarray:
    """Values such as a picture has: 0..1 for floats, 0..255 for bytes, ones for whatever else."""
    dtype = helper.tensor_dtype_to_np_dtype(info.type.tensor_type.elem_type)
    values = np.random.default_rng(seed).random(math.prod(shape)).reshape(shape)
    if dtype.kind == "f":
        return values.astype(dtype)
    if dtype in (np.dtype(np.uint8), np.dtype(np.int8)):
        return np.floor(values * 256 + np.iinfo(dtype).min).astype(dtype)
    return np.ones(shape, dtype)


def _keep(field: object, kept: Sequence[object]) -> None:
    copies = list(kept)
    del field[:]  # type: ignore[attr-defined]
    field.extend(copies)  # type: ignore[attr-defined]
