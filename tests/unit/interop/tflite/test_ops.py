"""Every operator against LiteRT, in networks of one step, and of one step between two convolutions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixelwright.interop.tflite import read
from pixelwright.interop.tflite.ops import CONVERTERS
from unit.interop.tflite.peers import run_litert, run_onnx
from unit.interop.tflite.writer import Step, Tensor, model

DICE = np.random.default_rng(0)
IMAGE = (1, 6, 8, 4)


def noise(*shape: int) -> Any:
    return DICE.normal(size=shape).astype(np.float32)


def ints(*numbers: int) -> Any:
    return np.array(numbers, np.int32)


@dataclass(frozen=True)
class Case:
    """One step: what flows in, and constants; `None` stands for the next of what flows in."""

    kind: str
    inputs: Sequence[Any]  # shapes and arrays in order; a tuple is the shape of an input, an array a constant
    options: Mapping[str, Any] = field(default_factory=dict)
    shape: Sequence[int] = ()  # of the result
    dtype: str = "float32"
    fed: str = "float32"
    outputs: int = 1
    version: int = 1
    low: float | None = None  # inputs lie above

    def __str__(self) -> str:
        said = ",".join(f"{name}={value}" for name, value in self.options.items())
        return f"{self.kind}-{said}-{'x'.join(map(str, self.shape))}"


CONV = {"padding": 0, "stride_w": 1, "stride_h": 1}
POOL = {"padding": 1, "stride_w": 2, "stride_h": 2, "filter_w": 2, "filter_h": 2}
SLICE = {"begin_mask": 0, "end_mask": 0}
PADS = np.array([[0, 0], [1, 2], [2, 1], [0, 0]], np.int32)

CASES = [
    Case("CONV_2D", [IMAGE, noise(5, 3, 3, 4), noise(5)], CONV, (1, 6, 8, 5)),
    Case("CONV_2D", [IMAGE, noise(5, 3, 3, 4), noise(5)], {**CONV, "padding": 1, "activation": 1}, (1, 4, 6, 5)),
    Case("CONV_2D", [IMAGE, noise(5, 3, 3, 4), noise(5)], {**CONV, "stride_w": 2, "stride_h": 2}, (1, 3, 4, 5)),
    Case(
        "CONV_2D",
        [(1, 7, 9, 4), noise(5, 3, 3, 4), noise(5)],
        {**CONV, "stride_w": 2, "stride_h": 2, "activation": 3},
        (1, 4, 5, 5),
    ),
    Case("CONV_2D", [IMAGE, noise(5, 2, 3, 4), noise(5)], {**CONV, "dilation_w": 2, "dilation_h": 2}, (1, 6, 8, 5)),
    Case("DEPTHWISE_CONV_2D", [IMAGE, noise(1, 3, 3, 4), noise(4)], CONV, IMAGE),
    Case("DEPTHWISE_CONV_2D", [IMAGE, noise(1, 3, 3, 8), noise(8)], {**CONV, "activation": 2}, (1, 6, 8, 8)),
    Case(
        "TRANSPOSE_CONV",
        [ints(1, 12, 16, 5), noise(5, 3, 3, 4), IMAGE],
        {**CONV, "stride_w": 2, "stride_h": 2},
        (1, 12, 16, 5),
    ),
    Case(
        "TRANSPOSE_CONV",
        [ints(1, 13, 17, 5), noise(5, 3, 3, 4), IMAGE],
        {"padding": 1, "stride_w": 2, "stride_h": 2},
        (1, 13, 17, 5),
    ),
    Case("FULLY_CONNECTED", [(1, 12), noise(5, 12), noise(5)], {"activation": 1}, (1, 5)),
    Case("FULLY_CONNECTED", [(1, 3, 12), noise(5, 12), noise(5)], {"keep_num_dims": True}, (1, 3, 5), version=5),
    Case("AVERAGE_POOL_2D", [IMAGE], POOL, (1, 3, 4, 4)),
    Case("AVERAGE_POOL_2D", [(1, 7, 7, 4)], {**POOL, "padding": 0, "filter_w": 3, "filter_h": 3}, (1, 4, 4, 4)),
    Case("AVERAGE_POOL_2D", [IMAGE], {**POOL, "filter_w": 8, "filter_h": 6}, (1, 1, 1, 4)),
    Case("MAX_POOL_2D", [(1, 7, 7, 4)], {**POOL, "padding": 0, "filter_w": 3, "filter_h": 3}, (1, 4, 4, 4)),
    Case("L2_POOL_2D", [IMAGE], POOL, (1, 3, 4, 4)),
    Case("L2_NORMALIZATION", [IMAGE], {}, IMAGE),
    Case("LOCAL_RESPONSE_NORMALIZATION", [IMAGE], {"radius": 1, "bias": 1.0, "alpha": 0.5, "beta": 0.75}, IMAGE),
    *(Case(kind, [IMAGE, IMAGE], {}, IMAGE) for kind in ("ADD", "SUB", "MUL")),
    Case("ADD", [IMAGE, noise(4)], {"activation": 1}, IMAGE),
    Case("ADD", [IMAGE, noise(1, 1, 1, 4)], {}, IMAGE),
    Case("MUL", [IMAGE, noise(8, 1)], {"activation": 3}, IMAGE),
    Case("MUL", [IMAGE, (1, 1, 1, 4)], {}, IMAGE),
    Case("SUB", [IMAGE, (4,)], {}, IMAGE),
    Case("DIV", [IMAGE, IMAGE], {}, IMAGE, low=0.5),
    Case("POW", [IMAGE, np.float32(2.5)], {}, IMAGE, low=0.1),
    *(
        Case(kind, [IMAGE, IMAGE], {}, IMAGE)
        for kind in ("MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE", "FLOOR_DIV", "FLOOR_MOD")
    ),
    *(Case(kind, [(2, 9), ints(3)], {}, (2, 9), "int32", "int32", version=2) for kind in ("FLOOR_DIV", "FLOOR_MOD")),
    *(Case(kind, [(2, 9), ints(-3)], {}, (2, 9), "int32", "int32", version=2) for kind in ("FLOOR_DIV", "FLOOR_MOD")),
    Case("ADD_N", [IMAGE, IMAGE, IMAGE], {}, IMAGE),
    *(
        Case(kind, [IMAGE, noise(4)], {}, IMAGE, "bool")
        for kind in ("EQUAL", "NOT_EQUAL", "LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL")
    ),
    *(Case(kind, [(3, 4), (3, 4)], {}, (3, 4), "bool", "bool") for kind in ("LOGICAL_AND", "LOGICAL_OR")),
    Case("LOGICAL_NOT", [(3, 4)], {}, (3, 4), "bool", "bool"),
    Case("SELECT", [np.array([True, False, True]), (3, 4), (3, 4)], {}, (3, 4)),
    Case("SELECT_V2", [np.array([True, False, True, False]), IMAGE, noise(1)], {}, IMAGE),
    *(
        Case(kind, [IMAGE], {}, IMAGE)
        for kind in ("EXP", "ABS", "NEG", "FLOOR", "CEIL", "ROUND", "SIN", "COS", "SQUARE")
    ),
    *(Case(kind, [IMAGE], {}, IMAGE, low=0.1) for kind in ("LOG", "SQRT", "RSQRT")),
    Case("SIGN", [IMAGE], {}, IMAGE, version=2),
    Case("ZEROS_LIKE", [IMAGE], {}, IMAGE),
    *(
        Case(kind, [IMAGE], {}, IMAGE)
        for kind in (
            "RELU",
            "RELU6",
            "RELU_N1_TO_1",
            "RELU_0_TO_1",
            "ELU",
            "HARD_SWISH",
            "LOGISTIC",
            "TANH",
            "LOG_SOFTMAX",
        )
    ),
    Case("LEAKY_RELU", [IMAGE], {"alpha": 0.2}, IMAGE),
    Case("PRELU", [IMAGE, noise(1, 1, 4)], {}, IMAGE),
    Case("SOFTMAX", [IMAGE], {"beta": 1.0}, IMAGE),
    Case("SOFTMAX", [(2, 7)], {"beta": 0.5}, (2, 7)),
    Case("GELU", [IMAGE], {"approximate": False}, IMAGE),
    Case("GELU", [IMAGE], {"approximate": True}, IMAGE),
    Case("RESHAPE", [IMAGE, ints(1, 48, 4)], {"new_shape": (1, 48, 4)}, (1, 48, 4)),
    Case("RESHAPE", [IMAGE, ints(-1, 16)], {"new_shape": (-1, 16)}, (12, 16)),
    Case("RESHAPE", [(1, 1, 1, 4), ints(1, 4)], {"new_shape": (1, 4)}, (1, 4)),
    Case("SQUEEZE", [(1, 1, 1, 4)], {"squeeze_dims": (1, 2)}, (1, 4)),
    Case("SQUEEZE", [(1, 6, 1, 4)], {"squeeze_dims": ()}, (6, 4)),
    Case("SQUEEZE", [(1, 6, 1, 4)], {"squeeze_dims": (2,)}, (1, 6, 4)),
    Case("EXPAND_DIMS", [(6, 4), ints(1)], {}, (6, 1, 4)),
    Case("TRANSPOSE", [IMAGE, ints(0, 3, 1, 2)], {}, (1, 4, 6, 8)),
    Case("TRANSPOSE", [IMAGE, ints(0, 2, 1, 3)], {}, (1, 8, 6, 4)),
    Case("CONCATENATION", [IMAGE, IMAGE], {"axis": 3}, (1, 6, 8, 8)),
    Case("CONCATENATION", [IMAGE, noise(*IMAGE)], {"axis": -2}, (1, 6, 16, 4)),
    Case("SPLIT", [ints(3), IMAGE], {"num_splits": 2}, (1, 6, 8, 2), outputs=2),
    Case("SPLIT_V", [IMAGE, ints(4, 4), ints(2)], {"num_splits": 2}, (1, 6, 4, 4), outputs=2),
    Case("PACK", [(6, 4), (6, 4)], {"count": 2, "axis": 1}, (6, 2, 4)),
    Case("PACK", [IMAGE, IMAGE], {"count": 2, "axis": -1}, (*IMAGE, 2)),
    Case("UNPACK", [(1, 2, 8, 4)], {"count": 2, "axis": 1}, (1, 8, 4), outputs=2),
    Case("UNPACK", [(1, 3, 8, 2)], {"count": 2, "axis": 3}, (1, 3, 8), outputs=2),
    Case("SLICE", [IMAGE, ints(0, 1, 2, 0), ints(1, 3, -1, 4)], {}, (1, 3, 6, 4)),
    Case("STRIDED_SLICE", [IMAGE, ints(0, 1, 7, 0), ints(1, 5, 0, 4), ints(1, 2, -1, 1)], SLICE, (1, 2, 7, 4)),
    Case("STRIDED_SLICE", [IMAGE, ints(0, -2), ints(0, 0), ints(1, 1)], {"end_mask": 3}, (1, 2, 8, 4)),
    Case("STRIDED_SLICE", [IMAGE, ints(0, 2), ints(1, 3), ints(1, 1)], {"shrink_axis_mask": 2}, (1, 8, 4)),
    Case(
        "STRIDED_SLICE",
        [IMAGE, ints(0, -1), ints(0, 0), ints(1, 1)],
        {"ellipsis_mask": 1, "shrink_axis_mask": 2},
        (1, 6, 8),
    ),
    Case("GATHER", [IMAGE, ints(3, 0, 3)], {"axis": 3}, (1, 6, 8, 3)),
    Case(
        "GATHER", [(2, 5, 3), np.array([[1, 2], [0, 4]], np.int32)], {"axis": 1, "batch_dims": 1}, (2, 2, 3), version=5
    ),
    Case("GATHER_ND", [IMAGE, np.array([[0, 5, 7], [0, 1, 2]], np.int32)], {}, (2, 4)),
    Case("PAD", [IMAGE, PADS], {}, (1, 9, 11, 4)),
    Case("PAD", [IMAGE, np.array([[0, 0], [0, 0], [0, 0], [1, 2]], np.int32)], {}, (1, 6, 8, 7)),
    Case("PADV2", [IMAGE, PADS, np.float32(1.5)], {}, (1, 9, 11, 4)),
    Case("MIRROR_PAD", [IMAGE, PADS], {"mode": 0}, (1, 9, 11, 4)),
    Case("MIRROR_PAD", [IMAGE, PADS], {"mode": 1}, (1, 9, 11, 4)),
    Case("TILE", [IMAGE, ints(1, 2, 1, 3)], {}, (1, 12, 8, 12)),
    Case("REVERSE_V2", [IMAGE, ints(2)], {}, IMAGE),
    Case("FILL", [ints(2, 3), np.float32(1.5)], {}, (2, 3)),
    Case("BROADCAST_TO", [(1, 4), ints(3, 4)], {}, (3, 4), version=2),
    Case("SHAPE", [IMAGE], {"output_type": 2}, (4,), "int32"),
    Case("RANK", [IMAGE], {}, (), "int32"),
    Case("RANGE", [ints(1)[0], ints(9)[0], ints(3)[0]], {}, (3,), "int32"),
    Case("ONE_HOT", [ints(0, 2, 1), ints(3)[0], np.float32(5), np.float32(-1)], {"axis": -1}, (3, 3)),
    Case("WHERE", [(3, 4)], {}, (0, 2), "int64", "bool"),
    Case("CAST", [IMAGE], {}, IMAGE, "int32"),
    Case("CAST", [(3, 4)], {}, (3, 4), "float32", "uint8"),
    Case("CUMSUM", [(3, 4), ints(1)[0]], {"exclusive": True, "reverse": False}, (3, 4)),
    Case("SCATTER_ND", [np.array([[1], [3]], np.int32), (2, 4), ints(5, 4)], {}, (5, 4)),
    *(
        Case(kind, [IMAGE, ints(1, 2)], {"keep_dims": True}, (1, 1, 1, 4))
        for kind in ("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN")
    ),
    *(
        Case(kind, [IMAGE, ints(1, 2)], {"keep_dims": False}, (1, 4))
        for kind in ("MEAN", "SUM", "REDUCE_MAX", "REDUCE_PROD")
    ),
    Case("MEAN", [IMAGE, ints(3)], {"keep_dims": False}, (1, 6, 8)),
    Case("SUM", [IMAGE, ints(1)], {"keep_dims": False}, (1, 8, 4)),
    *(
        Case(kind, [(3, 4), ints(1)], {"keep_dims": False}, (3,), "bool", "bool")
        for kind in ("REDUCE_ANY", "REDUCE_ALL")
    ),
    Case("ARG_MAX", [IMAGE, ints(3)[0]], {"output_type": 4}, (1, 6, 8), "int64"),
    Case("ARG_MIN", [IMAGE, ints(1)[0]], {"output_type": 2}, (1, 8, 4), "int32"),
    Case("TOPK_V2", [(2, 9), ints(3)[0]], {}, (2, 3), outputs=2),
    Case("BATCH_MATMUL", [(2, 3, 4), (2, 4, 5)], {}, (2, 3, 5)),
    Case("BATCH_MATMUL", [(2, 4, 3), (2, 5, 4)], {"adj_x": True, "adj_y": True}, (2, 3, 5)),
    *(
        Case(
            "RESIZE_BILINEAR",
            [IMAGE, ints(*size)],
            {"align_corners": corners, "half_pixel_centers": half},
            (1, *size, 4),
        )
        for size in ((12, 16), (5, 3), (7, 23), (24, 40), (29, 33))
        for corners, half in ((False, False), (True, False), (False, True))
    ),
    *(
        Case(
            "RESIZE_NEAREST_NEIGHBOR",
            [IMAGE, ints(*size)],
            {"align_corners": corners, "half_pixel_centers": half},
            (1, *size, 4),
        )
        for size in ((12, 16), (5, 3), (7, 23))
        for corners, half in ((False, False), (True, False), (False, True))
    ),
    Case("RESIZE_BILINEAR", [(1, 1, 1, 4), ints(3, 5)], {"align_corners": True}, (1, 3, 5, 4)),
    Case("SPACE_TO_DEPTH", [IMAGE], {"block": 2}, (1, 3, 4, 16)),
    Case("DEPTH_TO_SPACE", [IMAGE], {"block": 2}, (1, 12, 16, 1)),
    Case("SPACE_TO_BATCH_ND", [IMAGE, ints(2, 3), np.array([[1, 1], [0, 1]], np.int32)], {}, (6, 4, 3, 4)),
    Case("BATCH_TO_SPACE_ND", [(6, 4, 3, 4), ints(2, 3), np.array([[1, 1], [0, 1]], np.int32)], {}, (1, 6, 8, 4)),
    Case("QUANTIZE", [IMAGE], {}, IMAGE, "uint8"),
    Case("DEQUANTIZE", [noise(3, 4).astype(np.float16)], {}, (3, 4), version=3),
    Case("FAKE_QUANT", [IMAGE], {"min": -1.0, "max": 2.0, "bits": 8, "narrow_range": False}, IMAGE),
]
# LiteRT's reference kernels lack some, and sum one neighbor less than TensorFlow does in another.
OPTIMIZED = {"CEIL", "ROUND", "ELU", "LOCAL_RESPONSE_NORMALIZATION"}


def _build(case: Case, folder: Path, *, between: bool) -> tuple[Path, dict[str, Any]]:
    """The file, and noise for its inputs; `between` makes each image come out of a convolution that copies it."""
    tensors, steps, feeds, names = [], [], {}, []
    for number, given in enumerate(case.inputs):
        name = f"in{number}"
        names.append(name)
        if not isinstance(given, tuple):
            array = np.asarray(given)
            tensors.append(Tensor(name, array.shape, array.dtype.name, array))
            continue
        shape = list(given)
        feeds[name] = _noise(case, shape)
        tensors.append(Tensor(name, shape, case.fed))
        if between and len(shape) == 4 and case.fed == "float32":
            channels = shape[3]
            tensors += [
                Tensor(f"copied{number}", shape),
                Tensor(f"zero{number}", (channels,), data=np.zeros(channels)),
                Tensor(
                    f"eye{number}", (channels, 1, 1, channels), data=np.eye(channels).reshape(channels, 1, 1, channels)
                ),
            ]
            steps.append(Step("CONV_2D", [name, f"eye{number}", f"zero{number}"], [f"copied{number}"], CONV))
            names[-1] = f"copied{number}"
    scale: dict[str, Any] = {"scale": (0.02,), "zero": (128,)} if case.dtype == "uint8" else {}
    outputs = [f"out{number}" for number in range(case.outputs)]
    for number, name in enumerate(outputs):
        dtype = "int32" if case.kind == "TOPK_V2" and number else case.dtype
        tensors.append(Tensor(name, case.shape, dtype, **scale))
    steps.append(Step(case.kind, names, outputs, case.options, case.version))
    path = folder / "step.tflite"
    path.write_bytes(model(tensors, steps, list(feeds), outputs))
    return path, feeds


def _noise(case: Case, shape: Sequence[int]) -> Any:
    if case.fed == "bool":
        return DICE.random(shape) < 0.5
    if case.fed != "float32":
        return DICE.integers(0 if case.fed == "uint8" else -20, 20, shape).astype(case.fed)
    values = noise(*shape)
    return values if case.low is None else np.abs(values) + np.float32(case.low)


@pytest.mark.parametrize("between", [False, True], ids=["alone", "between"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_step_gives_what_litert_gives(case: Case, between: bool, tmp_path: Path) -> None:
    path, feeds = _build(case, tmp_path, between=between)
    expected = run_litert(path, feeds, reference=case.kind not in OPTIMIZED)
    imported = read(path)
    found = run_onnx(imported.model, feeds)
    for mine, theirs in zip(found, expected, strict=True):
        assert mine.shape == theirs.shape
        if theirs.dtype.kind == "f" and case.dtype == "float32":
            top = np.abs(theirs).max(initial=1e-3)
            np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-5 * top)
        elif case.dtype == "uint8":
            np.testing.assert_allclose(mine, theirs, atol=0.02 * 1.01)
        else:
            np.testing.assert_array_equal(mine, theirs)


def test_every_operator_has_a_case() -> None:
    assert {case.kind for case in CASES} == set(CONVERTERS)
