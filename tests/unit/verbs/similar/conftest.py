"""What the tests of indexes share: small pictures, a small model, and indexes made without one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bundles import quarters
from pixelwright.io.images import write_image
from pixelwright.model import Model, load
from pixelwright.structures.image import Image
from pixelwright.verbs.similar import Entry, Index, open_index
from pixelwright.verbs.similar.index import Manifest
from pixelwright.verbs.similar.writer import open_writer

MakeIndex = Callable[..., Index]


@pytest.fixture
def embedder(tmp_path: Path) -> Model:
    return load(quarters(tmp_path / "quarters").path)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Five plain pictures: two reds, two blues, a green."""
    folder = tmp_path / "photos"
    folder.mkdir()
    colors = {
        "red": (220, 10, 10),
        "rose": (220, 40, 40),
        "blue": (10, 10, 220),
        "navy": (5, 5, 90),
        "green": (0, 200, 0),
    }
    for name, rgb in colors.items():
        write_image(Image(np.full((12, 16, 3), rgb, np.uint8)), folder / f"{name}.png")
    return folder


def entry(name: str, sha256: str = "") -> Entry:
    return Entry(
        f"/pictures/{name}", 1, 1, sha256 or hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest(), (10, 10)
    )


@pytest.fixture
def make_index(tmp_path: Path) -> MakeIndex:
    """An index of given vectors, in shards of given sizes."""

    def make(vectors: np.ndarray, *, sizes: tuple[int, ...] = (), digests: tuple[str, ...] = ()) -> Index:
        identity = Manifest(format="pixelwright-index/1", space="plane 1.0.0 abc", model="plane", bundle="/nowhere")
        with open_writer(tmp_path / "index", identity) as writer:
            row = 0
            for size in sizes or (len(vectors),):
                for vector in vectors[row : row + size]:
                    writer.add(entry(f"{row}.png", digests[row] if digests else ""), vector)
                    row += 1
                writer.commit()
        return open_index(tmp_path / "index")

    return make


def directions(count: int, dimension: int, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
