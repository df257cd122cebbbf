"""A TensorFlow Lite file run by LiteRT and, converted, by ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from numpy.typing import NDArray

Array = NDArray[Any]


def interpreter(path: Path, *, reference: bool = True) -> Interpreter:
    """LiteRT without a delegate, all tensors kept."""
    resolver = OpResolverType.BUILTIN_REF if reference else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    opened = Interpreter(
        str(path), experimental_preserve_all_tensors=True, num_threads=1, experimental_op_resolver_type=resolver
    )
    opened.allocate_tensors()
    return opened


def run_litert(path: Path, feeds: Mapping[str, Array], *, reference: bool = True) -> list[Array]:
    """The outputs as LiteRT computes them, integers dequantized."""
    opened = interpreter(path, reference=reference)
    for detail in opened.get_input_details():
        opened.set_tensor(detail["index"], feeds[detail["name"]])
    opened.invoke()
    found = []
    for detail in opened.get_output_details():
        values, (scale, zero) = np.asarray(opened.get_tensor(detail["index"])), detail["quantization"]
        found.append((values.astype(np.float32) - zero) * np.float32(scale) if scale else values)
    return found


def session(model: Any, entries: Mapping[str, str] | None = None) -> onnxruntime.InferenceSession:
    """A quiet session of an ONNX model, with further settings of ONNX Runtime."""
    options = onnxruntime.SessionOptions()
    for key, value in (entries or {}).items():
        options.add_session_config_entry(key, value)
    options.log_severity_level = 4
    options.intra_op_num_threads = 2
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def run_onnx(model: Any, feeds: Mapping[str, Array]) -> list[Array]:
    """The outputs as ONNX Runtime computes them."""
    return session(model).run(None, dict(feeds))
