"""Pixelwright: from pixels to decisions.

Public names load on first use, so that importing the package stays cheap. `__init__.pyi` beside this file says the
same to type checkers.
"""

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

__version__ = "0.1.0"

_HOMES: Mapping[str, str] = MappingProxyType(
    {
        "Annotations": "pixelwright.structures.targets",
        "ClassScores": "pixelwright.structures.results",
        "Classes": "pixelwright.structures.targets",
        "Color": "pixelwright.structures.image",
        "Dataset": "pixelwright.data.dataset",
        "Detections": "pixelwright.structures.detections",
        "Embedding": "pixelwright.structures.results",
        "EvaluateOptions": "pixelwright.verbs.evaluate",
        "Execution": "pixelwright.model",
        "Image": "pixelwright.structures.image",
        "LabelMap": "pixelwright.structures.label_map",
        "Masks": "pixelwright.structures.masks",
        "Model": "pixelwright.model",
        "ModelBundle": "pixelwright.bundle",
        "NamedValues": "pixelwright.structures.results",
        "PixelwrightError": "pixelwright.errors",
        "PredictOptions": "pixelwright.contract",
        "Raster": "pixelwright.structures.raster",
        "Score": "pixelwright.metrics.score",
        "TrainConfig": "pixelwright.verbs.train",
        "Window": "pixelwright.structures.raster",
        "compare": "pixelwright.verbs.evaluate",
        "evaluate": "pixelwright.verbs.evaluate",
        "from_numpy": "pixelwright.io.exchange",
        "from_opencv": "pixelwright.io.exchange",
        "from_pillow": "pixelwright.io.exchange",
        "load": "pixelwright.model",
        "open_dataset": "pixelwright.data.opening",
        "open_raster": "pixelwright.io.images",
        "read_bundle": "pixelwright.bundle",
        "read_config": "pixelwright.verbs.train",
        "read_image": "pixelwright.io.images",
        "read_pages": "pixelwright.io.images",
        "split": "pixelwright.data.splits",
        "to_numpy": "pixelwright.io.exchange",
        "to_opencv": "pixelwright.io.exchange",
        "to_pillow": "pixelwright.io.exchange",
        "train": "pixelwright.verbs.train",
        "write_bundle": "pixelwright.bundle",
        "write_image": "pixelwright.io.images",
    }
)

__all__ = ["__version__", *_HOMES]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value  # found directly from now on
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
