"""Classify a folder of 12-megapixel JPEGs with a ResNet-18: ours, a `transformers` pipeline, and a plain loop.

All three run the same weights on the same files on all cores of this process. There are no trained weights to be had
offline, so the network is a ResNet-18 with random convolutions and a last layer made of prototypes: the centered
features of a thousand other crops of the same photos. So the answer differs from picture to picture, a picture lies
between several prototypes, and a near tie can tip.

    python benchmarks/bench_classify.py --photos DIR [--images 1000] [--peer-python PYTHON]

`--peer-python` is an interpreter with torch and transformers, which makes the network and runs that peer. Without it
the network of an earlier run is taken, and the peer is left out and said to be.
"""

from __future__ import annotations

import argparse
import json
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
from source_photos import draw_crops, list_photos

SIZE_HW = (3000, 4000)
ROUNDS = 3
LIMIT_IMAGES = 200
PEER = Path(__file__).with_name("peer_transformers.py")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="a folder of photos to enlarge")
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--peer-python", type=Path, help="an interpreter with torch and transformers")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "pixelwright-bench-classify")
    options = parser.parse_args()
    if options.peer_python is not None:
        make = [str(options.peer_python), str(PEER), "make", str(options.work), str(options.photos)]
        subprocess.run(make, check=True)
    elif not (options.work / "resnet18.onnx").exists():
        sys.exit(f"{options.work} holds no resnet18.onnx: name a Python with torch and transformers, --peer-python.")
    files = make_photos(options.photos, options.work / "photos", options.images)
    bundles = {ratio: make_bundle(options.work, ratio) for ratio in (0.0, 1.0)}
    measure(files, bundles, options.work, options.peer_python)


def make_photos(source: Path, target: Path, count: int) -> list[Path]:
    """`count` JPEGs of 12 megapixels, quality 90, 4:2:0: crops of real photos, enlarged."""
    target.mkdir(parents=True, exist_ok=True)
    made = []
    for number, crop in enumerate(draw_crops(list_photos(source), count, seed=0, least_zoom=0.6)):
        path = target / f"{number:05d}.jpg"
        made.append(path)
        if not path.exists():
            crop.read((SIZE_HW[1], SIZE_HW[0])).save(path, quality=90)
    return made


def make_bundle(work: Path, reduced_decode: float) -> Path:
    """The network as a bundle, with or without decoding at a reduced scale."""
    from pixelwright.bundle import write_bundle
    from pixelwright.structures import spec

    terms = spec.Terms(license="CC0-1.0", commercial="yes")
    contract = spec.BundleSpec(
        schema=spec.SCHEMA_ID,
        name="resnet18-random",
        version="1.0.0",
        task="classify",
        architecture="ResNet-18, random weights",
        summary="For timing only.",
        artifacts=[],
        graphs={
            "model": spec.GraphSpec(
                inputs=[spec.TensorSpec("image", "float32", ["batch", 3, 224, 224], "NCHW")],
                outputs=[spec.TensorSpec("logits", "float32", ["batch", 1000])],
            )
        },
        input=spec.InputSpec(
            reduced_decode=reduced_decode,
            resize=spec.Resize(rule="shorter", size_hw=(256, 256)),
            crop_hw=(224, 224),
            mean=[0.485, 0.456, 0.406],
            std=[0.229, 0.224, 0.225],
        ),
        output=spec.OutputSpec("softmax", {"output": "logits"}, [f"class {i}" for i in range(1000)]),
        license=spec.License(code=terms, weights=terms),
        provenance=spec.Provenance(toolkit="benchmark"),
    )
    folder = work / f"bundle-{reduced_decode:g}"
    return write_bundle(folder, contract, {"model": work / "resnet18.onnx"}, replace=folder.exists()).path


def measure(files: list[Path], bundles: dict[float, Path], work: Path, peer_python: Path | None) -> None:
    """Interleaved rounds of every way, then the ratios."""
    runs: dict[str, list[float]] = {"ours": [], "ours-full-decoding": [], "loop-full-decoding": []}
    answers: dict[str, list[int]] = {}
    for _ in range(ROUNDS):
        for name, ratio in (("ours", 1.0), ("ours-full-decoding", 0.0)):
            seconds, answers[name] = run_ours(files, bundles[ratio], work)
            runs[name].append(len(files) / seconds)
        seconds, answers["loop"] = run_loop(files, work / "resnet18.onnx")
        runs["loop-full-decoding"].append(len(files) / seconds)
    if peer_python is not None:
        runs["pipeline"], answers["pipeline"] = run_pipeline(files, work, peer_python)
    limit = work_conserving_limit(files[:LIMIT_IMAGES], work / "resnet18.onnx")
    rates = {name: float(np.median(values)) for name, values in runs.items()}
    report(
        "classify-12mp",
        images=len(files),
        images_per_second={name: spread(values) for name, values in runs.items()},
        ratio_to_pipeline=round(rates["ours"] / rates["pipeline"], 2) if peer_python else "not measured",
        ratio_to_loop=round(rates["ours"] / rates["loop-full-decoding"], 2),
        fraction_of_work_conserving_limit=round(rates["ours"] / limit, 3),
        top1_agreement_with_full_decoding=agreement(answers["ours"], answers["ours-full-decoding"]),
        top1_agreement_of_full_decoding_with_loop=agreement(answers["ours-full-decoding"], answers["loop"]),
        top1_agreement_of_full_decoding_with_pipeline=(
            agreement(answers["ours-full-decoding"][: len(answers["pipeline"])], answers["pipeline"])
            if peer_python
            else "not measured"
        ),
        distinct_answers=len(set(answers["ours"])),
    )


def run_ours(files: list[Path], bundle: Path, work: Path) -> tuple[float, list[int]]:
    """The command, end to end, as a user runs it: start-up included."""
    listing = work / "files.txt"
    listing.write_text("\n".join(map(str, files)))
    command = [sys.executable, "-m", "pixelwright", "classify", "-", "--model", str(bundle), "--json", "--top-k", "1"]
    command += ["--runtime", "onnxruntime"]
    start = time.perf_counter()
    with listing.open() as stdin:
        done = subprocess.run(command, stdin=stdin, capture_output=True, check=True)
    seconds = time.perf_counter() - start
    return seconds, [json.loads(line)["classes"][0]["id"] for line in done.stdout.splitlines()]


def run_loop(files: list[Path], model: Path) -> tuple[float, list[int]]:
    """What a good engineer writes in twenty lines: two threads, simplejpeg, Pillow, ONNX Runtime."""
    start = time.perf_counter()
    session = _session(model)
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        answers = list(pool.map(lambda path: int(_classify(session, _prepare(_decode(path, full=True)))), files))
    return time.perf_counter() - start, answers


def run_pipeline(files: list[Path], work: Path, python: Path) -> tuple[list[float], list[int]]:
    """The `transformers` pipeline, on fewer files since it is slower; its loading is not counted."""
    some = files[: max(40, len(files) // 5)]
    (work / "some.txt").write_text("\n".join(map(str, some)))
    rates, answers = [], []
    for _ in range(ROUNDS):
        command = [str(python), str(PEER), "run", str(work), str(work / "some.txt")]
        said = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout.splitlines()[-1])
        rates.append(said["images_per_second"])
        answers = said["answers"]
    return rates, answers


def work_conserving_limit(files: list[Path], model: Path) -> float:
    """Images a second if every core did nothing but scaled decoding and the network: of the mean, as sums add up."""
    session = _session(model)
    tensors = [_prepare(_decode(path, full=False)) for path in files]
    decode, graph = [], []
    for path, tensor in zip(files, tensors, strict=True):
        start = time.process_time()
        _decode(path, full=False)
        middle = time.process_time()
        _classify(session, tensor)
        decode.append(middle - start)
        graph.append(time.process_time() - middle)
    return len(os.sched_getaffinity(0)) / float(np.mean(decode) + np.mean(graph))


def agreement(one: list[int], other: list[int]) -> float:
    return round(float(np.mean(np.array(one) == np.array(other))), 4)


def _session(model: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _decode(path: Path, *, full: bool) -> np.ndarray:
    import simplejpeg

    raw = path.read_bytes()
    if full:
        return simplejpeg.decode_jpeg(raw, "RGB")
    return simplejpeg.decode_jpeg(raw, "RGB", min_height=256, min_width=341)


def _prepare(pixels: np.ndarray) -> np.ndarray:
    from PIL import Image

    resized = np.asarray(Image.fromarray(pixels).resize((341, 256), Image.Resampling.BILINEAR))
    crop = resized[16:240, 58:282].astype(np.float32) / 255
    normal = (crop - np.array([0.485, 0.456, 0.406], np.float32)) / np.array([0.229, 0.224, 0.225], np.float32)
    return np.ascontiguousarray(normal.transpose(2, 0, 1))[None]


def _classify(session: Any, tensor: np.ndarray) -> Any:
    return session.run(None, {"image": tensor})[0].argmax()


if __name__ == "__main__":
    main()
