"""TensorFlow Lite files converted, against LiteRT: milliseconds a picture, in one process, round by round.

Each file is run by LiteRT (XNNPACK, its default) and, converted, by ONNX Runtime and OpenVINO, with the integers of a
quantized file kept (`kept`) and made real (`float`). All take the same threads and the same input, in turns, so that
what else the machine does hits all alike. Quality stands beside speed: `differs` is the largest difference from
LiteRT's output as a part of its range, or the part of labels that differ where the output is labels.

    python benchmarks/bench_tflite.py ../shared/models/*/*.tflite
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from report import report, spread

Run = Callable[[], list[Any]]

REST_S = 0.01  # between two runtimes: the threads of the one still wait busily for work when the other begins


def noise(shape: Any, dtype: Any) -> Any:
    """Numbers as a picture has them, of the dtype that a network takes."""
    values = np.random.default_rng(0).random(shape, np.float32)
    if dtype == np.float32:
        return values * 2 - 1
    return (values * 255 + (-128 if dtype == np.int8 else 0)).astype(dtype)


def litert(path: Path, threads: int) -> tuple[dict[str, Any], Run]:
    """Its input, and a run of LiteRT."""
    from ai_edge_litert.interpreter import Interpreter

    opened = Interpreter(str(path), num_threads=threads)
    opened.allocate_tensors()
    detail = opened.get_input_details()[0]
    values, outputs = noise(detail["shape"], detail["dtype"]), opened.get_output_details()

    def run() -> list[Any]:
        opened.set_tensor(detail["index"], values)
        opened.invoke()
        return [opened.get_tensor(output["index"]) for output in outputs]

    run()
    return {"name": detail["name"], "values": values, "quantization": [one["quantization"] for one in outputs]}, run


def converted(runtime: Any, path: Path, values: Any, threads: int) -> Run:
    """A run of a runtime, opened as a bundle is."""
    graph = runtime.open(path, threads=threads)
    feeds = {graph.inputs[0].name: values}
    return lambda: list(graph.run(feeds).values())


def runs(path: Path, threads: int, folder: Path) -> tuple[dict[str, Run], dict[str, float]]:
    """Every way to run a file, and how far each is from LiteRT."""
    from pixelwright.runtimes.onnx import OnnxRuntime
    from pixelwright.runtimes.openvino import OpenVino

    fed, reference = litert(path, threads)
    expected = [
        (values.astype(np.float32) - zero) * scale if scale else values
        for values, (scale, zero) in zip(reference(), fed["quantization"], strict=True)
    ]
    found: dict[str, Run] = {"litert": reference}
    for name, model in _models(path).items():
        made = folder / f"{path.stem}-{name}.onnx"
        made.write_bytes(model)
        found[f"onnxruntime {name}"] = converted(OnnxRuntime(), made, fed["values"], threads)
        found[f"openvino {name}"] = converted(OpenVino(), made, fed["values"], threads)
    differs = {name: _difference(run(), expected) for name, run in found.items() if name != "litert"}
    return found, differs


def _models(path: Path) -> dict[str, bytes]:
    """The file with its integers kept, and with real numbers where that is another network."""
    from pixelwright.interop.tflite import read

    kept, real = (read(path, dequantize=flag).model.SerializeToString() for flag in (False, True))
    return {"kept": kept} if kept == real else {"kept": kept, "float": real}


def _difference(found: list[Any], expected: list[Any]) -> float:
    """Outputs may come in another order; they are told apart by their shapes."""
    worst = 0.0
    for theirs in expected:
        mine = next(one for one in found if one.shape == theirs.shape)
        if theirs.dtype.kind == "f":
            worst = max(worst, float(np.abs(mine - theirs).max() / max(np.ptp(theirs), 1e-9)))
        else:
            worst = max(worst, float(np.mean(mine != theirs)))
    return worst


def measure(found: dict[str, Run], rounds: int, round_ms: float) -> dict[str, list[float]]:
    """Milliseconds a run, one number a round."""
    counts = {}
    for name, run in found.items():
        run()
        began = time.perf_counter()
        run()
        counts[name] = max(1, round(round_ms / 1000 / (time.perf_counter() - began)))
    took: dict[str, list[float]] = {name: [] for name in found}
    for _ in range(rounds):
        for name, run in found.items():
            time.sleep(REST_S)
            run()
            began = time.perf_counter()
            for _ in range(counts[name]):
                run()
            took[name].append((time.perf_counter() - began) * 1000 / counts[name])
    return took


def line(path: Path, threads: int, rounds: int, round_ms: float) -> dict[str, Any]:
    """The measurement of one file."""
    with tempfile.TemporaryDirectory() as folder:
        found, differs = runs(path, threads, Path(folder))
        took = measure(found, rounds, round_ms)
    ratios = {
        name: statistics.median(theirs / ours for theirs, ours in zip(took["litert"], took[name], strict=True))
        for name in took
        if name != "litert"
    }
    return {
        "file": path.name,
        "ms": {name: spread(times) for name, times in took.items()},
        "times_litert": {name: round(value, 2) for name, value in ratios.items()},
        "best": max(ratios, key=lambda name: ratios[name]),
        "differs": {name: float(f"{value:.2g}") for name, value in differs.items()},
    }


def main() -> None:
    """Runs all files, and prints one JSON line."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--round-ms", type=float, default=50)
    options = parser.parse_args()
    lines = []
    for path in options.files:
        lines.append(line(path, options.threads, options.rounds, options.round_ms))
        print(f"{path.name}: {lines[-1]['times_litert']}", file=sys.stderr)
    best = [max(one["times_litert"].values()) for one in lines]
    report(
        "bench_tflite",
        litert=version("ai-edge-litert"),
        threads=options.threads,
        rounds=options.rounds,
        files=lines,
        best_times_litert={"median": round(statistics.median(best), 2), "worst": round(min(best), 2)},
    )


if __name__ == "__main__":
    main()
