"""ONNX files from opset 7 up: checked, upgraded, simplified, and free in batch and size where the network allows it.

Here only sizes and places are looked at. Whatever reads the file does so in a sandbox: native code may crash on it, and
our own needs time and memory in proportion to what a stranger wrote.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from os import PathLike
from pathlib import Path, PurePosixPath
from typing import Any

from pixelwright.bundle.files import is_inside, path_fault
from pixelwright.errors import DamagedModel, MissingExtra, UnsupportedModel, UsageError
from pixelwright.interop import sandbox
from pixelwright.interop.imported import Imported, Importer
from pixelwright.io.onnx_wire import external_locations

MAX_BYTES = 2**31 - 1  # of one protobuf message, which a bundle's model is
LOCATIONS, CONVERT = "pixelwright.interop.onnx:locations", "pixelwright.interop.onnx_convert:convert"


def read(path: str | PathLike[str], *, outputs: Sequence[str] = (), dequantize: bool = False) -> Imported:
    """The network of an ONNX file.

    Args:
        path: The file; weights that it keeps elsewhere must be in its folder.
        outputs: Tensors to expose instead of the network's own outputs.
        dequantize: Make a float network of a quantized one (`QuantizeLinear` and `DequantizeLinear` only).

    Raises:
        DamagedModel: The file is no sound ONNX file, or refers to files outside its folder.
        UnsupportedModel: It uses what is not converted; all of it is named.
        UsageError: There is no such file, or there are no such outputs.
        RuntimeFailure: ONNX Runtime cannot run it, or the work crashed or took too long.
        MissingExtra: The `onnx` package is not installed.
    """
    if find_spec("onnx") is None:
        raise MissingExtra("converting models", "convert")
    import onnx

    file = Path(path)
    request = {"path": str(file.resolve()), "name": str(path), "outputs": list(outputs), "dequantize": dequantize}
    with tempfile.TemporaryDirectory(prefix="pixelwright-") as place:
        folder = Path(place)
        limits = sandbox.Limits.of(_check_files(file, folder))
        answer = sandbox.run(CONVERT, folder, request, what=str(path), limits=limits)
        model = onnx.load_model_from_string((folder / answer["model"]).read_bytes())
    size_hw = tuple(answer["size_hw"]) if answer["size_hw"] else None
    return Imported(model, labels=tuple(answer["labels"]), notes=tuple(answer["notes"]), size_hw=size_hw)


def locations(folder: Path, request: Mapping[str, Any]) -> dict[str, Any]:
    """The job: answers with the places of weights beside the file, found without native code."""
    del folder
    return {"locations": external_locations(Path(request["path"]))}


def _check_files(file: Path, folder: Path) -> int:
    """The bytes of the file with its weights, after sizes and places were checked."""
    if not file.is_file():
        raise UsageError(f"{file}: there is no such file.")
    total = file.stat().st_size
    if total > MAX_BYTES:
        raise UnsupportedModel(f"{file}: has {total / 1e9:.1f} GB; up to 2.1 GB are converted.")
    limits = sandbox.Limits.of(total)
    for location in sandbox.run(LOCATIONS, folder, {"path": str(file)}, what=str(file), limits=limits)["locations"]:
        if fault := path_fault(location) if location else "is empty":
            raise DamagedModel(f"{file}: keeps weights in {location!r}, which {fault}. Do not use this model.")
        weights = file.parent / PurePosixPath(location)
        if not is_inside(file.parent, location):
            raise DamagedModel(f"{file}: keeps weights in {location!r}, a link that leads out of its folder.")
        if not weights.is_file():
            raise DamagedModel(f"{file}: its weights {location!r} are missing. Put that file beside it.")
        total += weights.stat().st_size
    if total > MAX_BYTES:
        raise UnsupportedModel(f"{file}: has {total / 1e9:.1f} GB with its weights; up to 2.1 GB are converted.")
    return total


IMPORTER = Importer("onnx", (".onnx",), read, guarded=True)
