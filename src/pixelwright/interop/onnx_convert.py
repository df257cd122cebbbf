"""The conversion of an ONNX file, step by step, each tried against the file as it came. Runs in the sandbox.

A step that fails, or changes the answers, is left out and a note says so.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx
from onnx import helper, inliner, shape_inference, version_converter
from onnx.external_data_helper import load_external_data_for_model

from pixelwright.errors import DamagedModel, RuntimeFailure
from pixelwright.interop import onnx_float, onnx_graph, onnx_sizes
from pixelwright.interop.onnx_run import Conversion, Trial, simplify
from pixelwright.runtimes.protocol import one_line

MAX_GROWTH, GROWTH_FLOOR_BYTES = 1.5, 1 << 20  # constants that fold into something bigger are not worth it
MAX_NAMES_BYTES = 4_000_000


def convert(folder: Path, request: Mapping[str, Any]) -> dict[str, Any]:
    """The job: writes `model.onnx` into the folder; answers with its name, labels, notes and stated size."""
    path = request["name"]
    model = _parse(Path(request["path"]), path)
    labels = _labels(model)
    state = Conversion(path, model, Trial(folder))
    onnx_graph.check_opset(model, path)
    if request["outputs"]:
        onnx_graph.expose(model, request["outputs"], path)
    onnx_graph.prune(model.graph)
    onnx_graph.tidy(model)
    onnx_graph.check_operators(model, path)  # of what is left: vendors' operators often stand at the end
    _check(model, path)
    _type_outputs(model, path)
    sizes = onnx_sizes.find(model, state.trial, path)
    if request["dequantize"]:
        onnx_float.dequantize(state, sizes.feeds(model))
    state.feeds = sizes.feeds(model)
    state.expected = state.run(state.feeds)
    _upgrade(state)
    shapes = onnx_sizes.free(state, sizes)
    _simplify(state)
    onnx_sizes.state_outputs(state.model, shapes)
    _finish(state.model, path)
    (folder / "model.onnx").write_bytes(state.model.SerializeToString(deterministic=True))
    return {"model": "model.onnx", "labels": labels, "notes": state.notes, "size_hw": sizes.stated_hw}


def _parse(file: Path, path: str) -> onnx.ModelProto:
    try:
        model = onnx.load_model_from_string(file.read_bytes())
        load_external_data_for_model(model, str(file.parent))
        if model.functions:
            model = inliner.inline_local_functions(model)
    except Exception as err:  # protobuf and onnx have no common class of errors
        raise DamagedModel(f"{path}: not a sound ONNX file: {one_line(err)}. Fetch it again.") from err
    if not model.graph.node or not model.graph.output:
        raise DamagedModel(f"{path}: holds no network. Export the model again.")
    return model


def _check(model: onnx.ModelProto, path: str) -> None:
    if not model.graph.input:
        raise DamagedModel(f"{path}: its outputs depend on no input. Name other tensors, or export the model again.")
    checked = onnx.ModelProto()
    checked.CopyFrom(model)
    for info in checked.graph.output:  # whose types are found out later
        if not info.type.tensor_type.elem_type:
            info.CopyFrom(helper.make_tensor_value_info(info.name, onnx.TensorProto.FLOAT, None))
    try:
        onnx.checker.check_model(checked)
    except Exception as err:  # ValidationError, and what the library raises beside it
        if "shape" in str(err) and "missing" in str(err):
            return  # an output without stated dimensions: they are found out
        raise DamagedModel(f"{path}: not a sound ONNX network: {one_line(err)}. Export it again.") from err


def _type_outputs(model: onnx.ModelProto, path: str) -> None:
    """State the type of outputs that were inside the network."""
    unknown = [info for info in model.graph.output if not info.type.tensor_type.elem_type]
    if not unknown:
        return
    bare = onnx.ModelProto()
    bare.CopyFrom(model)
    del bare.graph.output[:]
    bare.graph.output.extend(info for info in model.graph.output if info.type.tensor_type.elem_type)
    inferred = shape_inference.infer_shapes(bare, data_prop=True)
    known = {info.name: info.type.tensor_type.elem_type for info in inferred.graph.value_info}
    for info in unknown:
        if not known.get(info.name):
            raise RuntimeFailure(f"{path}: the type of tensor {info.name!r} cannot be found out. Name another one.")
        info.CopyFrom(helper.make_tensor_value_info(info.name, known[info.name], None))


def _upgrade(state: Conversion) -> None:
    before = onnx_graph.opset_of(state.model)
    if before == onnx_graph.OPSET:
        return

    def upgrade(model: onnx.ModelProto) -> onnx.ModelProto:
        changed = version_converter.convert_version(model, onnx_graph.OPSET)
        onnx_graph.tidy(changed)
        return changed

    if not state.step(f"opset {before} to {onnx_graph.OPSET}", upgrade):
        state.notes.append(f"The network keeps opset {before}.")


def _simplify(state: Conversion) -> None:
    most = len(state.model.SerializeToString()) * MAX_GROWTH + GROWTH_FLOOR_BYTES

    def change(model: onnx.ModelProto) -> onnx.ModelProto:
        simple = simplify(model, state.trial.folder)
        onnx_graph.tidy(simple)
        onnx_graph.prune(simple.graph)
        if foreign := {node.domain for node in onnx_graph.all_nodes(simple.graph)} - {""}:
            raise RuntimeFailure(f"it would use operators of {sorted(foreign)}")
        if len(simple.SerializeToString()) > most:
            raise RuntimeFailure("it would make the file much bigger")
        return simple

    state.step("simplification", change)


def _finish(model: onnx.ModelProto, path: str) -> None:
    model.producer_name, model.producer_version = "pixelwright", ""
    del model.metadata_props[:]
    model.graph.name = model.graph.name or "network"
    _check(model, path)


def _labels(model: onnx.ModelProto) -> list[str]:
    """Labels as exporters write them into the metadata: a list, or a dictionary by number, of JSON or Python."""
    stated = {prop.key: prop.value for prop in model.metadata_props}
    for key in ("names", "labels", "classes"):
        text = stated.get(key, "")
        if not 0 < len(text) <= MAX_NAMES_BYTES:
            continue
        for parse in (json.loads, ast.literal_eval):
            try:
                found = parse(text)
            except (ValueError, SyntaxError, MemoryError, RecursionError):
                continue
            if isinstance(found, dict):
                found = [found.get(number, found.get(str(number))) for number in range(len(found))]
            if isinstance(found, list) and found and all(isinstance(label, str) for label in found):
                return [str(label) for label in found]
    return []
