"""ONNX Runtime on networks in the making. Only for the sandbox."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnx

from pixelwright.errors import RuntimeFailure
from pixelwright.runtimes.onnx import library
from pixelwright.runtimes.parity import difference
from pixelwright.runtimes.protocol import Array, one_line

THREADS = 4  # each has a stack, and the sandbox little memory
EXACT = 1e-4  # what a step may change, relative to the largest value; float32 sums in another order stay below


@dataclass(frozen=True, slots=True)
class Trial:
    """A folder to write networks into, so that ONNX Runtime can run them."""

    folder: Path

    def run(self, model: onnx.ModelProto, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """All outputs by name.

        Raises:
            RuntimeFailure: The network cannot be opened, or fails on the feeds.
        """
        path = self.folder / "trial.onnx"
        path.write_bytes(model.SerializeToString())
        names = [info.name for info in model.graph.output]
        try:
            session = _session(path, _options())
            return dict(zip(names, session.run(names, dict(feeds)), strict=True))
        except Exception as err:  # its errors have no common class but Exception
            raise RuntimeFailure(f"ONNX Runtime: {one_line(err)}") from err


@dataclass(eq=False)
class Conversion:
    """A network on its way."""

    path: str
    model: onnx.ModelProto
    trial: Trial
    notes: list[str] = field(default_factory=list)
    feeds: Mapping[str, Array] = field(default_factory=dict)
    expected: Mapping[str, Array] = field(default_factory=dict)

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """All outputs of the network as it is now.

        Raises:
            RuntimeFailure: It cannot be opened, or fails on the feeds.
        """
        try:
            return self.trial.run(self.model, feeds)
        except RuntimeFailure as err:
            raise RuntimeFailure(f"{self.path}: cannot be run. {err}") from err

    def step(self, what: str, change: Callable[[onnx.ModelProto], onnx.ModelProto]) -> bool:
        """Take over a change if the network answers as before."""
        try:
            changed = change(self.model)
            apart = difference(self.expected, self.trial.run(changed, self.feeds))
        except Exception as err:  # the libraries raise what they like, and the network works without this step
            self.notes.append(f"{what}: left out, as it failed ({one_line(err)[:160]}).")
            return False
        if apart > EXACT:
            self.notes.append(f"{what}: left out, as it changed the answers by {apart:.2g}.")
            return False
        self.model = changed
        return True


def simplify(model: onnx.ModelProto, folder: Path) -> onnx.ModelProto:
    """The network as ONNX Runtime's basic optimization leaves it: constants folded, what does nothing removed.

    Raises:
        RuntimeFailure: ONNX Runtime cannot open it.
    """
    path, simple = folder / "trial.onnx", folder / "simple.onnx"
    path.write_bytes(model.SerializeToString())
    options = _options()
    options.graph_optimization_level = library().GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(simple)
    try:
        _session(path, options)
        return onnx.load_model_from_string(simple.read_bytes())
    except Exception as err:  # its errors have no common class but Exception
        raise RuntimeFailure(f"ONNX Runtime: {one_line(err)}") from err


def _options() -> Any:
    options = library().SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = min(THREADS, os.cpu_count() or 1)
    options.enable_cpu_mem_arena = False  # which grows by doubling, beyond what is needed
    options.add_session_config_entry("session.load_model_format", "ONNX")
    return options


def _session(path: Path, options: Any) -> Any:
    return library().InferenceSession(path, options, providers=["CPUExecutionProvider"], enable_fallback=0)
