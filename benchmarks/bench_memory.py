"""Peak memory: 10,000 pictures against 1,000, and a 400-megapixel TIFF enhanced.

python benchmarks/bench_memory.py [--folder DIR] [--few 1000] [--many 10000] [--megapixels 400]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from report import report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "pixelwright-bench-memory")
    parser.add_argument("--few", type=int, default=1000)
    parser.add_argument("--many", type=int, default=10_000)
    parser.add_argument("--megapixels", type=int, default=400)
    parser.add_argument("--model", default="denoise", help="what the large TIFF is enhanced with")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    many_pictures(options.folder, options.few, options.many)
    large_picture(options.folder, options.megapixels, options.model)


def many_pictures(folder: Path, few: int, many: int) -> None:
    """Classify folders of different length into a job folder."""
    from pixelwright import from_numpy, write_image

    rng = np.random.default_rng(0)
    peaks = {}
    for count in (few, many):
        pictures = folder / str(count)
        pictures.mkdir(exist_ok=True)
        for number in range(count):
            path = pictures / f"{number:05d}.jpg"
            if not path.exists():
                size = (int(rng.integers(100, 700)), int(rng.integers(100, 700)), 3)
                write_image(from_numpy(rng.integers(0, 256, size, np.uint8)), path, quality=50)
        peaks[count] = _peak_mb(["classify", str(pictures), "-o", str(Path(tempfile.mkdtemp()) / "job")])[0]
    report("memory-many", peak_mb={str(count): round(peak, 1) for count, peak in peaks.items()},
           ratio=round(peaks[many] / peaks[few], 3))  # fmt: skip


def large_picture(folder: Path, megapixels: int, model: str) -> None:
    """Enhance one tiled TIFF, and compare a window of the result with the same window enhanced alone."""
    import tifffile

    from pixelwright import Window, load, open_raster

    side = int((megapixels * 1e6) ** 0.5) // 512 * 512
    path, out = folder / f"{megapixels}mp.tif", folder / f"{megapixels}mp-{model}.tif"
    if not path.exists():
        tifffile.imwrite(
            path, _tiles(side), shape=(side, side, 3), dtype=np.uint8, tile=(512, 512), compression="zlib",
            photometric="rgb",
        )  # fmt: skip
    out.unlink(missing_ok=True)
    peak, seconds = _peak_mb(["enhance", str(path), "--model", model, "-o", str(out)])
    with open_raster(path) as before, open_raster(out) as after:
        scale = after.size_hw[0] // before.size_hw[0]
        place = side // 2 - 100  # across tile borders
        wanted = after.read(Window(place * scale, place * scale, 200 * scale, 200 * scale)).pixels.astype(int)
        context = before.read(Window(place - 152, place - 152, 504, 504))
        alone = load(model)(context).pixels[152 * scale : 352 * scale, 152 * scale : 352 * scale]
    report(
        "memory-large",
        megapixels=round(side * side / 1e6, 1),
        model=model,
        peak_mb=round(peak, 1),
        seconds=round(seconds, 1),
        largest_difference_to_alone=int(np.abs(wanted - alone).max()),
    )


def _tiles(side: int) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[0:512, 0:512]
    for _ in range((side // 512) ** 2):
        slope = rng.normal(0, 0.2, (3, 2))
        plane = 128 + slope[:, :1, None] * (rows - 256) + slope[:, 1:, None] * (columns - 256)
        noisy = plane + rng.normal(0, 15, (3, 512, 512))
        yield np.clip(noisy, 0, 255).astype(np.uint8).transpose(1, 2, 0)


def _peak_mb(arguments: list[str]) -> tuple[float, float]:
    """Peak resident memory of a command in megabytes, and its seconds."""
    measure = (
        "import resource, subprocess, sys; done = subprocess.run(sys.argv[1:]);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(done.returncode)"
    )
    start = time.perf_counter()
    command = [sys.executable, "-c", measure, sys.executable, "-m", "pixelwright", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux kilobytes
    return int(done.stdout.splitlines()[-1]) * unit / 1e6, time.perf_counter() - start


if __name__ == "__main__":
    if sys.platform == "win32":
        sys.exit("Windows does not tell the peak memory of a finished process: measure on Linux or macOS.")
    main()
