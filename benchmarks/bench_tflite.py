"""TensorFlow Lite files converted, against LiteRT: milliseconds a picture, in one process, round by round.

Each file is run by LiteRT (XNNPACK, its default) and, converted, by ONNX Runtime and OpenVINO, with the integers of a
quantized file kept (`kept`) and made real (`float`). All take the same threads and the same input, in turns, so that
what else the machine does hits all alike.

`one at a time` gives all threads to one picture. `side by side` has a picture on each thread, and LiteRT an interpreter
on each. `as in a run` has four pictures on each thread in one call, where the network takes them, as a run over a
folder does it; LiteRT takes the one picture its file is made for. `times_litert` compares with LiteRT in the same way,
`times_interpreter` compares `as in a run` with the one interpreter that has all threads. Quality stands beside speed:
`differs` is the largest difference from LiteRT's output as a part of its range, or the part of labels that differ where
the output is labels.

    python benchmarks/bench_tflite.py ../shared/models/*/*.tflite
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from pixelwright.model import BATCH_SIZE
from report import report, spread

Run = Callable[[], list[Any]]
Open = Callable[[int, int], Run]  # with so many threads, for so many pictures at a call (or 1, where it cannot)

IN_A_ROW = 8  # pictures that each of the threads side by side takes before it waits for the others
ALONE, BESIDE, BATCHED = "one at a time", "side by side", "as in a run"

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


def converted(runtime: Any, path: Path, values: Any, threads: int, pictures: int) -> Run:
    """A run of a runtime, opened as a bundle is."""
    graph = runtime.open(path, threads=threads)
    # A network of a fixed batch takes the same pictures one after the other.
    free = isinstance(graph.inputs[0].dims[0], str)
    feeds = {graph.inputs[0].name: np.concatenate([values] * (pictures if free else 1))}

    def run() -> list[Any]:
        for _ in range(0 if free else pictures - 1):
            graph.run(feeds)
        return list(graph.run(feeds).values())

    return run


def ways(path: Path, folder: Path) -> tuple[dict[str, Open], dict[str, float]]:
    """Every way to open a file, and how far each is from LiteRT."""
    from pixelwright.runtimes.onnx import OnnxRuntime
    from pixelwright.runtimes.openvino import OpenVino

    fed, reference = litert(path, 1)
    expected = [
        (values.astype(np.float32) - zero) * scale if scale else values
        for values, (scale, zero) in zip(reference(), fed["quantization"], strict=True)
    ]
    found: dict[str, Open] = {"litert": lambda threads, _pictures: litert(path, threads)[1]}
    for name, model in _models(path).items():
        made = folder / f"{path.stem}-{name}.onnx"
        made.write_bytes(model)
        for runtime in (OnnxRuntime(), OpenVino()):
            opened = partial(converted, runtime, made, fed["values"])
            found[f"{runtime.name} {name}"] = opened
    differs = {name: _difference(opened(1, 1)(), expected) for name, opened in found.items() if name != "litert"}
    return found, differs


@dataclass(frozen=True)
class Way:
    """Something to time, and how many pictures it takes at each call."""

    run: Callable[[], Any]
    pictures: int = 1


def side_by_side(opened: Open, threads: int, pictures: int = 1) -> Way:
    """So many pictures on each thread at any time, each thread with a network of its own."""
    pool = ThreadPoolExecutor(threads)
    networks = [opened(1, pictures) for _ in range(threads)]

    def row(run: Run) -> None:
        for _ in range(IN_A_ROW):
            run()

    return Way(lambda: list(pool.map(row, networks)), threads * IN_A_ROW * pictures)


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


def measure(found: dict[str, Way], rounds: int, round_ms: float) -> dict[str, list[float]]:
    """Milliseconds a picture, one number a round."""
    counts = {}
    for name, way in found.items():
        way.run()
        began = time.perf_counter()
        way.run()
        counts[name] = max(1, round(round_ms / 1000 / (time.perf_counter() - began)))
    took: dict[str, list[float]] = {name: [] for name in found}
    for _ in range(rounds):
        for name, way in found.items():
            time.sleep(REST_S)
            way.run()
            began = time.perf_counter()
            for _ in range(counts[name]):
                way.run()
            took[name].append((time.perf_counter() - began) * 1000 / counts[name] / way.pictures)
    return took


def times(reference: list[float], took: dict[str, list[float]]) -> dict[str, float]:
    """How many times as fast as the reference each is, by the median of the rounds."""
    return {
        name: round(statistics.median(theirs / ours for theirs, ours in zip(reference, values, strict=True)), 2)
        for name, values in took.items()
        if name != "litert"
    }


def line(path: Path, threads: int, rounds: int, round_ms: float) -> dict[str, Any]:
    """The measurement of one file."""
    with tempfile.TemporaryDirectory() as folder:
        found, differs = ways(path, Path(folder))
        timed: dict[str, Way] = {}
        for name, opened in found.items():
            timed[f"{name}, {ALONE}"] = Way(opened(threads, 1))
            timed[f"{name}, {BESIDE}"] = side_by_side(opened, threads)
            if name != "litert":
                timed[f"{name}, {BATCHED}"] = side_by_side(opened, threads, BATCH_SIZE)
        took = measure(timed, rounds, round_ms)
    took[f"litert, {BATCHED}"] = took[f"litert, {BESIDE}"]
    by_way = {way: {name: took[f"{name}, {way}"] for name in found} for way in (ALONE, BESIDE, BATCHED)}
    interpreter = by_way[ALONE]["litert"]
    return {
        "file": path.name,
        "ms": {name: spread(values) for name, values in took.items()},
        "times_litert": {way: times(values["litert"], values) for way, values in by_way.items()},
        "times_interpreter": times(interpreter, by_way[BATCHED]),
        "differs": {name: float(f"{value:.2g}") for name, value in differs.items()},
    }


def best(lines: list[dict[str, Any]], pick: Callable[[dict[str, Any]], dict[str, float]]) -> dict[str, float]:
    """Median and worst over the files of the best runtime and variant for each."""
    found = [max(pick(one).values()) for one in lines]
    return {"median": round(statistics.median(found), 2), "worst": round(min(found), 2)}


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
        print(f"{path.name}: {lines[-1]['times_litert']} {lines[-1]['times_interpreter']}", file=sys.stderr)
    report(
        "bench_tflite",
        litert=version("ai-edge-litert"),
        threads=options.threads,
        rounds=options.rounds,
        files=lines,
        best_times_litert={
            way: best(lines, lambda one, way=way: one["times_litert"][way]) for way in (ALONE, BESIDE, BATCHED)
        },
        best_times_interpreter=best(lines, lambda one: one["times_interpreter"]),
    )


if __name__ == "__main__":
    main()
