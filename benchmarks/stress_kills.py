"""Kill a run at random moments until it is done: nothing may be lost, doubled, half written or out of order.

    python benchmarks/stress_kills.py [--kills 200] [--pictures 1500] [--seed 0]

Jobs are run one after the other, each killed with SIGKILL again and again until it ends by itself, until the number of
kills is reached. Every finished job is compared with one that was never interrupted, byte by byte.
"""

from __future__ import annotations

import argparse
import filecmp
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from report import report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--pictures", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    work = Path(tempfile.mkdtemp())
    pictures = make_pictures(work / "pictures", options.pictures)
    whole = work / "whole"
    start = time.monotonic()
    if (code := _start(pictures, whole).wait()) != 1:
        sys.exit(f"the uninterrupted run ended with code {code}; expected 1, as one picture is broken on purpose.")
    seconds = time.monotonic() - start
    rng, kills, jobs, faults = random.Random(options.seed), 0, 0, []
    while kills < options.kills:
        folder = work / f"job-{jobs}"
        jobs += 1
        while (code := run_and_kill(pictures, folder, rng.uniform(0.05, seconds))) is None:
            kills += 1
            if kills >= options.kills:
                code = _start(pictures, folder).wait()
                break
        faults += [f"exit code {code}"] * (code != 1) + differences(whole, folder)
        shutil.rmtree(folder)
    report("stress-kills", kills=kills, jobs=jobs, pictures=options.pictures, faults=faults)
    sys.exit(bool(faults))


def make_pictures(folder: Path, count: int) -> Path:
    """Small noisy pictures in several formats and folders, one of them broken."""
    from pixelwright import from_numpy, write_image

    rng = np.random.default_rng(0)
    for number in range(count):
        path = folder / f"{number % 3}" / f"{number:04d}{('.jpg', '.png', '.tif')[number % 3]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_image(from_numpy(rng.integers(0, 256, (64 + number % 5, 80, 3), np.uint8)), path)
    (folder / "0" / "0000.jpg").write_bytes(b"\xff\xd8\xff no picture")
    return folder


def run_and_kill(pictures: Path, folder: Path, after: float) -> int | None:
    """The exit code, or None if the run was killed."""
    process = _start(pictures, folder)
    try:
        return process.wait(timeout=after)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
        return None


def differences(whole: Path, folder: Path) -> list[str]:
    """What is not the same in two finished jobs, whatever shards their records came in."""
    faults = []
    expected = {path.relative_to(whole) for path in whole.rglob("*") if path.is_file()}
    found = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    for path in sorted(expected ^ found):
        if path.parts[0] != "results":
            faults.append(f"{path} is only in one of them")
    for path in sorted(expected & found):
        if path.parts[0] != "results" and not filecmp.cmp(whole / path, folder / path, shallow=False):
            faults.append(f"{path} differs")
    return faults


def _start(pictures: Path, folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "pixelwright", "enhance", str(pictures), "-o", str(folder)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
