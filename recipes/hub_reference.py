"""Writes what the original executors make of the probe picture into hub.toml: `python recipes/hub_reference.py`.

Every pull compares the converted network with these values, without having those executors. A TensorFlow Lite file is
run by LiteRT without delegates, an ONNX file as published by ONNX Runtime without optimizations. The tolerances in
hub.toml are set by hand and stay.

    python recipes/hub_reference.py --mirror DIR                   # all models, from files below a folder
    python recipes/hub_reference.py --mirror DIR movenet-lightning
"""

import argparse
import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixelwright import hub
from pixelwright.interop.assemble import evenly
from pixelwright.interop.probe_picture import prepared
from pixelwright.io.mirror import acquire
from pixelwright.structures.draft import Entry

Outputs = Mapping[str, NDArray[Any]]

# Of each output: at least so many values, and as many as it takes to have one near the largest among them. Class scores
# are almost all zero, and a difference is measured against the largest value.
LEAST, MOST, NEAR = 32, 512, 0.9
DIGITS = 7  # all that float32 has


def run_litert(path: Path, feed: NDArray[Any], names: list[str]) -> Outputs:
    """The outputs, or the tensors of these names, as real numbers."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        str(path),
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    (entry,) = interpreter.get_input_details()
    interpreter.resize_tensor_input(entry["index"], feed.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(entry["index"], feed)
    interpreter.invoke()
    details = {one["name"]: one for one in interpreter.get_tensor_details()} if names else {}
    wanted = [details[name] for name in names] or interpreter.get_output_details()
    return {one["name"]: real(interpreter.get_tensor(one["index"]), *one["quantization"]) for one in wanted}


def real(array: NDArray[Any], scale: float, zero: int) -> NDArray[Any]:
    """The numbers that integers stand for; those without a scale stand for themselves."""
    return (array.astype(np.float32) - zero) * np.float32(scale) if scale else array


def run_onnx(path: Path, feed: NDArray[Any], names: list[str]) -> Outputs:
    """The outputs, or those of these names."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options)
    wanted = names or [output.name for output in session.get_outputs()]
    answers: Any = session.run(wanted, {session.get_inputs()[0].name: feed})
    return dict(zip(wanted, answers, strict=True))


def reference(name: str, entry: Entry, mirror: str | None, store: Path) -> str:
    """Executor and values for the table of a model, as TOML."""
    (wanted,) = (file for file in entry.files if file.role == "model")
    path = acquire(wanted, store, model=name, mirror=mirror)
    feed, names = prepared(entry.draft.input), list(entry.draft.outputs)
    lite = path.suffix == ".tflite"
    outputs = (run_litert if lite else run_onnx)(path, feed, names)
    executor = f"LiteRT {version('ai-edge-litert')}" if lite else f"ONNX Runtime {version('onnxruntime')}"
    lines = [
        f'executor = "{executor}"',
        *(f'values."{output}" = [\n{said(some(array))}]' for output, array in outputs.items()),
    ]
    return "\n".join(lines) + "\n"


def some(array: NDArray[Any]) -> NDArray[np.float64]:
    """As few evenly spaced values as will do."""
    largest = np.abs(array).max()
    counts = range(min(LEAST, array.size), min(MOST, array.size))
    enough = (count for count in counts if np.abs(evenly(array, count)).max() >= NEAR * largest)
    return evenly(array, next(enough, min(MOST, array.size)))


def said(values: NDArray[np.float64]) -> str:
    """Eight numbers a line."""
    texts = [repr(float(f"{value:.{DIGITS}g}")) for value in values]
    return "".join(f"  {', '.join(texts[start : start + 8])},\n" for start in range(0, len(texts), 8))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", help="as in hub.toml (default: all)")
    parser.add_argument("--mirror", help="a folder with the files, or an address (default: where they were published)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as store:
        for name in options.models or hub.entries():
            made = reference(name, hub.entry(name), options.mirror, Path(store))
            text = hub.CATALOG.read_text(encoding="utf-8")
            head = f"[{name}.reference]\n"
            before, _, after = text.partition(head)
            old, blank, rest = after.partition("\n\n")
            kept = [line for line in old.splitlines(keepends=True) if line.startswith(("#", "tolerance"))]
            hub.CATALOG.write_text(before + head + "".join(kept) + made + blank[1:] + rest, encoding="utf-8")
            print(head + made)


if __name__ == "__main__":
    main()
