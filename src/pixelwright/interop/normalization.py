"""Normalization that a model file states in its metadata, and a contract that may state another."""

from __future__ import annotations

import msgspec
import numpy as np

from pixelwright.bundle.faults import CHANNELS
from pixelwright.interop.imported import Imported
from pixelwright.structures.spec import InputSpec


def normalized(spec: InputSpec, imported: Imported, notes: list[str]) -> InputSpec:
    """The input contract with the metadata's normalization where it states none; a note where both are and differ."""
    if not (imported.mean or imported.std) or spec.dtype != "float32":
        return spec
    count = CHANNELS[spec.channels]
    mean, std = (_spread(values, count, least) for values, least in ((imported.mean, 0.0), (imported.std, 1.0)))
    if not spec.mean and not spec.std and spec.white == 1.0:
        notes.append(f"Normalization from the file's metadata: (value - {mean}) / {std}, values 0 to 255.")
        return msgspec.structs.replace(spec, white=255.0, mean=mean, std=std)
    scale = 255 / spec.white
    ours = (
        [scale * value for value in (spec.mean or [0.0] * count)],
        [scale * value for value in (spec.std or [1.0] * count)],
    )
    if not np.allclose(ours, (mean, std), rtol=1e-2, atol=1e-2):
        notes.append(
            f"The draft normalizes by mean {ours[0]} and std {ours[1]} (values 0 to 255), the file's metadata says "
            f"mean {mean} and std {std}. The draft was followed."
        )
    return spec


def _spread(values: tuple[float, ...], count: int, least: float) -> list[float]:
    return list(values) if len(values) == count else [values[0] if values else least] * count
