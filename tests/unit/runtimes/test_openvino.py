"""OpenVINO's own traps."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import bundles

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
