"""OpenVINO's own traps."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

import bundles
import networks
import tolerance
from pixelwright.runtimes.onnx import OnnxRuntime
from pixelwright.runtimes.openvino import RUNTIME

pytest.importorskip("openvino")

CHANGING_SHAPES = """
import sys, threading
import numpy as np
from pathlib import Path
from pixelwright.runtimes.openvino import RUNTIME

graph = RUNTIME.open(Path(sys.argv[1]), threads=1)

def work(seed):
    rng = np.random.default_rng(seed)
    for _ in range(150):
        height, width = (int(side) for side in rng.integers(8, 90, 2))
        graph.run({"in": rng.random((1, 3, height, width), dtype=np.float32)})

threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def test_threads_with_changing_shapes_do_not_wait_for_each_other(tmp_path: Path) -> None:
    model = bundles.blur(tmp_path / "blur").file("model")
    # In a process of its own: what hangs here cannot be interrupted.
    for _ in range(2):
        subprocess.run([sys.executable, "-c", CHANGING_SHAPES, str(model)], check=True, timeout=60)


def test_weights_stored_in_8_bits_are_multiplied_in_full(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    steps, scale = rng.integers(-127, 128, (64, 32)).astype(np.int8), rng.random((1, 32)).astype(np.float32) / 127
    nodes = [
        helper.make_node("Cast", ["steps"], ["whole"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["whole", "scale"], ["matrix"]),
        helper.make_node("MatMul", ["in", "matrix"], ["out"]),
    ]
    model = networks.save(
        tmp_path / "m.onnx", nodes, {"steps": steps, "scale": scale}, {"in": ["N", 64]}, {"out": ["N", 32]}
    )
    rows = rng.normal(size=(5, 64)).astype(np.float32)
    made = RUNTIME.open(model, threads=1).run({"in": rows})["out"]
    expected = rows.astype(np.float64) @ (steps.astype(np.float64) * scale)
    relative, absolute = tolerance.FLOAT32
    np.testing.assert_allclose(made, expected, rtol=relative, atol=absolute)


def test_convolutions_with_weights_in_8_bits_answer_in_several_streams(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    nodes, constants = [], {}
    for layer, (before, after) in enumerate(((3, 16), (16, 16), (16, 4))):
        constants[f"steps{layer}"] = rng.integers(-127, 128, (after, before, 1, 1)).astype(np.int8)
        constants[f"scale{layer}"] = rng.random((after, 1, 1, 1)).astype(np.float32) / 200
        last = f"y{layer - 1}" if layer else "in"
        nodes += [
            helper.make_node("Cast", [f"steps{layer}"], [f"whole{layer}"], to=TensorProto.FLOAT),
            helper.make_node("Mul", [f"whole{layer}", f"scale{layer}"], [f"w{layer}"]),
            helper.make_node("Conv", [last, f"w{layer}"], [f"h{layer}"]),
            helper.make_node("Relu", [f"h{layer}"], [f"y{layer}" if layer < 2 else "out"]),
        ]
    entry, exit_ = {"in": ["N", 3, 28, 28]}, {"out": ["N", 4, 28, 28]}
    model = networks.save(tmp_path / "m.onnx", nodes, constants, entry, exit_)
    monkeypatch.setattr("pixelwright.runtimes.openvino.os.sched_getaffinity", lambda _: {0, 1}, raising=False)
    graph = RUNTIME.open(model, threads=1)
    pictures = rng.normal(size=(4, 3, 28, 28)).astype(np.float32)
    expected = OnnxRuntime().open(model, threads=1).run({"in": pictures})["out"]
    relative, absolute = tolerance.FLOAT32
    np.testing.assert_allclose(graph.run({"in": pictures})["out"], expected, rtol=relative, atol=absolute)
