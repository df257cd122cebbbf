"""TensorFlow Lite files to ONNX, without TensorFlow.

The flatbuffer is read in place (`flatbuffer`, `schema`, `network`), steps that only prepare others are merged
(`rewrite`), and each operator becomes ONNX nodes (`ops`), which a ledger of layouts and integers (`values`) joins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import onnx

from pixelwright.errors import DamagedModel, UnsupportedModel, UsageError
from pixelwright.interop.imported import Imported, Importer
from pixelwright.interop.tflite.batch import takes_batches
from pixelwright.interop.tflite.convert import convert
from pixelwright.interop.tflite.faults import DamageError, LackError
from pixelwright.interop.tflite.metadata import read_metadata
from pixelwright.interop.tflite.network import Network, parse

MAX_FILE_BYTES = (1 << 31) - 1  # an ONNX file without external data holds no more
SHOWN, MAX_SHOWN = 6, 200  # tensors named in a sentence, and letters of a name: fused layers have theirs joined
MAX_TRIAL = 1 << 36  # multiplications of the run that tries a batch: some seconds

# What onnx and NumPy raise on a step whose tensors do not fit it; the checks before have no such gap that is known.
UNFIT = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


def read(path: str | Path, *, outputs: Sequence[str] = (), dequantize: bool = False) -> Imported:
    """The network of a TensorFlow Lite file as ONNX, with the labels and the normalization its metadata states.

    Inputs keep the dtype and the layout of the file, outputs of integers that stand for real numbers become float32.
    The batch is open where two pictures in one run give what each gives alone.

    Args:
        path: The file.
        outputs: Names of tensors to give out in place of the file's own outputs; what only those need is left out.
        dequantize: Make a plain float network of a quantized one.

    Raises:
        DamagedModel: Not a TensorFlow Lite file, or cut off, or its parts contradict each other.
        UnsupportedModel: It has steps that are not converted; all of them are named.
        UsageError: There is no such file, or no such tensors as `outputs` names; what there is stands in the message.
    """
    path = Path(path)
    if not path.is_file():
        raise UsageError(f"{path}: there is no such file.")
    if path.stat().st_size > MAX_FILE_BYTES:
        raise DamagedModel(f"{path}: {path.stat().st_size >> 20} MB; a TensorFlow Lite file has at most 2048 MB.")
    data = path.read_bytes()
    try:
        network, buffers = parse(data)
        network = replace(network, outputs=_chosen(network, outputs)) if outputs else network
        model, notes = _convert(network, len(data), dequantize=dequantize)
        said = read_metadata(data, buffers)
    except LackError as err:
        raise UnsupportedModel(
            f"{path}: the importer does not convert {', '.join(err.kinds)}. Expose tensors before them with "
            "--output-tensor, or export the network without them."
        ) from err
    except (DamageError, *UNFIT, *_onnx_faults()) as err:
        if isinstance(err, UsageError):
            raise UsageError(f"{path}: {err}") from err
        what = str(err) if isinstance(err, DamageError) else f"a step does not fit its tensors ({_one_line(err)})"
        raise DamagedModel(f"{path}: not a TensorFlow Lite file, or damaged: {what}. Fetch it again.") from err
    return Imported(model, said.labels, said.mean, said.std, (*notes, *said.notes))


def _convert(network: Network, file_bytes: int, *, dequantize: bool) -> tuple[onnx.ModelProto, tuple[str, ...]]:
    notes = tuple(_inputs_said(network))
    shapes = [network.tensors[index].shape for index in network.inputs]
    single = bool(shapes) and all(shape and shape[0] == 1 for shape in shapes)
    if single:
        free = convert(network, file_bytes, dequantize=dequantize, free_batch=True)
        onnx.checker.check_model(free.model, full_check=True)
        if free.multiplications <= MAX_TRIAL and takes_batches(free.model):
            return free.model, (*notes, *free.notes)
    fixed = convert(network, file_bytes, dequantize=dequantize)
    onnx.checker.check_model(fixed.model, full_check=True)
    size = shapes[0][0] if shapes and shapes[0] else 1
    return fixed.model, (*notes, *fixed.notes, f"the batch size is fixed at {size}: steps inside depend on it")


def _inputs_said(network: Network) -> list[str]:
    said = []
    for index in network.inputs:
        tensor = network.tensors[index]
        if any(tensor.open_axes):  # but for the batch, axis 0
            said.append(
                f"input {tensor.name!r} may have other sizes in the file; the network is for {tensor.shape} alone"
            )
        if tensor.quantized and tensor.quantization is not None and tensor.quantization.per_tensor:
            scale, zero = tensor.quantization.scale[0], tensor.quantization.zero_point[0]
            said.append(f"input {tensor.name!r} takes {tensor.dtype} x that stands for {scale:.6g} * (x - {zero})")
    return said


def _chosen(network: Network, names: Sequence[str]) -> tuple[int, ...]:
    known = {tensor.name: index for index, tensor in enumerate(network.tensors) if tensor.data is None}
    if unknown := [name for name in names if name not in known]:
        own = [network.tensors[index].name for index in network.outputs]
        last = [network.tensors[index].name for op in network.operators[-SHOWN:] for index in op.outputs]
        raise UsageError(
            f"has no tensors {unknown}; its outputs are {_short(own)}, the last tensors are {_short(last)}. Name those."
        )
    return tuple(known[name] for name in names)


def _short(names: Sequence[str]) -> list[str]:
    return [name[:MAX_SHOWN] for name in names]


def _onnx_faults() -> tuple[type[Exception], ...]:
    return (onnx.checker.ValidationError, onnx.shape_inference.InferenceError)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


IMPORTER = Importer("tflite", (".tflite",), read)
