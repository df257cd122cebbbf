"""What a recipe leaves beside its checkpoint: model.onnx, checked against PyTorch, and scores.json."""

import json
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

log = logging.getLogger("recipe")

OPSET = 20
# STYLE.md, tolerances: one float32 runtime against another.
TOLERANCE = 1e-3


def open_session(path: Path) -> onnxruntime.InferenceSession:
    """The file in ONNX Runtime, on as many threads as torch was given."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def answer(session: onnxruntime.InferenceSession, image: NDArray[np.float32]) -> NDArray[np.float32]:
    """The graph's output for a batch."""
    return np.asarray(session.run(None, {"image": np.ascontiguousarray(image)})[0])


def strip(model: onnx.ModelProto) -> None:
    """Takes out, in place, what torch notes beside the graph: stack traces, with paths of this machine."""
    model.doc_string = ""
    model.producer_version = torch.__version__.split("+")[0]
    del model.metadata_props[:]
    graphs = [model.graph, *model.functions]
    for graph in graphs:
        graph.doc_string = ""
        del graph.metadata_props[:]
        for node in graph.node:
            node.doc_string = ""
            del node.metadata_props[:]
            graphs.extend(part.g for part in node.attribute if part.type == onnx.AttributeProto.GRAPH)
        values = [*graph.value_info]
        if isinstance(graph, onnx.GraphProto):
            values += [*graph.input, *graph.output, *graph.initializer]
            # Shapes of intermediate results bring torch's symbol names along, and no runtime needs them.
            del graph.value_info[:]
        for value in values:
            value.doc_string = ""
            del value.metadata_props[:]


def name_axes(value: onnx.ValueInfoProto, axes: dict[int, str]) -> None:
    """Gives the dynamic axes of an input or output these names, in place."""
    dims = value.type.tensor_type.shape.dim
    for axis, name in axes.items():
        if dims[axis].HasField("dim_value"):
            size = dims[axis].dim_value
            raise RuntimeError(f"{value.name}: expected a dynamic axis {axis}, got the constant {size}")
        dims[axis].dim_param = name


def check_parity(net: nn.Module, path: Path, examples: Sequence[Tensor]) -> float:
    """The largest difference between the file in ONNX Runtime and `net`.

    Raises:
        RuntimeError: the difference is above the tolerance, or an output has another shape.
    """
    session = open_session(path)
    largest = 0.0
    for example in examples:
        with torch.no_grad():
            expected = net(example).numpy()
        actual = answer(session, example.numpy())
        if actual.shape != expected.shape:
            raise RuntimeError(f"{path}: expected output of shape {expected.shape}, got {actual.shape}")
        difference = float(np.abs(actual - expected).max())
        log.info("input %s: largest difference to torch %.2e", tuple(example.shape), difference)
        largest = max(largest, difference)
    if not largest <= TOLERANCE:
        raise RuntimeError(f"{path}: expected a difference to torch of at most {TOLERANCE}, got {largest}")
    return largest


def write_onnx(
    net: nn.Module,
    path: Path,
    examples: Sequence[Tensor],
    *,
    output: str,
    axes: dict[int, str],
    output_axes: dict[int, str],
) -> None:
    """Writes one file with weights inside and named dynamic axes, and checks it against `net` on `examples`.

    The graph's input is called `image`. `axes` and `output_axes` name the dynamic axes of input and output.
    """
    # Plain memory order: channels_last weights would leave transposes in the graph.
    net = net.eval().to(memory_format=torch.contiguous_format)  # pyright: ignore[reportCallIssue]
    # Two of everything: torch would take a size of one as a constant.
    sample = torch.cat((examples[0], examples[0])).contiguous()
    program = torch.onnx.export(
        net,
        (sample,),
        dynamo=True,
        opset_version=OPSET,
        input_names=["image"],
        output_names=[output],
        dynamic_shapes=(dict.fromkeys(axes, torch.export.Dim.DYNAMIC),),
        verbose=False,
    )
    if program is None:  # torch returns one whenever dynamo is on
        raise RuntimeError(f"{path}: torch.onnx.export returned nothing")
    model = program.model_proto
    strip(model)
    name_axes(model.graph.input[0], axes)
    name_axes(model.graph.output[0], output_axes)
    onnx.checker.check_model(model, full_check=True)
    partial = path.with_suffix(".partial")
    partial.write_bytes(model.SerializeToString())
    largest = check_parity(net, partial, examples)
    partial.replace(path)
    log.info("%s: %d bytes, largest difference to torch %.2e", path, path.stat().st_size, largest)


def mean_scores(scores: dict[str, dict[str, float]]) -> dict[str, float]:
    """The mean over images of each list of scores."""
    return {name: float(np.mean(list(values.values()))) for name, values in scores.items()}


def write_scores(run: Path, recipe: str, protocol: str, scores: dict[str, dict[str, float]]) -> None:
    """Writes RUN/scores.json: protocol, means, and every single value, so that intervals can be computed."""
    means = mean_scores(scores)
    content = {
        "recipe": recipe,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "runtime": f"onnxruntime {onnxruntime.__version__}",
        "protocol": protocol,
        "mean": means,
        "per_image": scores,
    }
    (run / "scores.json").write_text(json.dumps(content, indent=1) + "\n")
    for name, value in means.items():
        log.info("%s %.4f", name, value)
