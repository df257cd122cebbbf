"""A network of plain records as a checked ONNX model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import onnx
from onnx import helper, numpy_helper

from pixelwright.interop.tflite import rewrite, schema
from pixelwright.interop.tflite.emitter import IR_VERSION, OPSET, OPSET_16_BIT, Emitter, Fact, onnx_type
from pixelwright.interop.tflite.faults import DamageError, LackError
from pixelwright.interop.tflite.network import Network
from pixelwright.interop.tflite.ops import CONVERTERS
from pixelwright.interop.tflite.values import Values

BATCH = "N"


@dataclass(frozen=True, slots=True, eq=False)
class Converted:
    """A network as ONNX.

    Attributes:
        notes: What a user should know, a sentence each.
        multiplications: Of its convolutions, for one run.
    """

    model: onnx.ModelProto
    notes: tuple[str, ...]
    multiplications: int


def convert(network: Network, file_bytes: int, *, dequantize: bool = False, free_batch: bool = False) -> Converted:
    """The network as ONNX, and what a user should know of it.

    Args:
        network: What `parse` gave.
        file_bytes: Size of its file; constants do not grow to many times of it.
        dequantize: Real numbers in place of integers between the steps.
        free_batch: Declare the batch open; whether the network allows that is for the caller to find out.

    Raises:
        DamageError: A step does not fit its tensors.
        LackError: Steps of kinds that are not converted, all of them.
    """
    network = rewrite.needed(network)
    missing = rewrite.kinds(network.operators, CONVERTERS)
    used = {index for op in network.operators for index in (*op.inputs, *op.outputs) if index >= 0}
    dtypes = {network.tensors[index].dtype for index in used | {*network.inputs, *network.outputs}}
    missing = [*missing, *(f"tensors of type {dtype}" for dtype in sorted(dtypes - set(schema.DTYPES.values())))]
    if missing:
        raise LackError(missing)
    network = rewrite.merge(network)
    inputs, outputs = _public_names(network)
    if not dequantize:
        network = rewrite.same_signs(network)
    wide = any(tensor.quantized and tensor.dtype.endswith("16") for tensor in network.tensors)
    emit = Emitter(file_bytes, taken=(*inputs, *outputs), opset=OPSET_16_BIT if wide else OPSET)
    values = Values(network, emit, dequantize=dequantize, free_batch=free_batch)
    for index, name in zip(network.inputs, inputs, strict=True):
        tensor = network.tensors[index]
        values.put_input(index, emit.input(name, Fact(tensor.dtype, tensor.shape)))
    _convert_steps(network, values)
    ends = [(name, values.real(index)) for index, name in zip(network.outputs, outputs, strict=True)]
    for index, name in zip(network.outputs, outputs, strict=True):
        if network.tensors[index].quantized:
            values.note(f"output {name!r} was dequantized to float32")
    model = _assemble(emit, inputs, ends, free_batch=free_batch)
    return Converted(model, tuple(values.notes), emit.multiplications)


def _convert_steps(network: Network, values: Values) -> None:
    """Every step converted, or all that is lacking said at once: what builds on a step that lacks is passed over."""
    lacking: list[str] = []
    unmade: set[int] = set()
    for op in network.operators:
        if not op.inputs:
            raise DamageError(f"a {op.kind} without inputs")
        if unmade & set(op.inputs):
            unmade.update(op.outputs)
            continue
        try:
            CONVERTERS[op.kind](values, op)
        except LackError as err:
            lacking += err.kinds
            unmade.update(op.outputs)
    if lacking:
        raise LackError(dict.fromkeys(lacking))


def _public_names(network: Network) -> tuple[list[str], list[str]]:
    """Names of inputs and outputs: those of the file, told apart where it gives one twice or none."""
    given: set[str] = set()

    def name(index: int) -> str:
        wanted = network.tensors[index].name or f"tensor {index}"
        while wanted in given:
            wanted += f":{index}"
        given.add(wanted)
        return wanted

    if len(set(network.inputs)) != len(network.inputs):
        raise DamageError("its graph takes one tensor as two inputs")
    return [name(index) for index in network.inputs], [name(index) for index in network.outputs]


def _assemble(emit: Emitter, inputs: list[str], ends: list[tuple[str, str]], *, free_batch: bool) -> onnx.ModelProto:
    """The model of what the emitter holds, without what no output needs."""
    renamed: dict[str, str] = {}
    for wanted, name in ends:
        if name in renamed or name in emit.constants or name in inputs:
            emit.nodes.append(helper.make_node("Identity", [renamed.get(name, name)], [wanted]))
        else:
            renamed[name] = wanted
    for node in emit.nodes:
        for side in (node.input, node.output):
            for place, name in enumerate(side):
                side[place] = renamed.get(name, name)
    nodes = _reached(emit.nodes, [wanted for wanted, _ in ends])
    read = {name for node in nodes for name in node.input}
    constants = [numpy_helper.from_array(array, name) for name, array in emit.constants.items() if name in read]
    graph = helper.make_graph(
        nodes,
        "main",
        [_declare(name, emit.facts[name], free_batch=free_batch) for name in inputs],
        [_declare(wanted, emit.facts[name], free_batch=free_batch) for wanted, name in ends],
        constants,
    )
    return helper.make_model(graph, opset_imports=list(emit.opsets), ir_version=IR_VERSION, producer_name="pixelwright")


def _reached(nodes: Iterable[onnx.NodeProto], outputs: list[str]) -> list[onnx.NodeProto]:
    wanted = set(outputs)
    kept = []
    for node in reversed(list(nodes)):
        if wanted & set(node.output):
            kept.append(node)
            wanted.update(node.input)
    return kept[::-1]


def _declare(name: str, fact: Fact, *, free_batch: bool) -> onnx.ValueInfoProto:
    shape: list[int | str | None] = [size if size >= 0 else None for size in fact.shape]
    if free_batch and shape:
        shape[0] = BATCH
    return helper.make_tensor_value_info(name, onnx_type(fact.dtype), shape)
