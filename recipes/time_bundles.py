"""Times the runtimes of finished bundles anew: `python recipes/time_bundles.py src/pixelwright/zoo/*`.

For a machine on which nothing else runs. Each runtime and precision that a bundle's parity record names runs in turn on
one thread, on a picture of ours of the size that the bundle takes, or of 512x512 pixels; the ratios to ONNX Runtime at
f32 go into the record, and the bundle is written anew. Nothing else of it changes.
"""

import argparse
from pathlib import Path

import msgspec

from pixelwright.bundle import ModelBundle, read_bundle, write_bundle
from pixelwright.interop.probe_picture import probe_picture
from pixelwright.io.exchange import from_numpy
from pixelwright.ops import batch
from pixelwright.registry import get
from pixelwright.runtimes.choose import REFERENCE
from pixelwright.runtimes.protocol import Array, Graph
from pixelwright.runtimes.timing import run_times
from pixelwright.structures.spec import Precision

FREE_HW = (512, 512)


def picture_for(bundle: ModelBundle) -> dict[str, Array]:
    """One picture as the bundle's graph takes it."""
    spec = bundle.spec.input
    size_hw = spec.resize.size_hw if spec.resize else spec.crop_hw or FREE_HW
    tensor = batch.prepare(from_numpy(probe_picture(size_hw)), spec).tensor
    return {bundle.spec.graphs["model"].inputs[0].name: tensor[None]}


def timed(bundle: ModelBundle, seconds: float) -> dict[tuple[str, Precision], float]:
    """Seconds of a run on one thread, of each runtime and precision that the record names and that can be had here."""
    wanted: list[tuple[str, Precision]] = [(row.runtime, row.precision) for row in bundle.spec.parity]
    if (REFERENCE, "f32") not in wanted:
        wanted.insert(0, (REFERENCE, "f32"))
    graphs: dict[tuple[str, Precision], Graph] = {
        (name, precision): get("runtime", name).open(bundle.file("model"), precision=precision, threads=1, device="cpu")
        for name, precision in wanted
        if get("runtime", name).available(precision) is None
    }
    return run_times(graphs, [picture_for(bundle)], seconds=seconds)


def renewed(bundle: ModelBundle, seconds: dict[tuple[str, Precision], float]) -> ModelBundle:
    """The bundle with these times in its record, written in the place of the old one."""
    reference = seconds[REFERENCE, "f32"]
    rows = []
    for row in bundle.spec.parity:
        where: tuple[str, Precision] = (row.runtime, row.precision)
        ratio = round(seconds[where] / reference, 3) if where in seconds else row.relative_time
        rows.append(msgspec.structs.replace(row, relative_time=ratio))
    files = {artifact.role: [bundle.path / one.path for one in artifact.files] for artifact in bundle.spec.artifacts}
    return write_bundle(bundle.path, msgspec.structs.replace(bundle.spec, parity=rows), files, replace=True)


def main() -> None:
    """Times each bundle."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundles", nargs="+", type=Path)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each bundle is timed")
    parser.add_argument("--dry-run", action="store_true", help="print the times; write nothing")
    options = parser.parse_args()
    for path in options.bundles:
        bundle = read_bundle(path)
        seconds = timed(bundle, options.seconds)
        for (name, precision), took in seconds.items():
            ratio = took / seconds[REFERENCE, "f32"]
            print(f"{bundle.spec.name} {name} {precision}: {took * 1e3:.3f} ms, {ratio:.3f}")
        if not options.dry_run:
            renewed(bundle, seconds)


if __name__ == "__main__":
    main()
