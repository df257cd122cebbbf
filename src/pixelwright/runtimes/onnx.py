"""ONNX Runtime: the default, and the reference that the others are measured against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pixelwright.errors import RuntimeFailure
from pixelwright.runtimes.protocol import Array, check_feeds
from pixelwright.structures.spec import Precision, TensorSpec

PACKAGES = ("onnxruntime", "onnxruntime-gpu")

DTYPE_OF: Mapping[str, str] = MappingProxyType(
    {
        "tensor(uint8)": "uint8",
        "tensor(int8)": "int8",
        "tensor(int32)": "int32",
        "tensor(int64)": "int64",
        "tensor(float16)": "float16",
        "tensor(float)": "float32",
    }
)


@dataclass(frozen=True, slots=True)
class OnnxRuntime:
    """The runtime's entry in the registry."""

    name: str = "onnxruntime"
    precisions: tuple[Precision, ...] = ("f32",)

    def available(self, precision: Precision = "f32") -> str | None:
        """None where onnxruntime can be used, else why not (see `protocol.Runtime.available`)."""
        if precision not in self.precisions:
            return f"runtime {self.name} has no precision {precision}; it has {', '.join(self.precisions)}"
        return None if find_spec("onnxruntime") else "onnxruntime is not installed: pip install onnxruntime"

    def version(self) -> str:
        """The version of ONNX Runtime."""
        for package in PACKAGES:
            try:
                return installed_version(package)
            except PackageNotFoundError:
                continue
        return "unknown"

    def open(self, path: Path, *, precision: Precision = "f32", threads: int = 0, device: str = "auto") -> OnnxGraph:
        """The graph of an ONNX file (see `protocol.Runtime.open`)."""
        if reason := self.available(precision):
            raise RuntimeFailure(f"{reason}.")
        import onnxruntime

        providers = _providers(onnxruntime, device)
        try:
            session = onnxruntime.InferenceSession(path, _options(onnxruntime, threads), providers=providers)
        except Exception as err:  # its errors have no common class but Exception
            raise RuntimeFailure(f"{path}: ONNX Runtime cannot open it: {_first_line(err)}") from err
        if device.startswith("cuda") and "CUDAExecutionProvider" not in session.get_providers():
            raise RuntimeFailure(f"device {device}: ONNX Runtime found no usable CUDA here. Use --device cpu.")
        inputs, outputs = (_tensors(path, side) for side in (session.get_inputs(), session.get_outputs()))
        quiet = onnxruntime.RunOptions()
        quiet.log_severity_level = 4
        return OnnxGraph(path, inputs, outputs, session, quiet)


@dataclass(frozen=True, slots=True, eq=False)
class OnnxGraph:
    """An ONNX Runtime session; the session itself takes calls from many threads."""

    path: Path
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    session: Any
    run_options: Any

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """All outputs by name (see `protocol.Graph.run`)."""
        checked = check_feeds(self.inputs, feeds)
        names = [tensor.name for tensor in self.outputs]
        try:
            made = self.session.run(names, checked, self.run_options)
        except Exception as err:  # its errors have no common class but Exception
            shapes = {name: feed.shape for name, feed in checked.items()}
            raise RuntimeFailure(f"{self.path}: ONNX Runtime failed on {shapes}: {_first_line(err)}") from err
        return dict(zip(names, made, strict=True))


def _options(onnxruntime: Any, threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 4  # nothing on stderr: failures come as exceptions
    # Arena on, patterns off: after 20, 80, 320 sizes of image a small U-Net held 110, 111, 120 MB. With patterns, which
    # keep a plan for each, 110, 117, 148; without the arena its peak was higher (145) and runs took up to half longer.
    options.enable_cpu_mem_arena = True
    options.enable_mem_pattern = False
    # Idle threads sleep: the cores they would spin on decode the next images.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Only ONNX: without this a file that begins like ONNX Runtime's own format would be read as such.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    return options


def _providers(onnxruntime: Any, device: str) -> list[Any]:
    kind, _, number = device.partition(":")
    if kind not in ("auto", "cpu", "cuda") or (number and not (kind == "cuda" and number.isdecimal())):
        raise RuntimeFailure(f"device {device!r} is not known. Use auto, cpu, cuda or cuda:N.")
    has_cuda = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
    if kind == "cuda" and not has_cuda:
        raise RuntimeFailure(
            f"device {device}: this ONNX Runtime has no CUDA. Replace it: "
            "pip uninstall -y onnxruntime && pip install onnxruntime-gpu"
        )
    if kind == "cpu" or not has_cuda:
        return ["CPUExecutionProvider"]
    cuda = {"device_id": number or "0", "use_tf32": "0"}  # TF32 keeps 10 bits: that would not be f32
    return [("CUDAExecutionProvider", cuda), "CPUExecutionProvider"]


def _tensors(path: Path, arguments: Sequence[Any]) -> tuple[TensorSpec, ...]:
    for argument in arguments:
        if argument.type not in DTYPE_OF:
            raise RuntimeFailure(f"{path}: tensor {argument.name!r} has the type {argument.type}, which is not taken.")
    return tuple(TensorSpec(a.name, DTYPE_OF[a.type], _dims(a.shape)) for a in arguments)  # type: ignore[arg-type]


def _dims(shape: list[Any]) -> list[str | int]:
    return [dim if isinstance(dim, int) else str(dim or f"d{axis}") for axis, dim in enumerate(shape)]


def _first_line(err: Exception) -> str:
    return " ".join(str(err).split())[:400]


RUNTIME = OnnxRuntime()
