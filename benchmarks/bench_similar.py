"""Similar pictures: milliseconds a query over an index, with recall beside them, and pictures a second into an index.

python benchmarks/bench_similar.py [--rows 100000] [--dimensions 128 1280] [--queries 200]
python benchmarks/bench_similar.py --model BUNDLE --photos DIR [--images 1000]

The first compares `pixelwright` with a plain NumPy product and, where they are installed, with the graphs of Faiss and
USearch. The vectors are like a network's: they lie around a few thousand centers in a space of few dimensions, bent by
a rectifier. The second makes JPEGs of a megapixel from crops of photos, and indexes them with a model of yours.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from report import report, spread

TOP = 10
PROPOSED = 40  # by a graph, of which the nearest are found exactly: as pixelwright does with its cells
CENTERS, INNER, NOISE = 2000, 48, 0.5
BLOCK = 10_000
SIZE_WH = (1152, 868)  # a megapixel


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dimensions", type=int, nargs="+", default=[128, 1280])
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--model", help="a bundle that makes vectors: measure how quickly an index is filled instead")
    parser.add_argument("--photos", type=Path, help="where the pictures to be indexed are cut from")
    parser.add_argument("--images", type=int, default=1000)
    options = parser.parse_args()
    if options.model:
        if options.photos is None:
            parser.error("--model needs --photos")
        index_pictures(options.model, options.photos, options.images)
    else:
        for dimension in options.dimensions:
            search(options.rows, dimension, options.queries)


def search(rows: int, dimension: int, queries: int) -> None:
    """Query an index of so many vectors in every way there is."""
    from pixelwright.verbs.similar import nearest, open_index
    from pixelwright.verbs.similar.search import uses_cells

    blocks = [block for _, block in zip(range(-(-rows // BLOCK)), vectors(dimension), strict=False)]
    stored = np.concatenate(blocks)[:rows]
    asked = next(vectors(dimension, seed=1))[:queries]
    products = asked @ stored.T
    expected = np.argsort(-products, axis=1, kind="stable")[:, :TOP]
    folder = Path(tempfile.mkdtemp(prefix="bench-similar-"))
    write_index(folder, stored)

    def ask(**how: Any) -> Callable[[np.ndarray], np.ndarray]:
        return lambda one: np.array([match.row for match in nearest(index, one[None], top=TOP, **how)[0]])

    index = open_index(folder)
    circumstances: dict[str, Any] = {"rows": rows, "dimension": dimension}
    line("numpy", circumstances, lambda one: np.argpartition(-(stored @ one), TOP)[:TOP], asked, expected)
    line("pixelwright-exact", circumstances, ask(exact=True), asked, expected)
    if uses_cells(index):
        start = time.perf_counter()
        ask()(asked[0])
        built = {"build_s": round(time.perf_counter() - start, 2)}
        built["mb"] = round((folder / "cells.faiss").stat().st_size / 1e6, 1)
        line("pixelwright-cells", circumstances | built, ask(), asked, expected)
    for name, build in (("faiss-graph", faiss_graph), ("usearch-graph", usearch_graph)):
        if importlib.util.find_spec(name.partition("-")[0]) is not None:
            start = time.perf_counter()
            find = build(stored)
            built = {"build_s": round(time.perf_counter() - start, 2)}
            line(name, circumstances | built, exactly(find, stored), asked, expected)
    shutil.rmtree(folder)


def line(
    name: str,
    circumstances: dict[str, Any],
    find: Callable[[np.ndarray], np.ndarray],
    asked: np.ndarray,
    expected: np.ndarray,
) -> None:
    """Ask everything once to warm up, then once more and count."""
    for one in asked[:10]:
        find(one)
    milliseconds, shared = [], []
    for one, right in zip(asked, expected, strict=True):
        start = time.perf_counter()
        found = find(one)
        milliseconds.append((time.perf_counter() - start) * 1e3)
        shared.append(len(set(found.tolist()) & set(right.tolist())) / TOP)
    report(f"similar-{name}", **circumstances, query_ms=spread(milliseconds), recall_at_10=float(np.mean(shared)))


def faiss_graph(stored: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Links of Faiss between near vectors in half precision."""
    faiss: Any = importlib.import_module("faiss")
    library = faiss.IndexHNSWSQ(stored.shape[1], faiss.ScalarQuantizer.QT_fp16, 16, faiss.METRIC_INNER_PRODUCT)
    library.hnsw.efConstruction, library.hnsw.efSearch = 128, 128
    library.train(stored[:1])
    library.add(stored)
    return lambda one: library.search(one[None], PROPOSED)[1][0]


def usearch_graph(stored: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Links of USearch between near vectors in half precision."""
    from usearch.index import Index

    library = Index(
        ndim=stored.shape[1], metric="ip", dtype="f16", connectivity=16, expansion_add=128, expansion_search=128
    )
    library.add(np.arange(len(stored)), stored, threads=len(os.sched_getaffinity(0)))
    return lambda one: library.search(one, PROPOSED).keys.astype(np.int64)


def exactly(find: Callable[[np.ndarray], np.ndarray], stored: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """The nearest of what a graph proposes."""

    def best(one: np.ndarray) -> np.ndarray:
        rows = find(one)
        rows = rows[rows >= 0]
        return rows[np.argsort(-(stored[rows] @ one))[:TOP]]

    return best


def vectors(dimension: int, seed: int = 0) -> Iterator[np.ndarray]:
    """Blocks of unit vectors; other seeds draw others of the same kind."""
    shape = np.random.default_rng(99)
    centers = shape.normal(size=(CENTERS, INNER)).astype(np.float32)
    spread_out = shape.normal(size=(INNER, dimension)).astype(np.float32)
    rng = np.random.default_rng(seed)
    while True:
        inner = centers[rng.integers(0, CENTERS, BLOCK)] + NOISE * rng.normal(size=(BLOCK, INNER)).astype(np.float32)
        block = np.maximum(inner @ spread_out, 0) + 0.05 * rng.random((BLOCK, dimension), np.float32)
        yield (block / np.linalg.norm(block, axis=1, keepdims=True)).astype(np.float32)


def write_index(folder: Path, stored: np.ndarray) -> None:
    """An index of vectors that no picture belongs to."""
    from pixelwright.verbs.similar import Entry
    from pixelwright.verbs.similar.index import FORMAT, Manifest
    from pixelwright.verbs.similar.writer import open_writer

    identity = Manifest(format=FORMAT, space="synthetic 1.0.0 000000000000", model="synthetic", bundle="/absent")
    with open_writer(folder, identity) as writer:
        for row, vector in enumerate(stored):
            writer.add(Entry(f"/pictures/{row}.jpg", 1, 1, f"{row:064x}", (868, 1152)), vector)
            if writer.pending == BLOCK:
                writer.commit()
        writer.commit()


def index_pictures(model: str, photos: Path, images: int) -> None:
    """Index JPEGs of a megapixel with the command, start-up included, then once more with nothing to do."""
    from source_photos import draw_crops, list_photos

    folder = Path(tempfile.gettempdir()) / "pixelwright-bench-similar"
    folder.mkdir(exist_ok=True)
    for number, crop in enumerate(draw_crops(list_photos(photos), images, seed=0, least_zoom=0.5)):
        path = folder / f"{number:05d}.jpg"
        if not path.exists():
            crop.read(SIZE_WH).save(path, quality=90)
    for path in sorted(folder.glob("*.jpg"))[images:]:
        path.unlink()
    index = Path(tempfile.mkdtemp(prefix="bench-similar-")) / "index"
    command = [sys.executable, "-m", "pixelwright", "embed", str(folder), "--model", model, "--index", str(index)]
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        seconds.append(time.perf_counter() - start)
    report(
        "similar-index",
        model=Path(model).name,
        images=images,
        megapixels=round(SIZE_WH[0] * SIZE_WH[1] / 1e6, 2),
        images_per_s=round(images / seconds[0], 1),
        seconds_when_nothing_changed=round(seconds[1], 2),
    )


if __name__ == "__main__":
    main()
