"""The network of the Keras tutorials on MNIST: Keras with TensorFlow, ours as faithfully, ours at our best schedule.

python benchmarks/bench_keras_mnist.py --data MNIST --peer PYTHON [--seeds 5] [--held-out]

PYTHON has Keras and TensorFlow installed. Time is from the start of the process until the weights are on the disk;
scoring follows after it. 20,000 pictures are learned, and t10k is scored, which chose nothing; with `--held-out` the
last 2,000 of the 20,000 are scored and not learned, which is what schedules are chosen by.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import mean, median
from typing import IO, cast

import numpy as np

from pixelwright.data.arrays import IdxArray
from pixelwright.data.place import Place
from report import ROOT, report, spread

HELD_OUT = 2_000
VALIDATED = 500  # what ours is validated on, once, at the end
# By name, recipe and arithmetic. Keras computes in float32; the trainer chooses bfloat16 where the processor has it.
OURS = (
    ("faithful", "keras-mnist", ""),
    ("faithful-f32", "keras-mnist", "f32"),
    ("best", "keras-mnist-fast", ""),
)
BENCHMARKS, RECIPES = ROOT / "benchmarks", ROOT / "recipes"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "mnist")
    parser.add_argument("--peer", type=Path, required=True, metavar="PYTHON", help="has Keras and TensorFlow")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--held-out", action="store_true", help="score the last 2,000 training pictures, not t10k")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        arrays, scored = write_arrays(options.data, folder, held_out=options.held_out)
        common = [str(arrays), str(scored)]
        commands = {"keras": [str(options.peer), str(BENCHMARKS / "peer_keras.py"), *common]}
        ours = [sys.executable, str(BENCHMARKS / "ours_keras.py")]
        commands |= {
            name: [*ours, str(RECIPES / f"{recipe}.toml"), precision, *common] for name, recipe, precision in OURS
        }
        seconds: dict[str, list[float]] = {name: [] for name in commands}
        accuracy: dict[str, list[float]] = {name: [] for name in commands}
        for seed in range(options.seeds):
            for name, command in commands.items():
                more = [str(seed)] if name == "keras" else [str(seed), str(folder / f"{name}{seed}")]
                taken, right = one_run([*command, *more])
                seconds[name].append(taken)
                accuracy[name].append(right)
    base = median(seconds["keras"])
    report(
        "keras_mnist",
        scored="the last 2,000 training pictures" if options.held_out else "t10k",
        seconds={name: spread(taken) for name, taken in seconds.items()},
        of_keras={name: round(median(taken) / base, 3) for name, taken in seconds.items()},
        accuracy={name: round(mean(right), 5) for name, right in accuracy.items()},
        accuracy_by_seed={name: [round(one, 4) for one in right] for name, right in accuracy.items()},
    )


def write_arrays(data: Path, folder: Path, *, held_out: bool) -> tuple[Path, Path]:
    """What is learned from, and what is scored, as arrays that both sides read."""
    pictures, ids = (_idx(data / f"train20k-{name}-ubyte.gz") for name in ("images-idx3", "labels-idx1"))
    if held_out:
        scored = pictures[-HELD_OUT:], ids[-HELD_OUT:]
        pictures, ids = pictures[:-HELD_OUT], ids[:-HELD_OUT]
    else:
        scored = _idx(data / "t10k-images-idx3-ubyte.gz"), _idx(data / "t10k-labels-idx1-ubyte.gz")
    shown = {"val_images": scored[0][:VALIDATED], "val_labels": scored[1][:VALIDATED]}
    np.savez(folder / "arrays.npz", train_images=pictures, train_labels=ids, **shown)  # pyright: ignore[reportArgumentType]
    np.savez(folder / "scored.npz", images=scored[0], labels=scored[1])
    return folder / "arrays.npz", folder / "scored.npz"


def _idx(path: Path) -> np.ndarray:
    return IdxArray(Place(str(path))).load()


def one_run(command: list[str]) -> tuple[float, float]:
    """Seconds until it says that it has trained, and the accuracy that it says afterwards."""
    begun = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        lines = iter(cast("IO[str]", process.stdout))
        said = next((line for line in lines if line.strip() == "trained"), None)
        taken = time.perf_counter() - begun
        right = next(lines, "")
        errors = cast("IO[str]", process.stderr).read()
    if said is None or process.returncode:
        raise SystemExit(f"{command[0]} failed:\n{errors[-2000:]}")
    return taken, float(right)


if __name__ == "__main__":
    main()
