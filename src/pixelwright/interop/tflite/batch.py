"""Whether a network converted for one picture takes several."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from pixelwright.runtimes.onnx import library

PICTURES = 2
TOLERANCE = 1e-2  # of the largest value: batches differ by rounding, a wrong shape by everything
INTEGERS_ALIKE = 0.98

Arrays = Mapping[str, NDArray[Any]]


def takes_batches(model: onnx.ModelProto) -> bool:
    """Whether two pictures in one run give what each gives alone, on noise, in ONNX Runtime."""
    onnxruntime = library()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    quiet = onnxruntime.RunOptions()
    quiet.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        feeds = _noise(model)
        together = session.run(None, feeds, quiet)
        for number in range(PICTURES):
            alone = session.run(None, {name: noise[number : number + 1] for name, noise in feeds.items()}, quiet)
            for many, one in zip(map(np.asarray, together), map(np.asarray, alone), strict=True):
                if many.shape != (PICTURES, *one.shape[1:]) or len(one) != 1 or not _alike(many[number], one[0]):
                    return False
    except Exception:  # the runtime's own exceptions have no common root; each of them means that it does not work
        return False
    return True


def _noise(model: onnx.ModelProto) -> dict[str, NDArray[Any]]:
    dice = np.random.default_rng(0)
    feeds = {}
    for value in model.graph.input:
        tensor = value.type.tensor_type
        dtype = helper.tensor_dtype_to_np_dtype(tensor.elem_type)
        shape = (PICTURES, *(dim.dim_value for dim in tensor.shape.dim[1:]))
        noise = dice.random(shape, np.float32)
        if np.issubdtype(dtype, np.integer):
            info = np.iinfo(dtype)
            low, high = max(info.min, -128), min(info.max, 255)
            noise = low + noise * (high - low)
        feeds[value.name] = noise.astype(dtype)
    return feeds


def _alike(one: NDArray[Any], other: NDArray[Any]) -> bool:
    if not np.issubdtype(one.dtype, np.floating):
        return float(np.mean(one == other)) >= INTEGERS_ALIKE if one.size else True
    top = float(np.abs(other).max(initial=0.0))
    return math.isfinite(top) and bool(np.abs(one - other).max(initial=0.0) <= TOLERANCE * top + 1e-6)
