"""Makes a zoo bundle of a run of digits.py: `python recipes/package.py digits --run DIR --data DIR`.

Needs pixelwright with OpenVINO, not PyTorch. Takes RUN/model.onnx and RUN/scores.json, measures parity in every
runtime on real pictures, computes intervals, and writes src/pixelwright/zoo/<name>/. Fails above the tolerance.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import package_digits
import pixelwright
from package_measure import LIMITS, measure_parity
from package_plan import Plan
from pixelwright.bundle import write_bundle
from pixelwright.runtimes.onnx import RUNTIME as REFERENCE
from pixelwright.runtimes.parity import require_parity, verify
from pixelwright.runtimes.probe import Case, write_probe
from pixelwright.structures import spec as s

REPOSITORY = Path(__file__).resolve().parent.parent
VERSION = "1.0.0"
PLANS = ("digits",)


def draft(name: str, plan: Plan, model: Path, parity: list[s.Parity]) -> s.BundleSpec:
    """The contract without its files."""
    graph = REFERENCE.open(model, threads=1)
    inputs, outputs = (
        [s.TensorSpec(t.name, t.dtype, t.dims, plan.layout(t)) for t in side] for side in (graph.inputs, graph.outputs)
    )
    return s.BundleSpec(
        schema="pixelwright-bundle/1",
        name=name,
        version=VERSION,
        task=plan.task,
        architecture=plan.architecture,
        summary=plan.summary,
        artifacts=[],
        graphs={"model": s.GraphSpec(inputs, outputs)},
        input=plan.input,
        output=plan.output,
        license=plan.license,
        provenance=s.Provenance(f"pixelwright {pixelwright.__version__}", plan.recipe, seed=0),
        tiling=plan.tiling,
        decision=plan.decision,
        measured=plan.measured,
        parity=parity,
    )


def main() -> None:
    """Packages one run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=PLANS)
    parser.add_argument("--run", type=Path, required=True, help="folder with model.onnx and scores.json")
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--zoo", type=Path, default=REPOSITORY / "src" / "pixelwright" / "zoo")
    options = parser.parse_args()
    model = options.run / "model.onnx"
    scores = json.loads((options.run / "scores.json").read_text())
    plan = package_digits.plan(options.data, model, scores)
    parity = measure_parity(model, plan)
    reference = REFERENCE.open(model, threads=1)
    cases = [Case({"image": image}, reference.run({"image": image})) for image in plan.probe]
    with tempfile.TemporaryDirectory() as folder:
        probe = Path(folder) / "probe.npz"
        write_probe(probe, cases)
        if probe.stat().st_size > LIMITS.probe_bytes:
            sys.exit(f"probe: {probe.stat().st_size} bytes, expected at most {LIMITS.probe_bytes}")
        files = {"model": model, "probe": probe}
        bundle = write_bundle(options.zoo / options.name, draft(options.name, plan, model, parity), files, replace=True)
    checks = verify(bundle, threads=1)
    require_parity(options.name, [check for check in checks if bundle.spec.allows(check.runtime, check.precision)])
    for row, check in zip(parity, checks, strict=True):
        print(f"{row.runtime} {row.precision}: {row.largest_difference:.2g} on {row.n} real inputs,", end=" ")
        print(f"{row.metric} {row.metric_delta:+.2g}; the probe {check.verdict}")
    print(bundle.path, bundle.digest)


if __name__ == "__main__":
    main()
