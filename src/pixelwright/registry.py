"""Names to objects: built-ins are a literal table, plugins come from entry points, both load on first use.

A registry row is `"module:object"`; nothing is imported until the name is asked for. Plugins declare entry points in
the groups `pixelwright.tasks`, `pixelwright.runtimes`, `pixelwright.formats` and `pixelwright.decoders`, and see the
same contracts as the built-ins. This is the only module that reads entry points.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pixelwright.errors import DuplicateName, PixelwrightError, UnknownName

BUILTIN: dict[str, dict[str, str]] = {
    "task": {
        "classify": "pixelwright.tasks.classify.task:TASK",
        "enhance": "pixelwright.tasks.enhance.task:TASK",
    },
    "runtime": {
        "onnxruntime": "pixelwright.runtimes.onnx:RUNTIME",
        "openvino": "pixelwright.runtimes.openvino:RUNTIME",
    },
    "decoder": {
        "image": "pixelwright.ops.decoders:image",
        "softmax": "pixelwright.ops.decoders:softmax",
    },
    "format": {
        "jpeg": "pixelwright.io.formats.jpeg:FORMAT",
        "png": "pixelwright.io.formats.png:FORMAT",
        "webp": "pixelwright.io.formats.webp:FORMAT",
        "tiff": "pixelwright.io.formats.tiff:FORMAT",
        "avif": "pixelwright.io.formats.avif:FORMAT",
        "bmp": "pixelwright.io.formats.bmp:FORMAT",
        "gif": "pixelwright.io.formats.gif:FORMAT",
        "jpeg2000": "pixelwright.io.formats.jpeg2000:FORMAT",
        "jpegxl": "pixelwright.io.formats.jpegxl:FORMAT",
        "heif": "pixelwright.io.formats.heif:FORMAT",
    },
}


@dataclass(frozen=True, slots=True)
class Plugin:
    """One entry point as found: where it comes from and, if it cannot be used, why."""

    kind: str
    name: str
    target: str
    package: str
    fault: str | None


def get(kind: str, name: str) -> Any:
    """The object registered under a name, imported now if it was not.

    Raises:
        UnknownName: No such name; the message proposes the nearest.
        DuplicateName: A plugin claims a name that is taken.
        PixelwrightError: The plugin's module fails to import.
    """
    return _load(kind, name)


def names(kind: str) -> tuple[str, ...]:
    """All names of a kind, built-ins first, in a stable order."""
    return (*BUILTIN[kind], *sorted(_plugins(kind)))


def plugins() -> list[Plugin]:
    """Every entry point of every kind, with the reason where one does not work."""
    found = []
    for kind in BUILTIN:
        for point in entry_points(group=f"pixelwright.{kind}s"):
            package = point.dist.name if point.dist else "unknown"
            found.append(Plugin(kind, point.name, point.value, package, _fault(kind, point)))
    return found


@cache
def _load(kind: str, name: str) -> Any:
    plugged = _plugins(kind)
    if name in BUILTIN[kind]:
        module, _, attribute = BUILTIN[kind][name].partition(":")
        return getattr(import_module(module), attribute)
    if name not in plugged:
        raise UnknownName(kind, name, names(kind))
    return _load_plugin(kind, plugged[name])


@cache
def _plugins(kind: str) -> dict[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=f"pixelwright.{kind}s"):
        if point.name in BUILTIN[kind] or point.name in found:
            raise DuplicateName(
                f"{kind} {point.name!r} is already taken; the plugin {point.value!r} claims it too. Uninstall one."
            )
        found[point.name] = point
    return found


def _load_plugin(kind: str, point: EntryPoint) -> Any:
    try:
        return point.load()
    except Exception as err:  # whatever a stranger's module raises on import is that plugin's fault, not ours
        raise PixelwrightError(f"{kind} plugin {point.name!r} ({point.value}) fails to import: {err}") from err


def _fault(kind: str, point: EntryPoint) -> str | None:
    if point.name in BUILTIN[kind]:
        return f"the name {point.name!r} is taken by a built-in {kind}"
    try:
        _load_plugin(kind, point)
    except PixelwrightError as err:
        return str(err)
    return None
