"""Size on disk of a light install, and time to first things, in a fresh virtual environment.

python benchmarks/bench_startup.py [--keep DIR]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from report import ROOT, report, spread

ROUNDS = 15


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=Path, help="make the environment here, or use the one that is here")
    options = parser.parse_args()
    folder = options.keep or Path(tempfile.mkdtemp()) / "venv"
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        install = [str(python), "-m", "pip", "install", "-q", "-c", str(ROOT / "constraints.txt"), str(ROOT)]
        subprocess.run(install, check=True)
    picture = folder / "one.jpg"
    make = (
        "import numpy, cv2, sys; cv2.imwrite(sys.argv[1], numpy.random.default_rng(0).integers(0, 255, (768, 1024, 3)))"
    )
    subprocess.run([str(python), "-c", make, str(picture)], check=True)
    commands = {
        "python_alone": [str(python), "-c", "pass"],
        "import_numpy": [str(python), "-c", "import numpy"],
        "import_pixelwright": [str(python), "-c", "import pixelwright"],
        "help": [str(folder / "bin" / "pixelwright"), "--help"],
        "classify_one_cold": [str(folder / "bin" / "pixelwright"), "classify", str(picture)],
    }
    report(
        "startup",
        light_core_mb=round(installed_bytes(folder) / 1e6, 1),
        seconds={name: spread([_seconds(command) for _ in range(ROUNDS)]) for name, command in commands.items()},
    )


def installed_bytes(venv: Path) -> int:
    """Bytes of what the install brought: site-packages without pip and setuptools, which every venv has."""
    (site,) = (venv / "lib").glob("python*/site-packages")
    tools = ("pip", "setuptools", "pkg_resources", "_distutils_hack", "distutils-precedence.pth")
    files = (path for path in site.rglob("*") if path.is_file() and not path.is_symlink())
    return sum(path.stat().st_size for path in files if not path.relative_to(site).parts[0].startswith(tools))


def _seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
