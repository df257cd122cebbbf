"""Imported: what every reader of a foreign format makes of a file, and the record that registers such a reader."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx


@dataclass(frozen=True, slots=True, eq=False)
class Imported:
    """A foreign network as ONNX, and what its file says of itself.

    Attributes:
        model: Checked; inputs and outputs have the names of the file.
        labels: From the file's metadata; empty where it has none.
        mean: Of the normalization the metadata states, `(x - mean) / std` with x in 0..255; empty for none.
        std: See `mean`.
        notes: What a user should know of the conversion, a sentence each.
        size_hw: Of the picture, as the file states it, where the network was found to take others too.
    """

    model: onnx.ModelProto
    labels: tuple[str, ...] = ()
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()
    size_hw: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Importer:
    """A reader of one foreign format.

    Attributes:
        name: Registry name.
        suffixes: Of its files, lower case with the dot.
        read: `(path, outputs, dequantize)`: the network; `outputs` names tensors to expose instead of the file's own
            outputs, `dequantize` asks for a float network of a quantized one.
        guarded: Whether `read` itself does in the sandbox what a damaged file may crash.
    """

    name: str
    suffixes: tuple[str, ...]
    read: Callable[..., Imported]
    guarded: bool = False
