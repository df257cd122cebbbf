"""Files from strangers: cut off, altered, made to hurt."""

from __future__ import annotations

import random
import resource
import struct
from pathlib import Path

import numpy as np
import pytest

from pixelwright.errors import DamagedModel, PixelwrightError
from pixelwright.interop.tflite import read
from pixelwright.interop.tflite.faults import DamageError
from pixelwright.interop.tflite.flatbuffer import Table
from unit.interop.tflite.writer import Record, Step, Tensor, flatbuffer, model

NUMBERS = (0, 1, 2, 3, 127, 128, 255, 256, 1000, 65535, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF)
CONV = {"padding": 0, "stride_w": 1, "stride_h": 1}


def _seed() -> bytes:
    """Integers, shapes, a reshape, a pad, a resize: much that can be altered."""
    dice = np.random.default_rng(0)
    tensors = [
        Tensor("x", (1, 6, 8, 3), "uint8", scale=(0.1,), zero=(128,)),
        Tensor("w", (4, 3, 3, 3), "uint8", dice.integers(0, 255, (4, 3, 3, 3)), (0.02,), (120,)),
        Tensor("b", (4,), "int32", [1, 2, 3, 4], (0.002,), (0,)),
        Tensor("c", (1, 6, 8, 4), "uint8", scale=(0.2,), zero=(0,)),
        Tensor("sizes", (4, 2), "int32", [[0, 0], [1, 1], [1, 1], [0, 0]]),
        Tensor("p", (1, 8, 10, 4), "uint8", scale=(0.2,), zero=(0,)),
        Tensor("to", (2,), "int32", [16, 20]),
        Tensor("r", (1, 16, 20, 4), "uint8", scale=(0.2,), zero=(0,)),
        Tensor("flat", (2,), "int32", [1, -1]),
        Tensor("y", (1, 1280), "uint8", scale=(0.2,), zero=(0,)),
    ]
    steps = [
        Step("CONV_2D", ["x", "w", "b"], ["c"], {**CONV, "activation": 3}),
        Step("PAD", ["c", "sizes"], ["p"]),
        Step("RESIZE_BILINEAR", ["p", "to"], ["r"], {"align_corners": True}),
        Step("RESHAPE", ["r", "flat"], ["y"], {"new_shape": (1, -1)}),
    ]
    return model(tensors, steps, ["x"], ["y"])


def _altered(data: bytes, dice: random.Random) -> bytes:
    altered = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 4))):
        at = dice.randrange(len(altered))
        if dice.random() < 0.5:
            altered[at] ^= 1 << dice.randrange(8)
        else:
            struct.pack_into("<I", altered, min(at & ~3, len(altered) - 4), dice.choice(NUMBERS))
    return bytes(altered)


def test_altered_files_are_read_or_refused_in_a_sentence(tmp_path: Path) -> None:
    data, path = _seed(), tmp_path / "altered.tflite"
    outcomes = set()
    for number in range(200):
        path.write_bytes(_altered(data, random.Random(number)))
        try:
            read(path)
            outcomes.add("read")
        except PixelwrightError as err:
            outcomes.add("refused")
            assert str(path) in str(err) and "\n" not in str(err)
    assert outcomes == {"read", "refused"}


def test_a_file_cut_off_is_refused(tmp_path: Path) -> None:
    data, path = _seed(), tmp_path / "cut.tflite"
    for length in (0, 3, 8, 16, *range(20, len(data) // 2, 97)):
        path.write_bytes(data[:length])
        with pytest.raises(
            DamagedModel, match=r"cut\.tflite: not a TensorFlow Lite file, or damaged: .*Fetch it again"
        ):
            read(path)


def test_another_format_is_told_by_its_first_bytes(tmp_path: Path) -> None:
    path = tmp_path / "photo.tflite"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" * 4)
    with pytest.raises(DamagedModel, match="expected 'TFL3'"):
        read(path)


def test_a_shape_of_terabytes_takes_no_memory(tmp_path: Path) -> None:
    tensors = [
        Tensor("value", (), data=1.0),
        Tensor("sizes", (4,), "int32", [60000, 60000, 60000, 3]),
        Tensor("y", (1,)),
    ]
    path = tmp_path / "huge.tflite"
    path.write_bytes(model(tensors, [Step("FILL", ["sizes", "value"], ["y"])], [], ["y"]))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(DamagedModel, match="over 1024 MB"):
        read(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


def test_one_buffer_named_often_is_not_copied_often(tmp_path: Path) -> None:
    """A table of a list may be named any number of times; what each copies out is paid from one allowance."""
    text = "x" * 4000
    root = flatbuffer(Record({0: [Record({0: text})]}), b"TFL3")
    table = next(Table.root(root, b"TFL3").tables(0))
    with pytest.raises(DamageError, match="over and over"):
        for _ in range(1000):
            table.text(0)


def test_a_constant_of_another_size_than_its_shape_is_refused(tmp_path: Path) -> None:
    tensors = [Tensor("x", (1, 4)), Tensor("c", (1, 5), data=np.ones(4)), Tensor("y", (1, 4))]
    path = tmp_path / "short.tflite"
    path.write_bytes(model(tensors, [Step("ADD", ["x", "c"], ["y"])], ["x"], ["y"]))
    with pytest.raises(DamagedModel, match=r"of shape \(1, 5\) needs 20 bytes and has 16"):
        read(path)


def test_steps_in_a_circle_are_refused(tmp_path: Path) -> None:
    tensors = [Tensor("x", (1, 4)), Tensor("a", (1, 4)), Tensor("y", (1, 4))]
    steps = [Step("ADD", ["x", "y"], ["a"]), Step("RELU", ["a"], ["y"])]
    path = tmp_path / "circle.tflite"
    path.write_bytes(model(tensors, steps, ["x"], ["y"]))
    with pytest.raises(DamagedModel, match="before any step made it"):
        read(path)
