"""Read a foreign model with whatever importer it takes, in the sandbox where the importer does not go there itself."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pixelwright import registry
from pixelwright.errors import UsageError
from pixelwright.interop import sandbox
from pixelwright.interop.imported import Imported, Importer

JOB, MODEL = "pixelwright.interop.reading:job", "read.onnx"


def read(importer: Importer, path: Path, *, outputs: Sequence[str] = (), dequantize: bool = False) -> Imported:
    """The network of a file.

    Raises:
        PixelwrightError: As the importer raises it, or since it crashed or took too long.
    """
    if importer.guarded:
        return importer.read(path, outputs=outputs, dequantize=dequantize)
    if not path.is_file():
        raise UsageError(f"{path}: there is no such file.")
    import onnx

    size = path.stat().st_size
    request = {"importer": importer.name, "path": str(path), "outputs": list(outputs), "dequantize": dequantize}
    with tempfile.TemporaryDirectory(prefix="pixelwright-") as place:
        folder = Path(place)
        said = sandbox.run(JOB, folder, request, what=str(path), limits=sandbox.Limits.of(size))
        model = onnx.load_model_from_string((folder / MODEL).read_bytes())
    size_hw = tuple(said["size_hw"]) if said["size_hw"] else None
    texts, numbers = ("labels", "notes"), ("mean", "std")
    return Imported(model, size_hw=size_hw, **{name: tuple(said[name]) for name in (*texts, *numbers)})


def job(folder: Path, request: Mapping[str, Any]) -> dict[str, Any]:
    """The job: writes `read.onnx`, answers with what the file says of itself."""
    importer: Importer = registry.get("importer", request["importer"])
    found = importer.read(Path(request["path"]), outputs=tuple(request["outputs"]), dequantize=request["dequantize"])
    (folder / MODEL).write_bytes(found.model.SerializeToString(deterministic=True))
    return {name: getattr(found, name) for name in ("labels", "notes", "mean", "std", "size_hw")}
