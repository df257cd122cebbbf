"""Damaged model files: none may crash, hang, take gigabytes or raise anything but an error of ours.

Every input is a sound TensorFlow Lite or ONNX file, mutated by a random number generator seeded with the input's
number. A TensorFlow Lite file is imported, an ONNX file is opened and run as a bundle's graph is. As ONNX Runtime's
parser is native code, each worker is a process of its own with a limit on its memory; a worker that dies is replaced.

    python benchmarks/fuzz_models.py ../shared/models [--n 500] [--only NUMBER]
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import struct
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from fuzz_reader import INTERESTING, Mutation
from fuzz_workers import outcomes

MAX_SEED_BYTES = 4_000_000
ADDRESS_SPACE_BYTES = 12 << 30  # libraries and thread pools reserve some gigabytes that they never touch
OVERRUN_BYTES = 2 << 30  # of memory really used
TIMEOUT_S = 60
SUFFIXES = (".tflite", ".onnx")


def list_seeds(folder: Path) -> list[Path]:
    """The sound files."""
    found = sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES)
    return [path for path in found if path.stat().st_size <= MAX_SEED_BYTES]


def _spots(dice: random.Random, data: bytearray, count: int) -> list[int]:
    """Structure stands at both ends of a file, weights between: two thirds of all places lie near an end."""
    near = min(4000, len(data))
    return [
        dice.choice((dice.randrange(near), -1 - dice.randrange(near), dice.randrange(len(data)))) for _ in range(count)
    ]


def _flip(dice: random.Random, data: bytearray, _seeds: list[bytes]) -> bytearray:
    for at in _spots(dice, data, dice.choice((1, 2, 5, 20))):
        data[at] ^= 1 << dice.randrange(8)
    return data


def _number(dice: random.Random, data: bytearray, _seeds: list[bytes]) -> bytearray:
    for at in _spots(dice, data, dice.choice((1, 2, 3, 10))):
        form = dice.choice(("<B", "<H", "<I"))
        size = struct.calcsize(form)
        start = at % len(data) // size * size
        packed = struct.pack(form, dice.choice(INTERESTING) & (256**size - 1))
        data[start : start + size] = packed
    return data


def _cut(dice: random.Random, data: bytearray, _seeds: list[bytes]) -> bytearray:
    return data[: dice.randrange(1, len(data) + 1)]


def _move(dice: random.Random, data: bytearray, _seeds: list[bytes]) -> bytearray:
    """Deletes, doubles or blanks a range."""
    start = _spots(dice, data, 1)[0] % len(data)
    end = min(len(data), start + dice.choice((1, 2, 4, 8, 30, 200)))
    part = data[start:end]
    data[start:end] = (bytearray(), part * dice.choice((2, 3, 50)), bytearray(len(part)))[dice.randrange(3)]
    return data or bytearray(1)


def _splice(dice: random.Random, data: bytearray, seeds: list[bytes]) -> bytearray:
    other = dice.choice(seeds)
    return data[: dice.randrange(1, len(data) + 1)] + other[dice.randrange(len(other)) :]


MUTATIONS: tuple[Mutation, ...] = (_flip, _flip, _number, _number, _number, _move, _cut, _splice)


def mutated(number: int, seed: int, paths: list[Path]) -> tuple[str, bytes]:
    """Input `number`: the suffix and the bytes of one sound file, one to three times damaged."""
    dice = random.Random(f"{seed}:{number}")
    path = dice.choice(paths)
    data, kin = bytearray(path.read_bytes()), [dice.choice([one for one in paths if one.suffix == path.suffix])]
    seeds = [one.read_bytes() for one in kin]
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        data = dice.choice(MUTATIONS)(dice, data, seeds)
    return path.suffix, bytes(data)


def load_one(path: Path) -> str:
    """`read`, `refused`, or `foreign: ...`."""
    from pixelwright.errors import PixelwrightError

    try:
        if path.suffix == ".tflite":
            from pixelwright.interop.tflite import read

            read(path)
            read(path, dequantize=True)
        else:
            _open_onnx(path)
    except PixelwrightError:
        return "refused"
    except Exception as err:
        return f"foreign: {type(err).__name__}: {str(err)[:200]}"
    return "read"


def _open_onnx(path: Path) -> None:
    """What loading a bundle does with its graph: look for other files it points to, open it, run it once."""
    import numpy as np

    from pixelwright.io.onnx_wire import external_locations
    from pixelwright.runtimes.onnx import OnnxRuntime

    if external_locations(path):
        return  # a bundle lists them, or is refused
    graph = OnnxRuntime().open(path, threads=1)
    feeds = {}
    for spec in graph.inputs:
        shape = [size if isinstance(size, int) and 0 < size < 1000 else 32 for size in spec.dims]
        feeds[spec.name] = np.zeros(shape, spec.dtype)
    graph.run(feeds)


def work(folder: Path, seed: int) -> None:
    """The worker: numbers come on standard input, outcomes go out on standard output."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))
    paths = list_seeds(folder)
    with tempfile.TemporaryDirectory() as desk:
        for line in sys.stdin:
            suffix, data = mutated(int(line), seed, paths)
            path = Path(desk) / f"altered{suffix}"
            path.write_bytes(data)
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            outcome = load_one(path)
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
            if grown > OVERRUN_BYTES:
                outcome = f"overrun: {grown >> 20} MiB"
            print(json.dumps(f"{outcome} {suffix}"), flush=True)


def run(folder: Path, numbers: range, seed: int) -> tuple[Counter[str], list[tuple[int, str]]]:
    """Outcomes counted, and findings listed."""
    command = [sys.executable, __file__, str(folder), "--worker", "--seed", str(seed)]
    with tempfile.TemporaryFile("w+") as noise:
        return outcomes(command, numbers, TIMEOUT_S, noise)


def main() -> int:
    """Runs, prints one JSON line, and fails where anything was found."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where sound files stand, in any folder below")
    parser.add_argument("--n", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--only", type=int, help="write this input to altered-NUMBER.* and load it here")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(options.folder, options.seed)
        return 0
    if options.only is not None:
        suffix, data = mutated(options.only, options.seed, list_seeds(options.folder))
        path = Path(f"altered-{options.only}{suffix}")
        path.write_bytes(data)
        print(load_one(path))
        return 0
    began = time.perf_counter()
    counts, findings = run(options.folder, range(options.start, options.start + options.n), options.seed)
    bad = {kind: counts.get(kind, 0) for kind in ("crash", "hang", "foreign", "overrun")}
    said = {
        "benchmark": "fuzz_models",
        "n": options.n,
        "seed": options.seed,
        "seeds": len(list_seeds(options.folder)),
        "read": counts["read"],
        "refused": counts["refused"],
        **bad,
        "findings": findings[:50],
        "seconds": round(time.perf_counter() - began, 1),
    }
    print(json.dumps(said))
    return int(any(bad.values()))


if __name__ == "__main__":
    sys.exit(main())
