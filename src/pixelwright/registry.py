"""Names to objects: built-ins are a literal table, plugins come from entry points, both load on first use.

A registry row is `"module:object"`; nothing is imported until the name is asked for. Plugins declare entry points in a
group for each kind, `pixelwright.tasks` and so on (docs/extend.md), and see the same contracts as the built-ins. This
is the only module that reads entry points.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pixelwright.errors import DuplicateName, PixelwrightError, UnknownName

BUILTIN: dict[str, dict[str, str]] = {
    "task": {
        "classify": "pixelwright.tasks.classify.task:TASK",
        "detect": "pixelwright.tasks.detect.task:TASK",
        "enhance": "pixelwright.tasks.enhance.task:TASK",
        "segment": "pixelwright.tasks.segment.task:TASK",
        "embed": "pixelwright.tasks.embed.task:TASK",
        "regress": "pixelwright.tasks.regress.task:TASK",
    },
    "runtime": {
        "onnxruntime": "pixelwright.runtimes.onnx:RUNTIME",
        "openvino": "pixelwright.runtimes.openvino:RUNTIME",
    },
    "decoder": {
        "argmax-map": "pixelwright.ops.decoders.argmax_map:DECODER",
        "embedding": "pixelwright.ops.decoders.embedding:DECODER",
        "box-rows": "pixelwright.ops.decoders.box_rows:DECODER",
        "boxes": "pixelwright.ops.decoders.boxes:DECODER",
        "centernet": "pixelwright.ops.decoders.centernet:DECODER",
        "detr": "pixelwright.ops.decoders.detr:DECODER",
        "fastestdet": "pixelwright.ops.decoders.fastestdet:DECODER",
        "heatmap": "pixelwright.ops.decoders.heatmap:DECODER",
        "image": "pixelwright.ops.decoders.image:DECODER",
        "keypoints": "pixelwright.ops.decoders.keypoints:DECODER",
        "picodet": "pixelwright.ops.decoders.picodet:DECODER",
        "scores": "pixelwright.ops.decoders.scores:DECODER",
        "sigmoid": "pixelwright.ops.decoders.sigmoid:DECODER",
        "softmax": "pixelwright.ops.decoders.softmax:DECODER",
        "ssd": "pixelwright.ops.decoders.ssd:DECODER",
        "star-polygons": "pixelwright.ops.decoders.star_polygons:DECODER",
        "tensors": "pixelwright.ops.decoders.tensors:DECODER",
        "values": "pixelwright.ops.decoders.values:DECODER",
        "yolo-anchor-free": "pixelwright.ops.decoders.yolo_anchor_free:DECODER",
    },
    "architecture": {
        "plaincnn": "pixelwright.models.plaincnn:ARCHITECTURE",
        "cnn": "pixelwright.models.cnn:ARCHITECTURE",
        "keras-mnist": "pixelwright.models.keras_mnist:ARCHITECTURE",
        "rnn": "pixelwright.models.recurrent:RNN",
        "lstm": "pixelwright.models.recurrent:LSTM",
        "residual": "pixelwright.models.residual:ARCHITECTURE",
        "efficient": "pixelwright.models.efficient:ARCHITECTURE",
        "vit": "pixelwright.models.vit:ARCHITECTURE",
        "onestage": "pixelwright.models.onestage:ARCHITECTURE",
        "starconvex": "pixelwright.models.starconvex:ARCHITECTURE",
        "unet": "pixelwright.models.unet:ARCHITECTURE",
        "swiftnet": "pixelwright.models.swiftnet:ARCHITECTURE",
        "resunet": "pixelwright.models.resunet:ARCHITECTURE",
        "span": "pixelwright.models.span:ARCHITECTURE",
    },
    "evaluation": {
        "classify": "pixelwright.tasks.classify.evaluate:EVALUATION",
        "detect": "pixelwright.tasks.detect.evaluate:EVALUATION",
        "segment": "pixelwright.tasks.segment.evaluate:EVALUATION",
        "enhance": "pixelwright.tasks.enhance.evaluate:EVALUATION",
        "regress": "pixelwright.tasks.regress.evaluate:EVALUATION",
    },
    "layout": {
        "idx": "pixelwright.data.layouts.idx:LAYOUT",
        "npz": "pixelwright.data.layouts.npz:LAYOUT",
        "image-folder": "pixelwright.data.layouts.image_folder:LAYOUT",
        "coco": "pixelwright.data.layouts.coco:LAYOUT",
        "csv": "pixelwright.data.layouts.table:LAYOUT",
        "yolo": "pixelwright.data.layouts.yolo:LAYOUT",
        "voc": "pixelwright.data.layouts.voc:LAYOUT",
        "masks": "pixelwright.data.layouts.masks:LAYOUT",
        "instance-masks": "pixelwright.data.layouts.instance_masks:LAYOUT",
        "pairs": "pixelwright.data.layouts.pairs:LAYOUT",
        "shards": "pixelwright.data.layouts.shards:LAYOUT",
        "clean": "pixelwright.data.layouts.clean:LAYOUT",
    },
    "training": {
        "classify": "pixelwright.tasks.classify.train:TRAINING",
        "detect": "pixelwright.tasks.detect.train:TRAINING",
        "segment": "pixelwright.tasks.segment.train:TRAINING",
        "enhance": "pixelwright.tasks.enhance.train:TRAINING",
        "regress": "pixelwright.tasks.regress.train:TRAINING",
    },
    "importer": {
        "onnx": "pixelwright.interop.onnx:IMPORTER",
        "tflite": "pixelwright.interop.tflite:IMPORTER",
    },
    "export": {
        "csv": "pixelwright.data.table_csv:EXPORT",
        "parquet": "pixelwright.data.table_parquet:EXPORT",
        "coco": "pixelwright.data.coco:EXPORT",
        "yolo": "pixelwright.data.yolo:EXPORT",
        "voc": "pixelwright.data.voc:EXPORT",
        "labelme": "pixelwright.data.labelme:EXPORT",
        "masks": "pixelwright.data.masks:EXPORT",
    },
    "format": {
        "jpeg": "pixelwright.io.formats.jpeg:FORMAT",
        "png": "pixelwright.io.formats.png:FORMAT",
        "webp": "pixelwright.io.formats.webp:FORMAT",
        "tiff": "pixelwright.io.formats.tiff:FORMAT",
        "avif": "pixelwright.io.formats.avif:FORMAT",
        "bmp": "pixelwright.io.formats.bmp:FORMAT",
        "gif": "pixelwright.io.formats.gif:FORMAT",
        "pnm": "pixelwright.io.formats.pnm:FORMAT",
        "jpeg2000": "pixelwright.io.formats.jpeg2000:FORMAT",
        "jpegxl": "pixelwright.io.formats.jpegxl:FORMAT",
        "heif": "pixelwright.io.formats.heif:FORMAT",
        "dicom": "pixelwright.io.formats.dicom:FORMAT",
    },
}

# Names a plugin cannot have although no built-in of its kind has them: commands that are not tasks.
RESERVED: dict[str, frozenset[str]] = {
    "task": frozenset(
        {"inspect", "models", "plugins", "demo", "convert", "similar", "train", "evaluate", "compare", "doctor"}
        | {"augment"}
    )
}

# What a plugin has to be an instance of, as rows: this module stands below them and imports them only on use.
RECORDS: dict[str, str] = {
    "task": "pixelwright.contract:Task",
    "architecture": "pixelwright.models.architecture:Architecture",
    "evaluation": "pixelwright.contract:Evaluation",
    "layout": "pixelwright.data.layout:Layout",
    "training": "pixelwright.contract:Training",
    "decoder": "pixelwright.ops.decoders.decoder:Decoder",
    "format": "pixelwright.io.format:Format",
    "importer": "pixelwright.interop.imported:Importer",
    "export": "pixelwright.data.export:Export",
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
        DuplicateName: Several plugins claim the name; a built-in's name leads to the built-in, whoever claims it.
        PixelwrightError: The plugin's module fails to import, or holds something else than it should.
    """
    return _load(kind, name)


def names(kind: str) -> tuple[str, ...]:
    """All names of a kind, built-ins first, in a stable order; plugins whose name is taken are left out."""
    return (*BUILTIN[kind], *sorted(point.name for point in _plugins(kind) if not _taken(kind, point)))


def plugins() -> list[Plugin]:
    """Every entry point of every kind, with the reason where one does not work."""
    found = []
    for kind in BUILTIN:
        for point in _plugins(kind):
            package = point.dist.name if point.dist else "unknown"
            found.append(Plugin(kind, point.name, point.value, package, _fault(kind, point)))
    return found


@cache
def _load(kind: str, name: str) -> Any:
    if name in BUILTIN[kind]:
        return _follow(BUILTIN[kind][name])
    claims = [point for point in _plugins(kind) if point.name == name]
    if not claims:
        raise UnknownName(kind, name, names(kind))
    return _load_plugin(kind, claims[0])


@cache
def _plugins(kind: str) -> tuple[EntryPoint, ...]:
    return tuple(entry_points(group=f"pixelwright.{kind}s"))


def _follow(row: str) -> Any:
    module, _, attribute = row.partition(":")
    return getattr(import_module(module), attribute)


def _load_plugin(kind: str, point: EntryPoint) -> Any:
    claim = f"{kind} plugin {point.name!r} ({point.value})"
    if holder := _taken(kind, point):
        raise DuplicateName(f"{claim}: the name is taken by {holder}. Uninstall one of them.")
    try:
        found = point.load()
    except (Exception, SystemExit) as err:  # whatever a stranger's module does on import is that plugin's fault
        raise PixelwrightError(f"{claim} fails to import: {err}") from err
    if kind in RECORDS and not isinstance(found, _follow(RECORDS[kind])):
        fault = f"expected a {RECORDS[kind]}, got a {type(found).__name__}"
    else:
        called = getattr(found, "name", None)
        fault = None if called == point.name else f"it calls itself {called!r}"
    if fault:
        raise PixelwrightError(f"{claim} cannot be used: {fault}.")
    return found


def _taken(kind: str, point: EntryPoint) -> str | None:
    """Who else has the name of a plugin."""
    if point.name in BUILTIN[kind]:
        return f"a built-in {kind}"
    if point.name in RESERVED.get(kind, ()):
        return f"the command {point.name!r}"
    claims = Counter(other.name for other in _plugins(kind))
    return "another plugin" if claims[point.name] > 1 else None


def _fault(kind: str, point: EntryPoint) -> str | None:
    try:
        _load_plugin(kind, point)
    except PixelwrightError as err:
        return str(err)
    return None
