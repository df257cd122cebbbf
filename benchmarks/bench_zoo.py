"""How many pictures a second a model of the zoo answers: the command, start-up included, beside a plain loop.

    python benchmarks/bench_zoo.py --data DIR [--model digits] [--images 500] [--rounds 3]

Both read the same picture files on all cores. Pictures of arrays (IDX, .npz) are written as PNG first. The loop decodes
with Pillow, stretches, and runs the network in ONNX Runtime, a thread for each core; it makes nothing of the outputs:
no boxes, no masks, no names. So it does less, and its start-up is not counted.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from report import report, spread


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="digits", help="a name of the zoo, or a bundle's folder")
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    from pixelwright import load

    bundle = load(options.model).bundle
    spec, network = bundle.spec, bundle.path / "model.onnx"
    rates: dict[str, list[float]] = {"ours": [], "loop": []}
    with tempfile.TemporaryDirectory() as place:
        files = picture_files(options.data, options.images, Path(place))
        for _ in range(options.rounds):
            rates["ours"].append(len(files) / run_ours(spec.task, options.model, files, Path(place)))
            rates["loop"].append(len(files) / run_loop(spec, network, files))
    report(
        "zoo",
        model=f"{spec.name} {spec.version}",
        images=len(files),
        images_per_second={name: spread(values) for name, values in rates.items()},
        ratio_to_loop=round(float(np.median(rates["ours"]) / np.median(rates["loop"])), 2),
        measured={one.metric: one.value for one in spec.measured if "/" not in one.metric},
    )


def picture_files(data: Path, most: int, folder: Path) -> list[Path]:
    """Files of the last `most` pictures of a data set."""
    from pixelwright.data.opening import open_dataset
    from pixelwright.io.images import write_image

    files = []
    for number, sample in enumerate(open_dataset(data).samples[-most:]):
        path = sample.picture.path
        if path is None:
            path = folder / f"{number:05}.png"
            write_image(sample.read(), path)
        files.append(path)
    return files


def run_ours(task: str, model: str, files: list[Path], folder: Path) -> float:
    """Seconds of the command, as a user runs it."""
    listing = folder / "files.txt"
    listing.write_text("\n".join(map(str, files)))
    command = [sys.executable, "-m", "pixelwright", task, "-", "--model", model, "--json"]
    start = time.perf_counter()
    with listing.open() as stdin:
        done = subprocess.run(command, stdin=stdin, capture_output=True, check=True)
    seconds = time.perf_counter() - start
    if len(done.stdout.splitlines()) != len(files):
        sys.exit(f"{model}: {len(done.stdout.splitlines())} answers to {len(files)} pictures.")
    return seconds


def run_loop(spec: Any, network: Path, files: list[Path]) -> float:
    """Seconds of a loop over the files."""
    import onnxruntime
    from PIL import Image

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(network, settings, providers=["CPUExecutionProvider"])
    entry, taken = session.get_inputs()[0], spec.input
    mode = "L" if taken.channels == "gray" else "RGB"
    mean, std = np.array(taken.mean or [0], np.float32), np.array(taken.std or [1], np.float32)

    def answer(path: Path) -> None:
        with Image.open(path) as picture:
            picture = picture.convert(mode)
            if taken.resize is not None:
                picture = picture.resize(taken.resize.size_hw[::-1], Image.Resampling.BILINEAR)
            pixels = np.atleast_3d(np.asarray(picture, np.float32)) / 255
        rows, columns = (side // taken.multiple_of * taken.multiple_of for side in pixels.shape[:2])
        tensor = ((pixels[:rows, :columns] - mean) / std).transpose(2, 0, 1)[None]
        session.run(None, {entry.name: np.ascontiguousarray(tensor)})

    start = time.perf_counter()
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        list(pool.map(answer, files))
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
