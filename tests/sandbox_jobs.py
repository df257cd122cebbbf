"""Jobs for tests of the sandbox: some answer, some never come back."""

from __future__ import annotations

import json
import os
from importlib import import_module
from pathlib import Path
from typing import Any

from pixelwright.errors import DamagedModel, UnknownName
from pixelwright.interop.sandbox import Limits


def double(folder: Path, request: dict[str, Any]) -> dict[str, Any]:
    (folder / "made.txt").write_text("made")
    return {"twice": 2 * request["number"]}


def abort(folder: Path, request: dict[str, Any]) -> dict[str, Any]:
    os.abort()


def leave(folder: Path, request: dict[str, Any]) -> dict[str, Any]:
    os._exit(0)


def hang(folder: Path, request: dict[str, Any]) -> dict[str, Any]:
    while True:
        pass


def hunger(folder: Path, request: dict[str, Any]) -> dict[str, Any]:
    return {"size": len(bytearray(64 << 30))}


def load_runtime(folder: Path, request: dict[str, Any]) -> dict[str, Any]:
    import onnxruntime

    return {"providers": onnxruntime.get_available_providers()}


def refuse(folder: Path, request: dict[str, Any]) -> dict[str, Any]:
    raise DamagedModel("a.onnx: is no model.")


def refuse_a_name(folder: Path, request: dict[str, Any]) -> dict[str, Any]:
    raise UnknownName("output", "x", ["y"])


def stumble(folder: Path, request: dict[str, Any]) -> dict[str, Any]:
    return {"none": [][1]}


def chatter(folder: Path, request: dict[str, Any]) -> dict[str, Any]:
    print("on stdout")  # noqa: T201
    return {"said": True}


def at_home(job: str, folder: Path, request: dict[str, Any], *, what: str, limits: Limits) -> dict[str, Any]:
    """In place of `sandbox.run` in tests of what goes on inside: a process costs half a second."""
    del what, limits
    module, _, name = job.partition(":")
    return json.loads(json.dumps(getattr(import_module(module), name)(folder, json.loads(json.dumps(request)))))
