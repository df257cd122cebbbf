"""ONNX Runtime: the default, and the reference that the others are measured against."""

from __future__ import annotations

import contextlib
import io
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pixelwright.errors import RuntimeFailure
from pixelwright.runtimes.protocol import Array, check_feeds, one_line
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
        onnxruntime = library()
        session = _open_session(onnxruntime, path, threads, device)
        try:
            inputs, outputs = (_tensors(path, side) for side in (session.get_inputs(), session.get_outputs()))
        except UnicodeDecodeError as err:
            raise RuntimeFailure(f"{path}: its tensors have names that are not UTF-8. Export the model again.") from err
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
            raise RuntimeFailure(f"{self.path}: ONNX Runtime failed on {shapes}: {one_line(err)}") from err
        return dict(zip(names, made, strict=True))


def library() -> Any:
    """The package onnxruntime, with its telemetry off: it would keep an id of the machine and a log of events on disk.

    Every import of it goes through here, as it looks at the environment once, when it is loaded.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    return onnxruntime


def has_cuda() -> bool:
    """Whether the package with CUDA is the one installed (a GPU may still be missing)."""
    try:
        return bool(installed_version("onnxruntime-gpu"))
    except PackageNotFoundError:
        return False


def _open_session(onnxruntime: Any, path: Path, threads: int, device: str) -> Any:
    """A session on the first of the providers that works; where CUDA was asked for by name it has to be CUDA."""
    fault = ""
    for providers in _providers(onnxruntime, device):
        try:
            # Without its own fallback, which prints on stdout.
            session = onnxruntime.InferenceSession(
                path, _options(onnxruntime, threads), providers=providers, enable_fallback=0
            )
        except Exception as err:  # its errors have no common class but Exception
            fault = one_line(err)
            continue
        if not device.startswith("cuda") or "CUDAExecutionProvider" in session.get_providers():
            return session
        raise RuntimeFailure(f"device {device}: ONNX Runtime found no usable CUDA here. Use --device cpu.")
    raise RuntimeFailure(f"{path}: ONNX Runtime cannot open it: {fault}")


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
    # Idle threads sleep. On two cores shared with other work a U-Net took 38 ms so, and 65 ms with threads that spin.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if _sums_may_saturate():
        options.add_session_config_entry("session.x64quantprecision", "1")
    # Only ONNX: without this a file that begins like ONNX Runtime's own format would be read as such.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    return options


@cache
def _sums_may_saturate() -> bool:
    """Whether integer kernels add pairs of products in 16 bits here, as x86 does without VNNI: exact ones are slower.

    Source: ONNX Runtime, "Quantize ONNX models", "When and why do I need to use U8U8?",
    https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html.
    """
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return False
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:  # not Linux: exact rather than fast
        return True
    return "avx512_vnni" not in flags and "avx_vnni" not in flags


def _providers(onnxruntime: Any, device: str) -> list[list[Any]]:
    """Lists of providers to try, best first."""
    kind, _, number = device.partition(":")
    if kind not in ("auto", "cpu", "cuda") or (number and not (kind == "cuda" and number.isdecimal())):
        raise RuntimeFailure(f"device {device!r} is not known. Use auto, cpu, cuda or cuda:N.")
    found = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
    if kind == "cuda" and not found:
        raise RuntimeFailure(
            f"device {device}: this ONNX Runtime has no CUDA. Replace it: "
            "pip uninstall -y onnxruntime && pip install onnxruntime-gpu"
        )
    cpu = ["CPUExecutionProvider"]
    if kind == "cpu" or not found:
        return [cpu]
    with contextlib.redirect_stdout(io.StringIO()):  # it prints what it does not find
        onnxruntime.preload_dlls()  # finds CUDA where pip has put it
    options = {"device_id": number or "0", "use_tf32": "0"}  # TF32 keeps 10 bits: that would not be f32
    cuda = [("CUDAExecutionProvider", options), *cpu]
    return [cuda] if kind == "cuda" else [cuda, cpu]


def _tensors(path: Path, arguments: Sequence[Any]) -> tuple[TensorSpec, ...]:
    for argument in arguments:
        if argument.type not in DTYPE_OF:
            raise RuntimeFailure(f"{path}: tensor {argument.name!r} has the type {argument.type}, which is not taken.")
    return tuple(TensorSpec(a.name, DTYPE_OF[a.type], _dims(a.shape)) for a in arguments)  # type: ignore[arg-type]


def _dims(shape: list[Any]) -> list[str | int]:
    return [dim if isinstance(dim, int) else str(dim or f"d{axis}") for axis, dim in enumerate(shape)]


RUNTIME = OnnxRuntime()
