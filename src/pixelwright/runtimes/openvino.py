"""OpenVINO: faster than ONNX Runtime on x86, and with bf16 where the processor has it."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version as installed_version
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from types import MappingProxyType
from typing import Any

import numpy as np

from pixelwright.errors import RuntimeFailure
from pixelwright.runtimes.protocol import Array, check_feeds, one_line
from pixelwright.structures.spec import Precision, TensorSpec

# How OpenVINO calls a precision among what the processor can do; with a hint it cannot follow it silently takes f32.
CAPABILITIES: Mapping[str, str] = MappingProxyType({"f32": "FP32", "bf16": "BF16", "f16": "FP16"})
SHAPES_KEPT = "20"  # compiled kernels for the last shapes; the default, 5000, grew by 1.4 MB with every new size
DTYPE_OF: Mapping[str, str] = MappingProxyType(
    {"u8": "uint8", "i8": "int8", "i32": "int32", "i64": "int64", "f16": "float16", "f32": "float32"}
)


@dataclass(frozen=True, slots=True)
class OpenVino:
    """The runtime's entry in the registry."""

    name: str = "openvino"
    precisions: tuple[Precision, ...] = ("f32", "bf16", "f16")

    def available(self, precision: Precision = "f32") -> str | None:
        """None where openvino can be used, else why not (see `protocol.Runtime.available`)."""
        if precision not in self.precisions:
            return f"runtime {self.name} has no precision {precision}; it has {', '.join(self.precisions)}"
        if find_spec("openvino") is None:
            return "openvino is not installed: pip install 'pixelwright[openvino]'"
        if precision == "f32":
            return None
        import openvino

        usable = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        return None if CAPABILITIES[precision] in usable else f"this processor cannot compute in {precision}; use f32"

    def version(self) -> str:
        """The version of OpenVINO."""
        return installed_version("openvino")

    def open(
        self, path: Path, *, precision: Precision = "f32", threads: int = 0, device: str = "auto"
    ) -> OpenVinoGraph:
        """The graph of an ONNX file (see `protocol.Runtime.open`)."""
        if reason := self.available(precision):
            raise RuntimeFailure(f"{reason}.")
        if device not in ("auto", "cpu"):
            raise RuntimeFailure(f"device {device}: openvino runs on the CPU here. Use --runtime onnxruntime.")
        import openvino
        from openvino.frontend import FrontEndManager
        from openvino.passes import ConstantFolding, Manager

        try:
            # The ONNX reader by name: `read_model` would try the file in every format it knows, and print of it.
            reader = FrontEndManager().load_by_framework("onnx")
            model = reader.convert(reader.load(path))
            # Weights that are stored in fewer bits become real numbers here. Left to the plugin, version 2026.4 answers
            # nonsense where 1x1 convolutions have 8-bit weights and there are several streams.
            unpacking = Manager()
            unpacking.register_pass(ConstantFolding())
            unpacking.run_passes(model)
            compiled = openvino.Core().compile_model(model, "CPU", _options(precision, threads))
        except Exception as err:  # its errors have no common class but Exception
            raise RuntimeFailure(f"{path}: OpenVINO cannot open it: {one_line(err)}") from err
        inputs = tuple(_tensor(path, port) for port in compiled.inputs)
        outputs = tuple(_tensor(path, port) for port in compiled.outputs)
        return OpenVinoGraph(path, inputs, outputs, compiled)


@dataclass(frozen=True, slots=True, eq=False)
class OpenVinoGraph:
    """A compiled model; each call takes an idle request or makes one, so there are as many as ever ran at a time."""

    path: Path
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    compiled: Any
    idle: deque[Any] = field(default_factory=deque)  # its append and pop are atomic
    # Two threads that give requests a new shape at the same time can wait for each other for ever (OpenVINO 2026.4:
    # one in six runs of four threads with changing shapes); computing, which takes the time, goes in parallel.
    filling: Lock = field(default_factory=Lock)

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """All outputs by name (see `protocol.Graph.run`)."""
        checked = check_feeds(self.inputs, feeds)
        try:
            request = self.idle.pop()
        except IndexError:
            request = self.compiled.create_infer_request()
        try:
            with self.filling:
                request.start_async([checked[tensor.name] for tensor in self.inputs])
            request.wait()
            # Copies: the request's own memory is written again by whoever takes it next.
            made = [np.array(request.get_output_tensor(i).data) for i in range(len(self.outputs))]
        except Exception as err:  # its errors have no common class but Exception
            shapes = {name: feed.shape for name, feed in checked.items()}
            raise RuntimeFailure(f"{self.path}: OpenVINO failed on {shapes}: {one_line(err)}") from err
        self.idle.append(request)
        return {tensor.name: array for tensor, array in zip(self.outputs, made, strict=True)}


def _options(precision: str, threads: int) -> dict[str, Any]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    streams = max(1, cores // threads) if threads else 1
    options = {
        # Always stated: the default is bf16 where the processor has it.
        "INFERENCE_PRECISION_HINT": precision,
        "NUM_STREAMS": str(streams),
        "ENABLE_CPU_PINNING": "NO",  # pinned threads of two processes fight for the same cores
        "CPU_RUNTIME_CACHE_CAPACITY": SHAPES_KEPT,
        # Where weights are stored in 8 bits the default rounds what they are multiplied by to 8 bits as well.
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0",
    }
    if threads:
        options["INFERENCE_NUM_THREADS"] = str(threads * streams)
    return options


def _tensor(path: Path, port: Any) -> TensorSpec:
    name, kind = port.get_any_name(), port.get_element_type().get_type_name()
    if kind not in DTYPE_OF:
        raise RuntimeFailure(f"{path}: tensor {name!r} has the type {kind}, which is not taken.")
    shape = port.get_partial_shape()
    dims = [f"d{axis}" if dim.is_dynamic else dim.get_length() for axis, dim in enumerate(shape)]
    return TensorSpec(name, DTYPE_OF[kind], dims)  # type: ignore[arg-type]


RUNTIME = OpenVino()
